"""Profiles of samples that are in memory: what a scan gives of the same values, without Spark.

Owns the profile of an array; the scan is held to it by a test. Distinct values are not estimated here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lakesmith.monitoring.categories import CategoryCounts
from lakesmith.monitoring.moments import Moments
from lakesmith.monitoring.numbers import NumberCounts, edges_of_sample
from lakesmith.monitoring.profile import ColumnLayout, ColumnProfile, Lengths, Measure

__all__ = ["layout_of_numbers", "profile_of_categories", "profile_of_numbers"]

FloatArray = npt.NDArray[np.float64]


def layout_of_numbers(column: str, values: FloatArray, data_type: str = "double") -> ColumnLayout:
    """The layout that a baseline of these numbers gives.

    Args:
        column: its name.
        values: NaN among them or not.
        data_type: by Spark's name.
    """
    finite = values[np.isfinite(values)]
    pivot = float(np.median(finite)) if len(finite) else 0.0
    return ColumnLayout(column, data_type, Measure.NUMBER, edges=edges_of_sample(values), pivot=pivot)


def profile_of_numbers(layout: ColumnLayout, values: FloatArray, *, nulls: int = 0) -> ColumnProfile:
    """The profile of numbers.

    Args:
        layout: of the baseline.
        values: the rows that are not null; NaN is NaN.
        nulls: how many rows are null besides.
    """
    numbers = values[~np.isnan(values)]
    finite = numbers[np.isfinite(numbers)]
    away = finite - finite.mean() if len(finite) else finite
    mean = float(finite.mean()) if len(finite) else 0.0
    return ColumnProfile(
        layout.column,
        layout.data_type,
        layout.measure,
        count=len(values) + nulls,
        nulls=nulls,
        nans=len(values) - len(numbers),
        zeros=int((numbers == 0).sum()),
        minimum=float(numbers.min()) if len(numbers) else None,
        maximum=float(numbers.max()) if len(numbers) else None,
        moments=Moments(len(finite), mean, *(float((away**power).sum()) for power in (2, 3, 4))),
        numbers=NumberCounts.of(layout.edges, numbers),
    )


def profile_of_categories(layout: ColumnLayout, values: Sequence[str | None]) -> ColumnProfile:
    """The profile of a category.

    Args:
        layout: of the baseline; without categories every value is new.
        values: the rows; None is null.
    """
    counted = Counter(value for value in values if value is not None)
    lengths = [len(value) for value in counted.elements()]
    return ColumnProfile(
        layout.column,
        layout.data_type,
        layout.measure,
        count=len(values),
        nulls=len(values) - len(lengths),
        categories=CategoryCounts.of(layout.categories, counted),
        lengths=Lengths(len(lengths), min(lengths), max(lengths), sum(lengths)) if lengths else Lengths(),
    )
