"""Lineage against brute force: every batch is computed with and without one corrupt batch, and the digests are compared."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.graph import TableGraph
from lakesmith.engine.context import Context
from lakesmith.engine.keeping import train_and_keep
from lakesmith.errors import ExitCode
from lakesmith.ledger.lineage import Edition, Lineage, Walk
from shops import DAYS, MODEL, SCORES, TABLES, FirstTraining, Shop, night
from workspaces import METERS, Workspace, day, digests

SILVER = "silver.readings"
LAST = 6
Batches = set[tuple[str, date]]


def lineage_of(context: Context) -> Lineage:
    return Lineage(
        context.project.graph,
        context.project.models,
        histories=context.ledger.history,
        timelines=context.ledger.timeline,
    )


def reached_from(context: Context, table: str, batch: date) -> Walk:
    standing = context.ledger.history(table).standing(batch)
    assert standing is not None
    return lineage_of(context).down(editions=[Edition(table, batch, standing.digest)])


def standing(walk: Walk) -> Batches:
    return {
        (n.record.table, n.record.batch_date) for nodes in walk.batches.values() for n in nodes if n.stands
    }


def changed(one: Context, other: Context, but: tuple[str, ...] = ()) -> Batches:
    """The batches whose rows differ between two lakes."""
    found, twin = digests(one), digests(other)
    return {
        (table, batch)
        for table in found
        if table not in but
        for batch in found[table].keys() | twin[table].keys()
        if found[table].get(batch) != twin[table].get(batch)
    }


def within_windows(graph: TableGraph, table: str, batch: date, last: date) -> Batches:
    """What declared windows reach from a batch, in nights up to the last."""
    found: Batches = {(table, batch)}
    for child in graph.order:
        lag = graph.contracts[child].lag_days
        for entry in [i for i in graph.contracts[child].inputs if i.table]:
            waiting = [d for t, d in found if t == entry.table]
            while waiting:
                readers = entry.window.read_by(waiting.pop()).intersection(
                    BatchRange(graph.starts[child], last - timedelta(lag))
                )
                new = [d for d in readers or () if (child, d) not in found]
                found |= {(child, d) for d in new}
                waiting += new if child == entry.table else []
    return found - {(table, batch)}


def landed(root: Path, failing: int | None) -> Workspace:
    """Every meter reads something else every day, so that whatever reads another batch has other rows."""
    shutil.copytree(METERS, root)
    workspace = Workspace(root)
    for number in range(1, LAST + 1):
        if day(number).weekday() != 6:
            kwh = 5000 if number == failing else 2**number
            workspace.land(number, ("m1", kwh, "High St"), ("m2", 3 * number, "Low St"))
    return workspace


def corrupt(workspace: Workspace, number: int) -> None:
    """Another number of another meter, on one day of silver."""
    workspace.edit(
        "jobs/silver/readings.py",
        '        "meter",\n        F.col("kwh").try_cast("int").alias("kwh"),',
        f'        F.when(F.col("batch_date") == "{day(number)}", F.concat(F.lit("x"), "meter")).otherwise(F.col("meter"))\n'
        '        .alias("meter"),\n'
        f'        (F.col("kwh").try_cast("int") + F.when(F.col("batch_date") == "{day(number)}", 100).otherwise(0))\n'
        '        .cast("int").alias("kwh"),',
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> Workspace:
    workspace = landed(tmp_path_factory.mktemp("whole") / "meters", failing=None)
    assert workspace.run(1, LAST).exit_code is ExitCode.DONE
    return workspace


@pytest.mark.parametrize("number", [3, 6])
def test_a_corrupt_silver_batch_reaches_just_the_batches_that_it_changes(
    whole: Workspace, tmp_path: Path, number: int
) -> None:
    twin = landed(tmp_path / "meters", failing=None)
    corrupt(twin, number)
    assert twin.run(1, LAST).exit_code is ExitCode.DONE

    reached = standing(reached_from(whole.context(), SILVER, day(number)))

    assert reached == changed(whole.context(), twin.context(), ("bronze.readings", SILVER))
    graph = whole.context().project.graph
    assert reached == within_windows(graph, SILVER, day(number), day(LAST))
    assert {table for table, _ in reached} == set(graph.order) - {"bronze.readings", SILVER}
    # The 3rd is in labels from the day before on, in three days of sums, and in what runs on for good.
    if number == 3:
        assert {batch.day for table, batch in reached if table == "gold.next_day"} == {2, 3}
        assert {batch.day for table, batch in reached if table == "gold.usage_3d"} == {3, 4, 5}
        assert {batch.day for table, batch in reached if table == "gold.running"} == set(range(3, LAST + 1))


def test_a_day_that_failed_stops_what_would_have_gone_through_it(
    tmp_path: Path, spark_session: SparkSession
) -> None:
    """Declared windows know nothing of that: the running sum goes on without the day that failed."""
    workspace, twin = landed(tmp_path / "one", failing=4), landed(tmp_path / "other", failing=4)
    corrupt(twin, 2)
    for made in (workspace, twin):
        assert made.run(1, LAST).exit_code is ExitCode.PARTIAL

    reached = standing(reached_from(workspace.context(), SILVER, day(2)))

    assert reached == changed(workspace.context(), twin.context(), ("bronze.readings", SILVER))
    declared = within_windows(workspace.context().project.graph, SILVER, day(2), day(LAST))
    assert reached < declared
    assert {batch.day for table, batch in reached if table == "gold.running"} == {2, 3}
    assert {batch.day for table, batch in declared if table == "gold.running"} == set(range(2, LAST + 1))
    assert {batch.day for table, batch in reached if table == "gold.usage_3d"} == {2, 3}


def test_what_was_read_counts_not_what_is_declared_now(whole: Workspace, tmp_path: Path) -> None:
    shutil.copytree(whole.root, tmp_path / "meters")
    workspace = Workspace(tmp_path / "meters")
    before = reached_from(workspace.context(), SILVER, day(3))
    workspace.edit("conf/tables/gold.usage_3d.yml", "last: 3d", "last: 9d")

    assert reached_from(workspace.context(), SILVER, day(3)).editions == before.editions


def test_a_batch_that_was_corrected_no_longer_reaches_what_was_made_anew(
    whole: Workspace, tmp_path: Path
) -> None:
    shutil.copytree(whole.root, tmp_path / "meters")
    workspace = Workspace(tmp_path / "meters")
    first = workspace.context().ledger.history(SILVER).standing(day(3))
    assert first is not None
    workspace.land(3, ("m1", 77, "High St"), ("m3", 1, "Low St"))
    workspace.run(3, 3, ["bronze.readings", SILVER, "gold.usage"])
    context = workspace.context()

    old = lineage_of(context).down(editions=[Edition(SILVER, day(3), first.digest)])
    new = reached_from(context, SILVER, day(3))

    assert standing(new) == {("gold.usage", day(3))}
    assert ("gold.usage", day(3)) not in standing(old)
    assert [(n.record.batch_date.day, n.stands) for n in old.batches["gold.usage"]] == [(3, False)]
    # These were made of the usage before and still stand.
    assert {b.day for t, b in standing(old) if t == "gold.usage_3d"} == {3, 4, 5}
    path = f"{day(3)}.csv"
    contents = lineage_of(context).files("readings", path)
    assert len(contents) == 2
    by_file = lineage_of(context).down(files=[contents[-1]])
    assert standing(by_file) == {("bronze.readings", day(3)), (SILVER, day(3)), ("gold.usage", day(3))}


def test_up_leads_to_every_file_and_batch_that_a_batch_was_made_from(whole: Workspace) -> None:
    context = whole.context()
    start = context.ledger.history("gold.next_day").standing(day(3))
    assert start is not None

    walk = lineage_of(context).up(editions=[Edition("gold.next_day", day(3), start.digest)])

    found = {table: [n.record.batch_date.day for n in nodes] for table, nodes in walk.batches.items()}
    assert found == {table: [3, 4] for table in ("bronze.readings", SILVER, "gold.usage")}
    assert [file.path for file in walk.files] == [f"{day(3)}.csv", f"{day(4)}.csv"]
    running = context.ledger.history("gold.running").standing(day(LAST))
    assert running is not None
    walk = lineage_of(context).up(editions=[Edition("gold.running", day(LAST), running.digest)])
    assert [n.record.batch_date.day for n in walk.batches["gold.running"]] == list(range(1, LAST))
    assert len(walk.files) == LAST


def test_up_and_down_are_each_others_inverse(whole: Workspace) -> None:
    context = whole.context()
    lineage = lineage_of(context)
    every = [
        Edition(table, batch, digest)
        for table, found in digests(context).items()
        for batch, digest in found.items()
    ]
    down = {(start, end) for start in every for end in lineage.down(editions=[start]).editions}
    up = {(start, end) for end in every for start in lineage.up(editions=[end]).editions}
    assert down == up


SCORED = range(30, 41)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory, first_training: FirstTraining) -> Shop:
    """The shop with ten days scored by its first version."""
    shop = first_training.shop.copied_to(tmp_path_factory.mktemp("scored") / "shop")
    shop.promote(1, SCORED[0])
    assert shop.nights(SCORED[0], SCORED[-1], [SCORES]).exit_code is ExitCode.DONE
    return shop


@pytest.mark.parametrize(("number", "learned"), [(12, True), (35, False)])
def test_a_corrupt_batch_reaches_just_the_features_labels_models_and_scores_that_it_changes(
    scored: Shop, tmp_path: Path, number: int, learned: bool
) -> None:
    twin = scored.copied_to(tmp_path / "shop")
    # Everybody who ordered that day is somebody else, who spent something else.
    twin.edit(
        "jobs/bronze/orders.py",
        "    return files",
        f'    wrong = F.col("batch_date") == "{night(number)}"\n'
        '    return files.withColumns({"customer": F.when(wrong, F.col("customer").cast("int") + 500)'
        '.otherwise(F.col("customer")).cast("string"), "amount": F.when(wrong, "777.77").otherwise(F.col("amount"))})',
    )
    twin.edit(
        "jobs/bronze/orders.py",
        "from pyspark.sql import DataFrame",
        "from pyspark.sql import DataFrame, functions as F",
    )
    assert twin.nights(1, DAYS, TABLES).exit_code is ExitCode.DONE
    context = twin.context()
    _, event = train_and_keep(context, context.project.model(MODEL), None, "brute force")
    # Scores say which version gave them: one that learned the same must not stand in for the first.
    twin.nights(SCORED[0], SCORED[-1], [SCORES], version=event.version if learned else None)

    walk = reached_from(scored.context(), "bronze.orders", night(number))

    others = ("bronze.orders", "gold.revenue_scores")
    assert standing(walk) == changed(scored.context(), twin.context(), others)
    first = scored.timeline().registered(1)
    assert first is not None
    assert [node.event.version for node in walk.models if node.trained_on] == ([1] if learned else [])
    scores = {n.record.batch_date for n in walk.batches[SCORES]}
    assert scores == {night(n) for n in SCORED if learned or number <= n < number + 14}
    assert all(node.scored_by == (1,) for node in walk.batches[SCORES])
