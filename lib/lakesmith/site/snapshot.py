"""Everything of a lake that the pages show, read once.

Owns the reading: contracts, the ledger, the tables' logs, counts of quarantined rows and of scores. No row of a table is kept,
and no JVM is started. What the pages make of it is in the modules beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import Contract
from lakesmith.contracts.project import Project
from lakesmith.engine.context import Context
from lakesmith.engine.night import all_nights
from lakesmith.ledger.alerts import Alert, AlertRecord, open_alerts
from lakesmith.ledger.history import TableHistory
from lakesmith.ledger.live import LiveTable
from lakesmith.ledger.model_events import ModelEvent, ModelTimeline
from lakesmith.ledger.nights import night_records
from lakesmith.ledger.ops import in_order, now
from lakesmith.ledger.quarantined import Quarantined, quarantined
from lakesmith.ledger.records import NightRecord, QualityRecord, RunOutcome, RunRecord
from lakesmith.ledger.rule_results import RESULT_COLUMNS, RuleResult
from lakesmith.ledger.state import BatchState
from lakesmith.service_levels.attainment import Attainment
from lakesmith.service_levels.measuring import service_levels

if TYPE_CHECKING:
    from lakesmith.site.metrics import MetricTables

__all__ = ["Audit", "Snapshot", "read_snapshot"]


@dataclass(frozen=True)
class Audit:
    """The verdicts of the newest audit of a batch.

    Args:
        run_id: whose audit it was.
    """

    run_id: str
    recorded_at: datetime
    results: tuple[RuleResult, ...]

    @property
    def broken(self) -> tuple[RuleResult, ...]:
        """The rules that failed."""
        return tuple(result for result in self.results if not result.success)


@dataclass(frozen=True)
class Snapshot:
    """What the pages are made of.

    Args:
        made_at: when it was read.
        nights: from the first night of history to the newest one; None before anything is there.
        states: of every table, the batches that those nights own.
        runs: of all tables, oldest first.
        audits: of batches that reached one.
        versions: of every table; None where it was never made.
        metrics: profiles, drift and performance, as far as there are any.
        alerts: those that are open, the newest first.
        alerts_known: whether any was ever opened.
        promises: how the service levels of conf/slo.yml are kept; none without the file.
        bills: what runs cost as the platform counted it, an entry each.
    """

    environment: str
    lake_root: str
    made_at: datetime
    project: Project
    nights: BatchRange | None
    states: Mapping[str, Mapping[date, BatchState]]
    histories: Mapping[str, TableHistory]
    live: Mapping[str, LiveTable | None]
    runs: Sequence[RunRecord]
    audits: Mapping[tuple[str, date], Audit]
    quarantined: Mapping[str, Quarantined]
    night_records: Sequence[NightRecord]
    timelines: Mapping[str, ModelTimeline]
    metrics: MetricTables
    alerts: Sequence[Alert]
    alerts_known: bool
    promises: Sequence[Attainment]
    runs_by_id: Mapping[tuple[str, str], RunRecord] = field(default_factory=dict)
    bills: Sequence[RunRecord] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        """Every table in the order in which they are made."""
        return self.project.graph.order

    def contract(self, table: str) -> Contract:
        """The contract of a table."""
        return self.project.graph.contracts[table]

    def night_of(self, table: str, day: date) -> date:
        """The night that owns a batch."""
        return day + timedelta(self.contract(table).lag_days)

    def batch_of(self, table: str, night: date) -> date:
        """The batch that a night owns."""
        return night - timedelta(self.contract(table).lag_days)

    def state(self, table: str, day: date) -> BatchState | None:
        """The state of a batch; None where none is due."""
        return self.states.get(table, {}).get(day)

    def champion(self, model: str) -> ModelEvent | None:
        """The registration of the version in use; None without one."""
        timeline = self.timelines[model]
        return timeline.registered(timeline.champion.version) if timeline.champion is not None else None


def read_snapshot(context: Context) -> Snapshot:
    """Reads all of it.

    Args:
        context: of the project and environment.

    Raises:
        UnsupportedTable: a table or the ledger was written by a newer version, or by others.
    """
    from lakesmith.site.metrics import read_metrics

    graph = context.project.graph
    ledger, moment = context.ledger, now()
    nights = all_nights(context)
    states = context.judge.judge(nights) if nights is not None else {}
    told = ledger.known(AlertRecord)
    recorded = [RunRecord.from_row(row) for row in in_order(ledger.ops.read(RunRecord), by="started_at")]
    runs = [run for run in recorded if run.outcome is not RunOutcome.BILLED]
    return Snapshot(
        environment=context.settings.environment,
        lake_root=context.settings.lake_root,
        made_at=moment,
        project=context.project,
        nights=nights,
        states=states,
        histories={table: ledger.history(table) for table in graph.order},
        live={table: ledger.live(table) for table in graph.order},
        runs=runs,
        audits=_audits(context),
        quarantined={table: _in_quarantine(context, graph.contracts[table]) for table in graph.order},
        night_records=night_records(ledger.ops),
        timelines={model: ledger.timeline(model) for model in sorted(context.project.models)},
        metrics=read_metrics(context.lake),
        alerts=sorted(open_alerts(told).values(), key=lambda alert: alert.opened_at, reverse=True),
        alerts_known=bool(told),
        promises=service_levels(context.project, ledger, moment),
        bills=[entry for entry in recorded if entry.outcome is RunOutcome.BILLED],
        runs_by_id={(run.table, run.run_id): run for run in runs},
    )


def _audits(context: Context) -> dict[tuple[str, date], Audit]:
    """Of every batch the verdicts of the run that audited it last, unless its last attempt never got so far."""
    found: dict[tuple[str, date], dict[str, list[Mapping[str, Any]]]] = {}
    for row in context.ledger.ops.read(QualityRecord, columns=RESULT_COLUMNS).to_pylist():
        found.setdefault((row["table"], row["batch_date"]), {}).setdefault(row["run_id"], []).append(row)
    audits: dict[tuple[str, date], Audit] = {}
    for (table, day), by_run in found.items():
        if table not in context.project.graph.contracts:
            continue
        run_id, rows = max(by_run.items(), key=lambda entry: max(row["recorded_at"] for row in entry[1]))
        attempt = context.ledger.history(table).last(day)
        if attempt is not None and not attempt.outcome.stands and attempt.run_id != run_id:
            continue
        results = tuple(RuleResult.of(row) for row in rows)
        audits[table, day] = Audit(run_id, max(row["recorded_at"] for row in rows), results)
    return audits


def _in_quarantine(context: Context, contract: Contract) -> Quarantined:
    return quarantined(context.ledger.open(contract.quarantine_table), contract)
