"""The second half of a run of a keyed table: its changes are published, and now the rows that follow from them.

Owns staging, checking and publishing the buckets that changes touch, and the records of the batches that were taken in. A batch
is taken in as its changes' audit left it: a rejected one changes nothing, and later ones go on without it. What a crash left
between the two halves is taken in by whoever comes next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.model import BATCH_DATE, KEY_BUCKET, VALID_FROM, VALID_TO, Contract, Keyed
from lakesmith.engine.context import Context
from lakesmith.engine.publication import same_provenance
from lakesmith.engine.recording import RunIdentity
from lakesmith.errors import InputChanged, InputMissing, LakesmithError
from lakesmith.faults import Step, step
from lakesmith.lake.digest import digest_aggregates, digest_of
from lakesmith.lake.keyed import fold, key_bucket
from lakesmith.lake.publishing import publish
from lakesmith.lake.reading import read_batches, read_buckets, read_staged
from lakesmith.lake.staging import OUTCOME, RowOutcome, Staged, stage
from lakesmith.lake.tables import BROKEN_RULES, changes_contract, ensure_table
from lakesmith.ledger.intake import Intake, changes_read, intake
from lakesmith.ledger.live import NO_FILES, LiveTable, files_digest
from lakesmith.ledger.provenance import Provenance
from lakesmith.ledger.records import BatchOutcome, BatchRecord
from lakesmith.ledger.state import BatchState

__all__ = ["TakingIn"]

_BROKEN = "broken"


@dataclass
class TakingIn:
    """The end of one attempt at batches of a keyed table.

    Args:
        states: the batches of the run, as judged before it.
        records: what would be written down of each of them if it were published.
        touched: the buckets that the changes of each of them are in.
        unchanged: afterwards, what was computed and found there already, provenance included.
    """

    context: Context
    run: RunIdentity
    states: Sequence[BatchState]
    records: Mapping[date, BatchRecord]
    touched: Mapping[date, frozenset[int]]
    unchanged: list[BatchRecord] = field(default_factory=list)

    @property
    def contract(self) -> Contract:
        """The table's contract."""
        return self.run.contract

    def carry_out(self) -> tuple[list[BatchRecord], int | None]:
        """Publishes the buckets whose rows are others now, and records what was taken in.

        Returns:
            The records that were appended for the table, and the version that was made, if any.

        Raises:
            InputMissing: changes that are needed are not those that were published.
            InputChanged, CommitConflict: another run was faster.
        """
        ensure_table(self.context.lake, self.contract)
        ledger, table = self.context.ledger, self.contract.table
        ledger.refresh([table, self.contract.changes_table])
        live, changes = ledger.live(table), ledger.live(self.contract.changes_table)
        assert live is not None, "the table has just been made sure of"
        history = ledger.history(table)
        newest = history.newest_standing
        foreign = live.files != (newest.files if newest is not None else NO_FILES)
        found = intake(
            self._keyed.buckets,
            history,
            ledger.history(self.contract.changes_table),
            self.touched,
            foreign=foreign,
            whole=self._keyed.full_dump is not None,
        )
        staged, changed = self._staged(found, live, changes, foreign=foreign)
        paths = {path for number, of in live.buckets.items() if number not in changed for path in of.paths}
        paths |= {file.path for file in staged.of(RowOutcome.PUBLISHED, changed)} if staged else set()
        files = files_digest(paths)
        taken = self._taken_in(found, changes, files, made=bool(changed))
        others = self._others(found, live, files)
        version = None
        if staged is not None and changed:
            with step(Step.PUBLISH, table):
                provenance = self._commit(staged, sorted(changed), taken, live)
            version, taken = provenance.batches[0].version, list(provenance.batches)
        elif taken:
            taken = [replace(record, version=live.version) for record in taken]
        others = [
            replace(record, version=record.version if version is None else version) for record in others
        ]
        with step(Step.RECORD, table):
            return list(ledger.record([*taken, *others])), version

    @property
    def _keyed(self) -> Keyed:
        assert self.contract.keyed is not None
        return self.contract.keyed

    def _staged(
        self, found: Intake, live: LiveTable, changes: LiveTable | None, *, foreign: bool
    ) -> tuple[Staged | None, frozenset[int]]:
        """The buckets that may have changed, written, and the numbers of those that have."""
        if not found.buckets:
            return None, frozenset()
        table = self.contract.table
        with step(Step.READ, table):
            frame = self._rows(found, live, changes)
        with step(Step.STAGE, table):
            counted = {number: of.rows or 0 for number, of in live.buckets.items()}
            expected = sum(record.rows for record in found.pending.values()) // len(found.buckets)
            staged = stage(
                frame.withColumns(
                    {
                        BROKEN_RULES: F.lit(None).cast("array<string>"),
                        OUTCOME: F.lit(str(RowOutcome.PUBLISHED)),
                    }
                ),
                self.contract,
                self.context.lake,
                self.run.run_id,
                sorted(found.buckets),
                expected_rows={number: counted.get(number, 0) + expected for number in found.buckets},
                rows_per_file=self.context.settings.staging.rows_per_file,
            )
        with step(Step.AUDIT, table):
            return staged, self._changed(found, live, staged, foreign=foreign)

    def _rows(self, found: Intake, live: LiveTable, changes: LiveTable | None) -> DataFrame:
        """The rows of the touched buckets: what they hold and the pending changes, or all changes."""
        spark, lake = self.context.spark, self.context.lake
        source = changes_contract(self.contract)
        days = [day for day in found.taken if day in found.pending] if found.in_order else list(found.taken)
        self._check_changes(days, changes)
        version = changes.version if changes is not None else None
        span = BatchRange(days[0], days[-1]) if days else None
        rows = read_batches(spark, lake, source, version, span).where(F.col(BATCH_DATE).isin(days))
        rows = rows.where(key_bucket(self.contract).isin(sorted(found.buckets)))
        dumps = [*([found.seen] if found.in_order and found.seen is not None else []), *days]
        before = (
            read_buckets(spark, lake, self.contract, live.version, found.buckets) if found.in_order else None
        )
        return fold(self.contract, before, rows, dumps=dumps, seen=found.seen)

    def _check_changes(self, days: Sequence[date], changes: LiveTable | None) -> None:
        """Raises when changes that are about to be read are not those that were published."""
        table = self.contract.changes_table
        history = self.context.ledger.history(table)
        for day in days:
            standing = history.standing(day)
            if history.files_found(changes, day, keyed=False) != (standing.files if standing else NO_FILES):
                raise InputMissing(
                    f"{table} {day} holds files that no record of Lakesmith names: somebody else wrote them. "
                    f"Put it right first: lakesmith run --date {day} --table {self.contract.table}"
                )

    def _changed(self, found: Intake, live: LiveTable, staged: Staged, *, foreign: bool) -> frozenset[int]:
        """The buckets whose rows are not those that they hold; all, where somebody else wrote to them."""
        spark, lake = self.context.spark, self.context.lake
        after = self._digests(read_staged(spark, lake, self.contract, staged))
        counted = staged.rows(RowOutcome.PUBLISHED)
        for number in found.buckets:
            rows, broken = after.get(number, ("", 0, 0))[1:]
            if rows != counted.get(number, 0):
                raise LakesmithError(
                    f"{self.contract.table}, bucket {number}: the scan found {rows} rows, the staged files' statistics say "
                    f"{counted.get(number, 0)}. Something changed the files under {staged.folder}; nothing was published. "
                    f"Run again."
                )
            if broken:
                raise LakesmithError(
                    f"{self.contract.table}, bucket {number}: {broken} rows belong to another bucket or end before they "
                    f"begin; nothing was published. This is an error of Lakesmith: please report it."
                )
        if foreign:
            return found.buckets
        before = self._digests(read_buckets(spark, lake, self.contract, live.version, found.buckets))
        return frozenset(n for n in found.buckets if before.get(n, ("",))[0] != after.get(n, ("",))[0])

    def _digests(self, frame: DataFrame) -> dict[int, tuple[str, int, int]]:
        """By bucket: the digest and the number of its rows, and how many of them cannot be."""
        broken = F.col(KEY_BUCKET) != key_bucket(self.contract)
        if self._keyed.keeps_history:
            broken |= F.col(VALID_FROM).isNull() | (F.col(VALID_TO) <= F.col(VALID_FROM))
        columns = self.contract.columns
        aggregates = [column.alias(name) for name, column in digest_aggregates(columns).items()]
        rows = frame.groupBy(KEY_BUCKET).agg(*aggregates, F.count_if(broken).alias(_BROKEN)).collect()
        return {row[KEY_BUCKET]: (*digest_of(columns, row.asDict()), row[_BROKEN]) for row in rows}

    def _taken_in(
        self, found: Intake, changes: LiveTable | None, files: str, *, made: bool
    ) -> list[BatchRecord]:
        """What is written down of the batches that are taken in; of those of another run, what that run meant to write."""
        version = changes.version if changes is not None else None
        history = self.context.ledger.history(self.contract.table)
        every = frozenset(range(self._keyed.buckets))
        records: list[BatchRecord] = []
        for day, held in found.pending.items():
            own = self.records.get(day)
            passed = own is not None and own.outcome is BatchOutcome.PUBLISHED and own.digest == held.digest
            record = own if own is not None and passed else held
            before = history.standing(day)
            if record.rows or (before is not None and before.rows):
                outcome = BatchOutcome.PUBLISHED if made else BatchOutcome.CONFIRMED
            else:
                outcome = BatchOutcome.EMPTY
            touched = self.touched.get(day, every) if record.rows else frozenset()
            records.append(
                replace(
                    record,
                    table=self.contract.table,
                    run_id=self.run.run_id,
                    outcome=outcome,
                    inputs=(
                        *record.inputs,
                        changes_read(self.contract.changes_table, version, held.digest, touched),
                    ),
                    files=files,
                    reason="",
                )
            )
        return records

    def _others(self, found: Intake, live: LiveTable, files: str) -> list[BatchRecord]:
        """What is written down of the run's batches that need not be taken in: refused ones, and those that are there."""
        history = self.context.ledger.history(self.contract.table)
        records: list[BatchRecord] = []
        for state in self.states:
            day, record = state.batch_date, self.records[state.batch_date]
            standing = history.standing(day)
            if record.outcome is BatchOutcome.REJECTED:
                records.append(replace(record, version=live.version))
            elif day not in found.pending and standing is not None:
                again = tuple(r for r in standing.inputs if r.target == self.contract.changes_table)
                confirmed = replace(
                    record,
                    outcome=BatchOutcome.CONFIRMED,
                    version=standing.version,
                    files=files,
                    inputs=(*record.inputs, *again),
                )
                says_nothing_new = history.last(day) is standing and same_provenance(standing, confirmed)
                (self.unchanged if says_nothing_new else records).append(confirmed)
        return records

    def _commit(
        self, staged: Staged, changed: Sequence[int], records: Sequence[BatchRecord], base: LiveTable
    ) -> Provenance:
        """Publishes buckets in one commit that carries the records of what they took in."""

        def provenance(version: int) -> Provenance:
            told = (replace(record, version=version) for record in records)
            run, contract = self.run, self.contract
            return self.context.provenance(run.run_id, contract.table, contract.job, run.started, told)

        version = publish(
            self.context.lake,
            self.contract,
            staged.of(RowOutcome.PUBLISHED, changed),
            changed,
            provenance=provenance,
            inputs_unchanged=lambda: self._check_unchanged(base),
            attempts=self.context.settings.publish.attempts,
        )
        return provenance(version)

    def _check_unchanged(self, base: LiveTable) -> None:
        """The rows that were built upon must still be there: another run's would be lost."""
        opened = self.context.lake.open(self.contract.table)
        if (
            opened is not None
            and opened.version() != base.version
            and LiveTable.of(opened).files != base.files
        ):
            raise InputChanged(
                f"{self.contract.table} was republished while this run worked on what it held before; "
                f"nothing was published. Run again."
            )
