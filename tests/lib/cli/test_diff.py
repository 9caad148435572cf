"""`lakesmith diff` on a batch that was corrected."""

from __future__ import annotations

from typing import Any

import pytest

from command_lines import Ask, publish
from lakes import publish_batch, write_batch
from lakesmith.ledger.records import BatchOutcome
from workspaces import Workspace, day

SILVER = "silver.readings"
FIRST, SECOND = "20240201T010000-0000000a", "20240202T010000-0000000b"


def line(record: int, meter: str, kwh: int | None, street: str | None) -> dict[str, Any]:
    return {"source_file": "f.csv", "record_no": record, "meter": meter, "kwh": kwh, "street": street}


@pytest.fixture
def lake(meters: Workspace) -> Workspace:
    """Day 2 came with three lines, and again: one changed, one gone, one new. Days 1 and 3 are as they were."""
    publish_batch(meters, SILVER, 1, [line(1, "m1", 1, "High St")], run_id=FIRST)
    before = [line(1, "m1", 7, "High St"), line(2, "m2", 6, "Low St"), line(3, "m3", 5, None)]
    publish_batch(meters, SILVER, 2, before, run_id=FIRST)
    publish_batch(meters, SILVER, 3, [line(1, "m1", 3, "High St")], run_id=FIRST)
    after = [line(1, "m1", 70, "Park St"), line(2, "m2", 6, "Low St"), line(4, "m4", 4, "Low St")]
    publish_batch(meters, SILVER, 2, after, run_id=SECOND)
    return meters


def lines(text: str) -> list[str]:
    return [found.rstrip() for found in text.splitlines()]


def test_the_former_state_and_the_present_one_are_counted_and_no_row_is_shown(
    ask: Ask, lake: Workspace
) -> None:
    answer = ask("diff", SILVER, "--date", "2024-01-02")
    assert (answer.code, answer.err) == (0, "")
    said = lines(answer.out)
    assert said[0] == "silver.readings 2024-01-02"
    assert said[1].startswith(f"version 2: 3 rows, run {FIRST}, ")
    assert said[2].startswith(f"version 4: 3 rows, run {SECOND}, ")
    assert said[3:] == [
        "",
        "1 row added, 1 removed, 1 changed, by key (source_file, record_no)",
        "A row whose key changed counts as removed and added; where the key hashes the row, every change does.",
        "",
        "changed column  rows",
        "kwh                1",
        "street             1",
        "",
        "some of these rows: lakesmith diff silver.readings --date 2024-01-02 --versions 2 4 --sample 5",
        "to bring the former state back: lakesmith restore silver.readings --date 2024-01-02 --to-version 2",
    ]
    assert max(map(len, said)) <= 110


def test_rows_are_shown_when_asked_for_with_people_masked(ask: Ask, lake: Workspace) -> None:
    said = lines(ask("diff", SILVER, "--date", "2024-01-02", "--sample", "5").out)
    assert said[said.index("street             1") + 1 : -1] == [
        "",
        "removed, 1 of 1:",
        "  source_file: f.csv, record_no: 3",
        "    meter: m3, kwh: 5, street: NULL",
        "",
        "added, 1 of 1:",
        "  source_file: f.csv, record_no: 4",
        "    meter: m4, kwh: 4, street: ***",
        "",
        "changed, 1 of 1:",
        "  source_file: f.csv, record_no: 1",
        "    kwh: 7 -> 70",
        "    street: *** -> ***",
        "",
        "*** stands for values of people's columns (street): --unmask shows them.",
    ]
    shown = ask("diff", SILVER, "--date", "2024-01-02", "--sample", "5", "--unmask").out
    assert "    street: High St -> Park St\n" in shown
    assert "***" not in shown


def test_the_same_as_json(ask: Ask, lake: Workspace) -> None:
    found = ask("diff", SILVER, "--date", "2024-01-02", "--json").json
    assert found == {
        "table": SILVER,
        "batch_date": "2024-01-02",
        "key": ["source_file", "record_no"],
        "from": found["from"],
        "to": found["to"],
        "difference": True,
        "added": 1,
        "removed": 1,
        "changed": 1,
        "columns": {"kwh": 1, "street": 1},
        "columns_gained": [],
        "columns_lost": [],
    }
    assert (found["from"]["version"], found["from"]["run_id"], found["from"]["rows"]) == (2, FIRST, 3)
    sampled = ask("diff", SILVER, "--date", "2024-01-02", "--sample", "1", "--json").json
    assert sampled["masked"] == ["street"]
    assert sampled["sample"]["changed"] == [
        {
            "key": {"source_file": "f.csv", "record_no": 1},
            "columns": {"kwh": [7, 70], "street": ["***", "***"]},
        }
    ]
    assert "St" not in str(sampled["sample"])


