"""The command line as a user meets it; and the shop with a trained model, made once: only to be copied or read.

What it takes is imported where it is made: tests beside it that need neither Spark nor MLflow must not wait for them.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from command_lines import Answer, Ask
from lakesmith.cli.main import main

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from shops import FirstTraining, Shop


@pytest.fixture(scope="session")
def first_training(tmp_path_factory: pytest.TempPathFactory, spark_session: SparkSession) -> FirstTraining:
    """The shop with all its nights run and the model trained once: version 1 is the challenger."""
    from lakesmith.engine.keeping import train_and_keep
    from lakesmith.errors import ExitCode
    from shops import DAYS, MODEL, TABLES, FirstTraining, Shop

    shop = Shop.made_in(tmp_path_factory.mktemp("trained") / "shop")
    assert shop.nights(1, DAYS, TABLES).exit_code is ExitCode.DONE
    context = shop.context()
    trained, _ = train_and_keep(context, context.project.model(MODEL), None, "first")
    return FirstTraining(shop, trained)


@pytest.fixture(scope="session")
def two_versions(tmp_path_factory: pytest.TempPathFactory, first_training: FirstTraining) -> Shop:
    """The shop with a second version, whose scores are others."""
    from planted_models import plant
    from shops import DAYS, MODEL, night

    shop = first_training.shop.copied_to(tmp_path_factory.mktemp("two") / "shop")
    plant(shop.context(), MODEL, night(DAYS), seed=3)
    return shop


@pytest.fixture
def shop(tmp_path: Path, two_versions: Shop) -> Shop:
    """A copy of the shop with two versions and no champion, to change at will."""
    return two_versions.copied_to(tmp_path / "shop")


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Runs `lakesmith ...` in this process, through the seam where errors become exit codes."""
    for name in ("LAKESMITH_ENV", "LAKESMITH_PROJECT", "LAKESMITH__LANDING_ROOT", "LAKESMITH__LAKE_ROOT"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Answer:
        capsys.readouterr()
        code = main(arguments)
        said = capsys.readouterr()
        return Answer(code, said.out, said.err)

    return run
