"""Rows of the metric tables: whole ones, each of the columns that the layout says, nothing that JSON or Delta can't hold."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from lakesmith.contracts.types import parse_type
from lakesmith.monitoring.comparison import compare
from lakesmith.monitoring.decision import Subject, judge_night
from lakesmith.monitoring.metric_rows import (
    DRIFT_COLUMNS,
    PROFILE_COLUMNS,
    RowKey,
    drift_row,
    profile_row,
    stored_profile,
    table_drift_row,
    table_row,
)
from lakesmith.monitoring.profile import ColumnLayout, ColumnProfile, Measure, merge_profiles
from lakesmith.monitoring.sample import profile_of_categories, profile_of_numbers

DAY = date(2024, 3, 2)
KEY = RowKey("gold.orders", DAY, version=17)
WINDOW = {"start": datetime(2024, 3, 2, tzinfo=UTC), "end": datetime(2024, 3, 3, tzinfo=UTC)}
AMOUNT = ColumnLayout("amount", "double", Measure.NUMBER, edges=(0.0, 0.0, 10.0, 20.0))
COUNTRY = ColumnLayout("country", "string", Measure.CATEGORY, categories=("DE", "UK"))


def numbers(*values: float, nulls: int = 0) -> ColumnProfile:
    return profile_of_numbers(AMOUNT, np.array(values, float), nulls=nulls)


def test_a_row_of_numbers_has_the_figures_of_the_profile() -> None:
    profile = numbers(0.0, 10.0, 20.0, math.nan, nulls=1)

    row = profile_row(KEY, profile)

    assert stored_profile(row) == profile
    assert {
        name: value
        for name, value in row.items()
        if value is not None and name not in ("profile", "quantiles")
    } == {
        "window": WINDOW,
        "log_type": "INPUT",
        "logging_table_commit_version": 17,
        "monitor_version": 0,
        "granularity": "1 day",
        "column_name": "amount",
        "count": 5,
        "data_type": "double",
        "num_nulls": 1,
        "avg": 10.0,
        "min": 0.0,
        "max": 20.0,
        "stddev": 10.0,
        "num_zeros": 1,
        "num_nan": 1,
        "median": pytest.approx(5.0),
        "percent_nan": 20.0,
        "percent_null": 20.0,
        "percent_zeros": 20.0,
        "table_name": "gold.orders",
        "slice": "",
        "skewness": 0.0,
        "kurtosis": pytest.approx(-1.5),
    }
    assert len(row["quantiles"]) == 21
    assert (row["quantiles"][0], row["quantiles"][-1]) == (0.0, 20.0)


def test_a_row_of_categories_has_the_frequent_ones() -> None:
    profile = profile_of_categories(COUNTRY, ["UK", "UK", "FR", None])

    row = profile_row(RowKey("t", DAY, "is_new", "true"), profile, log_type="BASELINE")

    assert (row["slice_key"], row["slice_value"], row["log_type"]) == ("is_new", "true", "BASELINE")
    assert row["frequent_items"] == [{"item": "UK", "count": 2}, {"item": "FR", "count": 1}]
    assert (row["distinct_count"], row["percent_distinct"], row["avg_length"]) == (2, 50.0, 2.0)
    assert (row["avg"], row["num_zeros"], row["percent_nan"], row["quantiles"]) == (None, None, None, None)


def judged(before: ColumnProfile, now: ColumnProfile) -> dict[str, Any]:
    comparison = compare(before, now)
    [verdict] = judge_night([Subject(now.column, comparison)])
    return drift_row(KEY, comparison, verdict, "CONSECUTIVE", compared_with=date(2024, 3, 1))


def test_a_row_of_drift_has_the_figures_the_changes_and_the_verdict() -> None:
    before = profile_of_categories(COUNTRY, ["DE"] * 300 + ["UK"] * 300)
    now = profile_of_categories(COUNTRY, ["UK"] * 500 + ["FR"] * 100 + [None] * 400)

    row = judged(before, now)

    assert row["window_cmp"] == {"start": datetime(2024, 3, 1, tzinfo=UTC), "end": WINDOW["start"]}
    assert (row["count_delta"], row["percent_null_delta"]) == (400, 40.0)
    assert (row["new_categories"], row["vanished_categories"]) == (["FR"], ["DE"])
    assert (row["verdict"], row["reason"], row["effect_limit"], row["rows_judged"]) == (
        "drifted",
        "distribution",
        0.1,
        600,
    )
    assert row["effect"] > 1
    assert row["chi_squared_test"]["pvalue"] < 1e-50
    assert (row["ks_test"], row["wasserstein_distance"], row["avg_delta"]) == (None, None, None)
    assert row["tv_distance"] == pytest.approx(0.5)


def test_the_table_itself_has_a_row() -> None:
    empty, full = numbers(nulls=3), numbers(1.0, 2.0)
    countries = [profile_of_categories(COUNTRY, values) for values in (["UK"] * 3, [None] * 2)]

    row = table_row(KEY, [empty, countries[0]])
    drift = table_drift_row(KEY, [empty, countries[0]], [full, countries[1]], "BASELINE")

    assert (row["column_name"], row["count"], row["non_null_columns"]) == (":table", 3, ["country"])
    assert {name: value for name, value in drift.items() if value is not None} == {
        "window": WINDOW,
        "granularity": "1 day",
        "monitor_version": 0,
        "column_name": ":table",
        "drift_type": "BASELINE",
        "count_delta": -1,
        "non_null_columns_delta": {"added": 1, "missing": 1},
        "table_name": "gold.orders",
        "slice": "",
    }


def test_a_window_of_a_week_begins_with_its_first_day() -> None:
    row = profile_row(KEY, merge_profiles([numbers(1.0)] * 7))

    assert row["granularity"] == "7 days"
    assert row["window"] == {"start": datetime(2024, 2, 25, tzinfo=UTC), "end": WINDOW["end"]}


def all_rows() -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    odd = [
        numbers(),
        numbers(nulls=700),
        numbers(*[math.nan] * 700),
        numbers(*[5.0] * 700),
        numbers(*[math.inf] * 700),
        numbers(*[-math.inf, math.inf] * 350),
        numbers(*np.linspace(-5, 50, 700)),
    ]
    few = [
        profile_of_categories(COUNTRY, values) for values in ([], [None] * 700, ["UK"] * 700, ["FR"] * 700)
    ]
    for kind in (odd, few):
        for profile in kind:
            yield profile_row(KEY, profile), dict(PROFILE_COLUMNS)
            yield table_row(KEY, [profile]), dict(PROFILE_COLUMNS)
            for other in kind:
                yield judged(other, profile), dict(DRIFT_COLUMNS)
                yield table_drift_row(KEY, [other], [profile], "BASELINE"), dict(DRIFT_COLUMNS)


def numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else []:
        yield from numbers_in(inner)


def test_whatever_the_data_rows_have_just_the_columns_and_no_nan() -> None:
    for row, columns in all_rows():
        assert list(row) == list(columns)
        unbounded = {
            name for name, value in row.items() for number in numbers_in(value) if math.isinf(number)
        }
        assert unbounded <= {"min", "max", "quantiles"}
        assert not any(math.isnan(number) for value in row.values() for number in numbers_in(value))


@pytest.mark.parametrize("columns", [PROFILE_COLUMNS, DRIFT_COLUMNS], ids=["profile", "drift"])
def test_the_types_are_those_that_contracts_know(columns: dict[str, str]) -> None:
    assert {name: str(parse_type(kind)) for name, kind in columns.items()} == dict(columns)
