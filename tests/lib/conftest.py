"""The shop with a trained model, made once: only to be copied or read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from lakesmith.engine.keeping import train_and_keep
from lakesmith.engine.training import Trained
from lakesmith.errors import ExitCode
from planted_models import plant
from shops import DAYS, MODEL, TABLES, Shop, night


@dataclass(frozen=True)
class FirstTraining:
    """A shop of which all nights were run and the model trained once: version 1 is the challenger."""

    shop: Shop
    trained: Trained


@pytest.fixture(scope="session")
def first_training(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> FirstTraining:
    shop = Shop.made_in(tmp_path_factory.mktemp("trained") / "shop")
    assert shop.nights(1, DAYS, TABLES).exit_code is ExitCode.DONE
    context = shop.context()
    trained, _ = train_and_keep(context, context.project.model(MODEL), None, "first")
    return FirstTraining(shop, trained)


@pytest.fixture(scope="session")
def two_versions(tmp_path_factory: pytest.TempPathFactory, first_training: FirstTraining) -> Shop:
    """The shop with a second version, whose scores are others."""
    shop = first_training.shop.copied_to(tmp_path_factory.mktemp("two") / "shop")
    plant(shop.context(), MODEL, night(DAYS), seed=3)
    return shop


@pytest.fixture
def shop(tmp_path: Path, two_versions: Shop) -> Shop:
    """A copy of the shop with two versions and no champion, to change at will."""
    return two_versions.copied_to(tmp_path / "shop")
