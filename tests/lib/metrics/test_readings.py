"""The metrics of a lake of the meters project that no Spark wrote, as Prometheus' own client reads them back."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from command_lines import publish
from lakesmith.errors import UsageError
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import BatchOutcome, RunOutcome, RunRecord
from lakesmith.metrics.catalogue import METRICS
from lakesmith.metrics.exposition import registry, start_server, write_file
from lakesmith.metrics.readings import readings
from receivers import free_port
from watching import Listener, audit, check, end_night, look, metric_rows, nights
from workspaces import METERS, Workspace, day

Values = dict[tuple[str, ...], float]
SLO = """
usage_on_time: {measure: published_by, table: gold.usage, by: "06:00", target: 0.9, window: 28d}
whole: {measure: quarantined_share, table: silver.readings, at_most: 0.1, target: 0.5, window: 28d}
"""


def run_record(table: str, seconds: int, **changes: object) -> RunRecord:
    ended = datetime(2024, 1, 7, 3, tzinfo=UTC)
    given = {
        "run_id": "r",
        "table": table,
        "first": day(6),
        "last": day(6),
        "started_at": ended.replace(second=0),
        "finished_at": ended.replace(second=seconds),
        "outcome": RunOutcome.PUBLISHED,
        "exit_code": 0,
        "retryable": False,
        "error": "",
        "batches": 1,
        "batches_published": 1,
        "batches_rejected": 0,
        "rows_read": 5,
        "rows_published": 3,
        "rows_quarantined": 1,
        "rows_dropped": 1,
        "version": 1,
        "job": "",
        "code_version": "",
        "lakesmith_version": "",
        "environment": "dev",
        "spark_application": "",
        "spark_jobs": 1,
    }
    return RunRecord(**{**given, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Six nights, the last with a failed table; only to be read."""
    root = tmp_path_factory.mktemp("metrics") / "meters"
    shutil.copytree(METERS, root)
    (root / "conf" / "slo.yml").write_text(SLO)
    meters = Workspace(root)
    for number in range(1, 7):
        meters.land(number, ("m1", 10, "High St"))
    nights(meters, 1, 5)
    publish(meters, [6], ["bronze.readings"])
    publish(meters, [6], ["silver.readings"], read=4, rows=2, quarantined=2, dropped={"twice": 1})
    publish(meters, [6], ["gold.usage"], outcome=BatchOutcome.FAILED, reason="OSError")
    audit(meters, 6, "silver.readings", "20240201T000000-00000001", {"usual": "warning"})
    end_night(meters, 5)
    end_night(meters, 6, complete=False)
    ops = meters.context().ledger.ops
    failed = run_record("gold.usage", 9, outcome=RunOutcome.FAILED, rows_read=None, rows_published=0)
    ops.append([run_record("gold.usage", 7), failed, run_record("gold.given_up", 5)])
    metric_rows(
        meters,
        "monitoring.drift_metrics",
        [
            {"day": 5, "table_name": "gold.usage", "column_name": "kwh", "verdict": "drifted", "effect": 9.0},
            {
                "day": 6,
                "table_name": "gold.usage",
                "column_name": "kwh",
                "verdict": "drifted",
                "effect": 0.25,
            },
            {
                "day": 6,
                "table_name": "gold.usage",
                "column_name": "cost",
                "verdict": "stable",
                "effect": 0.01,
            },
            {"day": 6, "table_name": "gold.usage", "column_name": "gone", "verdict": "stable", "effect": 0.5},
        ],
    )
    deaf = Listener("deaf")
    deaf.broken = "no"
    check(meters, 6, deaf)
    return meters


@pytest.fixture(scope="module")
def exported(lake: Workspace) -> Callable[[str], Values]:
    """The values of a metric by their labels, in the order of the catalogue."""
    found: dict[str, Values] = {}
    for sample in readings(look(lake), datetime(2024, 1, 9, tzinfo=UTC)):
        found.setdefault(sample.metric, {})[sample.labels] = float(sample.value)
    return lambda name: found.get(name, {})


