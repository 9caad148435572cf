"""monitoring.profile_metrics: what is measured of the batches of every table that asks for a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lakesmith import job
from lakesmith.monitoring.tables import profile_frame

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from lakesmith.monitoring.tables import Profiled


@job("monitoring.profile_metrics")
def profile_metrics(profiled: Profiled) -> DataFrame:
    """A row for each table, slice and column, and those of the baseline that they are judged against."""
    return profile_frame(profiled)


if __name__ == "__main__":
    profile_metrics.main()
