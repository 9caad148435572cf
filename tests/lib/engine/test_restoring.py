"""A person brings an old state of a batch back: which rows, which state, and that no run takes it back."""

from __future__ import annotations

import json
import shutil
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lakesmith.config.sections.jobs import LeaseSettings
from lakesmith.contracts.days import BatchRange
from lakesmith.engine import restored_rows
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.restored_rows import NotRestored
from lakesmith.engine.restoring import Restoration, plan_restore, release, restore
from lakesmith.errors import ExitCode, LeaseHeld
from lakesmith.faults import FaultPoint, Side, Step, armed
from lakesmith.lake.lease import hold
from lakesmith.lake.past import UnknownVersion, VersionGone
from lakesmith.ledger.audit_trail import Action, AuditRecord
from lakesmith.ledger.provenance import Provenance
from lakesmith.ledger.records import BatchOutcome, RunOutcome, RunRecord
from workspaces import Workspace, day

ALL = ["bronze.readings", "silver.readings", "gold.usage", "gold.next_day", "gold.running", "gold.usage_3d"]
SILVER = "silver.readings"
UP_TO_SILVER = ALL[:2]


def published(meters: Workspace) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables."""
    return {table: meters.rows(table) for table in ALL}


def bring_back(
    meters: Workspace, number: int, version: int, why: str = "", table: str = SILVER
) -> Restoration:
    """As a process of its own would do it."""
    context = meters.context()
    return restore(context, context.project.graph.contracts[table], day(number), version, why)


def state(meters: Workspace, number: int, table: str = SILVER) -> Any:
    return meters.context().judge.judge(BatchRange(day(number), day(number)), [table])[table][day(number)]


def trail(meters: Workspace) -> list[AuditRecord]:
    rows = meters.context().ledger.ops.read(AuditRecord).to_pylist()
    return sorted((AuditRecord.from_row(row) for row in rows), key=lambda record: record.recorded_at)


@pytest.fixture(scope="session")
def first_corrected(tmp_path_factory: pytest.TempPathFactory, first_build: Workspace) -> Workspace:
    """Day 2 was delivered again, wrong, with a row for quarantine, and all is fresh; only to be copied."""
    root = tmp_path_factory.mktemp("corrected") / "meters"
    shutil.copytree(first_build.root, root)
    meters = Workspace(root)
    meters.land(
        2, ("m1", 70, "High St"), ("m2", 60, "Low St"), ("m3", 1, ""), ("m4", 1, ""), ("m5", -5, "Low St")
    )
    assert meters.run(1, 3).exit_code is ExitCode.DONE
    assert meters.rows("quarantine.silver_readings", "meter", "kwh") == [("m5", -5)]
    return meters


@pytest.fixture
def corrected(tmp_path: Path, first_corrected: Workspace) -> Workspace:
    """A copy of the corrected project, to change at will."""
    shutil.copytree(first_corrected.root, tmp_path / "meters")
    return Workspace(tmp_path / "meters")


def version_of(meters: Workspace, number: int, nth: int, table: str = SILVER) -> int:
    """The version in which a batch was published for the nth time."""
    found = [
        r.version for r in meters.records(table) if r.batch_date == day(number) and r.version is not None
    ]
    return found[nth]


def test_a_restore_brings_back_just_that_batch_with_its_digest_and_its_quarantine(
    corrected: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKESMITH_ACTOR", "ann")
    wrong, first = corrected.rows(SILVER), corrected.records(SILVER)[1]
    assert first.batch_date == day(2)
    versions = corrected.versions()

    done = bring_back(corrected, 2, version_of(corrected, 2, 0), "wrong file")

    assert corrected.rows(SILVER, "batch_date", "meter", "kwh", "street") == [
        (day(1), "m1", 10, "High St"),
        (day(1), "m2", 5, "Low St"),
        (day(2), "m1", 7, "High St"),
        (day(2), "m2", 6, "Low St"),
        (day(3), "m1", 1, "High St"),
    ]
    assert [row for row in corrected.rows(SILVER) if row[-1] != day(2)] == [
        row for row in wrong if row[-1] != day(2)
    ]
    assert corrected.rows("quarantine.silver_readings") == []
    # One commit of one table, and the record of then with the restore's own run.
    assert corrected.versions() == versions | {SILVER: versions[SILVER] + 1}
    record = corrected.records(SILVER)[-1]
    assert record.restored is not None
    assert (record.outcome, record.version, record.run_id) == (
        BatchOutcome.PUBLISHED,
        versions[SILVER] + 1,
        done.run_id,
    )
    told = ("digest", "rows", "read", "quarantined", "dropped", "inputs", "fingerprints", "settings")
    assert {name: getattr(record, name) for name in told} == {name: getattr(first, name) for name in told}
    assert (record.restored.version, record.restored.run_id) == (first.version, first.run_id)
    assert (record.restored.who, record.restored.why) == ("ann", "wrong file")
    # The commit says the same of itself.
    provenance = Provenance.from_commit(corrected.table(SILVER).history(1)[0])
    assert provenance is not None
    assert provenance.batches[0].restored == record.restored
    (entry,) = trail(corrected)
    assert (entry.who, entry.action, entry.table, entry.first, entry.last, entry.why) == (
        "ann",
        Action.RESTORE,
        SILVER,
        day(2),
        day(2),
        "wrong file",
    )
    assert entry.run_ids == (done.run_id,)
    assert entry.details["rows"] == 2
    assert entry.details["rows_before"] == 4
    (run,) = [row for row in _runs(corrected) if row["run_id"] == done.run_id]
    said = [f"restored from version {first.version} by ann: wrong file"]
    assert (run["outcome"], run["version"], json.loads(run["warnings"])) == ("published", done.version, said)


def _runs(meters: Workspace) -> list[dict[str, Any]]:
    """The runs on record, oldest first."""
    return sorted(meters.context().ledger.ops.read(RunRecord).to_pylist(), key=lambda row: row["started_at"])


def test_a_restored_batch_whose_inputs_changed_is_stale_and_no_run_takes_it_back(
    corrected: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKESMITH_ACTOR", "ann")
    bring_back(corrected, 2, version_of(corrected, 2, 0), "wrong file")

    found = state(corrected, 2)
    assert (str(found.state), found.held, found.runnable) == ("stale", True, False)
    assert found.reason.startswith("restored from version 1 by ann at ")
    assert (
        " UTC (wrong file) and held; since then: bronze.readings 2024-01-02 was republished at "
        in found.reason
    )
    # What reads it is stale by its own reading, and by nothing else.
    assert corrected.states(1, 3) == {
        "bronze.readings": "fresh fresh fresh",
        SILVER: "fresh stale fresh",
        "gold.usage": "fresh stale fresh",
        "gold.next_day": "stale stale",
        "gold.running": "fresh stale stale",
        "gold.usage_3d": "fresh stale stale",
    }
    restored = corrected.rows(SILVER)

    night = corrected.run(1, 3)

    assert night.exit_code is ExitCode.DONE
    assert night.is_complete
    assert corrected.rows(SILVER) == restored
    assert corrected.rows("gold.usage", "batch_date", "meter", "kwh") == [
        (day(1), "m1", 10),
        (day(1), "m2", 5),
        (day(2), "m1", 7),
        (day(2), "m2", 6),
        (day(3), "m1", 1),
    ]
    assert corrected.rows("gold.running", "batch_date", "meter", "kwh")[-2:] == [
        (day(3), "m1", 18),
        (day(3), "m2", 11),
    ]
    assert set(" ".join(corrected.states(1, 3).values()).split()) == {"fresh", "stale"}
    assert {table: said for table, said in corrected.states(1, 3).items() if "stale" in said} == {
        SILVER: "fresh stale fresh"
    }
    # And then a rerun has nothing to do, nor does a forced one touch it.
    again = corrected.run(1, 3)
    assert (again.exit_code, again.spark_jobs) == (ExitCode.DONE, 0)
    corrected.run(2, tables=[SILVER], force=True)
    assert corrected.rows(SILVER) == restored


def test_a_released_batch_is_repaired_by_the_next_run_and_equals_what_it_was_before(
    corrected: Workspace,
) -> None:
    before, digests = published(corrected), corrected.digests(SILVER)
    bring_back(corrected, 2, version_of(corrected, 2, 0))
    corrected.run(1, 3)
    context = corrected.context()
    versions = corrected.versions()

    release(context, context.project.graph.contracts[SILVER], day(2), "the file is right after all")

    assert not context.spark_started
    assert corrected.versions() == versions
    found = state(corrected, 2)
    assert (str(found.state), found.held, found.runnable) == ("stale", False, True)
    assert found.reason.startswith("bronze.readings 2024-01-02 was republished at ")
    assert corrected.run(1, 3).exit_code is ExitCode.DONE
    assert published(corrected) == before
    assert corrected.digests(SILVER) == digests
    assert corrected.rows("quarantine.silver_readings", "meter", "kwh") == [("m5", -5)]
    assert set(" ".join(corrected.states(1, 3).values()).split()) == {"fresh"}
    assert [(e.action, e.why, e.details.get("released")) for e in trail(corrected)][1:] == [
        (Action.RESTORE, "the file is right after all", True)
    ]
    with pytest.raises(UnknownVersion, match="is not held: nobody restored it, or it was released before"):
        release(corrected.context(), context.project.graph.contracts[SILVER], day(2))


def test_a_restored_batch_is_fresh_when_its_inputs_are_what_they_were(built: Workspace) -> None:
    """The file was mended before anybody restored: what comes back is what a run would compute."""
    before = published(built)
    built.land(2, ("m1", 70, "High St"))
    built.run(2, tables=UP_TO_SILVER)
    built.land(2, ("m1", 7, "High St"), ("m2", 6, "Low St"), ("m2", 9, "Low St"))
    built.run(2, tables=["bronze.readings"])

    bring_back(built, 2, version_of(built, 2, 0))

    found = state(built, 2)
    assert (str(found.state), found.reason, found.held) == ("fresh", "", True)
    assert published(built) == before
    assert set(" ".join(built.states(1, 3).values()).split()) == {"fresh"}
    # A forced run finds nothing to take back, either.
    versions = built.versions()
    built.run(2, tables=[SILVER], force=True)
    assert built.versions() == versions


def test_a_restore_is_undone_by_another_one(corrected: Workspace) -> None:
    before = published(corrected)
    wrong = version_of(corrected, 2, 1)
    bring_back(corrected, 2, version_of(corrected, 2, 0))

    bring_back(corrected, 2, wrong)

    assert published(corrected) == before
    assert corrected.rows("quarantine.silver_readings", "meter", "broken_rules") == [
        ("m5", ["kwh_not_negative"])
    ]
    assert set(" ".join(corrected.states(1, 3).values()).split()) == {"fresh"}


def test_restoring_what_is_there_does_nothing_without_spark(corrected: Workspace) -> None:
    versions, entries = corrected.versions(), len(corrected.records(SILVER))
    context = corrected.context()

    done = restore(context, context.project.graph.contracts[SILVER], day(2), version_of(corrected, 2, 1))

    assert (done.run_id, done.version) == ("", None)
    assert not context.spark_started
    assert (corrected.versions(), len(corrected.records(SILVER)), trail(corrected)) == (versions, entries, [])


def test_downstream_goes_stale_only_where_digests_differ(built: Workspace) -> None:
    built.land(3, ("m1", 1, "Other St"))  # gold does not look at the street
    built.run(1, 3)
    gold = {table: built.rows(table) for table in ALL if table.startswith("gold")}

    bring_back(built, 3, version_of(built, 3, 0))
    assert built.states(1, 3)["gold.usage"] == "fresh fresh stale"
    versions = built.versions()
    built.run(1, 3)

    assert built.versions() == versions
    assert {table: built.rows(table) for table in gold} == gold
    assert built.states(1, 3)["gold.usage"] == "fresh fresh fresh"


def test_a_batch_is_restored_into_a_table_that_gained_a_column(corrected: Workspace) -> None:
    was = corrected.records(SILVER)[1]
    corrected.edit(
        "conf/tables/silver.readings.yml",
        "  street: {type: string",
        "  source: {type: string, description: New.}\n  street: {type: string",
    )
    corrected.edit(
        "jobs/silver/readings.py",
        '        "street",\n',
        '        F.lit("new").alias("source"),\n        "street",\n',
    )
    corrected.run(1, 3, UP_TO_SILVER)
    assert {row[0] for row in corrected.rows(SILVER, "source")} == {"new"}

    bring_back(corrected, 2, version_of(corrected, 2, 0))

    assert corrected.rows(SILVER, "batch_date", "meter", "kwh", "source", "street") == [
        (day(1), "m1", 10, "new", "High St"),
        (day(1), "m2", 5, "new", "Low St"),
        (day(2), "m1", 7, None, "High St"),
        (day(2), "m2", 6, None, "Low St"),
        (day(3), "m1", 1, "new", "High St"),
    ]
    record = corrected.records(SILVER)[-1]
    assert record.rows == was.rows
    # Over other columns it is another digest; that the rows are the same was held to the old one.
    assert record.digest != was.digest
    found = state(corrected, 2)
    assert (str(found.state), found.held) == ("stale", True)
    restored = corrected.rows(SILVER)
    corrected.run(1, 3)
    assert corrected.rows(SILVER) == restored


def test_rows_that_are_not_those_of_the_record_are_not_restored(
    corrected: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, versions = published(corrected), corrected.versions()
    real = restored_rows.old_rows
    monkeypatch.setattr(restored_rows, "old_rows", lambda context, plan: real(context, plan).limit(1))

    with pytest.raises(NotRestored, match=r"are not those that run \S+ recorded \(digest "):
        bring_back(corrected, 2, version_of(corrected, 2, 0))

    assert (published(corrected), corrected.versions(), trail(corrected)) == (before, versions, [])


def test_old_rows_that_the_suite_refuses_today_stay_where_they_are(corrected: Workspace) -> None:
    before, versions, states = published(corrected), corrected.versions(), corrected.states(1, 3)
    quarantined = corrected.rows("quarantine.silver_readings")
    corrected.edit("conf/expectations/silver.readings.json", '"max_value": 1000', '"max_value": 6')

    with pytest.raises(NotRestored) as caught:
        bring_back(corrected, 2, version_of(corrected, 2, 0))

    assert caught.value.exit_code is ExitCode.REJECTED
    assert str(caught.value) == (
        "silver.readings 2024-01-02: the rows of version 1 do not pass the suite as it is now: kwh_sane: observed 7. "
        "Nothing was restored. Restore another version, or change conf/expectations/silver.readings.json."
    )
    corrected.edit("conf/expectations/silver.readings.json", '"max_value": 6', '"max_value": 1000')
    assert (published(corrected), corrected.versions(), trail(corrected)) == (before, versions, [])
    assert corrected.rows("quarantine.silver_readings") == quarantined
    assert corrected.states(1, 3) == states
    last = _runs(corrected)[-1]
    assert (last["outcome"], last["exit_code"]) == (str(RunOutcome.FAILED), int(ExitCode.REJECTED))


def test_a_batch_that_was_empty_becomes_empty_again(built: Workspace) -> None:
    for number in (4, 5, 6):
        built.land(number, ("m1", 1, ""))
    built.run(1, 7, UP_TO_SILVER)
    empty = built.records(SILVER)[-1]
    assert (empty.batch_date, empty.outcome) == (day(7), BatchOutcome.EMPTY)
    assert empty.version is not None
    built.edit("conf/sources/readings.yml", "closed: {weekdays: [sunday]}", "closed: {}")
    built.land(7, ("m9", 9, ""))
    built.run(7, tables=UP_TO_SILVER)
    assert built.rows(SILVER, "batch_date", "meter")[-1] == (day(7), "m9")

    bring_back(built, 7, empty.version)

    assert day(7) not in {row[0] for row in built.rows(SILVER, "batch_date")}
    assert state(built, 7).held
    record = built.records(SILVER)[-1]
    assert (record.rows, record.digest) == (0, "empty")


def test_what_cannot_be_restored_says_why(corrected: Workspace) -> None:
    context = corrected.context()
    silver = context.project.graph.contracts[SILVER]
    newest = corrected.versions()[SILVER]
    with pytest.raises(
        UnknownVersion, match=rf"has no version 99: its versions are 0 \.\. {newest}\. The batch"
    ):
        plan_restore(context, silver, day(2), 99)
    with pytest.raises(UnknownVersion, match=r"version 0, which does not hold the batch\. It got other rows"):
        plan_restore(context, silver, day(2), 0)
    with pytest.raises(UnknownVersion, match="It was never published"):
        plan_restore(context, silver, day(5), 1)
    corrected.table(SILVER).delete("kwh = 70")
    foreign = corrected.versions()[SILVER]
    context = corrected.context()
    with pytest.raises(UnknownVersion, match=f"from version {foreign}, which was written by somebody else"):
        plan_restore(context, silver, day(2), foreign)
    assert not context.spark_started


def test_what_was_vacuumed_cannot_be_restored(corrected: Workspace) -> None:
    first = version_of(corrected, 2, 0)
    corrected.table(SILVER).vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False)
    context = corrected.context()

    with pytest.raises(VersionGone) as caught:
        restore(context, context.project.graph.contracts[SILVER], day(2), first)

    assert caught.value.exit_code is ExitCode.MISSING
    assert str(caught.value).startswith(
        "silver.readings 2024-01-02 can no longer be read at version 1: 1 of its 1 files were vacuumed. "
        "The batch 2024-01-02 got other rows in version 1 ("
    )
    assert not context.spark_started


def test_a_foreign_batch_is_put_right_by_a_restore(corrected: Workspace) -> None:
    before = published(corrected)
    corrected.table(SILVER).delete("kwh = 70")
    assert corrected.states(2, 2)[SILVER] == "foreign"

    bring_back(corrected, 2, version_of(corrected, 2, 1))

    assert published(corrected) == before
    assert set(" ".join(corrected.states(1, 3).values()).split()) == {"fresh"}


def test_a_restored_batch_that_somebody_wrote_over_waits_for_a_person(corrected: Workspace) -> None:
    first = version_of(corrected, 2, 0)
    bring_back(corrected, 2, first)
    corrected.table(SILVER).delete("meter = 'm1' AND batch_date = '2024-01-02'")

    found = state(corrected, 2)
    assert (str(found.state), found.runnable) == ("foreign", False)
    assert found.reason.endswith(": restore it again, or release it")
    assert corrected.run(2, tables=[SILVER]).exit_code is ExitCode.MISSING
    bring_back(corrected, 2, first)
    assert corrected.rows(SILVER, "batch_date", "meter", "kwh")[2:4] == [(day(2), "m1", 7), (day(2), "m2", 6)]


POINTS = [
    FaultPoint(Side.AFTER, Step.STAGE, SILVER),
    FaultPoint(Side.AFTER, Step.PUT, "quarantine.silver_readings"),
    FaultPoint(Side.BEFORE, Step.PUT, SILVER),
    FaultPoint(Side.AFTER, Step.PUT, SILVER),
    FaultPoint(Side.AFTER, Step.RECORD, SILVER),
]


class Planted(Exception):
    """What the test let go wrong."""


def test_a_fault_anywhere_leaves_one_state_or_the_other_and_the_next_try_ends_in_the_new_one(
    corrected: Workspace,
) -> None:
    old, new = version_of(corrected, 2, 0), version_of(corrected, 2, 1)
    wrong, right = corrected.rows(SILVER), None
    version, rejected = new, corrected.rows("quarantine.silver_readings")
    for turn, point in enumerate(POINTS):
        wanted = old if version == new else new
        struck: list[FaultPoint] = []

        def strike(reached: FaultPoint, point: FaultPoint = point, struck: list[FaultPoint] = struck) -> None:
            if reached == point and not struck:
                struck.append(reached)
                raise Planted

        before = corrected.rows(SILVER)
        with armed(strike), suppress(Planted):
            bring_back(corrected, 2, wanted, f"turn {turn}")
        assert struck == [point]
        seen = corrected.rows(SILVER)
        # Never a part of it, and other days never at all.
        assert seen == before or [r for r in seen if r[-1] != day(2)] == [
            r for r in before if r[-1] != day(2)
        ]
        if right is not None:
            assert seen in (wrong, right)

        bring_back(corrected, 2, wanted, f"turn {turn}")

        after = corrected.rows(SILVER)
        if wanted == old and right is None:
            right = after
        assert after == (right if wanted == old else wrong)
        assert corrected.rows("quarantine.silver_readings") == ([] if wanted == old else rejected)
        assert state(corrected, 2).held
        assert trail(corrected)[-1].why == f"turn {turn}"
        version = wanted
    assert len(trail(corrected)) == len(POINTS)


def test_two_who_restore_at_once_make_one_version(corrected: Workspace) -> None:
    corrected.edit("conf/base.yml", "parameters:", "lease: {wait: 10m}\nparameters:")
    first, versions = version_of(corrected, 2, 0), corrected.versions()
    staged, other_waits = threading.Event(), threading.Event()

    def meet(point: FaultPoint) -> None:
        name = threading.current_thread().name
        if name == "ann" and point == FaultPoint(Side.AFTER, Step.STAGE, SILVER):
            staged.set()
            assert other_waits.wait(60)
        if name == "bob" and point == FaultPoint(Side.BEFORE, Step.LEASE, SILVER):
            assert staged.wait(60)
            other_waits.set()

    found: dict[str, Restoration] = {}

    def act() -> None:
        name = threading.current_thread().name
        found[name] = bring_back(corrected, 2, first, name)

    with armed(meet):
        people = [threading.Thread(target=act, name=name) for name in ("ann", "bob")]
        for person in people:
            person.start()
        for person in people:
            person.join(120)

    assert corrected.versions() == versions | {SILVER: versions[SILVER] + 1}
    assert (bool(found["ann"].run_id), bool(found["bob"].run_id)) == (True, False)
    assert [entry.why for entry in trail(corrected)] == ["ann"]


def test_a_restore_does_not_wait_for_ever_for_a_run(corrected: Workspace) -> None:
    corrected.edit("conf/base.yml", "parameters:", "lease: {wait: 0s}\nparameters:")
    context = corrected.context()
    with (
        hold(context.lake, SILVER, "somebody", LeaseSettings(wait="0s")),
        pytest.raises(LeaseHeld, match="run somebody"),
    ):
        bring_back(corrected, 2, version_of(corrected, 2, 0))
    assert trail(corrected) == []


def test_a_forced_run_is_in_the_trail_with_its_reason(
    built: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKESMITH_ACTOR", "bob")
    context = built.context()
    context.why = "I do not trust it"
    execute(context, plan_nights(context, BatchRange(day(1), day(2)), UP_TO_SILVER, force=True))

    found = [(e.who, e.action, e.table, e.first, e.last, e.why, dict(e.details)) for e in trail(built)]
    assert found == [
        ("bob", Action.FORCE, table, day(1), day(2), "I do not trust it", {"batches": 2, "unchanged": 2})
        for table in UP_TO_SILVER
    ]
    assert all(len(entry.run_ids) == 1 for entry in trail(built))
    built.run(1, 2, UP_TO_SILVER)
    assert len(trail(built)) == 2
