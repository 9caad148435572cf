"""Spark for a command."""

from __future__ import annotations

import signal

import pytest

from lakesmith.cli.spark import start_spark
from lakesmith.errors import ConfigurationError
from workspaces import Workspace


def test_ctrl_c_stays_python_s_own(meters: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    session = object()

    def started(*_: object) -> object:
        # What making a SparkContext does.
        signal.signal(signal.SIGINT, lambda *_: None)
        return session

    monkeypatch.setattr("lakesmith.lake.session.session", started)
    before = signal.getsignal(signal.SIGINT)
    assert start_spark(meters.context()) is session
    assert signal.getsignal(signal.SIGINT) is before


def test_a_light_installation_is_told_what_to_install(
    meters: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'pyspark'", name="pyspark")

    monkeypatch.setattr("lakesmith.lake.session.session", absent)
    with pytest.raises(ConfigurationError, match=r"^pyspark is not installed\. .*lakesmith\[spark"):
        start_spark(meters.context())
