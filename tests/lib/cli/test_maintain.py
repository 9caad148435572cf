"""`lakesmith maintain`, `nights`, `quality --as-of` and what `forget` says where it need not run anything. No Spark."""

from __future__ import annotations

import pytest

from command_lines import Ask
from lakes import publish_parts, record_night, write_batch
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import QualityRecord
from lakesmith.ledger.retired import RetiredKind, RetiredRecord
from workspaces import Workspace, day

USAGE, SILVER = "gold.usage", "silver.readings"


@pytest.fixture
def lake(meters: Workspace) -> Workspace:
    """A batch of three files, a complete night, a batch after it."""
    publish_parts(meters, USAGE, 1, *([{"meter": f"m{n}", "kwh": n}] for n in range(3)))
    record_night(meters, 1)
    publish_parts(meters, USAGE, 2, [{"meter": "m1", "kwh": 7}])
    return meters


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def test_maintenance_is_told_table_by_table_and_for_whom_versions_are_kept(ask: Ask, lake: Workspace) -> None:
    answer = ask("maintain", "--table", USAGE, "--dry-run")
    assert (answer.code, answer.err) == (0, "")
    assert lines(answer.out) == [
        "table       files  after  batches compacted  removed  freed  versions kept",
        "gold.usage      4      2                  1                              1",
        "0 files would be removed, 0 B would be freed.",
        "kept for 1 night (2024-01-01), as retention.nights asks",
        "other files stay for 7 days after they were last of use",
    ]
    done = ask("maintain", "--table", USAGE, "--json").json
    assert (done["dry_run"], done["exit_code"], done["models_without_recipe"]) == (False, 0, [])
    [table] = done["tables"]
    assert table["batches_compacted"] == ["2024-01-01"]
    assert list(table["versions_kept"].values()) == [["night 2024-01-01"]]
    assert ask("maintain").code == 0


def test_an_empty_lake_has_nothing_to_maintain_and_no_nights(ask: Ask, meters: Workspace) -> None:
    assert ask("maintain").out == "nothing is there yet.\n"
    assert ask("nights").out == "no night is on record yet: that takes a run of all tables.\n"


def test_nights_are_listed_with_what_can_be_read(ask: Ask, lake: Workspace) -> None:
    gone = record_night(lake, 2, troubles={"gold.running": "1 rejected"}, minutes=1)
    lake.context().ledger.ops.append(
        [
            RetiredRecord(
                now(), RetiredKind.NIGHT, str(gone.last), gone.recorded_at, (USAGE,), "somebody was forgotten"
            )
        ]
    )
    for file in (lake.root / "lake" / "gold" / "usage").rglob("*2024-01-02/*.parquet"):
        file.unlink()
    shown = [line.split() for line in lines(ask("nights").out)]
    assert [(row[0], row[3], row[4]) for row in shown[1:3]] == [
        ("2024-01-02", "no:", "gold.running"),
        ("2024-01-01", "yes", shown[2][4]),
    ]
    assert shown[1][-2:] == ["no", "more"]
    assert shown[2][-1] == "whole"
    found = ask("nights", "--json").json
    assert [night["unreadable"] for night in found] == [
        {USAGE: f"somebody was forgotten (on {now():%Y-%m-%d})"},
        {},
    ]
    told = ask("sql", f"SELECT * FROM {USAGE}", "--as-of", "2024-01-02")
    assert told.code == 1
    assert told.err.startswith(
        f"error: {USAGE} can no longer be read as of the night 2024-01-02: somebody was forgotten (on "
    )


def test_quality_tells_what_was_known_as_of_a_night(ask: Ask, meters: Workspace) -> None:
    def audited(run: str, *, success: bool) -> None:
        publish_parts(meters, SILVER, 1, [{"source_file": "f", "record_no": 1, "meter": run}])
        record = QualityRecord(
            run,
            SILVER,
            day(1),
            now(),
            "kwh_sane",
            "expect_x",
            "warning",
            success,
            None if success else 3,
            9,
            {},
        )
        meters.context().ledger.ops.append([record])

    audited("first", success=True)
    record_night(meters, 1)
    audited("second", success=False)
    assert ask("quality", SILVER, "--json").json["batches_in_trouble"] == 1
    then = ask("quality", SILVER, "--as-of", "2024-01-01", "--json").json
    assert (then["batches_audited"], then["batches_in_trouble"]) == (1, 0)
    batch = ask("quality", SILVER, "--date", "2024-01-01", "--as-of", "2024-01-01", "--json").json
    assert (batch["audited_by"], batch["visible"]["rows"]) == ("first", 1)
    assert ask("quality", SILVER, "--as-of", "2024-01-09").code == 2


def test_a_dry_run_of_forgetting_lists_tables_batches_and_rows(ask: Ask, lake: Workspace) -> None:
    line = {"source_file": "f", "record_no": 1, "meter": "m", "kwh": 1}
    publish_parts(lake, SILVER, 1, [{**line, "street": "High St"}] * 2)
    write_batch(lake, SILVER, 2, [{**line, "street": "High St"}])
    write_batch(lake, SILVER, 2, [{**line, "street": "Low St"}])
    answer = ask("forget", "--subject", "High St", "--dry-run")
    assert answer.code == 0
    assert lines(answer.out) == [
        "table            batches  rows  old files  which",
        "silver.readings        1     2          1  2024-01-01",
        "landing files of readings still hold the person, and are yours to clean: 2024-01-01.csv, 2024-01-02.csv, "
        "2024-01-03.csv, 2024-01-04.csv, 2024-01-05.csv and 1 more",
        "nothing was changed, and nothing is remembered yet: run it without --dry-run.",
    ]


def test_somebody_unknown_is_said_to_be_nowhere_and_remembered(ask: Ask, lake: Workspace) -> None:
    answer = ask("forget", "--subject", "Far St", "--why", "request 9")
    assert answer.code == 0
    assert "High" not in answer.out + answer.err
    said = lines(answer.out)
    assert said[:2] == [
        "no table holds this person.",
        "a salted hash was remembered (ops.forgotten): later readings of landing files leave the person out.",
    ]
    assert "the id is in no subject column and in no free text of any of them." in said
    again = ask("forget", "--subject", " Far St", "--json").json
    assert (again["known_before"], again["proof"]["holds"], again["exit_code"]) == (True, True, 0)
