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
from lakesmith.lake.files import LakeFiles
from lakesmith.lake.tables import STATISTICS_PROPERTY, statistics_columns
from lakesmith.ledger.location import LakeLocation

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["OUTCOME", "RowOutcome", "Staged", "StagedFile", "stage"]

OUTCOME = "_outcome"
"""The second partition column of what is staged; published tables do not have it."""

_SALT = "_salt"
# More partitions than this would only make tasks that do nothing but start.
_MOST_PARTITIONS = 2000


class RowOutcome(StrEnum):
    """What becomes of a row."""

    PUBLISHED = "published"
    QUARANTINED = "quarantined"
    DROPPED = "dropped"


@dataclass(frozen=True)
class StagedFile:
    """One file that Spark wrote.

    Args:
        path: as the log of the target would write it, relative to the target's folder.
        size: bytes.
        stats: the statistics that Spark computed, as JSON text.
    """

    path: str
    batch_date: date
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

    def of(self, outcome: RowOutcome, batches: Iterable[date] | None = None) -> list[StagedFile]:
        """The files with rows of one outcome, in those batches."""
        wanted = None if batches is None else set(batches)
        return [f for f in self.files if f.outcome is outcome and (wanted is None or f.batch_date in wanted)]

    def rows(self, outcome: RowOutcome) -> Mapping[date, int]:
        """Rows by batch; a batch without any is left out."""
        counts: dict[date, int] = defaultdict(int)
        for file in self.of(outcome):
            counts[file.batch_date] += file.rows
        return dict(counts)


def stage(
    frame: DataFrame,
    contract: Contract,
    lake: LakeLocation,
    run_id: str,
    batches: Sequence[date],
    *,
    expected_rows: Mapping[date, int],
    rows_per_file: int,
) -> Staged:
    """Writes a run's rows once.

    Args:
        frame: the contract's columns, `broken_rules`, `batch_date` and `_outcome`.
        batches: those that the run owns; rows of any other are an error.
        expected_rows: about how many rows each batch will have, by which files are sized; a guess costs only speed.
        rows_per_file: the most rows meant for one file.

    Raises:
        DataRejected: the transform made rows for batches that the run does not own, or for none.
    """
    folder = f"batches/{run_id}"
    salts = {day: max(1, -(-rows // rows_per_file)) for day, rows in expected_rows.items()}
    spread = _spread(frame, batches, salts)
    writer = spread.write.format("delta").mode("errorifexists").partitionBy(BATCH_DATE, OUTCOME)
    for key, value in _staging_properties(contract).items():
        writer = writer.option(key, value)
    writer.save(f"{lake.path(contract.table)}/{folder}")
    return _read_log(contract, lake, run_id, folder, batches)


def _spread(frame: DataFrame, batches: Sequence[date], salts: Mapping[date, int]) -> DataFrame:
    """One task writes one file: a batch by default, a part of it where it is large."""
    most = max(salts.values(), default=1)
    parts = sum(salts.get(day, 1) for day in batches)
    partitions = max(1, min(parts, _MOST_PARTITIONS))
    if most == 1:
        return frame.repartition(partitions, BATCH_DATE)
    # The salt follows from the row, so that a task run twice writes the same rows.
    values = [c for c in frame.columns if c not in (BATCH_DATE, OUTCOME)]
    hashable = [F.col(name) for name, kind in frame.dtypes if name in values and not kind.startswith("map")]
    salted = frame.withColumn(_SALT, F.pmod(F.xxhash64(*hashable), F.lit(most)))
    return salted.repartition(partitions, BATCH_DATE, _SALT).drop(_SALT)


def _staging_properties(contract: Contract) -> dict[str, str]:
    return {
        STATISTICS_PROPERTY: statistics_columns(contract),
        "delta.enableDeletionVectors": "false",
        "delta.columnMapping.mode": "none",
    }


def _read_log(
    contract: Contract, lake: LakeLocation, run_id: str, folder: str, batches: Sequence[date]
) -> Staged:
    path = f"{lake.path(contract.table)}/{folder}/_delta_log/{0:020d}.json"
    # As bytes: a text splits at U+2028 and the like as well, which may stand in the statistics of a column.
    actions = [json.loads(line) for line in LakeFiles(lake).read(path).splitlines()]
    files = [_staged_file(action["add"], folder) for action in actions if "add" in action]
    owned = set(batches)
    strays = sorted({str(day) for day, _ in files if day not in owned})
    if strays:
        raise DataRejected(
            f"{contract.table}: the transform made rows for {', '.join(strays[:3])}"
            f"{f' and {len(strays) - 3} more' if len(strays) > 3 else ''}, which this run does not own. "
            f"Keep batch_date through every step of {contract.job}."
        )
    return Staged(contract.table, run_id, folder, tuple(file for _, file in files if file is not None))


def _staged_file(add: Mapping[str, Any], folder: str) -> tuple[date | None, StagedFile | None]:
    values = add["partitionValues"]
    if values[BATCH_DATE] is None:
        return None, None
    day = date.fromisoformat(values[BATCH_DATE])
    stats = add["stats"]
    file = StagedFile(
        path=f"{folder}/{add['path']}",
        batch_date=day,
        outcome=RowOutcome(values[OUTCOME]),
        rows=json.loads(stats)["numRecords"],
        size=add["size"],
        modified=add["modificationTime"],
        stats=stats,
    )
    return day, file
