"""Every metric that is exported: its name, what it means and its labels.

Owns that list; the dashboard and the alert rules in infra/monitoring may use these and no others. Labels take the names of
tables, columns, models, rules and channels of the project, and words of Lakesmith: their number does not grow with the data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["METRICS", "Definition"]


@dataclass(frozen=True)
class Definition:
    """One metric.

    Args:
        name: as Prometheus knows it; of a counter with its ending `_total`.
        kind: a counter only grows, as the records that it sums up do.
        labels: in the order of the values of a sample.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    labels: tuple[str, ...] = ()


def _gauge(name: str, text: str, *labels: str) -> Definition:
    return Definition(name, "gauge", text, labels)


def _counter(name: str, text: str, *labels: str) -> Definition:
    return Definition(name, "counter", text, labels)


_DEFINITIONS = (
    _gauge(
        "lakesmith_info", "Always 1; which environment and version these are of.", "environment", "version"
    ),
    _gauge("lakesmith_read_seconds", "How long reading the lake for these metrics took."),
    _gauge("lakesmith_unreadable", "1 for a part of these metrics that could not be read.", "part"),
    _counter("lakesmith_runs_total", "Runs by what they came to.", "table", "outcome"),
    _counter("lakesmith_run_seconds_total", "Wall time of all runs.", "table"),
    _counter(
        "lakesmith_rows_total",
        "Rows of all runs that were read, published, quarantined or dropped.",
        "table",
        "outcome",
    ),
    _counter(
        "lakesmith_cost_total",
        "What runs cost as the platform counted it; no table: tables that were given up, and job runs that held no run.",
        "table",
        "currency",
    ),
    _gauge("lakesmith_last_run_duration_seconds", "Wall time of the newest run.", "table"),
    _gauge("lakesmith_last_run_timestamp_seconds", "When the newest run ended.", "table"),
    _gauge(
        "lakesmith_newest_batch_timestamp_seconds",
        "Midnight (UTC) at the start of the newest batch that stands.",
        "table",
    ),
    _gauge(
        "lakesmith_batch_age_seconds",
        "Seconds since the end of the newest batch that stands; of a lagged table the lag is taken off.",
        "table",
    ),
    _gauge(
        "lakesmith_last_published_timestamp_seconds", "When a batch was last published or confirmed.", "table"
    ),
    _gauge("lakesmith_batch_rows", "Rows of the newest batch that stands.", "table", "outcome"),
    _gauge("lakesmith_batches", "Batches of the last 30 nights by state.", "table", "state"),
    _gauge(
        "lakesmith_expectations",
        "Expectations of the newest audited batch that passed or failed.",
        "table",
        "severity",
        "outcome",
    ),
    _gauge("lakesmith_night_timestamp_seconds", "Midnight (UTC) at the start of the newest night on record."),
    _gauge("lakesmith_night_recorded_timestamp_seconds", "When the newest night was recorded."),
    _gauge("lakesmith_night_complete", "1 when the newest night is complete."),
    _gauge(
        "lakesmith_drift_columns",
        "Columns by the verdict on the newest night that was judged.",
        "table",
        "verdict",
    ),
    _gauge(
        "lakesmith_drift_effect", "Effect size of a column on that night, the greatest.", "table", "column"
    ),
    _gauge("lakesmith_model_champion_version", "The version in use.", "model"),
    _gauge("lakesmith_model_metric", "A metric by the labels that matured last.", "model", "metric"),
    _gauge("lakesmith_circuit_open", "1 while a model is only tried once a night.", "model"),
    _gauge("lakesmith_retraining_requested", "1 while a retraining is wanted.", "model"),
    _counter("lakesmith_scores_written_total", "Scores that were published.", "table", "model"),
    _gauge("lakesmith_alerts_open", "Open alerts.", "rule", "severity"),
    _gauge(
        "lakesmith_channel_failing", "1 for a channel that took no message when it last should.", "channel"
    ),
    _gauge("lakesmith_slo_target_ratio", "The share of nights that is promised.", "slo"),
    _gauge("lakesmith_slo_kept_ratio", "The share of nights that kept the promise.", "slo"),
    _gauge(
        "lakesmith_slo_error_budget_left_ratio",
        "The part of the error budget that is left; below 0 it is overspent.",
        "slo",
    ),
    _gauge("lakesmith_slo_burn_rate", "How many times faster than allowed the last 7 days spent it.", "slo"),
)

METRICS: dict[str, Definition] = {definition.name: definition for definition in _DEFINITIONS}
"""By name, in the order in which they are exported."""
