"""How far apart two sets of scores are.

Owns the two numbers by which a version on its way into use is compared with the champion on one night. Numpy only.
"""

from __future__ import annotations

import math

import numpy as np

from lakesmith.ml.bootstrap import FloatArray

__all__ = ["mean_shift", "population_stability"]

# A bin that one side leaves empty would make the index infinite.
_LEAST_SHARE = 1e-4


def mean_shift(reference: FloatArray, scores: FloatArray) -> float:
    """The distance of the means, in standard deviations of the reference.

    Args:
        reference: float64 (n,), not empty.
        scores: float64 (m,), not empty.

    Returns:
        At least 0; infinite where the reference is constant and the means differ.
    """
    gap = abs(float(scores.mean()) - float(reference.mean()))
    spread = float(reference.std())
    if spread == 0:
        return math.inf if gap else 0.0
    return gap / spread


def population_stability(reference: FloatArray, scores: FloatArray, bins: int = 10) -> float:
    """The population stability index, the sum of (q - p) ln(q / p) over bins that hold equal parts of the reference.

    It is Jeffreys' divergence of the two histograms (Jeffreys, 1946). A share below 0.0001 counts as that.

    Args:
        reference: float64 (n,), not empty; gives the bins and the shares p.
        scores: float64 (m,), not empty; gives the shares q.
        bins: fewer where quantiles of the reference coincide.

    Returns:
        At least 0; below 0.1 is usually called stable, above 0.25 shifted.
    """
    inner = np.unique(np.quantile(reference, np.linspace(0, 1, bins + 1)[1:-1]))
    edges = np.concatenate(([-np.inf], inner, [np.inf]))
    p, q = (
        np.maximum(np.histogram(values, edges)[0] / len(values), _LEAST_SHARE)
        for values in (reference, scores)
    )
    return float(np.sum((q - p) * np.log(q / p)))
