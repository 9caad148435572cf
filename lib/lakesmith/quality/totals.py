"""Group totals: `expect_group_totals_to_equal_input`, a rule across tables.

Owns the one comparison that the gate and the Great Expectations form of the rule both run: per batch,
for every group on either side, the totals of this table and those of an input of the same day are equal.
Nulls equal nulls; a group that one side lacks is unequal to any. Sums of doubles depend on the order of
the rows: total decimals or counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import and_
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakesmith.contracts.model import BATCH_DATE
from lakesmith.quality.results import Outcome

__all__ = ["GROUPS", "UNEQUAL", "compare_group_totals", "group_totals_outcome"]

GROUPS, UNEQUAL = "groups", "unequal"

_ROWS, _MORE = "count(*)", "__more_rows"


def compare_group_totals(staged: DataFrame, source: DataFrame, kwargs: Mapping[str, Any]) -> DataFrame:
    """One row a batch that has a group on either side: `batch_date` and a map of counts.

    Args:
        staged: rows of this table, with `batch_date`.
        source: rows of the input for the same batches, with `batch_date`.
        kwargs: `group_by`, `totals` and perhaps `where`, as in the suite.
    """
    keys = [BATCH_DATE, *kwargs["group_by"]]
    mine, theirs = list(kwargs["totals"]), list(kwargs["totals"].values())
    selected = source.where(kwargs["where"]) if kwargs.get("where") else source
    if {*mine, *theirs} == {_ROWS}:
        return _compare_rows(staged, selected, keys)
    left = _totals(staged, keys, mine, "mine")
    right = _totals(selected, keys, theirs, "theirs")
    same_group = reduce(and_, (left[f"mine_{key}"].eqNullSafe(right[f"theirs_{key}"]) for key in keys))
    both = left.join(right, same_group, how="full")
    present = F.col("mine_present").isNotNull() & F.col("theirs_present").isNotNull()
    equal = reduce(
        and_, (F.col(f"mine_total_{at}").eqNullSafe(F.col(f"theirs_total_{at}")) for at in range(len(mine)))
    )
    batch = F.coalesce(F.col(f"mine_{BATCH_DATE}"), F.col(f"theirs_{BATCH_DATE}")).alias(BATCH_DATE)
    return both.groupBy(batch).agg(_counts(unequal=~(present & equal)))


def _compare_rows(staged: DataFrame, source: DataFrame, keys: list[str]) -> DataFrame:
    """The comparison where nothing but rows is counted: both sides are grouped as one, and no group is joined."""
    more, fewer = (rows.select(*keys, F.lit(one).alias(_MORE)) for rows, one in ((staged, 1), (source, -1)))
    groups = more.union(fewer).groupBy(*keys).agg(F.sum(_MORE).alias(_MORE))
    return groups.groupBy(BATCH_DATE).agg(_counts(unequal=F.col(_MORE) != 0))


def _counts(unequal: Column) -> Column:
    of_unequal = F.count(F.when(unequal, 1))
    return F.create_map(F.lit(GROUPS), F.count(F.lit(1)), F.lit(UNEQUAL), of_unequal).alias("counts")


def _totals(rows: DataFrame, keys: list[str], totals: list[str], side: str) -> DataFrame:
    grouped = rows.groupBy(*(F.col(key).alias(f"{side}_{key}") for key in keys))
    named = [F.expr(total).alias(f"{side}_total_{at}") for at, total in enumerate(totals)]
    return grouped.agg(F.lit(True).alias(f"{side}_present"), *named)


def group_totals_outcome(counts: Mapping[str, int]) -> Outcome:
    """The outcome for one batch; a batch without rows on either side keeps the rule."""
    unequal = counts.get(UNEQUAL, 0)
    return Outcome(unequal == 0, counts.get(GROUPS, 0), unequal)
