"""The cluster bootstrap: how sure a metric is when customers, not rows, are what repeats.

Owns the draws and the percentiles. A replicate draws as many entities as there are, with replacement, and
every row of an entity counts as often as the entity was drawn (Field and Welsh 2007, "Bootstrapping
clustered data"; percentiles: Efron 1979). What is measured on a replicate belongs to the modules of
metrics, which get the weights of many replicates at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from lakesmith.ml.evaluation_values import Interval

__all__ = ["BoolArray", "FloatArray", "IntArray", "draws", "intervals", "ratio"]

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_LOW, _HIGH = 2.5, 97.5
# Cells of a chunk's weights: arrays of 8 MB, few enough for many of them to live at once.
_CELLS = 1 << 20


def ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """The quotient of two arrays that broadcast; NaN where the divisor is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(whole == 0, np.nan, part / whole)


def draws(entities: int, replicates: int, seed: int, *, rows: int) -> Iterator[FloatArray]:
    """How often each entity was drawn, in chunks of replicates.

    The draws depend on the seed and the number of entities only, never on the chunks.

    Args:
        entities: how many there are, and how many one replicate draws.
        replicates: how many replicates there are over all chunks.
        seed: of numpy's PCG64.
        rows: of the sample that is measured; bounds how many replicates are in one chunk.

    Yields:
        float64 arrays (r, entities) of whole numbers, each row summing to `entities`.
    """
    generator = np.random.Generator(np.random.PCG64(seed))
    at_once = max(1, _CELLS // max(rows, entities))
    for first in range(0, replicates, at_once):
        chunk = np.empty((min(at_once, replicates - first), entities))
        for weights in chunk:
            weights[:] = np.bincount(generator.integers(0, entities, entities), minlength=entities)
        yield chunk


def intervals(
    entities: int,
    rows: int,
    measure: Callable[[FloatArray], Mapping[str, FloatArray]],
    *,
    replicates: int,
    seed: int,
) -> dict[str, Interval]:
    """Each metric on the rows as they are, with the 2.5th and 97.5th percentile over the replicates.

    Replicates on which a metric is undefined (one class only) are left out. Both bounds are NaN where the
    value itself is, where fewer than half of the replicates define the metric, without replicates, and with
    a single entity, whose resampling would claim certainty.

    Args:
        entities: how many distinct entities the rows are of.
        rows: how many rows there are; bounds the memory.
        measure: the metrics under each row of weights (r, entities), as arrays (r,).
        replicates: how often the entities are resampled; 0 gives values only.
        seed: of the draws.
    """
    values = {name: float(value[0]) for name, value in measure(np.ones((1, entities))).items()}
    if replicates == 0 or entities == 1:
        return {name: Interval(value, np.nan, np.nan) for name, value in values.items()}
    chunks = [measure(weights) for weights in draws(entities, replicates, seed, rows=rows)]
    return {
        name: _interval(value, np.concatenate([chunk[name] for chunk in chunks]))
        for name, value in values.items()
    }


def _interval(value: float, replicated: FloatArray) -> Interval:
    defined = replicated[~np.isnan(replicated)]
    if np.isnan(value) or 2 * defined.size < replicated.size:
        return Interval(value, np.nan, np.nan)
    low, high = np.percentile(defined, [_LOW, _HIGH])
    return Interval(value, float(low), float(high))
