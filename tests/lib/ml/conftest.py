"""A registry of models without Spark: an MLflow store that is made once and copied, beside an empty lake."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lakesmith.config.load import load_settings
from lakesmith.config.settings import Settings
from lakesmith.ml.store import ModelStore


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a store that holds nothing; MLflow takes seconds to make its tables."""
    settings = _settings(tmp_path_factory.mktemp("store"))
    store = ModelStore(settings)
    assert store.client.search_registered_models() == []
    assert store.local is not None
    return store.local


@pytest.fixture
def settings(tmp_path: Path, empty_store: Path) -> Settings:
    """A project with an empty lake and an empty store."""
    shutil.copytree(empty_store, tmp_path / "lake" / "mlflow")
    return _settings(tmp_path)


def _settings(root: Path) -> Settings:
    (root / "conf").mkdir(parents=True)
    (root / "conf" / "base.yml").write_text("lake_root: lake\n")
    (root / "conf" / "dev.yml").write_text("{}\n")
    return load_settings("dev", root, {})
