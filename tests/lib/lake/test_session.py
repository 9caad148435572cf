from __future__ import annotations

import signal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakesmith.config.load import load_settings
from lakesmith.errors import ConfigurationError
from lakesmith.lake.session import _pythons_interrupt, session, session_settings

ROOT = Path(__file__).parents[3]


def test_the_tests_session_is_set_like_a_production_session(spark_session: SparkSession) -> None:
    settings = load_settings("prod", ROOT, environ={})
    production = session_settings(settings)
    # How large a session is depends on the machine; everything else must not differ.
    sized = {"spark.driver.memory", "spark.sql.shuffle.partitions", *settings.spark.conf}

    conf = spark_session.sparkContext.getConf()
    found = {key: spark_session.conf.get(key, conf.get(key)) for key in production}

    assert {k: v for k, v in found.items() if k not in sized} == {
        k: v for k, v in production.items() if k not in sized
    }


def test_a_running_session_is_taken_as_it_is(spark_session: SparkSession) -> None:
    assert session(load_settings("dev", ROOT, environ={})) == spark_session


def test_settings_on_which_rows_depend_cannot_be_changed() -> None:
    settings = load_settings(
        "dev", ROOT, environ={"LAKESMITH__SPARK__CONF": "{spark.sql.session.timeZone: Europe/Paris}"}
    )
    with pytest.raises(ConfigurationError, match=r"spark\.sql\.session\.timeZone"):
        session(settings)


def test_ctrl_c_stays_pythons_own(spark_session: SparkSession) -> None:
    def handler(*_: object) -> None:
        raise AssertionError

    before = signal.signal(signal.SIGINT, handler)
    try:
        # Making a context would replace the handler; taking a running one must not either.
        with _pythons_interrupt():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGINT) is handler
        session(load_settings("dev", ROOT, environ={}))
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize(
    ("place", "folder"),
    [("events", str(ROOT / ".lake" / "events")), ("s3a://bucket/events", "s3a://bucket/events")],
)
def test_events_go_where_the_settings_say(place: str, folder: str) -> None:
    found = session_settings(load_settings("dev", ROOT, environ={"LAKESMITH__SPARK__EVENT_LOG": place}))
    assert (found["spark.eventLog.enabled"], found["spark.eventLog.dir"]) == ("true", folder)
    assert "spark.eventLog.enabled" not in session_settings(load_settings("dev", ROOT, environ={}))
