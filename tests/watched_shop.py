"""The shop once its scores are acted upon: with fallbacks and a shadow table, and what a test adds to its declaration."""

from __future__ import annotations

import shutil
from pathlib import Path

from lakesmith.contracts.days import BatchRange
from lakesmith.engine.keeping import bring_into_use
from lakesmith.engine.outcome import NightResult, TableResult
from lakesmith.errors import ExitCode
from lakesmith.ledger.circuit import CircuitRecord
from lakesmith.ledger.model_events import ModelEvent
from planted_models import plant
from shops import DAYS, MODEL, SCORES, Shop, night

__all__ = ["FIRST", "LAST", "SHADOW", "WatchedShop"]

SHADOW = "gold.shadow"
FIRST, LAST = 36, 41
"""The days that were scored already, all by version 1; the labels of the first three are known."""

_OVERLAY = Path(__file__).parent / "projects" / "watched"


class WatchedShop(Shop):
    """Version 1 is the champion from day 36 on, version 3 the challenger from day 37 on; day 41 was scored last."""

    @classmethod
    def from_shop(cls, shop: Shop, root: Path) -> WatchedShop:
        """A copy of a shop with two versions, made so."""
        shutil.copytree(shop.root, root, symlinks=True)
        shutil.copytree(_OVERLAY, root, dirs_exist_ok=True)
        made = cls(root)
        made.promote(1, FIRST)
        plant(made.context(), MODEL, night(DAYS), seed=4, first=night(FIRST + 1))
        assert made.nights(FIRST, LAST, [SCORES, SHADOW]).exit_code is ExitCode.DONE
        return made

    def again(self, root: Path) -> WatchedShop:
        """A copy, to change at will."""
        shutil.copytree(self.root, root, symlinks=True)
        return WatchedShop(root)

    def score(self, number: int, *, version: int | None = None) -> TableResult:
        """The night of a day, of the scores only."""
        return self.nights(number, None, [SCORES], version=version).tables[SCORES]

    def score_both(self, number: int) -> NightResult:
        """The night of a day, of the scores and those in shadow."""
        return self.nights(number, None, [SCORES, SHADOW])

    def served(self, number: int, table: str = SCORES) -> dict[tuple[str, int], int]:
        """How many rows of a day each way of serving and version gave."""
        rows = self.rows(table, "batch_date", "served_by", "model_version")
        counts: dict[tuple[str, int], int] = {}
        for day, by, version in rows:
            if day == night(number):
                counts[by, version] = counts.get((by, version), 0) + 1
        return counts

    def scores(self, number: int, table: str = SCORES) -> dict[int, tuple[float, int]]:
        """Customer -> score and version, of a day."""
        rows = self.rows(table, "batch_date", "customer_id", "score", "model_version")
        return {customer: (score, version) for day, customer, score, version in rows if day == night(number)}

    def state(self, number: int, table: str = SCORES) -> tuple[str, str]:
        """The state of a day's batch and the reason."""
        context = self.context()
        day = night(number)
        state = context.judge.judge(BatchRange(day, day), [table])[table][day]
        return str(state.state), state.reason

    def break_version(self, version: int) -> None:
        """A file of a version changes after it was registered."""
        with (self.artifacts(version) / "model" / "lakesmith.json").open("a") as file:
            file.write(" ")

    def mend_version(self, version: int) -> None:
        """Undoes `break_version`."""
        file = self.artifacts(version) / "model" / "lakesmith.json"
        file.write_text(file.read_text().rstrip(" "))

    def tries(self) -> list[tuple[int, bool]]:
        """The day and whether it failed, of every try that the circuit breaker remembers."""
        rows = self.context().ledger.ops.read(CircuitRecord).sort_by("recorded_at").to_pylist()
        return [((row["night"] - night(1)).days + 1, row["failed"]) for row in rows]

    def promote_by_policy(self, version: int) -> ModelEvent:
        """Brings a version into use as the declaration has it."""
        context = self.context()
        return bring_into_use(context, context.project.model(MODEL), version)

    def set(self, text: str) -> None:
        """Makes these the settings of the environment."""
        (self.root / "conf" / "dev.yml").write_text(f"{text}\n")

    def declare(self, text: str) -> None:
        """Adds keys to the model's declaration."""
        with (self.root / "conf" / "models" / f"{MODEL}.yml").open("a") as file:
            file.write(text)
