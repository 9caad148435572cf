"""Spark for a command."""

from __future__ import annotations

import pytest

from lakesmith.cli.spark import start_spark
from lakesmith.errors import ConfigurationError
from workspaces import Workspace


def test_a_light_installation_is_told_what_to_install(
    meters: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object, **__: object) -> None:
        raise ModuleNotFoundError("No module named 'pyspark'", name="pyspark")

    monkeypatch.setattr("lakesmith.lake.session.session", absent)
    with pytest.raises(ConfigurationError, match=r"^pyspark is not installed\. .*lakesmith\[spark"):
        start_spark(meters.context())
