"""One run and one night on small real files: what becomes visible, and what does not."""

from __future__ import annotations

import gzip
import json
from datetime import date

import pytest
from deltalake import DeltaTable, write_deltalake

from lakesmith.contracts.days import BatchRange
from lakesmith.engine.night import execute, plan_nights
from lakesmith.errors import ExitCode
from lakesmith.ledger.ops import Ops
from lakesmith.ledger.records import BatchOutcome, NightRecord, QualityRecord, RunRecord
from workspaces import Workspace, day

UP_TO_SILVER = ["bronze.readings", "silver.readings"]
UP_TO_USAGE = [*UP_TO_SILVER, "gold.usage"]
ALL = ["bronze.readings", "silver.readings", "gold.usage", "gold.next_day", "gold.running", "gold.usage_3d"]


def test_a_backfill_publishes_every_table_whole(first_build: Workspace) -> None:
    meters = first_build
    assert meters.rows("silver.readings", "batch_date", "meter", "kwh") == [
        (day(1), "m1", 10),
        (day(1), "m2", 5),
        (day(2), "m1", 7),
        (day(2), "m2", 6),
        (day(3), "m1", 1),
    ]
    assert meters.rows("gold.usage", "batch_date", "meter", "kwh", "cost") == [
        (day(1), "m1", 10, 20),
        (day(1), "m2", 5, 10),
        (day(2), "m1", 7, 14),
        (day(2), "m2", 6, 12),
        (day(3), "m1", 1, 2),
    ]
    assert meters.rows("gold.usage_3d", "batch_date", "meter", "kwh", "mean_kwh") == [
        (day(1), "m1", 10, 10.0),
        (day(1), "m2", 5, 5.0),
        (day(2), "m1", 17, 8.5),
        (day(2), "m2", 11, 5.5),
        (day(3), "m1", 18, 6.0),
        (day(3), "m2", 11, 5.5),
    ]
    # The night of the 3rd owns the labels of the 2nd; a customer who is gone has none.
    assert meters.rows("gold.next_day", "batch_date", "meter", "next_kwh") == [
        (day(1), "m1", 7),
        (day(1), "m2", 6),
        (day(2), "m1", 1),
        (day(2), "m2", None),
    ]
    assert meters.rows("gold.running", "batch_date", "meter", "kwh")[-2:] == [
        (day(3), "m1", 18),
        (day(3), "m2", 11),
    ]
    assert meters.states(1, 3) == {
        table: "fresh fresh" if table == "gold.next_day" else "fresh fresh fresh" for table in ALL
    }


def test_the_process_that_published_a_quarantine_knows_what_it_holds(meters: Workspace) -> None:
    """What trains or runs on in the same process would else take its own batches for somebody else's."""
    meters.land(2, ("m1", 7, ""), ("m2", 6, ""), ("m3", -1, ""), *[(f"m{n}", 1, "") for n in range(4, 9)])
    context = meters.context()
    nights = BatchRange(day(1), day(2))

    execute(context, plan_nights(context, nights, UP_TO_SILVER))

    judged = context.judge.judge(nights, UP_TO_SILVER)
    assert {str(state.state) for states in judged.values() for state in states.values()} == {"fresh"}


def test_rows_are_accounted_for(meters: Workspace) -> None:
    meters.land(2, ("m1", 7, ""), ("m2", 6, ""), ("m2", 9, ""), ("m3", -1, ""), ("m4", 1, ""), ("m5", 1, ""))

    meters.run(1, 2, UP_TO_SILVER)

    found = {r.batch_date.day: r for r in meters.records("silver.readings")}
    assert (found[2].read, found[2].rows, found[2].quarantined, dict(found[2].dropped)) == (
        6,
        4,
        1,
        {"second_reading": 1},
    )
    assert (found[1].read, found[1].rows, found[1].quarantined, dict(found[1].dropped)) == (2, 2, 0, {})
    assert meters.rows("quarantine.silver_readings", "batch_date", "meter", "kwh", "broken_rules") == [
        (day(2), "m3", -1, ["kwh_not_negative"])
    ]


def test_a_second_backfill_is_a_no_op_without_spark_jobs(built: Workspace) -> None:
    versions, entries = built.versions(), len(built.records("gold.usage"))

    again = built.run(1, 3)

    assert again.exit_code is ExitCode.DONE
    assert again.spark_jobs == 0
    assert built.versions() == versions
    assert len(built.records("gold.usage")) == entries


