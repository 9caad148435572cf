"""A short run of the long one: `make parity`, or `python -m parity` from tests/."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakesmith.quality import predicates
from lakesmith.quality.questions import LOG_TYPES
from parity.comparison import Answer, Tally, compare, reduced, same_answer, with_and_without_log
from parity.frames import COLUMNS, DAYS, Row
from parity.suites import Example, examples


# Hypothesis would shrink the whole example, each try a minute of Spark; `reduced` takes apart what disagrees.
@settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(example=examples())
def test_the_gate_answers_as_great_expectations(example: Example, spark_session: SparkSession) -> None:
    rows, asked = example

    found = compare(spark_session, rows, asked, Tally())

    assert [str(reduced(spark_session, one)) for one in found[:3]] == []


@settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(example=examples([*sorted(LOG_TYPES), *sorted(LOG_TYPES)]))
def test_the_log_changes_no_answer(
    example: Example, spark_session: SparkSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows, asked = example

    found = with_and_without_log(spark_session, rows, asked, tmp_path_factory.mktemp("lake"))

    assert [str(one) for one in found] == []


def test_a_gate_that_answers_otherwise_is_found_and_made_small(
    spark_session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = "expect_column_values_to_be_between"
    monkeypatch.setitem(predicates._COLUMN, kind, lambda column, _: column > F.lit(1))
    rows = [_row(DAYS[0], units) for units in (None, 0, 1, 2)]
    tally = Tally()

    found = compare(
        spark_session, rows, [(kind, {"column": "units", "min_value": 1, "mostly": 0.5})], tally, DAYS[:1]
    )
    small = reduced(spark_session, found[0])

    assert tally.compared == tally.disagreed == {kind: 1}
    assert small.asked == (kind, {"column": "units", "min_value": 1})
    assert small.rows == [_row(DAYS[0], 1)]
    assert isinstance(small.mine, tuple)
    assert isinstance(small.theirs, tuple)
    assert (small.mine[0], small.theirs[0]) == (False, True)


def test_an_answer_of_another_type_is_another_answer() -> None:
    measured: list[Answer] = [(True, {"observed_value": value}) for value in (1, 1.0, True)]

    assert [[same_answer(one, other) for other in measured] for one in measured] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]


def _row(batch: date, units: int | None) -> Row:
    return (*(units if name == "units" else None for name in COLUMNS), batch)
