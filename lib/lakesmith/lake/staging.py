"""Staging: the one write of a run, as a small Delta table inside the target's own folder.

Owns how rows are spread over files and what is known of those files before anybody reads them. What is staged
is invisible until it is published, and it is published without copying a byte.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pyspark.sql import functions as F

from lakesmith.contracts.model import BATCH_DATE, Contract
from lakesmith.errors import DataRejected
from lakesmith.lake.tables import STATISTICS_PROPERTY, statistics_columns
from lakesmith.ledger.files import lake_files
from lakesmith.ledger.location import LakeLocation

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["OUTCOME", "Part", "RowOutcome", "Staged", "StagedFile", "stage"]

Part = date | int
"""What a run replaces whole: a batch by its day, or a bucket of a keyed table by its number."""

OUTCOME = "_outcome"
"""The second partition column of what is staged; published tables do not have it."""

_SALT = "_salt"
# More partitions than this would only make tasks that do nothing but start.
_MOST_PARTITIONS = 2000
# So few that one task computes them as soon as several would.
_FEW_ROWS = 50_000


class RowOutcome(StrEnum):
    """What becomes of a row."""

    PUBLISHED = "published"
    QUARANTINED = "quarantined"
    DROPPED = "dropped"


@dataclass(frozen=True)
class StagedFile:
    """One file that Spark wrote.

    Args:
        part: the batch or the bucket of its rows.
        path: as the log of the target would write it, relative to the target's folder.
        size: bytes.
        stats: the statistics that Spark computed, as JSON text.
    """

    path: str
    part: Part
    outcome: RowOutcome
    rows: int
    size: int
    modified: int
    stats: str

    @property
    def location(self) -> str:
        """The file's name on disk, relative to the target's folder; a log escapes some characters."""
        return unquote(self.path)


@dataclass(frozen=True)
class Staged:
    """All that one run wrote.

    Args:
        folder: of the staged table, relative to the target's folder.
    """

    table: str
    run_id: str
    folder: str
    files: tuple[StagedFile, ...]

    def of(self, outcome: RowOutcome, parts: Iterable[Part] | None = None) -> list[StagedFile]:
        """The files with rows of one outcome, in those batches or buckets."""
        wanted = None if parts is None else set(parts)
        return [f for f in self.files if f.outcome is outcome and (wanted is None or f.part in wanted)]

    def rows(self, outcome: RowOutcome) -> Mapping[Part, int]:
        """Rows by batch or bucket; one without any is left out."""
        counts: dict[Part, int] = defaultdict(int)
        for file in self.of(outcome):
            counts[file.part] += file.rows
        return dict(counts)


def stage(
    frame: DataFrame,
    contract: Contract,
    lake: LakeLocation,
    run_id: str,
    parts: Sequence[Part],
    *,
    expected_rows: Mapping[Part, int],
    rows_per_file: int,
    computed_from: int | None = None,
) -> Staged:
    """Writes a run's rows once.

    Args:
        frame: the contract's columns, `broken_rules`, the partition column and `_outcome`.
        parts: the batches (of a keyed table the buckets) that the run owns; rows of any other are an error.
        expected_rows: about how many rows each of them will have, by which files are sized; a guess costs only speed.
        rows_per_file: the most rows meant for one file, where the contract does not say.
        computed_from: about how many rows the frame is computed from, where its tasks share them evenly; None where nobody
            knows, and then the rows are moved once more to make even files.

    Raises:
        DataRejected: the transform made rows for batches that the run does not own, or for none.
    """
    folder = f"batches/{run_id}"
    rows_per_file = contract.rows_per_file or rows_per_file
    salts = {part: max(1, -(-rows // rows_per_file)) for part, rows in expected_rows.items()}
    files = sum(salts.get(part, 1) for part in parts)
    properties = _staging_properties(contract)
    if _tasks_make_files(frame, parts, files, computed_from):
        spread = frame.coalesce(files)
        # Tasks are not quite even: what is too much for a file goes into another.
        properties["maxRecordsPerFile"] = str(rows_per_file)
    else:
        spread = _spread(frame, contract.partitioned_by, salts, files)
    writer = spread.write.format("delta").mode("errorifexists").partitionBy(contract.partitioned_by, OUTCOME)
    for key, value in properties.items():
        writer = writer.option(key, value)
    writer.save(f"{lake.path(contract.table)}/{folder}")
    return _read_log(contract, lake, run_id, folder, parts)


def _tasks_make_files(frame: DataFrame, parts: Sequence[Part], files: int, computed_from: int | None) -> bool:
    """True where each task may write what it computed.

    With one batch no task writes several of them. What then counts is that as many tasks compute as there are cores; few rows
    need no more than one. Else a shuffle, which costs a sixth of a large batch, keeps all of them at work.
    """
    if len(parts) != 1 or computed_from is None:
        return False
    return computed_from <= _FEW_ROWS or files >= frame.sparkSession.sparkContext.defaultParallelism


def _spread(frame: DataFrame, column: str, salts: Mapping[Part, int], files: int) -> DataFrame:
    """One task writes one file: a batch or a bucket by default, a piece of it where it is large."""
    most = max(salts.values(), default=1)
    partitions = max(1, min(files, _MOST_PARTITIONS))
    if most == 1:
        return frame.repartition(partitions, column)
    # The salt follows from the row, so that a task run twice writes the same rows.
    values = [c for c in frame.columns if c not in (column, OUTCOME)]
    hashable = [F.col(name) for name, kind in frame.dtypes if name in values and not kind.startswith("map")]
    salted = frame.withColumn(_SALT, F.pmod(F.xxhash64(*hashable), F.lit(most)))
    return salted.repartition(partitions, column, _SALT).drop(_SALT)


def _staging_properties(contract: Contract) -> dict[str, str]:
    return {
        STATISTICS_PROPERTY: statistics_columns(contract),
        "delta.enableDeletionVectors": "false",
        "delta.columnMapping.mode": "none",
    }


def _read_log(
    contract: Contract, lake: LakeLocation, run_id: str, folder: str, parts: Sequence[Part]
) -> Staged:
    path = f"{lake.folder(contract.table)}/{folder}/_delta_log/{0:020d}.json"
    # As bytes: a text splits at U+2028 and the like as well, which may stand in the statistics of a column.
    actions = [json.loads(line) for line in lake_files(lake).read(path).splitlines()]
    column = contract.partitioned_by
    files = [_staged_file(action["add"], folder, column) for action in actions if "add" in action]
    owned = set(parts)
    strays = sorted({str(part) for part, _ in files if part not in owned})
    if strays:
        raise DataRejected(
            f"{contract.table}: the transform made rows for {', '.join(strays[:3])}"
            f"{f' and {len(strays) - 3} more' if len(strays) > 3 else ''}, which this run does not own. "
            f"Keep {column} through every step of {contract.job}."
        )
    return Staged(contract.table, run_id, folder, tuple(file for _, file in files if file is not None))


def _staged_file(add: Mapping[str, Any], folder: str, column: str) -> tuple[Part | None, StagedFile | None]:
    values = add["partitionValues"]
    text = values[column]
    if text is None:
        return None, None
    part = date.fromisoformat(text) if column == BATCH_DATE else int(text)
    stats = add["stats"]
    file = StagedFile(
        path=f"{folder}/{add['path']}",
        part=part,
        outcome=RowOutcome(values[OUTCOME]),
        rows=json.loads(stats)["numRecords"],
        size=add["size"],
        modified=add["modificationTime"],
        stats=stats,
    )
    return part, file