def test_forced_runs_compute_the_same_digests_and_publish_nothing(built: Workspace) -> None:
    versions, digests = built.versions(), {table: built.digests(table) for table in ALL}
    entries = {table: len(built.records(table)) for table in ALL}

    again = built.run(1, 3, force=True)

    assert again.spark_jobs > 0
    assert {table: r.unchanged for table, r in again.tables.items()} == dict.fromkeys(ALL, 3) | {
        "gold.next_day": 2
    }
    assert built.versions() == versions
    assert {table: built.digests(table) for table in ALL} == digests
    assert {table: len(built.records(table)) for table in ALL} == entries


def test_nights_one_by_one_give_what_a_range_gives(
    meters: Workspace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    meters.land(2, ("m1", 7, ""), ("m2", 5000, ""))  # rejected: kwh_sane
    by_range = meters.run(1, 3)
    twin = Workspace(tmp_path_factory.mktemp("nights"))
    for folder in ("conf", "jobs", "landing"):
        (meters.root / folder).rename(twin.root / folder)
    for number in (1, 2, 3):
        twin.run(number)
    for folder in ("conf", "jobs", "landing"):
        (twin.root / folder).rename(meters.root / folder)
    # The twin needs a project to be asked through.
    for folder in ("conf", "jobs", "landing"):
        (twin.root / folder).symlink_to(meters.root / folder)

    assert by_range.exit_code is ExitCode.PARTIAL
    for table in ALL:
        assert twin.digests(table) == meters.digests(table), table
        if table != "gold.next_day":
            assert twin.rows(table) == meters.rows(table), table
    assert twin.states(1, 3) == meters.states(1, 3)


def test_a_rejected_batch_leaves_the_old_one_visible(built: Workspace) -> None:
    before = {table: built.rows(table) for table in ALL}
    built.land(2, ("m1", 7, "High St"), ("m2", 2000, "Low St"))

    night = built.run(2)

    assert night.exit_code is ExitCode.REJECTED
    assert night.tables["silver.readings"].reasons == {day(2): "kwh_sane: observed 2000"}
    assert {table: built.rows(table) for table in ALL if table != "bronze.readings"} == {
        table: rows for table, rows in before.items() if table != "bronze.readings"
    }
    assert [str(s.state) for s in night.tables["gold.usage"].waiting] == ["blocked"]
    assert night.tables["gold.usage"].waiting[0].reason == "needs silver.readings 2024-01-02, which is failed"
    assert built.states(1, 3)["silver.readings"] == "fresh failed fresh"


def test_a_rejected_batch_of_a_range_lets_the_others_through(meters: Workspace) -> None:
    meters.land(2, ("m1", 7, ""), ("m2", 5000, ""))

    night = meters.run(1, 3)

    assert night.exit_code is ExitCode.PARTIAL
    assert {r[0] for r in meters.rows("silver.readings", "batch_date")} == {day(1), day(3)}
    # A failed day inside `last:` is left out and named; on its own day it blocks.
    assert meters.rows("gold.usage_3d", "batch_date", "meter", "kwh") == [
        (day(1), "m1", 10),
        (day(1), "m2", 5),
        (day(3), "m1", 11),
        (day(3), "m2", 5),
    ]
    by_day = {r.batch_date: r for r in meters.records("gold.usage_3d")}
    assert by_day[day(3)].inputs[0].left_out == ("2024-01-02",)
    assert [s.batch_date for s in night.tables["gold.usage_3d"].waiting] == [day(2)]


def test_repairing_a_failed_day_repairs_what_went_without_it(meters: Workspace) -> None:
    meters.land(2, ("m1", 7, ""), ("m2", 5000, ""))
    meters.run(1, 3)
    meters.land(2, ("m1", 7, ""), ("m2", 6, ""))

    assert (
        "stale" in meters.states(1, 3)["gold.usage_3d"] or "blocked" in meters.states(1, 3)["gold.usage_3d"]
    )
    assert meters.run(1, 3).exit_code is ExitCode.DONE

    assert meters.rows("gold.usage_3d", "batch_date", "meter", "kwh")[-2:] == [
        (day(3), "m1", 18),
        (day(3), "m2", 11),
    ]
    assert set(" ".join(meters.states(1, 3).values()).split()) == {"fresh"}


@pytest.mark.parametrize(
    ("broken", "of"),
    [(3, 10), (4, 4)],
    ids=["more than the limit", "all of it"],
)
def test_a_batch_with_too_many_broken_rows_is_rejected_whole(built: Workspace, broken: int, of: int) -> None:
    before = built.rows("silver.readings")
    built.land(3, *[(f"m{n}", "?" if n < broken else 1, "") for n in range(of)])

    night = built.run(3, tables=UP_TO_SILVER)

    assert night.exit_code is ExitCode.REJECTED
    assert f"{broken} of {of}" in night.tables["silver.readings"].reasons[day(3)]
    assert built.rows("silver.readings") == before
    assert len(built.rows("quarantine.silver_readings")) == broken


def test_a_corrected_file_repairs_exactly_what_it_touched(built: Workspace) -> None:
    entries = {table: len(built.records(table)) for table in ALL}
    built.land(1, ("m1", 11, "High St"), ("m2", 5, "Low St"))

    assert built.states(1, 3)["gold.usage"] == "stale fresh fresh"
    night = built.run(1, 3)

    assert night.exit_code is ExitCode.DONE
    touched = {table: [r.batch_date.day for r in built.records(table)[entries[table] :]] for table in ALL}
    assert touched == {
        "bronze.readings": [1],
        "silver.readings": [1],
        "gold.usage": [1],
        "gold.next_day": [1],
        "gold.running": [1, 2, 3],
        "gold.usage_3d": [1, 2, 3],
    }
    assert built.rows("gold.running", "batch_date", "meter", "kwh")[-2:] == [
        (day(3), "m1", 19),
        (day(3), "m2", 11),
    ]


def test_a_correction_that_changes_no_row_downstream_stops_there(built: Workspace) -> None:
    versions = built.versions()
    built.land(3, ("m1", 1, "Other St"))  # gold does not look at the street

    built.run(1, 3)

    after = built.versions()
    assert after["silver.readings"] == versions["silver.readings"] + 1
    assert {t: v for t, v in after.items() if t.startswith("gold")} == {
        t: v for t, v in versions.items() if t.startswith("gold")
    }
    assert built.records("gold.usage")[-1].outcome is BatchOutcome.CONFIRMED
    assert built.records("gold.usage_3d")[-1].outcome is BatchOutcome.PUBLISHED
    assert set(" ".join(built.states(1, 3).values()).split()) == {"fresh"}


def test_new_code_with_equal_rows_is_confirmed_not_published(built: Workspace) -> None:
    version = built.versions()["gold.usage"]
    built.edit("jobs/gold/usage.py", 'F.sum("kwh").alias("kwh")', 'F.sum(F.col("kwh") * 1).alias("kwh")')

    assert built.states(1, 3)["gold.usage"] == "stale stale stale"
    built.run(1, 3)

    assert built.versions()["gold.usage"] == version
    assert {r.outcome for r in built.records("gold.usage")[-3:]} == {BatchOutcome.CONFIRMED}
    assert built.states(1, 3)["gold.usage"] == "fresh fresh fresh"


def test_a_comment_makes_nothing_stale(built: Workspace) -> None:
    built.edit("jobs/gold/usage.py", "    used = ", "    # energy, not power\n    used = ")
    built.edit("conf/tables/gold.usage.yml", "Energy a meter used in a day.", "What a meter used.")

    assert built.states(1, 3)["gold.usage"] == "fresh fresh fresh"


def test_a_setting_that_a_transform_reads_makes_stale(built: Workspace) -> None:
    built.edit("conf/base.yml", "tariff: 2", "tariff: 3")

    assert built.states(1, 3)["gold.usage"] == "stale stale stale"
    assert built.states(1, 3)["silver.readings"] == "fresh fresh fresh"
    built.run(1, 3, ["gold.usage"])
    assert built.rows("gold.usage", "cost") == [(15,), (18,), (21,), (3,), (30,)]


def test_closed_days_are_empty_batches(meters: Workspace) -> None:
    for number in (4, 5, 6):
        meters.land(number, ("m1", 1, ""))

    night = meters.run(1, 7)

    assert night.exit_code is ExitCode.DONE
    assert meters.states(7, 7) == {
        "bronze.readings": "closed",
        "silver.readings": "fresh",
        "gold.usage": "fresh",
        "gold.next_day": "fresh",
        "gold.running": "fresh",
        "gold.usage_3d": "fresh",
    }
    assert meters.records("silver.readings")[-1].outcome is BatchOutcome.EMPTY
    assert meters.rows("gold.usage_3d", "batch_date", "kwh")[-1] == (day(7), 2)


def test_a_broken_file_fails_its_day_and_no_other(built: Workspace) -> None:
    built.land_text(2, "Meter,Street\nm1,High St\n")
    built.land(4, ("m1", 4, ""))
    built.land(5, ("m1", 5, ""))
    (built.root / "landing/readings/2024-01-05-b.csv").write_bytes(b"\xff\xfeM\x00e\x00")

    night = built.run(1, 5, UP_TO_SILVER)

    assert night.exit_code is ExitCode.PARTIAL
    assert {d.day: reason.split(":")[0] for d, reason in night.tables["bronze.readings"].reasons.items()} == {
        2: "ColumnsMissing",
        5: "FileBroken",
    }
    assert built.states(1, 5)["bronze.readings"] == "fresh failed fresh fresh failed"
    assert {row[0] for row in built.rows("silver.readings", "batch_date")} == {day(n) for n in (1, 2, 3, 4)}


def test_a_file_that_breaks_further_in_fails_its_day_and_no_other(built: Workspace) -> None:
    built.edit("conf/sources/readings.yml", '"{batch_date}-*.csv"', '"{batch_date}.csv.gz"')
    built.land(4, ("m1", 4, ""))
    whole = gzip.compress(b"Meter,kWh\n" + b"m1,5\n" * 200_000)
    (built.root / "landing/readings/2024-01-05.csv.gz").write_bytes(whole[: len(whole) // 2])

    night = built.run(4, 5, ["bronze.readings"])

    assert night.exit_code is ExitCode.PARTIAL
    assert built.states(4, 5)["bronze.readings"] == "fresh failed"
    assert "FileBroken" in night.tables["bronze.readings"].reasons[day(5)]


def test_unknown_columns_are_kept_and_warned_of(built: Workspace) -> None:
    built.land(4, ("m1", 4, "High St", "x9"), header="Meter,kWh,Street,Serial")

    night = built.run(4, tables=["bronze.readings"])

    assert night.exit_code is ExitCode.DONE
    assert built.rows("bronze.readings", "batch_date", "extra")[-1] == (day(4), [("Serial", "x9")])
    assert "Serial" in night.tables["bronze.readings"].runs[0].warnings[0]


def test_a_missing_file_on_an_open_day_is_an_error_that_blocks_by_name(built: Workspace) -> None:
    night = built.run(1, 4)

    assert night.exit_code is ExitCode.MISSING
    assert night.retryable
    waiting = {table: [s.batch_date.day for s in r.waiting] for table, r in night.tables.items()}
    assert waiting == {
        "bronze.readings": [4],
        "silver.readings": [4],
        "gold.usage": [4],
        "gold.next_day": [3],
        "gold.running": [4],
        "gold.usage_3d": [4],
    }
    assert "2024-01-04.csv" in night.tables["bronze.readings"].waiting[0].reason


def test_a_transform_with_other_columns_fails_before_anything_is_staged(meters: Workspace) -> None:
    meters.run(1, tables=UP_TO_USAGE)
    meters.edit("jobs/gold/usage.py", '.alias("kwh"))', '.alias("energy"))')
    meters.edit("jobs/gold/usage.py", 'F.col("kwh") *', 'F.col("energy") *')
    staged = list((meters.root / "lake/gold/usage/batches").iterdir())

    night = meters.run(2, tables=UP_TO_USAGE)

    assert night.exit_code is ExitCode.REJECTED
    assert "kwh is missing; energy is not in the contract" in str(night.tables["gold.usage"].error)
    assert list((meters.root / "lake/gold/usage/batches").iterdir()) == staged


def test_a_transform_that_raises_fails_its_table_and_blocks_what_hangs_on_it(meters: Workspace) -> None:
    meters.edit("jobs/gold/usage.py", "    used = ", "    raise ValueError('m1 of High St')\n    used = ")

    night = meters.run(1, tables=[*UP_TO_USAGE, "gold.usage_3d"])

    assert night.exit_code is ExitCode.FAILED
    assert not night.retryable
    assert [str(s.state) for s in night.tables["gold.usage_3d"].waiting] == ["blocked"]
    # What a foreign error says may hold data; the ledger keeps its kind only.
    assert meters.records("gold.usage")[-1].reason == "ValueError: see the log of the run"


def test_a_new_nullable_column_evolves_the_table(built: Workspace) -> None:
    built.edit(
        "conf/tables/gold.usage.yml",
        "  cost:",
        "  readings: {type: bigint, description: How many readings.}\n  cost:",
    )
    built.edit("jobs/gold/usage.py", '.alias("kwh"))', '.alias("kwh"), F.count("*").alias("readings"))')

    assert built.run(3, tables=["gold.usage"]).exit_code is ExitCode.DONE

    assert built.rows("gold.usage", "batch_date", "meter", "readings") == [
        (day(1), "m1", None),
        (day(1), "m2", None),
        (day(2), "m1", None),
        (day(2), "m2", None),
        (day(3), "m1", 1),
    ]


def test_a_destructive_change_is_refused_with_the_command(meters: Workspace) -> None:
    meters.run(1, tables=UP_TO_USAGE)
    meters.edit("conf/tables/gold.usage.yml", "kwh: {type: bigint", "kwh: {type: double")

    night = meters.run(2, tables=UP_TO_USAGE)

    assert night.exit_code is ExitCode.USAGE
    message = str(night.tables["gold.usage"].error)
    assert "kwh was long, is double" in message
    assert "lakesmith backfill" in message


def test_somebody_elses_rows_make_a_batch_foreign_and_a_rerun_repairs_it(built: Workspace) -> None:
    before = built.rows("gold.usage")
    extra = DeltaTable(built.table("gold.usage").table_uri).to_pyarrow_table().slice(0, 1)
    write_deltalake(built.table("gold.usage"), extra, mode="append")

    touched = extra["batch_date"][0].as_py().day
    expected = ["fresh"] * 3
    expected[touched - 1] = "foreign"
    assert built.states(1, 3)["gold.usage"] == " ".join(expected)
    assert built.run(1, 3).exit_code is ExitCode.DONE
    assert built.rows("gold.usage") == before
    assert set(" ".join(built.states(1, 3).values()).split()) == {"fresh"}


def test_a_commit_that_was_never_recorded_is_recorded_by_whoever_comes_next(built: Workspace) -> None:
    before = built.digests("gold.usage")
    DeltaTable(built.context().lake.path("ops.batches")).delete("`table` = 'gold.usage'")
    assert built.context().ledger.ops.read(RunRecord).num_rows > 0

    versions = built.versions()
    assert built.states(1, 3)["gold.usage"] == "fresh fresh fresh"

    assert built.digests("gold.usage") == before
    assert built.versions() == versions


def test_commits_say_how_they_were_made(built: Workspace) -> None:
    shown = built.table("gold.usage").history(1)[0]

    said = json.loads(shown["userMetadata"])
    assert said["table"] == "gold.usage"
    assert said["job"] == "jobs/gold/usage.py"
    assert [b["batch_date"] for b in said["batches"]] == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert {i["target"]: i["version"] for i in json.loads(said["batches"][0]["inputs"])} == {
        "silver.readings": 1
    }
    assert json.loads(said["batches"][0]["settings"]) == {"tariff": 2}


def test_nights_and_quality_are_written_down(meters: Workspace) -> None:
    meters.land(3, *[(f"m{n}", 1, "Secret St") for n in range(9)])  # more than not_crowded warns of

    meters.run(1, 3)

    ops = Ops(meters.context().lake)
    night = ops.read(NightRecord).to_pylist()[-1]
    assert (night["first"], night["last"], night["complete"]) == (date(2024, 1, 1), date(2024, 1, 3), True)
    quality = ops.read(QualityRecord).to_pylist()
    warned = [(q["table"], q["batch_date"].day, q["rule"]) for q in quality if not q["success"]]
    assert warned == [("silver.readings", 3, "not_crowded")]
    assert not any("Secret" in q["result"] for q in quality)


def test_the_first_night_is_recorded_though_a_lagged_table_has_no_batch_yet(meters: Workspace) -> None:
    meters.land(1, *[(f"m{n}", n, "High St") for n in range(1, 8)], ("m8", "x", "Low St"))

    meters.run(1)

    night = NightRecord.from_row(Ops(meters.context().lake).read(NightRecord).to_pylist()[-1])
    assert (night.last, night.complete, night.troubles) == (day(1), True, {})
    quarantine = "quarantine.silver_readings"
    assert night.versions == {**meters.versions(), quarantine: meters.table(quarantine).version()}
    assert "gold.next_day" not in night.versions


def test_a_run_of_some_tables_is_no_night(meters: Workspace) -> None:
    meters.run(1, tables=["bronze.readings"])

    assert Ops(meters.context().lake).read(NightRecord).num_rows == 0


def test_a_range_run_has_one_commit_and_counted_jobs(built: Workspace) -> None:
    assert {t: v for t, v in built.versions().items() if t != "gold.running"} == {
        t: 1 for t in ALL if t != "gold.running"
    }
    assert built.versions()["gold.running"] == 3


def test_rows_for_a_batch_that_the_run_does_not_own_are_refused(meters: Workspace) -> None:
    meters.edit(
        "jobs/gold/usage.py",
        "    return used",
        "    used = used.withColumn('batch_date', F.date_add('batch_date', 1))\n    return used",
    )

    night = meters.run(1, tables=UP_TO_USAGE)

    assert night.exit_code is ExitCode.REJECTED
    assert "2024-01-02, which this run does not own" in str(night.tables["gold.usage"].error)
