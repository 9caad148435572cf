"""The reference pipeline on 167 real daily files, against figures that were computed without it.

The files are beside a checkout in ../shared/data, or where LAKESMITH_REAL_DATA says; they are not part of the project.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from deltalake import DeltaTable
from pyspark.sql import SparkSession

from lakesmith.contracts.days import BatchRange
from lakesmith.engine.context import Context
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.outcome import NightResult
from lakesmith.engine.submit import open_context
from lakesmith.errors import ExitCode
from oracles.customer_features import brute_force_features, population
from oracles.keyed_tables import History, history_of_customers, history_of_products
from workspaces import digests

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("LAKESMITH_REAL_DATA", ROOT.parent / "shared" / "data"))
START, END = date(2010, 12, 1), date(2011, 6, 30)
# A day after which there is trade: on the Friday before, a builder that peeks one day would pass.
AS_OF = date(2011, 4, 13)
# The last day of a backfill, with a few labels that are known by then; later takes longer. Three nights follow it one by one.
CUT = date.fromisoformat(os.environ.get("LAKESMITH_REAL_CUT", "2011-01-10"))
LAST_NIGHT = CUT + timedelta(3)

# The last day of the files that come in a random order; later takes longer and shows no more of it.
SHUFFLED = date.fromisoformat(os.environ.get("LAKESMITH_REAL_SHUFFLED", "2010-12-14"))
UP_TO_KEYED = ["bronze.sales_lines", "silver.sales_lines", "silver.products", "silver.customers"]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(
        not DATA.is_dir(), reason="the real files are not part of the project; set LAKESMITH_REAL_DATA"
    ),
]


class Build:
    """One lake, made from a folder of landing files."""

    def __init__(self, root: Path, landing: Path = DATA) -> None:
        self.root, self.landing = root, landing
        self.nights: list[NightResult] = []

    def context(self) -> Context:
        os.environ["LAKESMITH__LANDING_ROOT"], os.environ["LAKESMITH__LAKE_ROOT"] = (
            str(self.landing),
            str(self.root),
        )
        try:
            return open_context("dev", ROOT)
        finally:
            del os.environ["LAKESMITH__LANDING_ROOT"], os.environ["LAKESMITH__LAKE_ROOT"]

    def run(self, first: date, last: date, tables: Sequence[str] = ()) -> NightResult:
        context = self.context()
        night = execute(context, plan_nights(context, BatchRange(first, last), tables))
        self.nights.append(night)
        return night

    def frame(self, table: str, *days: date) -> pd.DataFrame:
        """All rows, or those of some batches; sorted, so that equal tables are equal frames."""
        chosen = [("batch_date", "in", list(days))] if days else None
        rows = DeltaTable(self.context().lake.path(table)).to_pyarrow_table(filters=chosen).to_pandas()
        order = [c for c in rows.columns if not rows[c].map(lambda v: isinstance(v, list | dict)).any()]
        ordered = rows.astype(dict.fromkeys(order, str)).sort_values(order, kind="stable").index
        return rows.loc[ordered].reset_index(drop=True)

    def history(self, table: str, key: str, value: str) -> History:
        """All rows of a keyed table with history."""
        frame = self.frame(table)
        assert (frame.valid_to.isna() == frame.is_current).all()
        ends = [None if pd.isna(day) else day for day in frame.valid_to]
        rows = list(zip(frame[key], frame[value], frame.valid_from, ends, strict=True))
        assert len(set(rows)) == len(rows)
        return set(rows)

    def digests(self) -> Mapping[str, Mapping[date, str]]:
        return digests(self.context())

    def versions(self) -> dict[str, int]:
        context = self.context()
        found = {table: context.ledger.live(table) for table in context.project.graph.order}
        # Without a champion nothing is scored.
        return {table: live.version for table, live in found.items() if live is not None}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> Build:
    build = Build(tmp_path_factory.mktemp("whole"))
    build.run(START, END)
    return build


@pytest.fixture(scope="module")
def nightly(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> Build:
    """A backfill, then nights one by one; later files do not exist yet."""
    landing = tmp_path_factory.mktemp("landing")
    (landing / "online-retail").mkdir()
    build = Build(tmp_path_factory.mktemp("nightly"), landing)
    files = sorted((DATA / "online-retail").glob("*.csv"))
    for file in files:
        if file.name[:10] <= str(CUT):
            shutil.copy(file, landing / "online-retail")
    build.run(START, CUT)
    for night in BatchRange(CUT + timedelta(1), LAST_NIGHT):
        for file in files:
            if file.name[:10] == str(night):
                shutil.copy(file, landing / "online-retail")
        build.run(night, night)
    return build


def test_silver_is_what_pandas_counted(whole: Build) -> None:
    (night,) = whole.nights
    assert night.exit_code is ExitCode.DONE
    run = night.tables["silver.sales_lines"].runs[0]
    assert (run.rows_read, run.rows_published, run.rows_dropped, run.rows_quarantined) == (
        245_903,
        243_891,
        2_012,
        0,
    )

    lines = whole.frame("silver.sales_lines")
    assert lines.line_type.value_counts().to_dict() == {
        "sale": 237_945,
        "cancellation": 4_473,
        "write_off": 1_473,
    }
    known = lines[(lines.line_type == "sale") & lines.customer_id.notna()]
    assert len(known) == 170_666
    assert known.invoice_no.nunique() == 8_802
    assert known.customer_id.nunique() == 2_960
    assert known.quantity.sum() == 2_299_374
    assert known.amount.sum() == Decimal("3984466.251")
    months = known.groupby(pd.to_datetime(known.batch_date).dt.strftime("%Y-%m")).amount.sum()
    assert months.to_dict() == {
        "2010-12": Decimal("570422.73"),
        "2011-01": Decimal("568101.31"),
        "2011-02": Decimal("446084.92"),
        "2011-03": Decimal("594081.76"),
        "2011-04": Decimal("468374.331"),
        "2011-05": Decimal("677355.15"),
        "2011-06": Decimal("660046.05"),
    }


def test_no_description_is_garbled(whole: Build) -> None:
    files = sorted((DATA / "online-retail").glob("*.csv"))
    raw = pd.concat(pd.read_csv(f, dtype=str, keep_default_na=False) for f in files)
    landed = whole.frame("bronze.sales_lines").description.fillna("")
    assert sorted(landed) == sorted(raw.Description)
    assert landed.str.contains('"').sum() == 704


def test_a_second_backfill_makes_no_version(whole: Build) -> None:
    versions = whole.versions()
    again = whole.run(START, END)
    whole.nights.pop()
    assert (again.exit_code, again.spark_jobs) == (ExitCode.DONE, 0)
    assert whole.versions() == versions == dict.fromkeys(versions, 1)
    assert len(versions) == 10


def test_nights_one_by_one_equal_a_range_and_know_nothing_of_later_files(
    whole: Build, nightly: Build
) -> None:
    assert {n.exit_code for n in nightly.nights} == {ExitCode.DONE}
    later = whole.digests()
    graph = nightly.context().project.graph
    for table, batches in nightly.digests().items():
        due = graph.due(table, BatchRange(START, LAST_NIGHT))
        expected = {day: digest for day, digest in later[table].items() if due is not None and day in due}
        assert batches == expected, table
    for table in nightly.versions():
        if graph.contracts[table].keyed is not None:
            # Its rows are those of no batch, and know all days up to the last.
            continue
        days = graph.due(table, BatchRange(CUT, LAST_NIGHT))
        assert days is not None
        pd.testing.assert_frame_equal(nightly.frame(table, *days), whole.frame(table, *days))
    assert len(nightly.frame("gold.customer_features", LAST_NIGHT)) == len(
        population(DATA / "online-retail", LAST_NIGHT)
    )


def test_recency_is_never_negative(whole: Build) -> None:
    recency = whole.frame("gold.customer_features").recency_days
    assert recency.min() == 0
    assert recency.max() == 89


def test_features_equal_a_brute_force_from_the_text(whole: Build) -> None:
    folder = DATA / "online-retail"
    features = whole.frame("gold.customer_features", AS_OF).set_index("customer_id")
    assert len(features) == 1_876
    assert sorted(features.index) == sorted(population(folder, AS_OF))
    chosen = sorted(features.index)[::6][:300]
    assert len(chosen) == 300

    expected = pd.DataFrame(brute_force_features(folder, AS_OF, chosen)).set_index("customer_id")

    compared = [c for c in expected.columns if c in features.columns]
    assert len(compared) >= 31
    for column in compared:
        left, right = (
            [None if pd.isna(value) else value for value in frame.loc[chosen, column]]
            for frame in (features, expected)
        )
        assert left == right, column


def test_keyed_tables_equal_one_pass_of_pandas(whole: Build) -> None:
    products = history_of_products(DATA / "online-retail")
    customers = history_of_customers(DATA / "online-retail")
    # 287 of 3,271 stock codes were called something else later; 10 of 2,960 customers moved, or had done so before.
    assert (len(products), len(customers)) == (3_558, 2_970)
    assert whole.history("silver.products", "stock_code", "description") == products
    assert whole.history("silver.customers", "customer_id", "country") == customers


def test_keyed_tables_hold_the_same_whatever_the_order_of_arrival(
    whole: Build, tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession
) -> None:
    """Pairs of files come in a random order, in deliveries; one file has every third line only, and is put right last."""
    landing = tmp_path_factory.mktemp("landing") / "online-retail"
    landing.mkdir()
    build = Build(tmp_path_factory.mktemp("shuffled"), landing.parent)
    files = [f for f in sorted((DATA / "online-retail").glob("*.csv")) if f.name[:10] <= str(SHUFFLED)]
    draw = random.Random(5)
    pairs = [files[at : at + 2] for at in range(0, len(files), 2)]
    draw.shuffle(pairs)
    wrong = files[0]
    deliveries = min(5, len(pairs) // 3)
    for delivery in range(deliveries):
        for file in (file for pair in pairs[delivery::deliveries] for file in pair):
            shutil.copy(file, landing)
        if (landing / wrong.name).exists():
            header, *lines = wrong.read_text(encoding="utf-8").splitlines(keepends=True)
            (landing / wrong.name).write_text("".join([header, *lines[::3]]), encoding="utf-8")
        build.run(START, SHUFFLED, UP_TO_KEYED)
    broken = build.history("silver.products", "stock_code", "description")
    shutil.copy(wrong, landing)
    build.run(START, SHUFFLED, UP_TO_KEYED)

    products = build.history("silver.products", "stock_code", "description")
    assert products != broken, "the file that was wrong made no difference: the test would prove nothing"
    assert products == history_of_products(landing)
    assert build.history("silver.customers", "customer_id", "country") == history_of_customers(landing)
    for table in UP_TO_KEYED[2:]:
        shuffled, at_once = build.digests()[table], whole.digests()[table]
        assert shuffled == {day: digest for day, digest in at_once.items() if day <= SHUFFLED}


def test_a_night_in_order_writes_its_buckets_and_its_own_changes(nightly: Build) -> None:
    """Of the nights that were run one by one; how many keys there are decides what a bucket costs, not how many days."""
    assert nightly.history("silver.products", "stock_code", "description") == history_of_products(
        nightly.landing / "online-retail"
    )
    context = nightly.context()
    days = (LAST_NIGHT - CUT).days
    for table in UP_TO_KEYED[2:]:
        contract = context.project.graph.contracts[table]
        assert contract.keyed is not None
        for written, most in ((table, contract.keyed.buckets), (contract.changes_table, 1)):
            log = sorted((Path(context.lake.path(written)) / "_delta_log").glob("*.json"))
            for commit in log[-days:]:
                actions = [json.loads(line) for line in commit.read_text(encoding="utf-8").splitlines()]
                assert 0 < sum("add" in action for action in actions) <= most


# --- one corrected line ----------------------------------------------------------------------------------------------

# With as much of history behind it as the last labels need; earlier takes longer and reaches more.
CORRECTED = date.fromisoformat(os.environ.get("LAKESMITH_REAL_CORRECTED", "2011-06-20"))


@pytest.fixture(scope="module")
def corrected(whole: Build, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """A copy of the whole lake, and of its files, to change."""
    folder = tmp_path_factory.mktemp("corrected")
    shutil.copytree(whole.root, folder / "lake")
    shutil.copytree(DATA, folder / "landing")
    return Build(folder / "lake", folder / "landing")


# Tables of the file's own day: those that count pieces, and those that name only who and what.
COUNTED = ("bronze.sales_lines", "silver.sales_lines", "silver.customer_days", "gold.daily_sales")
UNCOUNTED = ("silver.products", "silver.customers")
# What is derived from features of many days.
WIDE = ("gold.customer_features", "monitoring.profile_metrics", "monitoring.drift_metrics")


def _reached(day: date) -> dict[str, list[date]]:
    """What a file reaches, by the windows in the contracts, written down by hand."""
    features = BatchRange(day, min(day + timedelta(89), END)).days()
    labels = BatchRange(day - timedelta(30), min(day + timedelta(89), END - timedelta(30))).days()
    # Lines up to the end of February are the baseline of all later ones.
    profiles = features if day > date(2011, 2, 28) else BatchRange(day, END).days()
    drift = BatchRange(day, min(profiles[-1] + timedelta(55), END)).days()
    reached = {table: [day] for table in (*COUNTED, *UNCOUNTED)}
    wide = dict(zip(WIDE, (features, profiles, drift), strict=True))
    return {**reached, **wide, "gold.repurchase_labels": labels}


def _not_fresh(build: Build) -> dict[str, list[date]]:
    states = build.context().judge.judge(BatchRange(START, END))
    found = {
        table: [day for day, state in judged.items() if str(state.state) not in ("fresh", "closed")]
        for table, judged in states.items()
    }
    return {table: days for table, days in found.items() if days}


def test_a_corrected_line_is_repaired_with_what_hangs_on_it_and_nothing_else(corrected: Build) -> None:
    first = corrected.digests()
    file = corrected.landing / "online-retail" / f"{CORRECTED}.csv"
    text = file.read_text()
    # The first line of a known customer: one piece more.
    number, line = next(
        (at, line)
        for at, line in enumerate(text.splitlines())
        if at and line.count(",") == 7 and line.split(",")[6] and not line.startswith("C")
    )
    fields = line.split(",")
    fields[3] = str(int(fields[3]) + 1)
    lines = text.splitlines(keepends=True)
    lines[number] = ",".join(fields) + lines[number][len(line) :]
    file.write_text("".join(lines))

    assert _not_fresh(corrected) == _reached(CORRECTED)
    _repair(corrected)
    assert _not_fresh(corrected) == {}
    changed = {
        table: [day for day in days if days[day] != first[table][day]]
        for table, days in corrected.digests().items()
        if days != first[table]
    }
    # One piece more changes what counts pieces; labels only say whether somebody bought.
    assert {t: d for t, d in changed.items() if t not in WIDE} == {table: [CORRECTED] for table in COUNTED}
    assert all(set(changed[table]) <= set(_reached(CORRECTED)[table]) for table in WIDE)
    if "LAKESMITH_REAL_SCRATCH" in os.environ:
        scratch = Build(corrected.root.parent / "scratch", corrected.landing)
        scratch.run(START, END)
        assert scratch.digests() == corrected.digests()

    file.write_text(text)
    _repair(corrected)
    assert _not_fresh(corrected) == {}
    assert corrected.digests() == first


def _repair(build: Build) -> None:
    """Repairs, and holds against the windows what was run for it."""
    context = build.context()
    night = execute(context, plan_nights(context, BatchRange(START, END), stale_only=True))
    assert night.exit_code is ExitCode.DONE
    run = {table: sorted(result.batches) for table, result in night.tables.items() if result.batches}
    reached = _reached(CORRECTED)
    assert all(set(days) <= set(reached[table]) for table, days in run.items())
    assert run["gold.customer_features"] == reached["gold.customer_features"]
