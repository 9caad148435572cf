"""A small shop with two models, and what tests do with a copy of it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.load import load_project
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.outcome import NightResult
from lakesmith.engine.scoring import pin_version
from lakesmith.engine.training import Trained
from lakesmith.ledger.model_events import ModelEvent, ModelTimeline
from lakesmith.ml.registry import ModelRegistry
from lakesmith.ml.store import ModelStore
from workspaces import Workspace

__all__ = ["DAYS", "MODEL", "PROJECT", "SCORES", "TABLES", "FirstTraining", "Shop", "night"]

MODEL, SCORES = "returning", "gold.scores"
TABLES = ["bronze.orders", "gold.customers", "gold.next_week"]
DAYS = 45

_HERE = Path(__file__).parent
PROJECT = load_project(_HERE / "projects" / "shop")
_CUSTOMERS = 80


def night(number: int) -> date:
    """The days of the shop from 1, which is 2024-01-01, on."""
    return date(2024, 1, 1) + timedelta(number - 1)


class Shop(Workspace):
    """The project in a folder, used as separate processes would use it; days are those of `night`."""

    @classmethod
    def made_in(cls, root: Path) -> Shop:
        """The project with its files landed and nothing run."""
        shutil.copytree(_HERE / "projects" / "shop", root)
        (root / ".jars").symlink_to(_HERE.parent / ".jars")
        shop = cls(root)
        shop.land_all()
        return shop

    def copied_to(self, root: Path) -> Shop:
        """A copy, to change at will."""
        shutil.copytree(self.root, root, symlinks=True)
        return Shop(root)

    def land_all(self) -> None:
        """Writes the files of all days: every customer orders at a rate of their own, and spends an amount of their own."""
        draw = random.Random(11)
        habits = [
            (100 + n, draw.choice([0.04, 0.1, 0.3]), draw.uniform(5, 60), draw.choice(["web", "shop"]))
            for n in range(_CUSTOMERS)
        ]
        folder = self.root / "landing" / "orders"
        folder.mkdir(parents=True)
        for number in range(1, DAYS + 1):
            lines = ["Customer,Amount,Channel"]
            lines += [
                f"{customer},{draw.gauss(amount, amount / 10):.2f},{channel}"
                for customer, rate, amount, channel in habits
                if draw.random() < rate
            ]
            (folder / f"{night(number)}.csv").write_text("\n".join(lines) + "\n")

    def nights(
        self,
        first: int,
        last: int | None = None,
        tables: Sequence[str] = (),
        *,
        force: bool = False,
        version: int | None = None,
    ) -> NightResult:
        """Runs nights.

        Args:
            version: that scores, whatever scored before.
        """
        context = self.context()
        pin_version(context, list(tables), version)
        nights = BatchRange(night(first), night(last or first))
        return execute(context, plan_nights(context, nights, tables, force=force or version is not None))

    def timeline(self, model: str = MODEL) -> ModelTimeline:
        return self.context().ledger.timeline(model)

    def registry(self) -> ModelRegistry:
        context = self.context()
        return ModelRegistry(ModelStore(context.settings), context.ledger)

    def promote(self, version: int, first: int, model: str = MODEL) -> ModelEvent:
        """Makes a version the champion from the batch of a day on."""
        return self.registry().promote(model, version, night(first))

    def scored_by(self, *numbers: int, table: str = SCORES) -> dict[int, set[int]]:
        """Which versions the rows of each batch name."""
        rows = self.rows(table, "batch_date", "model_version")
        return {n: {version for day, version in rows if day == night(n)} for n in numbers}

    def states_of(self, table: str, first: int, last: int) -> dict[int, str]:
        """The states of a table's batches that these nights own."""
        nights = BatchRange(night(first), night(last))
        found = self.context().judge.judge(nights, [table]).get(table, {})
        return {(day - night(1)).days + 1: str(state.state) for day, state in found.items()}

    def artifacts(self, version: int = 1, model: str = MODEL) -> Path:
        """The folder of a version's run."""
        event = self.timeline(model).registered(version)
        assert event is not None
        return self.root / "lake" / "mlflow" / "artifacts" / model / event.run_id / "artifacts"

    def aliases(self, model: str = MODEL) -> dict[str, int]:
        """MLflow's aliases."""
        client = ModelStore(self.context().settings).client
        found = client.get_registered_model(model).aliases
        return {alias: int(version) for alias, version in sorted(found.items())}

    def status(self, version: int, model: str = MODEL) -> str:
        """MLflow's tag `status` of a version."""
        client = ModelStore(self.context().settings).client
        return str(client.get_model_version(model, str(version)).tags["status"])


@dataclass(frozen=True)
class FirstTraining:
    """A shop of which all nights were run and the model trained once: version 1 is the challenger."""

    shop: Shop
    trained: Trained
