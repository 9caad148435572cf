"""Forgetting a person: their rows out of every table, batch, old version and leftover, and the proof that none is left.

Owns the order of the steps, each of which can be done again:

1. A salted hash of the id is written down; from then on a reading of landing files leaves the person out.
2. The batches that land and hold the person are run again, then what became stale by that: ordinary runs of the ordinary plan.
3. What no run can compute anew is published without the person's rows (`lakesmith.engine.erasing`); a keyed table is made anew
   from its changes.
4. Nights and models that need a version in which the person stands are marked as gone; erasure wins over retention.
5. Every file that no remaining version needs is removed from the tables that held the person.
6. Every file of the lake is read and searched.
"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import Contract
from lakesmith.contracts.subjects import SubjectColumns, canonical, mentions, source_columns
from lakesmith.engine.context import Context
from lakesmith.engine.maintaining import kept_versions
from lakesmith.engine.night import current_versions, execute, plan_nights
from lakesmith.errors import ExitCode, LakesmithError, Stopped, UsageError
from lakesmith.lake.lease import hold
from lakesmith.lake.maintenance import removable, remove
from lakesmith.lake.records import read_records
from lakesmith.lake.subject_search import Found, Proof, prove, remove_kept, search_table
from lakesmith.lake.tables import written_contracts
from lakesmith.ledger.audit_trail import Action, AuditRecord, actor
from lakesmith.ledger.landing_store import landing_store
from lakesmith.ledger.live import LiveTable
from lakesmith.ledger.nights import choose_night, night_records, retired
from lakesmith.ledger.ops import now
from lakesmith.ledger.plan import Plan
from lakesmith.ledger.records import NightRecord
from lakesmith.ledger.retired import RetiredKind, RetiredRecord
from lakesmith.ledger.state import State
from lakesmith.ledger.subject_rows import rows_naming

__all__ = ["Forgetting", "forget"]

log = logging.getLogger(__name__)

_REASON = "somebody was forgotten, and erasure wins over retention"


@dataclass
class Forgetting:
    """What forgetting somebody came to.

    Args:
        dry_run: nothing was changed.
        found: where rows of the person were, by table.
        landing_files: source -> files that hold the person; they are the customer's own and are never written to.
        new: the hash was not on record yet.
        run_ids: table -> runs that computed batches anew.
        rewritten: table -> batches that no run could compute anew.
        nights, models: that can no longer be read whole, or reproduced, with the tables that are gone.
        removed, freed: files and bytes.
        proof: what reading every file found; None for a dry run.
        errors: what was in the way, in words.
    """

    dry_run: bool
    found: dict[str, Found] = field(default_factory=dict)
    landing_files: dict[str, list[str]] = field(default_factory=dict)
    new: bool = False
    run_ids: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    rewritten: dict[str, list[date]] = field(default_factory=lambda: defaultdict(list))
    nights: dict[str, tuple[str, ...]] = field(default_factory=dict)
    models: dict[str, tuple[str, ...]] = field(default_factory=dict)
    removed: int = 0
    freed: int = 0
    proof: Proof | None = None
    errors: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        """Done only when it is proven."""
        failed = self.errors or (self.proof is not None and not self.proof.holds)
        return ExitCode.FAILED if failed else ExitCode.DONE

    def to_json(self) -> dict[str, object]:
        """For `--json`; the id is not in it."""
        return {
            "dry_run": self.dry_run,
            "exit_code": int(self.exit_code),
            "remembered": not self.dry_run,
            "known_before": not self.new if not self.dry_run else None,
            "tables": [
                {
                    "table": found.table,
                    "batches": {day.isoformat(): rows for day, rows in found.batches.items()},
                    "rows": found.rows,
                    "old_files": len(found.old_files),
                    "runs": self.run_ids.get(found.table, []),
                    "rewritten": [day.isoformat() for day in self.rewritten.get(found.table, [])],
                }
                for found in self.found.values()
            ],
            "landing_files": self.landing_files,
            "nights_gone": {night: list(tables) for night, tables in self.nights.items()},
            "models_gone": {model: list(tables) for model, tables in self.models.items()},
            "files_removed": self.removed,
            "bytes_freed": self.freed,
            "proof": self.proof.to_json() if self.proof is not None else None,
            "errors": self.errors,
        }


def forget(
    context: Context,
    subject: str,
    why: str = "",
    *,
    dry_run: bool = False,
    tell: Callable[[str], None] = lambda said: None,
) -> Forgetting:
    """Erases a person from the lake and proves it.

    What goes wrong with a single table is in the result; the same call goes on where this one stopped.

    Args:
        subject: the id, in any of its written forms.
        why: for the audit trail; may not name the person.
        dry_run: only look where the person is.
        tell: hears what is being done, step by step.

    Raises:
        UsageError: the id is empty, or `why` names it.
        LeaseHeld: a table that lands is being worked on.
        StoreUnreachable: what models were trained on cannot be found out.
    """
    form = canonical(subject)
    if form is None:
        raise UsageError("Whom? The id is empty: lakesmith forget --subject ID")
    if form in mentions(why):
        raise UsageError(
            "the reason names the person, and it is kept for good. Say it without the id: --why TEXT"
        )
    if dry_run:
        tell("searching landing files and tables")
        return Forgetting(True, _search(context, form), _landing_files(context, form))
    # Before anything changes: a model whose training rows cannot be looked up must not lose them unnoticed.
    kept_versions(context)
    done = Forgetting(False)
    done.new = _remember(context, form)
    _wait_for_runs(context)
    tell("searching landing files and tables")
    done.landing_files = _landing_files(context, form)
    done.found = _search(context, form)
    last_night = choose_night(context.ledger.ops, None)
    began = current_versions(context)
    if done.found or not done.new:
        _run_what_lands(context, done, tell)
        _repair(context, form, done, tell)
        if current_versions(context) != began:
            _record_night_anew(context, last_night)
        tell("removing old files")
        _remove_old_files(context, form, done)
    tell("reading every file of the lake")
    done.proof = prove(context.lake, _columns(context), form)
    _audit(context, done, why)
    return done


def _targets(context: Context) -> list[tuple[Contract, Contract]]:
    """Every table that can name a person, quarantines and changes included, each with the contract under whose lease it is."""
    graph = context.project.graph
    contracts = [graph.contracts[table] for table in graph.order]
    return [
        (contract, target)
        for contract in contracts
        if SubjectColumns.of(contract)
        for target in written_contracts(contract)
    ]


def _columns(context: Context) -> dict[str, SubjectColumns]:
    return {target.table: SubjectColumns.of(target) for _, target in _targets(context)}


def _search(context: Context, form: str) -> dict[str, Found]:
    every = [search_table(context.lake, table, columns, form) for table, columns in _columns(context).items()]
    return {found.table: found for found in every if found}


def _landing_files(context: Context, form: str) -> dict[str, list[str]]:
    """The landing files in which the person stands, by source; files that cannot be read are left to the runs to tell of."""
    graph = context.project.graph
    store = landing_store(context.settings.landing_root, context.settings.s3_access)
    found: dict[str, list[str]] = {}
    for name, source in graph.sources.items():
        if source.is_external:
            continue
        folder, columns = context.folder(name), source_columns(graph, name)
        days = folder.all_days()
        for files in folder.days(days[0], days[-1]).values() if days else ():
            try:
                pinned = folder.pin(files).files
            except LakesmithError:
                continue
            for file in pinned:
                try:
                    with store.open(f"{name}/{file.path}") as raw:
                        holds = any(
                            rows_naming(batch, columns, {form}).true_count
                            for batch in read_records(raw, source, file)
                        )
                except LakesmithError:
                    continue
                if holds:
                    found.setdefault(name, []).append(file.path)
    return found


def _remember(context: Context, form: str) -> bool:
    """Writes down the hash; False when it is there already."""
    forgotten = context.ledger.forgotten()
    if form in forgotten:
        return False
    context.ledger.ops.append([forgotten.entry(form, actor(), now())])
    return True


def _landing_contracts(context: Context) -> list[Contract]:
    graph = context.project.graph
    contracts = [graph.contracts[table] for table in graph.order]
    return [c for c in contracts if any(entry.source for entry in c.inputs)]


def _wait_for_runs(context: Context) -> None:
    """Runs that began before the hash was written down publish what they read; what is searched must be what they left."""
    for contract in _landing_contracts(context):
        with hold(context.lake, contract.table, _run_id(), context.settings.lease):
            context.ledger.refresh(contract.written_tables)


def _run_what_lands(context: Context, done: Forgetting, tell: Callable[[str], None]) -> None:
    """Reads again the landing files of every batch in which the person stands."""
    days: dict[str, set[date]] = defaultdict(set)
    landing = _landing_contracts(context)
    for contract in landing:
        for table in (contract.table, contract.quarantine_table):
            for entry in contract.inputs:
                days[entry.source or ""] |= set(done.found[table].batches) if table in done.found else set()
    for contract in landing:
        wanted = sorted({day for entry in contract.inputs if entry.source for day in days[entry.source]})
        if not wanted:
            continue
        from lakesmith.engine.run import run_table

        tell(f"{contract.table}: reading {len(wanted)} batches again")
        result = run_table(context, contract, wanted, force=True)
        done.run_ids[contract.table] += [run.run_id for run in result.runs]
        if isinstance(result.error, Stopped):
            raise result.error
        if result.error is not None:
            # What is left of the person is taken out below.
            log.warning("%s: %s", contract.table, result.error)


def _repair(context: Context, form: str, done: Forgetting, tell: Callable[[str], None]) -> None:
    """Runs what became stale, and takes the person out of what cannot be run, until the person is nowhere."""
    targets = _targets(context)
    for _ in range(len(targets) + 1):
        _run_stale(context, done, tell)
        left = {table: found for table, found in _search(context, form).items() if found.rows}
        # One table at a time: what hangs on it may be run again once it is clean.
        contract, target = next(((c, t) for c, t in targets if t.table in left), (None, None))
        if contract is None or target is None:
            return
        from lakesmith.engine.erasing import make_keyed_without, rewrite_without

        keyed = contract.keyed is not None and target.table != contract.quarantine_table
        table = contract.changes_table if keyed else target.table
        rows = left[table].batches if table in left else {}
        tell(f"{table}: taking rows out of {len(rows)} batches that cannot be run")
        rewrite = make_keyed_without if keyed else rewrite_without
        try:
            rewrite(context, contract, table, rows, form, _run_id())
        except LakesmithError as error:
            done.errors.append(f"{table}: {error}")
            return
        done.rewritten[table] += list(rows)


def _run_stale(context: Context, done: Forgetting, tell: Callable[[str], None]) -> None:
    plan = _stale_only(context)
    if plan is None or not plan.steps:
        return
    batches = sum(len(step.batches) for step in plan.steps)
    tell(f"{len(plan.steps)} tables: running {batches} batches that became stale")
    night = execute(context, plan)
    for table, result in night.tables.items():
        done.run_ids[table] += [run.run_id for run in result.runs]
        if isinstance(result.error, Stopped):
            raise result.error


def _stale_only(context: Context) -> Plan | None:
    """What an ordinary backfill would repair of the batches that are there; nights that never ran are not begun."""
    graph = context.project.graph
    context.ledger.refresh([table for c in graph.contracts.values() for table in c.written_tables])
    nights = _nights(context)
    if nights is None:
        return None
    plan = plan_nights(context, nights)
    steps = []
    for step in plan.steps:
        history = context.ledger.history(step.table)
        reasons = {day: why for day, why in step.reasons.items() if history.standing(day) is not None}
        if reasons:
            steps.append(replace(step, batches=tuple(reasons), reasons=reasons))
    return replace(plan, steps=tuple(steps))


def _nights(context: Context) -> BatchRange | None:
    """From the first day of history to the newest night that any batch belongs to."""
    graph = context.project.graph
    days = [
        day + timedelta(contract.lag_days)
        for table, contract in graph.contracts.items()
        for day in context.ledger.history(table).records
    ]
    return BatchRange(min(graph.starts.values()), max(days)) if days else None


def _record_night_anew(context: Context, before: NightRecord | None) -> None:
    """The last complete night once more, as it is now without the person: else readers would get an older one."""
    if before is None:
        return
    judged = context.judge.judge(BatchRange(before.first, before.last))
    troubles = {
        table: f"{len(bad)} not fresh"
        for table, states in judged.items()
        if (bad := [s for s in states.values() if s.state not in (State.FRESH, State.CLOSED)])
    }
    record = NightRecord(before.first, before.last, now(), not troubles, current_versions(context), troubles)
    context.ledger.ops.append([record])


def _remove_old_files(context: Context, form: str, done: Forgetting) -> None:
    """Removes every file of the tables that held the person but those of versions in which nobody is forgotten."""
    found = _search(context, form)
    old = {table: frozenset(entry.old_files) for table, entry in found.items() if entry.old_files}
    kept = kept_versions(context)
    versions = _versions_holding(context, old, kept.needs)
    _retire(context, done, versions)
    for contract, target in _targets(context):
        table = target.table
        if table not in old:
            continue
        keep = set(kept.needs.get(table, {})) - versions.get(table, set())
        with hold(context.lake, contract.table, _run_id(), context.settings.lease):
            gone = removable(context.lake, table, keep_for=timedelta(0), keep_versions=keep)
            remove(context.lake, table, keep_for=timedelta(0), keep_versions=keep)
        done.removed += len(gone.paths)
        done.freed += gone.size
    for table, columns in _columns(context).items():
        # A bucket that keeps versions has them for longer than the table does.
        erased = remove_kept(context.lake, table, columns, form)
        done.removed += len(erased)
        done.freed += sum(file.size for file in erased)
    graph = context.project.graph
    context.ledger.refresh(graph.order)


def _versions_holding(
    context: Context, old: Mapping[str, Collection[str]], needs: Mapping[str, Collection[int]]
) -> dict[str, set[int]]:
    """Table -> versions of nights and models in which the person stands."""
    asked: dict[str, set[int]] = {table: set(versions) for table, versions in needs.items()}
    for night in night_records(context.ledger.ops):
        for table, version in night.versions.items():
            asked.setdefault(table, set()).add(version)
    found: dict[str, set[int]] = {}
    for table, files in old.items():
        for version in asked.get(table, ()):
            opened = context.lake.open(table, version)
            if opened is None:
                continue
            if not set(LiveTable.of(opened).paths).isdisjoint(files):
                found.setdefault(table, set()).add(version)
    return found


def _retire(context: Context, done: Forgetting, versions: Mapping[str, Collection[int]]) -> None:
    """Marks the nights and the models that need one of these versions; what is marked already is not marked again."""
    ops, moment = context.ledger.ops, now()
    marked = {(entry.kind, entry.name, entry.of) for entry in retired(ops)}
    records: list[RetiredRecord] = []

    def note(kind: RetiredKind, name: str, pins: Mapping[str, int], night: NightRecord | None) -> None:
        tables = tuple(sorted(t for t, version in pins.items() if version in versions.get(t, ())))
        of = night.recorded_at if night is not None else None
        if not tables:
            return
        into = done.nights if kind is RetiredKind.NIGHT else done.models
        into[name] = tables
        if (kind, name, of) not in marked:
            records.append(RetiredRecord(moment, kind, name, of, tables, _REASON))

    for night in sorted(night_records(ops), key=lambda record: record.recorded_at):
        note(RetiredKind.NIGHT, str(night.last), night.versions, night)
    models: dict[str, dict[str, int]] = defaultdict(dict)
    for table, needed in kept_versions(context).needs.items():
        for version, who in needed.items():
            for name in who:
                if not name.startswith("night "):
                    models[name][table] = version
    for name, pins in sorted(models.items()):
        note(RetiredKind.MODEL, name, pins, None)
    ops.append(records)


def _audit(context: Context, done: Forgetting, why: str) -> None:
    """Who had whom forgotten is told table by table, without the id; also that nothing was found."""
    moment, who = now(), actor()
    tables = sorted({*done.found, *(table for table, runs in done.run_ids.items() if runs)})
    records = []
    for table in tables:
        found = done.found.get(table, Found(table))
        days = sorted(found.batches)
        records.append(
            AuditRecord(
                moment,
                who,
                Action.FORGET,
                table,
                days[0] if days else None,
                days[-1] if days else None,
                why,
                tuple(done.run_ids.get(table, ())),
                {
                    "rows": found.rows,
                    "batches": len(days),
                    "old_files": len(found.old_files),
                    "rewritten": len(done.rewritten.get(table, ())),
                },
            )
        )
    if not records:
        records = [AuditRecord(moment, who, Action.FORGET, "", None, None, why, (), {"rows": 0})]
    context.ledger.ops.append(records)


def _run_id() -> str:
    return f"{now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:8]}"
