"""The estimators of Spark ML: which algorithm solves which problem, and the parameters that a search may set.

Owns names, types and ranges, as a table; a test compares it with pyspark, which is never imported here. Left out are
parameters that others own: columns, seeds, thresholds, weights, and how a fit is spread over a cluster.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from lakesmith.contracts.declaration import Algorithm, ProblemKind, Scalar

__all__ = ["SEARCHABLE", "SearchParameter"]


@dataclass(frozen=True)
class SearchParameter:
    """One parameter of an estimator.

    Args:
        expected: its values, in words.
        read: a value as the estimator takes it; None when it is no value of this parameter.
    """

    expected: str
    read: Callable[[object], Scalar | None]


def _whole(least: int, most: int | None = None) -> SearchParameter:
    def read(value: object) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            return None
        return value if most is None or value <= most else None

    limits = f"of at least {least}" if most is None else f"from {least} to {most}"
    return SearchParameter(f"a whole number {limits}", read)


def _number(expected: str, is_valid: Callable[[float], bool]) -> SearchParameter:
    def read(value: object) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        return float(value) if is_valid(value) else None

    return SearchParameter(expected, read)


def _word(*words: str) -> SearchParameter:
    expected = f"{', '.join(words[:-1])} or {words[-1]}"
    return SearchParameter(expected, lambda value: str(value) if value in words else None)


_AT_LEAST_0 = _number("a number of at least 0", lambda value: value >= 0)
_SHARE = _number("a number from 0 to 1", lambda value: 0 <= value <= 1)
_SHARE_ABOVE_0 = _number("a number above 0, at most 1", lambda value: 0 < value <= 1)
_FLAG = SearchParameter("true or false", lambda value: value if isinstance(value, bool) else None)

_LINEAR = {
    "regParam": _AT_LEAST_0,
    "elasticNetParam": _SHARE,
    "maxIter": _whole(1),
    "tol": _number("a number above 0", lambda value: value > 0),
    "fitIntercept": _FLAG,
    "standardization": _FLAG,
}
_TREES = {
    "maxDepth": _whole(0, 30),
    "maxBins": _whole(2),
    "minInstancesPerNode": _whole(1),
    "minInfoGain": _AT_LEAST_0,
    "minWeightFractionPerNode": _number("a number from 0 to below 0.5", lambda value: 0 <= value < 0.5),
    "subsamplingRate": _SHARE_ABOVE_0,
    "featureSubsetStrategy": _word("auto", "all", "onethird", "sqrt", "log2"),
}
_BOOSTED = {**_TREES, "maxIter": _whole(1), "stepSize": _SHARE_ABOVE_0}
_FOREST = {**_TREES, "numTrees": _whole(1), "bootstrap": _FLAG}

SEARCHABLE: Mapping[tuple[Algorithm, ProblemKind], Mapping[str, SearchParameter]] = MappingProxyType(
    {
        (Algorithm.LOGISTIC_REGRESSION, ProblemKind.CLASSIFICATION): _LINEAR,
        (Algorithm.LINEAR_REGRESSION, ProblemKind.REGRESSION): _LINEAR,
        (Algorithm.GRADIENT_BOOSTED_TREES, ProblemKind.CLASSIFICATION): _BOOSTED,
        (Algorithm.GRADIENT_BOOSTED_TREES, ProblemKind.REGRESSION): {
            **_BOOSTED,
            "lossType": _word("squared", "absolute"),
        },
        (Algorithm.RANDOM_FOREST, ProblemKind.CLASSIFICATION): {
            **_FOREST,
            "impurity": _word("gini", "entropy"),
        },
        (Algorithm.RANDOM_FOREST, ProblemKind.REGRESSION): _FOREST,
    }
)
"""The parameters that a search may set, by algorithm and problem; a pair that is not here does not fit."""
