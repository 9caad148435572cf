"""`lakesmith restore` as far as it needs no Spark: what it is asked, what holding means, and letting go."""

from __future__ import annotations

import pytest

from command_lines import THREE_TABLES, Ask, publish
from lakes import publish_batch
from lakesmith.ledger.records import BatchOutcome, Restored
from workspaces import Workspace

SILVER = "silver.readings"


@pytest.fixture
def lake(meters: Workspace) -> Workspace:
    """Days 1 to 3 of bronze and silver."""
    publish(meters, [1, 2, 3], ["bronze.readings"])
    for number in (1, 2, 3):
        row = {"source_file": "f.csv", "record_no": 9, "meter": "m1", "kwh": 1}
        publish_batch(meters, SILVER, number, [row])
    return meters


def lines(text: str) -> list[str]:
    return [found.rstrip() for found in text.splitlines()]


@pytest.mark.parametrize("arguments", [(), ("--to-version", "1", "--release")])
def test_a_restore_wants_a_version_or_a_release(
    ask: Ask, meters: Workspace, arguments: tuple[str, ...]
) -> None:
    answer = ask("restore", SILVER, "--date", "2024-01-02", *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert "Give --to-version N to restore, or --release" in answer.err


def test_a_held_batch_is_shown_stale_with_who_restored_it_and_is_in_no_plan(
    ask: Ask, lake: Workspace
) -> None:
    publish_batch(
        lake,
        SILVER,
        3,
        [{"source_file": "f.csv", "record_no": 9, "meter": "m1", "kwh": 2}],
        restored=Restored(1, "r0", "ann", "wrong file"),
        inputs=(),
    )
    found = ask("status", "--from", "2024-01-03", "--to", "2024-01-03", "--table", SILVER, "--json").json
    (batch,) = found["tables"][0]["batches"]
    assert batch["state"] == "stale"
    assert batch["reason"].startswith("restored from version 1 by ann at ")
    assert batch["reason"].endswith(" UTC (wrong file) and held; since then: the input lines is new")
    for force in ((), ("--force",)):
        nights = ("--from", "2024-01-03", "--to", "2024-01-03")
        planned = ask("backfill", *nights, "--table", SILVER, "--dry-run", "--json", *force).json
        assert (planned["steps"], planned["waiting"], planned["untouched"]) == ([], [], 1)

    released = ask("restore", SILVER, "--date", "2024-01-03", "--release", "--why", "mended")

    assert (released.code, released.err) == (0, "")
    assert lines(released.out)[0].startswith("silver.readings 2024-01-03: released; ")
    assert lines(released.out)[1] == "state: stale: the input lines is new"
    assert lines(released.out)[2] == "repair it: lakesmith run --date 2024-01-03"
    assert lines(ask("audit").out)[1].endswith("release  silver.readings  2024-01-03  mended")
    planned = ask("backfill", *nights, "--table", SILVER, "--dry-run", "--json").json
    assert [step["batches"] for step in planned["steps"]] == [["2024-01-03"]]
    again = ask("restore", SILVER, "--date", "2024-01-03", "--release")
    assert (again.code, "is not held: nobody restored it" in again.err) == (2, True)


@pytest.mark.parametrize("held", [False, True])
def test_what_reads_a_stale_batch_is_stale_unless_the_batch_is_held(meters: Workspace, held: bool) -> None:
    """A batch that is held is not about to change, so what has read it would be run for nothing, night after night."""
    publish(meters, [1, 2], THREE_TABLES)
    standing = meters.records(SILVER)[0]
    restored = Restored(1, "r0", "ann") if held else None
    publish(meters, [1], [SILVER], digest=standing.digest, inputs=(), restored=restored)

    found = meters.states(1, 2)

    assert found[SILVER] == "stale fresh"
    assert found["gold.usage"] == ("fresh fresh" if held else "stale fresh")


@pytest.mark.parametrize("outcome", ["failed", "blocked"])
def test_whatever_becomes_of_its_inputs_a_held_batch_is_there_for_its_readers(
    meters: Workspace, outcome: str
) -> None:
    publish(meters, [1, 2], THREE_TABLES)
    digest = meters.records(SILVER)[0].digest
    publish(meters, [1], [SILVER], digest=digest, restored=Restored(1, "r0", "ann"))
    assert meters.states(1, 2)[SILVER] == "fresh fresh"
    if outcome == "blocked":
        publish(meters, [1], ["bronze.readings"], outcome=BatchOutcome.FAILED, reason="broken", files="none")
    else:
        publish(meters, [1], [SILVER], outcome=BatchOutcome.FAILED, reason="broken")

    found = meters.states(1, 2)

    assert found[SILVER] == "stale fresh"
    assert found["gold.usage"] == "fresh fresh"


def test_restoring_what_is_there_does_nothing_and_starts_no_jvm(ask: Ask, lake: Workspace) -> None:
    answer = ask("restore", SILVER, "--date", "2024-01-02", "--to-version", "3")
    assert (answer.code, answer.err) == (0, "")
    assert (
        answer.out
        == "silver.readings 2024-01-02: nothing to restore. It holds the rows of version 3 already.\n"
    )
    assert (
        ask("restore", SILVER, "--date", "2024-01-02", "--to-version", "3", "--json").json["restored"]
        is False
    )
    assert ask("audit", "--json").json == []


@pytest.mark.parametrize(
    ("version", "code", "said"),
    [
        (
            "9",
            2,
            "silver.readings has no version 9: its versions are 0 .. 3. The batch 2024-01-02 got other rows in version 2 (",
        ),
        (
            "1",
            2,
            "silver.readings 2024-01-02 cannot be restored from version 1, which does not hold the batch. It got other",
        ),
    ],
)
def test_a_version_without_the_batch_is_refused(
    ask: Ask, lake: Workspace, version: str, code: int, said: str
) -> None:
    answer = ask("restore", SILVER, "--date", "2024-01-02", "--to-version", version)
    assert (answer.code, answer.out) == (code, "")
    assert said in answer.err


def test_a_vacuumed_version_is_refused_before_spark_is_started(ask: Ask, lake: Workspace) -> None:
    publish_batch(lake, SILVER, 2, [{"source_file": "f.csv", "record_no": 9, "meter": "m1", "kwh": 2}])
    lake.table(SILVER).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    answer = ask("restore", SILVER, "--date", "2024-01-02", "--to-version", "2")
    assert (answer.code, answer.out) == (4, "")
    assert "can no longer be read at version 2: 1 of its 1 files were vacuumed." in answer.err