def test_versions_with_the_same_files_and_with_equal_rows(ask: Ask, lake: Workspace) -> None:
    # Version 3 published another day.
    answer = ask("diff", SILVER, "--date", "2024-01-02", "--versions", "2", "3")
    assert lines(answer.out)[-1] == "no difference: the same files."
    again = [line(4, "m4", 4, "Low St"), line(2, "m2", 6, "Low St"), line(1, "m1", 70, "Park St")]
    version = write_batch(lake, SILVER, 2, again)
    answer = ask("diff", SILVER, "--date", "2024-01-02", "--versions", "4", str(version))
    assert lines(answer.out)[-1] == "no difference: other files, equal rows."
    assert ask("diff", SILVER, "--date", "2024-01-02", "--json").json["difference"] is False


def test_what_somebody_else_wrote_is_compared_with_what_was_published(ask: Ask, lake: Workspace) -> None:
    version = write_batch(lake, SILVER, 2, [line(1, "m1", 70, "Park St")])
    said = lines(ask("diff", SILVER, "--date", "2024-01-02").out)
    assert said[1].startswith(f"version 4: 3 rows, run {SECOND}, ")
    assert said[2] == f"version {version}: 1 row, written by somebody else"
    assert said[4] == "0 rows added, 2 removed, 0 changed, by key (source_file, record_no)"


def test_a_version_before_the_batch_has_no_rows_of_it(ask: Ask, lake: Workspace) -> None:
    said = lines(ask("diff", SILVER, "--date", "2024-01-02", "--versions", "1", "2").out)
    assert said[1] == "version 1: 0 rows, no batch yet"
    assert said[4] == "3 rows added, 0 removed, 0 changed, by key (source_file, record_no)"
    assert not said[-1].startswith("to bring")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("--date", "2024-01-02", "--versions", "2", "9"),
            2,
            "silver.readings has no version 9: its versions are 0 .. 4.",
        ),
        (
            ("--date", "2024-01-05", "--versions", "1", "2"),
            2,
            "has no batch 2024-01-05 in version 1, and none in version 2",
        ),
        (
            (
                "--date",
                "2024-01-05",
            ),
            4,
            "silver.readings 2024-01-05 was never published, so that there is nothing to",
        ),
        (
            (
                "--date",
                "2024-01-01",
            ),
            4,
            "has had the same rows ever since it was published (version 1, ",
        ),
        (
            (
                "--date",
                "2023-12-31",
            ),
            2,
            "has no batch for the night of 2023-12-31",
        ),
    ],
)
def test_what_cannot_be_compared_says_why(
    ask: Ask, lake: Workspace, arguments: tuple[str, ...], code: int, said: str
) -> None:
    answer = ask("diff", SILVER, *arguments)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err


def test_a_vacuumed_version_and_a_table_that_was_never_made(ask: Ask, lake: Workspace) -> None:
    lake.table(SILVER).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    answer = ask("diff", SILVER, "--date", "2024-01-02")
    assert answer.code == 4
    assert (
        "can no longer be read at version 2: 1 of its 1 files were vacuumed. The batch 2024-01-02 got"
        in answer.err
    )
    answer = ask("diff", "gold.usage", "--date", "2024-01-02")
    assert (answer.code, "gold.usage 2024-01-02 was never published" in answer.err) == (4, True)


def test_a_batch_without_rows_at_both_ends(ask: Ask, meters: Workspace) -> None:
    publish_batch(meters, "gold.usage", 1, [{"meter": "m1", "kwh": 1, "cost": 2}])
    publish(meters, [2], ["gold.usage"], outcome=BatchOutcome.EMPTY, version=1, digest="empty", rows=0)
    publish_batch(meters, "gold.usage", 2, [{"meter": "m1", "kwh": 1, "cost": 2}])
    said = lines(ask("diff", "gold.usage", "--date", "2024-01-02").out)
    assert said[4] == "1 row added, 0 removed, 0 changed, by key (meter)"
    assert day(2).isoformat() in said[0]
