"""What rules look at: one night of a lake, by its ledger and its monitoring tables.

Owns that every fact is read at most once in a check. Reads only; starts no JVM.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any

from lakesmith.config.sections.alerts import AlertSettings
from lakesmith.config.settings import Settings
from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.graph import TableGraph
from lakesmith.contracts.project import Project
from lakesmith.ledger.alerts import Alert, AlertRecord, open_alerts
from lakesmith.ledger.circuit import Circuit, CircuitRecord
from lakesmith.ledger.history import Ledger
from lakesmith.ledger.model_events import ModelEvent
from lakesmith.ledger.records import BatchRecord, QualityRecord
from lakesmith.ledger.retraining import RetrainingRecord, standing_request
from lakesmith.ledger.state import BatchState, Judge
from lakesmith.monitoring.stored import (
    DRIFT_TABLE,
    PERFORMANCE_TABLE,
    PROFILE_TABLE,
    MetricOutcome,
    outcomes_of,
    stored_rows,
)
from lakesmith.service_levels.attainment import Attainment
from lakesmith.service_levels.measuring import service_levels

__all__ = ["NightFacts", "Watched"]

_AUDIT_COLUMNS = ("run_id", "table", "batch_date", "rule", "severity", "success")


@dataclass(frozen=True)
class Watched:
    """What a check is about.

    Args:
        judge: of the states of batches at this moment.
    """

    project: Project
    settings: Settings
    ledger: Ledger
    judge: Judge


class NightFacts:
    """Everything that rules may ask about a night.

    Args:
        moment: the present, in UTC.
    """

    def __init__(self, watched: Watched, night: date, moment: datetime) -> None:
        self.watched = watched
        self.night = night
        self.moment = moment

    @property
    def settings(self) -> AlertSettings:
        """Those of alerts."""
        return self.watched.settings.alerts

    @property
    def graph(self) -> TableGraph:
        """The tables."""
        return self.watched.project.graph

    @cached_property
    def states(self) -> Mapping[str, Mapping[date, BatchState]]:
        """The batches that the night and those before it own, as far back as the settings say."""
        nights = BatchRange(self.night - timedelta(self.settings.look_back), self.night)
        return self.watched.judge.judge(nights)

    def owned(self, table: str) -> date:
        """The batch of a table that the night owns."""
        return self.night - timedelta(self.graph.contract(table).lag_days)

    def last(self, table: str, day: date) -> BatchRecord | None:
        """The last attempt at a batch."""
        return self.watched.ledger.history(table).last(day)

    def standing(self, table: str, day: date) -> BatchRecord | None:
        """What stands of a batch."""
        return self.watched.ledger.history(table).standing(day)

    def first(self, table: str) -> date | None:
        """The earliest batch of a table that was ever tried."""
        return min(self.watched.ledger.history(table).records, default=None)

    @cached_property
    def _broken(self) -> Mapping[tuple[str, date, str], Sequence[tuple[str, str]]]:
        """Table, batch and run -> the rules that failed in its audit, each with its severity."""
        rows = self.watched.ledger.ops.read(QualityRecord, columns=_AUDIT_COLUMNS).to_pylist()
        found: dict[tuple[str, date, str], list[tuple[str, str]]] = {}
        for row in rows:
            if not row["success"]:
                key = (row["table"], row["batch_date"], row["run_id"])
                found.setdefault(key, []).append((row["rule"], row["severity"]))
        return found

    def broken(self, record: BatchRecord, severity: str) -> list[str]:
        """The expectations of a severity that an attempt broke, by name."""
        failed = self._broken.get((record.table, record.batch_date, record.run_id), ())
        return sorted({rule for rule, graded in failed if graded == severity})

    @cached_property
    def model_events(self) -> Sequence[ModelEvent]:
        """Everything that happened to models, oldest first."""
        return self.watched.ledger.ops.records(ModelEvent)

    @cached_property
    def circuits(self) -> Mapping[tuple[str, str], Circuit]:
        """The breakers by model and tracking server."""
        records = self.watched.ledger.ops.records(CircuitRecord)
        limit = self.watched.settings.serving.failures_to_open
        keys = sorted({(record.model, record.server) for record in records})
        return {key: Circuit.of(records, *key, limit) for key in keys}

    @cached_property
    def requests(self) -> Mapping[str, RetrainingRecord]:
        """The models for which a retraining is wanted."""
        records = self.watched.ledger.ops.records(RetrainingRecord)
        found = {model: standing_request(records, model) for model in self.watched.project.models}
        return {model: request for model, request in found.items() if request is not None}

    @cached_property
    def reported(self) -> Sequence[Alert]:
        """The alerts that are open now, of whichever rule."""
        return list(open_alerts(self.watched.ledger.ops.records(AlertRecord)).values())

    @cached_property
    def drift(self) -> Sequence[Mapping[str, Any]] | None:
        """What was said of columns on the night; None where nothing was."""
        rows = stored_rows(
            self.watched.ledger.open(DRIFT_TABLE),
            ("table_name", "column_name", "verdict"),
            optional=("drift_type", "slice_key"),
            since=self.night,
            until=self.night,
        )
        return rows or None

    @cached_property
    def performance(self) -> Sequence[MetricOutcome] | None:
        """How models did by the labels that the night made known; None where nothing was said of that."""
        if PERFORMANCE_TABLE not in self.graph.contracts:
            return None
        day = self.owned(PERFORMANCE_TABLE)
        return outcomes_of(self.watched.ledger.open(PERFORMANCE_TABLE), since=day, until=day) or None

    def profiles(self, weeks: int) -> Sequence[Mapping[str, Any]]:
        """The profiles of whole tables, one a column and batch, of some weeks until the night."""
        rows = stored_rows(
            self.watched.ledger.open(PROFILE_TABLE),
            ("table_name", "column_name", "count", "percent_null"),
            optional=("avg", "stddev", "num_nulls", "num_nan"),
            since=self.night - timedelta(7 * weeks),
            until=self.night,
            where="slice_key IS NULL AND log_type = 'INPUT' AND granularity = '1 day'",
        )
        return rows or ()

    @cached_property
    def service_levels(self) -> Sequence[Attainment]:
        """How the promises of conf/slo.yml are kept."""
        return service_levels(self.watched.project, self.watched.ledger, self.moment)
