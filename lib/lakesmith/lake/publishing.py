"""Publishing: staged files become the table's, in one commit that either is there whole or is not there at all.

Owns the only way in which a Lakesmith table changes its rows. No byte is copied: the staged files' own log
entries are committed to the target's log, put-if-absent, with the removes computed from the very version that
the commit follows. deltalake's own retries are off, since they would rebase those removes and double the
batches.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from lakesmith.contracts.model import Contract
from lakesmith.errors import CommitConflict, InputChanged, LakesmithError
from lakesmith.faults import Step, step
from lakesmith.lake.object_lease import must_hold_leases
from lakesmith.lake.staging import Part, StagedFile
from lakesmith.lake.tables import ensure_table
from lakesmith.ledger.commits import unanswered
from lakesmith.ledger.files import lake_files
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.provenance import Provenance

__all__ = ["lift", "publish"]

log = logging.getLogger(__name__)


def publish(
    lake: LakeLocation,
    contract: Contract,
    files: Sequence[StagedFile],
    parts: Sequence[Part],
    *,
    provenance: Callable[[int], Provenance],
    inputs_unchanged: Callable[[], None],
    attempts: int,
) -> int:
    """Replaces batches of a table, or buckets of a keyed one, by staged files, whole.

    Args:
        files: with rows to publish, below the target's folder; none for a batch or bucket that becomes empty.
        parts: the batches or buckets that are replaced.
        provenance: what the commit says of itself, given the version that it will make.
        inputs_unchanged: raises when something that was read has been replaced since; asked before every attempt.
        attempts: how often to try while others commit first.

    Returns:
        The version that the commit made.

    Raises:
        CommitConflict: others committed first, each time.
        InputChanged: a staged file is gone or has another size, or `inputs_unchanged` says so.
        StoreUnanswered: the store never said what became of the commit, which is not there.
        LeaseLost: this process was silent for so long that another run may be at work.
    """
    table = ensure_table(lake, contract)
    first = table.version()
    run_id = provenance(first + 1).run_id
    given_up: LakesmithError = CommitConflict(
        f"{contract.table}: others committed first, {attempts} times in a row. Nothing was published; run again."
    )
    for attempt in range(attempts):
        must_hold_leases()
        inputs_unchanged()
        _files_are_whole(lake, contract.table, files)
        version = table.version() + 1
        try:
            with step(Step.PUT, contract.table):
                _commit(table, contract.partitioned_by, files, parts, provenance(version).to_metadata())
        except (DeltaError, OSError) as error:
            # A conflict, or an answer that was lost on the way: only the table knows which.
            table = lake.open(contract.table) or table
            landed = _own_commit(table, run_id, first)
            if landed is not None:
                return landed
            no_answer = unanswered(error, f"publish {contract.table}", "Nothing was published.")
            if no_answer is None and not isinstance(error, CommitFailedError):
                raise
            given_up = no_answer or given_up
            log.info(
                "%s: version %d is not there: %s (try %d of %d)",
                contract.table,
                version,
                "the store gave no answer" if no_answer else "another run committed first",
                attempt + 1,
                attempts,
            )
        else:
            return version
    raise given_up


def lift(
    lake: LakeLocation, source: Contract, target: Contract, files: Sequence[StagedFile]
) -> list[StagedFile]:
    """Copies staged files below another table's folder, where that table's log can name them.

    A table can only hold files under its own folder; quarantined rows are staged under their target's.
    """
    store = lake_files(lake)
    for file in files:
        store.copy(
            f"{lake.folder(source.table)}/{file.location}", f"{lake.folder(target.table)}/{file.location}"
        )
    return list(files)


def _commit(
    table: DeltaTable, column: str, files: Sequence[StagedFile], parts: Sequence[Part], metadata: str
) -> None:
    table.create_write_transaction(
        [
            AddAction(
                path=file.path,
                size=file.size,
                partition_values={column: str(file.part)},
                modification_time=file.modified,
                data_change=True,
                stats=file.stats,
            )
            for file in files
        ],
        mode="overwrite",
        schema=table.schema(),
        partition_by=[column],
        partition_filters=[(column, "in", [str(part) for part in parts])],
        commit_properties=CommitProperties(custom_metadata={"userMetadata": metadata}, max_commit_retries=0),
        post_commithook_properties=PostCommitHookProperties(
            create_checkpoint=True, cleanup_expired_logs=False
        ),
    )


def _own_commit(table: DeltaTable, run_id: str, since: int) -> int | None:
    """The version that this very run made after `since`; None when there is none."""
    for commit in table.history(max(1, table.version() - since)):
        found = Provenance.from_commit(commit)
        if (
            found is not None
            and found.run_id == run_id
            and found.version is not None
            and found.version > since
        ):
            return found.version
    return None


def _files_are_whole(lake: LakeLocation, table: str, files: Sequence[StagedFile]) -> None:
    sizes = lake_files(lake).sizes([f"{lake.folder(table)}/{file.location}" for file in files])
    for file, size in zip(files, sizes, strict=True):
        if size != file.size:
            found = "is gone" if size is None else f"has {size} bytes instead of {file.size}"
            raise InputChanged(
                f"{table}: the staged file {file.location} {found}; nothing was published. Run again."
            )
