"""`monitoring.drift_metrics` as a DataFrame: what Spark hands to `lakesmith.monitoring.drift`, and takes from it.

Owns that of the pairs of nights and profiles that a window gives each profile is fetched once, however many nights a run has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from lakesmith.contracts.model import BATCH_DATE
from lakesmith.monitoring.drift import PROFILE_INPUT, drift_rows, drift_settings
from lakesmith.monitoring.metric_rows import DRIFT_COLUMNS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["drift_frame"]

_OWN_DAY = "input_date"


def drift_frame(profiles: DataFrame, batches: Sequence[date], settings: Mapping[str, Any]) -> DataFrame:
    """The rows of some nights.

    Args:
        profiles: pairs of a night and a row of `monitoring.profile_metrics` that its window allows.
        batches: the nights, in order.
        settings: what transforms may read.
    """
    # Baselines of earlier nights are not asked for, and each profile only by the first night that sees it.
    nights = F.array(*[F.lit(night) for night in batches])
    between = F.filter(nights, lambda night: (night >= F.col(_OWN_DAY)) & (night < F.col(BATCH_DATE)))
    first = F.size(between) == 0
    own = (F.col("log_type") == "INPUT") | (F.col(_OWN_DAY) == F.col(BATCH_DATE))
    found = profiles.where(first & own).select(*PROFILE_INPUT, F.col(_OWN_DAY).alias(BATCH_DATE)).collect()
    rows = drift_rows((row.asDict(recursive=True) for row in found), batches, drift_settings(settings))
    columns = {**DRIFT_COLUMNS, BATCH_DATE: "date"}
    schema = ", ".join(f"`{name}` {kind}" for name, kind in columns.items())
    return profiles.sparkSession.createDataFrame(
        [tuple(row[name] for name in columns) for row in rows], schema
    )
