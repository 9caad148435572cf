"""monitoring.model_performance: how models do on the labels that came since, beside their own tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakesmith import job
from lakesmith.monitoring.performance_frame import performance_frame

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from typing import Any

    from pyspark.sql import DataFrame

    from lakesmith.monitoring.performance_frame import JudgedModels


@job("monitoring.model_performance")
def model_performance(judged: JudgedModels, batches: list[date], settings: Mapping[str, Any]) -> DataFrame:
    """A row for each table of scores, version, role, slice and metric."""
    return performance_frame(judged, batches, settings)


if __name__ == "__main__":
    model_performance.main()
