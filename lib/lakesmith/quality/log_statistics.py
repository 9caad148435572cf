"""Log statistics: what the files' statistics in a staged table's log say of each batch, without reading a row.

Owns which of them are exact. Delta cuts texts and milliseconds short and leaves NaN out of its bounds, so least and
greatest values are taken of whole numbers, decimals and days only; counts of nulls of every column that has them.
Columns of people's data have no statistics. Pure: what is not known is not there, and the grouped pass answers it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from lakesmith.contracts.model import BATCH_DATE
from lakesmith.contracts.types import ColumnType, DecimalType, PrimitiveType

__all__ = ["BatchStatistics", "log_statistics"]

_WHOLE = {"tinyint", "smallint", "int", "bigint"}


@dataclass(frozen=True)
class BatchStatistics:
    """What the log says of one batch that has rows; a column that is not in a mapping is one of which it does not say.

    Args:
        rows: of the batch.
        nulls: rows without a value, by column.
        least, greatest: values by column, as Spark would return them; None where every row is without one.
    """

    rows: int
    nulls: Mapping[str, int] = field(default_factory=dict)
    least: Mapping[str, Any] = field(default_factory=dict)
    greatest: Mapping[str, Any] = field(default_factory=dict)


def log_statistics(
    files: Iterable[tuple[date, str]], columns: Mapping[str, ColumnType]
) -> dict[date, BatchStatistics]:
    """The statistics of each batch that has files with rows.

    Args:
        files: the batch of each file and its statistics, the JSON text of its `add` action.
        columns: the types of the table's columns, `batch_date` included.
    """
    of_batch: dict[date, list[Mapping[str, Any]]] = {}
    for day, text in files:
        # A decimal of 38 digits is no double.
        stats = json.loads(text, parse_float=Decimal)
        if stats["numRecords"]:
            of_batch.setdefault(day, []).append(stats)
    return {day: _merged(day, stats, columns) for day, stats in of_batch.items()}


def _merged(day: date, files: list[Mapping[str, Any]], columns: Mapping[str, ColumnType]) -> BatchStatistics:
    rows = sum(stats["numRecords"] for stats in files)
    nulls: dict[str, int] = {BATCH_DATE: 0}
    least: dict[str, Any] = {BATCH_DATE: day}
    greatest: dict[str, Any] = {BATCH_DATE: day}
    for name, kind in columns.items():
        counts = [stats.get("nullCount", {}).get(name) for stats in files]
        if name == BATCH_DATE or not all(isinstance(count, int) for count in counts):
            continue
        nulls[name] = sum(counts)
        filled = [stats for stats, count in zip(files, counts, strict=True) if count < stats["numRecords"]]
        lowest = [_value(stats, "minValues", name, kind) for stats in filled]
        highest = [_value(stats, "maxValues", name, kind) for stats in filled]
        if None not in lowest and None not in highest and _is_exact(kind):
            least[name], greatest[name] = min(lowest, default=None), max(highest, default=None)
    return BatchStatistics(rows, nulls, least, greatest)


def _is_exact(kind: ColumnType) -> bool:
    whole_or_day = isinstance(kind, PrimitiveType) and kind.name in {*_WHOLE, "date"}
    return whole_or_day or isinstance(kind, DecimalType)


def _value(stats: Mapping[str, Any], bounds: str, name: str, kind: ColumnType) -> Any:
    """A bound as Spark would return it; None where it is not there or reads as something else."""
    found = stats.get(bounds, {}).get(name)
    if not stats.get("tightBounds", True):
        return None
    match kind, found:
        case DecimalType(), int() | Decimal():
            return Decimal(found)
        case PrimitiveType("date"), str():
            # Spark has days after 9999-12-31, Python has not.
            return date.fromisoformat(found) if len(found) == len("2011-03-01") else None
        case PrimitiveType(whole), int() if whole in _WHOLE:
            return found
        case _:
            return None