def test_nothing_is_unreadable(exported: Callable[[str], Values]) -> None:
    assert set(exported("lakesmith_unreadable").values()) == {0.0}


def test_what_the_platform_counted_is_a_cost_and_no_run(tmp_path: Path) -> None:
    root = tmp_path / "meters"
    shutil.copytree(METERS, root)
    meters = Workspace(root)
    ops = meters.context().ledger.ops
    billed = {"outcome": RunOutcome.BILLED, "cost": 0.25, "currency": "EUR", "job_run": "1"}
    tables = ("gold.usage", "")
    ops.append([run_record("gold.usage", 9), *(run_record(table, 9, **billed) for table in tables)])
    found = [s for s in readings(look(meters), datetime(2024, 1, 9, tzinfo=UTC)) if s.value]

    assert [(s.labels, s.value) for s in found if s.metric == "lakesmith_cost_total"] == [
        (("", "EUR"), 0.25),
        (("gold.usage", "EUR"), 0.25),
    ]
    assert [(s.labels, s.value) for s in found if s.metric == "lakesmith_runs_total"] == [
        (("gold.usage", "published"), 1)
    ]


def test_runs_are_counted_and_tables_that_were_given_up_are_not(exported: Callable[[str], Values]) -> None:
    assert exported("lakesmith_runs_total") == {
        ("gold.usage", "failed"): 1,
        ("gold.usage", "published"): 1,
    }
    assert exported("lakesmith_run_seconds_total") == {("gold.usage",): 16}
    assert exported("lakesmith_last_run_duration_seconds") == {("gold.usage",): 9}
    assert exported("lakesmith_rows_total") == {
        ("gold.usage", "read"): 5,
        ("gold.usage", "published"): 3,
        ("gold.usage", "quarantined"): 2,
        ("gold.usage", "dropped"): 2,
    }


def test_batches_have_an_age_and_a_state(exported: Callable[[str], Values]) -> None:
    ages = exported("lakesmith_batch_age_seconds")
    days = {table: age / 86_400 for (table,), age in ages.items()}
    # The failed batch of the 6th does not count, and a lag is no age.
    assert days["silver.readings"] == 2.0
    assert days["gold.usage"] == 3.0
    assert days["gold.next_day"] == 3.0
    assert (
        exported("lakesmith_newest_batch_timestamp_seconds")["gold.usage",]
        == datetime(2024, 1, 5, tzinfo=UTC).timestamp()
    )
    rows = exported("lakesmith_batch_rows")
    assert [rows["silver.readings", name] for name in ("published", "quarantined", "dropped")] == [2, 2, 1]
    states = exported("lakesmith_batches")
    assert (states["gold.usage", "failed"], states["gold.usage", "fresh"]) == (1, 5)
    assert states["gold.usage_3d", "blocked"] == 1


def test_nights_and_expectations(exported: Callable[[str], Values]) -> None:
    assert exported("lakesmith_night_complete") == {(): 0}
    assert exported("lakesmith_night_timestamp_seconds") == {(): datetime(2024, 1, 6, tzinfo=UTC).timestamp()}
    assert exported("lakesmith_expectations") == {
        ("silver.readings", "critical", "passed"): 1,
        ("silver.readings", "critical", "failed"): 0,
        ("silver.readings", "warning", "passed"): 0,
        ("silver.readings", "warning", "failed"): 1,
    }


def test_drift_of_the_newest_night_and_of_columns_that_there_are(exported: Callable[[str], Values]) -> None:
    assert exported("lakesmith_drift_columns") == {
        ("gold.usage", "drifted"): 1,
        ("gold.usage", "stable"): 2,
    }
    assert exported("lakesmith_drift_effect") == {
        ("gold.usage", "kwh"): 0.25,
        ("gold.usage", "cost"): 0.01,
    }


def test_alerts_and_channels(exported: Callable[[str], Values]) -> None:
    standing = {key: number for key, number in exported("lakesmith_alerts_open").items() if number}
    assert standing == {
        ("batch_failed", "critical"): 1,
        ("batch_blocked", "warning"): 1,
        ("channel_failed", "critical"): 1,
        ("drift", "warning"): 1,
        ("quarantine_share", "warning"): 1,
        ("warning_expectations", "warning"): 1,
    }
    assert exported("lakesmith_alerts_open")["zero_scores", "critical"] == 0
    assert exported("lakesmith_channel_failing") == {("deaf",): 1}


