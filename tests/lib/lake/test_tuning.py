from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakesmith.config.load import load_settings
from lakesmith.config.sections.jobs import SparkSettings
from lakesmith.lake.tuning import SHUFFLE_PARTITIONS, fit_to_inputs, shuffle_partitions

ROOT = Path(__file__).parents[3]
MB = 1 << 20


@pytest.mark.parametrize(
    ("stored", "tasks"),
    [(0, 8), (64 * MB, 8), (64 * MB + 1, 9), (800 * MB, 100), (10_000_000 * MB, 10_000)],
)
def test_a_shuffle_has_a_task_for_each_part_of_what_is_read(stored: int, tasks: int) -> None:
    assert shuffle_partitions(stored, SparkSettings(shuffle_bytes="8m")) == tasks


def test_a_number_in_the_settings_is_taken_as_it_is() -> None:
    assert shuffle_partitions(10_000 * MB, SparkSettings(shuffle_partitions=3)) == 3


def test_a_session_is_fitted_to_its_run(spark_session: SparkSession) -> None:
    before = spark_session.conf.get(SHUFFLE_PARTITIONS)
    try:
        fit_to_inputs(spark_session, 800 * MB, SparkSettings())
        assert spark_session.conf.get(SHUFFLE_PARTITIONS) == "100"
    finally:
        spark_session.conf.set(SHUFFLE_PARTITIONS, before or "8")


@pytest.mark.parametrize("environment", ["dev", "staging", "prod"])
def test_every_environment_is_tuned_in_one_place(environment: str) -> None:
    """An environment says how large it is, and no more."""
    settings = load_settings(environment, ROOT, environ={})
    tuned = {
        name: where
        for name, where in settings.origins.items()
        if name.startswith(("spark.conf", "spark.shuffle"))
    }
    assert len(tuned) == 12
    assert all(where.startswith("conf/base.yml") for where in tuned.values())
