"""Maintenance of a whole lake: table after table under its lease, keeping what nights and models need.

Owns the order, and what is gathered before anything is removed. How files are put together and removed is
`lakesmith.lake.maintenance`. No JVM is started.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from lakesmith.contracts.model import Contract
from lakesmith.engine.context import Context
from lakesmith.errors import CommitConflict, ExitCode, LakesmithError, Stopped, UsageError
from lakesmith.lake.lease import hold
from lakesmith.lake.maintenance import (
    checkpoint,
    compact,
    compact_appends,
    removable,
    remove,
    worth_compacting,
)
from lakesmith.lake.tables import statistics_columns, written_contracts
from lakesmith.ledger.history import TableHistory
from lakesmith.ledger.live import AS_COMMITTED, LiveTable
from lakesmith.ledger.model_events import ModelEvent
from lakesmith.ledger.nights import night_records, retired
from lakesmith.ledger.ops import OPS_TABLES, now
from lakesmith.ledger.records import BatchOutcome, BatchRecord
from lakesmith.ledger.retention import ModelPin, kept_models, kept_nights, needed_versions
from lakesmith.ledger.retired import RetiredKind
from lakesmith.ml.store import ArtifactMissing, ModelStore

__all__ = ["Kept", "Maintenance", "TableMaintenance", "compacted_records", "kept_versions", "maintain"]

_RECIPE = "training.json"
_JOB = "lakesmith maintain"
_MARGIN = timedelta(days=1)

Needs = Mapping[str, Mapping[int, tuple[str, ...]]]


@dataclass(frozen=True)
class Kept:
    """What must stay readable beside the present.

    Args:
        needs: table -> version -> who needs it.
        since: nights recorded earlier are not kept.
        keep_for: how long a file stays that no version needs.
        without_recipe: models whose run does not say any more what they were trained on.
    """

    needs: Needs
    since: datetime
    keep_for: timedelta
    without_recipe: tuple[str, ...] = ()


@dataclass
class TableMaintenance:
    """What was done for one table, or would be.

    Args:
        compacted: batches whose files were put together.
        removed: files that were removed.
        freed: bytes of these.
        kept: version -> who needs it.
        checkpointed: a checkpoint was written.
        error: what kept the table from being done.
    """

    table: str
    files_before: int = 0
    files_after: int = 0
    compacted: tuple[date, ...] = ()
    removed: int = 0
    freed: int = 0
    kept: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    checkpointed: bool = False
    error: LakesmithError | None = None

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "table": self.table,
            "files_before": self.files_before,
            "files_after": self.files_after,
            "batches_compacted": [day.isoformat() for day in self.compacted],
            "files_removed": self.removed,
            "bytes_freed": self.freed,
            "versions_kept": {str(version): list(who) for version, who in sorted(self.kept.items())},
            "checkpointed": self.checkpointed,
            "error": f"{type(self.error).__name__}: {self.error}" if self.error is not None else None,
        }


@dataclass(frozen=True)
class Maintenance:
    """What was done for all tables that were asked for.

    Args:
        dry_run: nothing was changed: the files after a compaction are a guess, the files to remove are not.
    """

    dry_run: bool
    kept: Kept
    tables: tuple[TableMaintenance, ...]

    @property
    def exit_code(self) -> ExitCode:
        """The code of the first table that could not be done."""
        return next((t.error.exit_code for t in self.tables if t.error is not None), ExitCode.DONE)

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "dry_run": self.dry_run,
            "exit_code": int(self.exit_code),
            "nights_kept_since": self.kept.since.isoformat(),
            "unneeded_files_kept_for_hours": self.kept.keep_for / timedelta(hours=1),
            "models_without_recipe": list(self.kept.without_recipe),
            "tables": [table.to_json() for table in self.tables],
        }


def maintain(context: Context, tables: Sequence[str] = (), *, dry_run: bool = False) -> Maintenance:
    """Puts small files together, removes what nothing needs, writes checkpoints; changes no row and no state.

    Args:
        tables: only these; none means all, the ledger's own included. A quarantine table goes with its table, and so do the
            changes of a keyed one.
        dry_run: only look.

    Raises:
        UsageError: a table that there is not.
        StoreUnreachable: what models were trained on cannot be found out; nothing was touched.
    """
    chosen = _chosen(context, tables)
    kept = kept_versions(context)
    done: list[TableMaintenance] = []
    for table in chosen:
        contract = context.project.graph.contracts.get(table)
        names = [table] if contract is None else contract.written_tables
        found = [TableMaintenance(name, kept=kept.needs.get(name, {})) for name in names]
        try:
            if contract is None:
                _ledgers_own(context, found[0], kept, dry_run=dry_run)
            else:
                _contracted(context, contract, found, kept, dry_run=dry_run)
        except Stopped:
            raise
        except LakesmithError as error:
            found[0].error = error
        done += [each for each in found if each.error is not None or each.files_before or each.removed]
    return Maintenance(dry_run, kept, tuple(done))


def kept_versions(context: Context) -> Kept:
    """Which versions must stay readable, as settings, nights and models have it now.

    Raises:
        StoreUnreachable: what models were trained on cannot be found out.
    """
    retention = context.settings.retention
    since = now() - timedelta(days=retention.nights)
    ops = context.ledger.ops
    gone = retired(ops)
    gone_nights = {entry.of for entry in gone if entry.kind is RetiredKind.NIGHT}
    gone_models = {entry.name for entry in gone if entry.kind is RetiredKind.MODEL}
    nights = [n for n in kept_nights(night_records(ops), since) if n.recorded_at not in gone_nights]
    pins, without = _pins(context)
    longest = max((c.timeout for c in context.project.graph.contracts.values()), default=0)
    return Kept(
        needs=needed_versions(nights, [pin for pin in pins if pin.name not in gone_models]),
        since=since,
        # A run's staged files are no version's; it must have ended, one way or the other, before they may go.
        keep_for=max(timedelta(days=retention.versions), timedelta(seconds=longest) + _MARGIN),
        without_recipe=without,
    )


def compacted_records(
    history: TableHistory, live: LiveTable, batches: Sequence[date]
) -> tuple[BatchRecord, ...]:
    """What a compaction will be recorded as: every batch as it was, but for the version and the files."""
    moment = now()
    return tuple(
        replace(
            standing,
            recorded_at=moment,
            outcome=BatchOutcome.CONFIRMED,
            version=live.version,
            files=AS_COMMITTED,
            reason="",
        )
        for day in batches
        if (standing := history.standing(day)) is not None and live.files_of(day) == standing.files
    )


def _chosen(context: Context, tables: Sequence[str]) -> list[str]:
    graph = context.project.graph
    known = [*graph.order, *OPS_TABLES]
    for table in tables:
        if table not in known:
            # Names what is nearest.
            graph.contract(table)
            raise UsageError(f"there is no table {table}. See what there is: lakesmith status")
    return [table for table in known if not tables or table in tables]


def _pins(context: Context) -> tuple[list[ModelPin], tuple[str, ...]]:
    """What the models that may have to be made again were trained on, and those whose run does not say so."""
    registered = kept_models(context.ledger.ops.records(ModelEvent))
    if not registered:
        return [], ()
    store = ModelStore(context.settings)
    pins: list[ModelPin] = []
    without: list[str] = []
    for event in registered:
        try:
            with store.artifacts(event.model, event.run_id, _RECIPE) as file:
                tables = json.loads(file.read_text(encoding="utf-8"))["tables"]
                pin = ModelPin(
                    event.model, event.version, {name: int(t["version"]) for name, t in tables.items()}
                )
        except (ArtifactMissing, ValueError, KeyError, TypeError):
            # Whatever it was trained on: nobody can make it again.
            without.append(f"{event.model} {event.version}")
        else:
            pins.append(pin)
    return pins, tuple(without)


def _contracted(
    context: Context, contract: Contract, found: Sequence[TableMaintenance], kept: Kept, *, dry_run: bool
) -> None:
    run_id = f"{now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
    with hold(context.lake, contract.table, run_id, context.settings.lease):
        for each, target in zip(found, written_contracts(contract), strict=True):
            _one_table(context, contract, target, each, kept, run_id, dry_run=dry_run)


def _one_table(
    context: Context,
    contract: Contract,
    target: Contract,
    found: TableMaintenance,
    kept: Kept,
    run_id: str,
    *,
    dry_run: bool,
) -> None:
    """Maintains a table, or what its runs write besides.

    A keyed table has no small files to put together: a run writes the buckets that it touches whole, sized by their rows.

    Args:
        contract: whose lease is held.
        target: the table at work.
    """
    table, lake = target.table, context.lake
    context.ledger.refresh([table])
    live = context.ledger.live(table)
    if live is None:
        return
    found.files_before = found.files_after = len(live.paths)
    found.compacted = _to_compact(context, table, live)
    if dry_run:
        found.files_after -= sum(len(live.batches[day].paths) - 1 for day in found.compacted)
    elif found.compacted:
        found.compacted, found.files_after = _compacted(context, contract, target, run_id)
    metadata = {"userMetadata": context.provenance(run_id, table, _JOB, now(), ()).to_metadata()}
    _clean_up(context, found, kept, metadata, dry_run=dry_run)
    if not dry_run:
        found.checkpointed = checkpoint(lake, table)
        context.ledger.refresh([table])


def _to_compact(context: Context, table: str, live: LiveTable) -> tuple[date, ...]:
    """Batches with small files that are ours, and whose last record says what is there."""
    history = context.ledger.history(table)
    ours = {
        day
        for day in live.batches
        if (standing := history.standing(day)) is not None
        # What somebody else wrote stays foreign, and what failed since it was published stays failed.
        and live.files_of(day) == standing.files
        and history.last(day) is standing
    }
    return worth_compacting(live, ours, context.settings.maintenance.file_size)


def _compacted(
    context: Context, contract: Contract, target: Contract, run_id: str
) -> tuple[tuple[date, ...], int]:
    """Compacts, over again when somebody commits in between; returns the batches and the files that there are now."""
    table = target.table
    for attempt in range(1, context.settings.publish.attempts + 1):
        context.ledger.refresh([table])
        live = context.ledger.live(table)
        assert live is not None
        batches = _to_compact(context, table, live)
        if not batches:
            break
        records = compacted_records(context.ledger.history(table), live, batches)
        provenance = context.provenance(run_id, table, _JOB, now(), records)
        try:
            version = compact(
                context.lake,
                table,
                live,
                batches,
                file_size=context.settings.maintenance.file_size,
                statistics=statistics_columns(target),
                metadata=provenance.to_metadata(),
            )
        except CommitConflict:
            if attempt == context.settings.publish.attempts:
                raise
            continue
        context.ledger.refresh([table])
        done = context.ledger.record_compaction(table, version, records) if version is not None else ()
        return tuple(record.batch_date for record in done), _files(context, table)
    return (), _files(context, table)


def _files(context: Context, table: str) -> int:
    live = context.ledger.live(table)
    return len(live.paths) if live is not None else 0


def _ledgers_own(context: Context, found: TableMaintenance, kept: Kept, *, dry_run: bool) -> None:
    table, lake = found.table, context.lake
    opened = lake.open(table)
    if opened is None:
        return
    found.files_before = found.files_after = len(opened.file_uris())
    if not dry_run and found.files_before > 1:
        compact_appends(lake, table)
        opened = lake.open(table)
        assert opened is not None
        found.files_after = len(opened.file_uris())
    elif found.files_before:
        found.files_after = 1
    _clean_up(context, found, kept, None, dry_run=dry_run)
    if not dry_run:
        found.checkpointed = checkpoint(lake, table)


def _clean_up(
    context: Context,
    found: TableMaintenance,
    kept: Kept,
    metadata: Mapping[str, str] | None,
    *,
    dry_run: bool,
) -> None:
    needed = set(found.kept)
    gone = removable(context.lake, found.table, keep_for=kept.keep_for, keep_versions=needed)
    found.removed, found.freed = len(gone.paths), gone.size
    if gone.paths and not dry_run:
        remove(context.lake, found.table, keep_for=kept.keep_for, keep_versions=needed, metadata=metadata)