def test_service_levels(exported: Callable[[str], Values]) -> None:
    assert exported("lakesmith_slo_target_ratio") == {("usage_on_time",): 0.9, ("whole",): 0.5}
    # Nothing of 2024 came in live, as the ledger of this test was written later.
    assert exported("lakesmith_slo_kept_ratio") == {("whole",): pytest.approx(5 / 6)}
    assert exported("lakesmith_slo_error_budget_left_ratio") == {("whole",): pytest.approx(2 / 3)}


def test_labels_are_those_of_the_catalogue(lake: Workspace) -> None:
    wrong = [s for s in readings(look(lake), now()) if len(s.labels) != len(METRICS[s.metric].labels)]
    assert wrong == []


def test_a_part_that_cannot_be_read_takes_no_other_with_it(lake: Workspace, tmp_path: Path) -> None:
    broken = Workspace(Path(shutil.copytree(lake.root, tmp_path / "meters")))
    (broken.root / "conf" / "slo.yml").write_text("x: {measure: none}\n")

    found = readings(look(broken), now())

    unreadable = {s.labels[0] for s in found if s.metric == "lakesmith_unreadable" and s.value}
    assert unreadable == {"service_levels"}
    assert any(s.metric == "lakesmith_runs_total" for s in found)


def test_an_empty_lake_has_metrics_too(tmp_path: Path) -> None:
    empty = Workspace(Path(shutil.copytree(METERS, tmp_path / "meters")))

    found = readings(look(empty), now())
    assert {s.value for s in found if s.metric == "lakesmith_unreadable"} == {0}


# By Prometheus' own client.


def test_the_file_is_what_prometheus_reads(lake: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "textfile" / "lakesmith.prom"

    values = write_file(lambda: look(lake), file)

    families = {f.name: f for f in text_string_to_metric_families(file.read_text())}
    assert sum(len(f.samples) for f in families.values()) == values
    assert set(families) == {name.removesuffix("_total") for name in METRICS}
    runs = {(s.name, s.labels["outcome"]): s.value for s in families["lakesmith_runs"].samples}
    assert runs["lakesmith_runs_total", "failed"] == 1
    assert [path.name for path in file.parent.iterdir()] == ["lakesmith.prom"]


def test_a_file_that_cannot_be_written_is_a_mistake_of_usage(lake: Workspace, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="cannot be written"):
        write_file(lambda: look(lake), tmp_path / "file" / "lakesmith.prom")


@pytest.fixture
def served(lake: Workspace) -> Iterator[tuple[str, list[int]]]:
    """The address, and how often the lake was read."""
    read: list[int] = []

    def watch() -> object:
        read.append(1)
        return look(lake)

    server, thread = start_server(watch, "127.0.0.1", 0)  # type: ignore[arg-type]
    yield f"http://127.0.0.1:{server.server_port}/metrics", read
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_port_answers_and_the_lake_is_not_read_for_each_who_asks(served: tuple[str, list[int]]) -> None:
    address, read = served
    assert read == []

    answers = []
    for _ in range(3):
        with urllib.request.urlopen(address, timeout=30) as answer:
            answers.append(answer.read().decode())

    assert 'lakesmith_info{environment="dev",version="' in answers[0]
    assert (len(set(answers)), len(read)) == (1, 1)


def test_a_port_that_is_taken_is_a_mistake_of_usage(lake: Workspace) -> None:
    port = free_port()
    server, thread = start_server(lambda: look(lake), "127.0.0.1", port)
    try:
        with pytest.raises(UsageError, match="cannot be listened on"):
            start_server(lambda: look(lake), "127.0.0.1", port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_registry_is_made_without_reading_the_lake() -> None:
    def never() -> object:
        raise AssertionError("read too early")

    registry(never)  # type: ignore[arg-type]
