"""The values of the metrics, out of the ledger and the monitoring tables.

Owns where each value comes from, and that a part which cannot be read takes no other with it. No JVM, no client library.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lakesmith import __version__
from lakesmith.alerts.facts import Watched
from lakesmith.alerts.rules import CHANNEL_FAILED
from lakesmith.contracts.days import BatchRange
from lakesmith.ledger.alerts import AlertRecord, open_alerts
from lakesmith.ledger.circuit import Circuit, CircuitRecord
from lakesmith.ledger.nights import night_records
from lakesmith.ledger.records import QualityRecord, RunOutcome, RunRecord
from lakesmith.ledger.retraining import RetrainingRecord, standing_request
from lakesmith.ledger.state import State
from lakesmith.monitoring.stored import (
    DRIFT_TABLE,
    PERFORMANCE_TABLE,
    newest_outcomes,
    outcomes_of,
    stored_rows,
)
from lakesmith.service_levels.measuring import service_levels

__all__ = ["Sample", "readings"]

log = logging.getLogger(__name__)

_NIGHTS = 30
_RECENT = timedelta(days=60)
_RUN_COLUMNS = (
    "table",
    "outcome",
    "started_at",
    "finished_at",
    "rows_read",
    "rows_published",
    "rows_quarantined",
    "rows_dropped",
    "cost",
    "currency",
)
_ROWS = ("read", "published", "quarantined", "dropped")


@dataclass(frozen=True)
class Sample:
    """One value.

    Args:
        metric: a name of the catalogue.
        labels: their values, in its order.
    """

    metric: str
    labels: tuple[str, ...]
    value: float


_Part = Callable[[Watched, datetime], Iterator[Sample]]


def readings(watched: Watched, moment: datetime) -> list[Sample]:
    """Every value as it is now.

    Args:
        moment: the present, in UTC.
    """
    began = time.monotonic()
    found = [Sample("lakesmith_info", (watched.settings.environment, __version__), 1)]
    for name, part in _PARTS.items():
        try:
            found += list(part(watched, moment))
            found.append(Sample("lakesmith_unreadable", (name,), 0))
        except Exception as error:
            # A table in trouble is what one looks at metrics for.
            log.warning("metrics of %s could not be read (%s)", name, type(error).__name__)
            log.debug("metrics of %s could not be read", name, exc_info=error)
            found.append(Sample("lakesmith_unreadable", (name,), 1))
    found.append(Sample("lakesmith_read_seconds", (), time.monotonic() - began))
    return found


def _runs(watched: Watched, moment: datetime) -> Iterator[Sample]:
    graph = watched.project.graph
    outcomes: Counter[tuple[str, str]] = Counter()
    rows: Counter[tuple[str, str]] = Counter()
    seconds: dict[str, float] = {}
    newest: dict[str, tuple[datetime, float]] = {}
    costs: Counter[tuple[str, str]] = Counter()
    for run in watched.ledger.ops.read(RunRecord, columns=_RUN_COLUMNS).to_pylist():
        table = run["table"]
        if run["outcome"] == RunOutcome.BILLED:
            if run["cost"] is not None:
                costs[table if table in graph.contracts else "", run["currency"]] += run["cost"]
            continue
        # Tables that were given up would stay among the labels for ever.
        if table not in graph.contracts:
            continue
        outcomes[table, run["outcome"]] += 1
        taken = (run["finished_at"] - run["started_at"]).total_seconds()
        seconds[table] = seconds.get(table, 0.0) + taken
        newest[table] = max(newest.get(table, (run["finished_at"], taken)), (run["finished_at"], taken))
        for name in _ROWS:
            rows[table, name] += run[f"rows_{name}"] or 0
    yield from (Sample("lakesmith_runs_total", key, number) for key, number in sorted(outcomes.items()))
    yield from (Sample("lakesmith_rows_total", key, number) for key, number in sorted(rows.items()))
    yield from (Sample("lakesmith_cost_total", key, money) for key, money in sorted(costs.items()))
    for table in sorted(newest):
        finished, taken = newest[table]
        yield Sample("lakesmith_run_seconds_total", (table,), seconds[table])
        yield Sample("lakesmith_last_run_duration_seconds", (table,), taken)
        yield Sample("lakesmith_last_run_timestamp_seconds", (table,), finished.timestamp())
    for table in graph.score_tables():
        entry = graph.contracts[table].model_input
        assert entry is not None
        yield Sample("lakesmith_scores_written_total", (table, entry.model or ""), rows[table, "published"])


def _batches(watched: Watched, moment: datetime) -> Iterator[Sample]:
    for table, contract in watched.project.graph.contracts.items():
        history = watched.ledger.history(table)
        standing = {day: found for day in history.records if (found := history.standing(day)) is not None}
        if not standing:
            continue
        day = max(standing)
        newest = standing[day]
        owed = _midnight(day + timedelta(1 + contract.lag_days))
        yield Sample("lakesmith_newest_batch_timestamp_seconds", (table,), _midnight(day).timestamp())
        yield Sample("lakesmith_batch_age_seconds", (table,), (moment - owed).total_seconds())
        last = max(found.recorded_at for found in standing.values())
        yield Sample("lakesmith_last_published_timestamp_seconds", (table,), last.timestamp())
        yield Sample("lakesmith_batch_rows", (table, "published"), newest.rows)
        yield Sample("lakesmith_batch_rows", (table, "quarantined"), newest.quarantined)
        yield Sample("lakesmith_batch_rows", (table, "dropped"), sum(newest.dropped.values()))


def _states(watched: Watched, moment: datetime) -> Iterator[Sample]:
    last = max((record.last for record in night_records(watched.ledger.ops)), default=None)
    if last is None:
        return
    nights = BatchRange(last - timedelta(_NIGHTS - 1), last)
    for table, states in watched.judge.judge(nights).items():
        counts = Counter(state.state for state in states.values())
        yield from (Sample("lakesmith_batches", (table, str(state)), counts[state]) for state in State)


def _nights(watched: Watched, moment: datetime) -> Iterator[Sample]:
    records = night_records(watched.ledger.ops)
    if not records:
        return
    newest = max(records, key=lambda record: (record.last, record.recorded_at))
    yield Sample("lakesmith_night_timestamp_seconds", (), _midnight(newest.last).timestamp())
    yield Sample("lakesmith_night_recorded_timestamp_seconds", (), newest.recorded_at.timestamp())
    yield Sample("lakesmith_night_complete", (), newest.complete)


def _quality(watched: Watched, moment: datetime) -> Iterator[Sample]:
    columns = ("run_id", "table", "batch_date", "recorded_at", "severity", "success")
    newest: dict[str, tuple[date, datetime, str]] = {}
    rows = watched.ledger.ops.read(QualityRecord, columns=columns).to_pylist()
    for row in rows:
        key = (row["batch_date"], row["recorded_at"], row["run_id"])
        newest[row["table"]] = max(newest.get(row["table"], key), key)
    counts: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        table = row["table"]
        day, _, run_id = newest[table]
        if table in watched.project.graph.contracts and (row["batch_date"], row["run_id"]) == (day, run_id):
            for success in (True, False):
                outcome = "passed" if success else "failed"
                counts[table, row["severity"], outcome] += row["success"] is success
    yield from (Sample("lakesmith_expectations", key, number) for key, number in sorted(counts.items()))


def _drift(watched: Watched, moment: datetime) -> Iterator[Sample]:
    rows = stored_rows(
        watched.ledger.open(DRIFT_TABLE),
        ("table_name", "column_name", "verdict"),
        optional=("effect",),
        since=_recently(watched),
    )
    verdicts: Counter[tuple[str, str]] = Counter()
    effects: dict[tuple[str, str], float] = {}
    for row in _newest(rows or (), "table_name"):
        table, column = row["table_name"], row["column_name"]
        contract = watched.project.graph.contracts.get(table)
        if row["verdict"] is None or contract is None:
            continue
        verdicts[table, row["verdict"]] += 1
        if row["effect"] is not None and column in {known.name for known in contract.columns}:
            effects[table, column] = max(effects.get((table, column), row["effect"]), row["effect"])
    yield from (Sample("lakesmith_drift_columns", key, number) for key, number in sorted(verdicts.items()))
    yield from (Sample("lakesmith_drift_effect", key, effect) for key, effect in sorted(effects.items()))


def _models(watched: Watched, moment: datetime) -> Iterator[Sample]:
    ops, limit = watched.ledger.ops, watched.settings.serving.failures_to_open
    circuits, requests = ops.records(CircuitRecord), ops.records(RetrainingRecord)
    for model in sorted(watched.project.models):
        champion = watched.ledger.timeline(model).champion
        if champion is not None:
            yield Sample("lakesmith_model_champion_version", (model,), champion.version)
        servers = {record.server for record in circuits if record.model == model}
        is_open = any(Circuit.of(circuits, model, server, limit).is_open for server in servers)
        yield Sample("lakesmith_circuit_open", (model,), is_open)
        wanted = standing_request(requests, model) is not None
        yield Sample("lakesmith_retraining_requested", (model,), wanted)


def _performance(watched: Watched, moment: datetime) -> Iterator[Sample]:
    known = outcomes_of(watched.ledger.open(PERFORMANCE_TABLE), since=_recently(watched))
    found: dict[tuple[str, str], float] = {}
    for outcome in newest_outcomes(known):
        if outcome.in_use and outcome.value is not None and outcome.model_name in watched.project.models:
            # In order of versions: of several that served, the newest.
            found[outcome.model_name, outcome.metric] = outcome.value
    yield from (Sample("lakesmith_model_metric", key, value) for key, value in sorted(found.items()))


def _alerts(watched: Watched, moment: datetime) -> Iterator[Sample]:
    standing = open_alerts(watched.ledger.ops.records(AlertRecord)).values()
    severities = watched.settings.alerts.rules.model_dump()
    counts = Counter((alert.rule, alert.severity) for alert in standing)
    # A rule without an alert is 0, not absent: one can tell it from a rule that is not there.
    counts.update({(rule, severity): 0 for rule, severity in severities.items() if severity != "silent"})
    yield from (Sample("lakesmith_alerts_open", key, number) for key, number in sorted(counts.items()))
    for alert in standing:
        if alert.rule == CHANNEL_FAILED:
            yield Sample("lakesmith_channel_failing", (alert.subject.removeprefix("channels."),), 1)


def _service_levels(watched: Watched, moment: datetime) -> Iterator[Sample]:
    for kept in service_levels(watched.project, watched.ledger, moment):
        name = (kept.level.name,)
        yield Sample("lakesmith_slo_target_ratio", name, kept.level.target)
        values = {
            "lakesmith_slo_kept_ratio": kept.share,
            "lakesmith_slo_error_budget_left_ratio": kept.budget_left,
            "lakesmith_slo_burn_rate": kept.burn_rate,
        }
        yield from (Sample(metric, name, value) for metric, value in values.items() if value is not None)


_PARTS: Mapping[str, _Part] = {
    "runs": _runs,
    "batches": _batches,
    "states": _states,
    "nights": _nights,
    "quality": _quality,
    "drift": _drift,
    "models": _models,
    "performance": _performance,
    "alerts": _alerts,
    "service_levels": _service_levels,
}


def _recently(watched: Watched) -> date | None:
    last = max((record.last for record in night_records(watched.ledger.ops)), default=None)
    return last - _RECENT if last is not None else None


def _newest(rows: Sequence[Mapping[str, Any]], by: str) -> Iterator[Mapping[str, Any]]:
    """Of each table the rows of its newest batch."""
    last: dict[str, date] = {}
    for row in rows:
        last[row[by]] = max(last.get(row[by], row["batch_date"]), row["batch_date"])
    yield from (row for row in rows if row["batch_date"] == last[row[by]])


def _midnight(day: date) -> datetime:
    return datetime.combine(day, datetime.min.time(), UTC)
