"""The distributions that a model was trained on, kept with it: the baseline that drift is judged against.

Owns the baseline's bins. They are the deciles of the training rows, so that each holds a tenth of them unless values repeat;
later batches are counted on the same bins, whatever their range.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from lakesmith.contracts.model import Contract

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["baseline_profile"]

_DECILES = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
_RELATIVE_ERROR = 0.001
_MOST_CATEGORIES = 100


def baseline_profile(
    contract: Contract, rows: DataFrame, numeric: Sequence[str], categorical: Sequence[str]
) -> dict[str, Any]:
    """Bins and counts of every feature over the training rows, as JSON.

    Args:
        contract: of the features table.
        numeric: features that get bins, `(-inf, e1], (e1, e2], ... (en, inf)`; true counts as 1.
        categorical: features that get a count for each value, the hundred most frequent ones.

    Returns:
        feature -> `count`, `nulls`, and either `mean`, `stddev`, `min`, `max`, `edges`, `counts`, or `values`.
    """
    numbers = rows.select([F.col(name).cast("double").alias(name) for name in numeric])
    quantiles = numbers.approxQuantile(list(numeric), _DECILES, _RELATIVE_ERROR) if numeric else []
    edges = {name: sorted(set(found)) for name, found in zip(numeric, quantiles, strict=True)}
    asked: list[Column] = [F.count(F.lit(1)).alias("rows")]
    for name in numeric:
        value = F.col(name)
        asked += [
            F.count(value).alias(f"{name}.count"),
            F.avg(value).alias(f"{name}.mean"),
            F.stddev_pop(value).alias(f"{name}.stddev"),
            F.min(value).alias(f"{name}.min"),
            F.max(value).alias(f"{name}.max"),
            *[F.count(F.when(value <= edge, 1)).alias(f"{name}.{at}") for at, edge in enumerate(edges[name])],
        ]
    found = numbers.agg(*asked).collect()[0].asDict()
    profile: dict[str, Any] = {}
    for name in numeric:
        below = [found[f"{name}.{at}"] for at in range(len(edges[name]))] + [found[f"{name}.count"]]
        profile[name] = {
            "type": str(contract.column(name).type),
            "count": found[f"{name}.count"],
            "nulls": found["rows"] - found[f"{name}.count"],
            **{key: found[f"{name}.{key}"] for key in ("mean", "stddev", "min", "max")},
            "edges": edges[name],
            "counts": [after - before for before, after in zip([0, *below], below, strict=False)],
        }
    for name in categorical:
        counted = rows.groupBy(F.col(name).cast("string").alias("value")).count()
        values = {row["value"]: row["count"] for row in counted.collect()}
        nulls = values.pop(None, 0)
        most = sorted(values.items(), key=lambda entry: (-entry[1], entry[0]))[:_MOST_CATEGORIES]
        profile[name] = {
            "type": str(contract.column(name).type),
            "count": sum(values.values()),
            "nulls": nulls,
            "values": dict(most),
        }
    return profile
