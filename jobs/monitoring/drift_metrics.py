"""monitoring.drift_metrics: how far the profiles of a night are off their baseline and off the period before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakesmith import job
from lakesmith.monitoring.drift_frame import drift_frame

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from typing import Any

    from pyspark.sql import DataFrame


@job("monitoring.drift_metrics")
def drift_metrics(profiles: DataFrame, batches: list[date], settings: Mapping[str, Any]) -> DataFrame:
    """A row for each table, slice, column and what it is compared with."""
    return drift_frame(profiles, batches, settings)


if __name__ == "__main__":
    drift_metrics.main()
