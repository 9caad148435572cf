"""The page of runs: time, rows, and cost as time by resources."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_lines import Ask
from lakesmith.aws.emr import JobRun, JobState, Usage
from lakesmith.config.sections.aws import EmrPrices
from lakesmith.errors import UsageError
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import RunRecord
from lakesmith.shipping.emr_bill import entries
from lakesmith.site.build import build_site
from lakesmith.site.runs import Prices, runs_view
from lakesmith.site.snapshot import read_snapshot
from sites import make_troubled_lake
from workspaces import Workspace


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_troubled_lake(tmp_path_factory.mktemp("runs") / "meters")


def test_cost_is_the_hours_of_runs_by_the_price_of_their_size(lake: Workspace) -> None:
    view = runs_view(read_snapshot(lake.context()), Prices({"small": 2.0}, "EUR"))
    # Each of the planted runs took ninety seconds: eight of gold.usage, one of the two others each.
    assert {t.table: (t.runs, t.failed, t.rows, t.hours, t.cost) for t in view.tables} == {
        "bronze.readings": (1, 1, 2, 0.025, 0.05),
        "silver.readings": (1, 1, 2, 0.025, 0.05),
        "gold.usage": (8, 0, 16, 0.2, 0.4),
    }
    (hours, cost) = view.sizes["small"]
    assert hours == pytest.approx(0.25)
    assert cost == pytest.approx(0.5)
    assert view.currency == "EUR"
    assert [run.table for run in view.newest[:1]] == ["gold.usage"]


def test_cost_is_what_the_platform_counted_where_it_did(tmp_path: Path) -> None:
    lake = make_troubled_lake(tmp_path / "meters")
    ops = lake.context().ledger.ops
    runs = [
        RunRecord.from_row(row) for row in ops.read(RunRecord).to_pylist() if row["table"] != "gold.usage"
    ]
    job_run = JobRun("1", "lakesmith night", JobState.SUCCESS, created_at=now(), used=Usage(1, 4, 0))
    prices = EmrPrices(vcpu_hour=1, memory_gb_hour=0.25, storage_gb_hour=0, currency="EUR")
    ops.append([*entries(job_run, runs, prices, "dev"), *entries(job_run, [], prices, "dev")])

    view = runs_view(read_snapshot(lake.context()), Prices())

    assert {t.table: (t.runs, t.cost) for t in view.tables} == {
        "bronze.readings": (1, 1.0),
        "silver.readings": (1, 1.0),
        "gold.usage": (8, None),
    }
    assert (view.currency, view.counted, view.other, view.sizes["small"][1], view.total) == (
        "EUR",
        True,
        2,
        2,
        10,
    )
    build_site(lake.context(), tmp_path / "site")
    text = (tmp_path / "site/runs.html").read_text()
    assert "2 EUR more went to job runs that held no run of these tables" in text


def test_without_prices_hours_are_told_and_no_money(lake: Workspace, tmp_path: Path) -> None:
    build_site(lake.context(), tmp_path / "site")
    text = (tmp_path / "site/runs.html").read_text()
    assert "--hour-price small=0.25" in text
    assert "USD" not in text


@pytest.mark.parametrize("price", ["small", "small=", "=1", "small=-1", "small=nan", "small=cheap"])
def test_a_price_that_is_none_is_refused(price: str, ask: Ask) -> None:
    with pytest.raises(UsageError, match="is no price of an hour"):
        Prices.parse([price], "USD")
    assert ask("site", "build", "--hour-price", price).code == 2
