"""Settings of monitoring: when drift is said, and when a model does worse."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, field_validator

from lakesmith.config.sections.values import (
    Section,
)

__all__ = ["DriftSettings", "MonitoringSettings", "PerformanceSettings"]


def _ascending(value: tuple[int, ...]) -> tuple[int, ...]:
    if not value or list(value) != sorted(set(value)):
        raise ValueError("expected lengths in batches that ascend, like [1, 7, 28]")
    return value


class DriftSettings(Section):
    """When drift is said; `lakesmith.monitoring.decision` has the meaning of each, and the reasons.

    Args:
        effect: the least population stability index, less what chance gives.
        false_discovery: the share of false alarms among the alarms of a night.
        least_rows: fewer rows in a window are too few to say anything.
        windows: lengths in batches, ascending; each one with enough rows is judged.
        usual_factor: how many times the usual effect of the baseline's own batches the effect must reach besides.
        trend_effect: how far the mean of a trending column must be off its trend, in standard deviations.
        trend_days: of so many days before the night the trend is taken.
    """

    effect: PositiveFloat = 0.1
    false_discovery: Annotated[float, Field(gt=0, lt=1)] = 0.01
    least_rows: PositiveInt = 500
    windows: Annotated[tuple[PositiveInt, ...], Field(strict=False)] = (1, 7, 28)
    usual_factor: Annotated[float, Field(ge=1)] = 3.0
    trend_effect: PositiveFloat = 0.1
    trend_days: Annotated[int, Field(ge=14)] = 28

    _ascending_windows = field_validator("windows")(_ascending)


class PerformanceSettings(Section):
    """When a model is said to do worse than in its test; `lakesmith.monitoring.performance` has the reasons.

    Args:
        effect: by which part of the test's figure a metric must be worse.
        least_entities: fewer entities with a label in a window are too few to say anything.
        windows: lengths in batches, ascending, at most 28; the first one with enough entities is judged.
    """

    effect: PositiveFloat = 0.05
    least_entities: PositiveInt = 500
    windows: Annotated[tuple[Annotated[PositiveInt, Field(le=28)], ...], Field(strict=False)] = (1, 7, 28)

    _ascending_windows = field_validator("windows")(_ascending)


class MonitoringSettings(Section):
    """Monitoring. `drift`: when drift is said. `performance`: when a model is said to do worse."""

    drift: DriftSettings = DriftSettings()
    performance: PerformanceSettings = PerformanceSettings()
