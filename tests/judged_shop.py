"""The shop whose scores are acted upon, once they are judged by their labels, with the reference pipeline's monitoring tables."""

from __future__ import annotations

import shutil
from pathlib import Path

from watched_shop import WatchedShop

__all__ = ["DRIFT", "MONITORING", "PERFORMANCE", "PROFILES", "JudgedShop"]

PROFILES, DRIFT = "monitoring.profile_metrics", "monitoring.drift_metrics"
PERFORMANCE = "monitoring.model_performance"
MONITORING = (PROFILES, DRIFT, PERFORMANCE)

_ROOT = Path(__file__).parents[1]
_SETTINGS = """monitoring:
  # Of sixty customers a day no test would say anything.
  drift: {least_rows: 20, windows: [1], effect: 2.0}
  performance: {least_entities: 30, windows: [1]}
"""


class JudgedShop(WatchedShop):
    """Labels come seven days later: the night of day 43 judges the scores of day 36."""

    @classmethod
    def from_watched(cls, shop: WatchedShop, root: Path) -> JudgedShop:
        """A copy of a shop with the three tables declared and none of them run."""
        made = cls(shop.again(root).root)
        for table in MONITORING:
            layer, name = table.split(".")
            for file in (
                f"conf/tables/{table}.yml",
                f"conf/expectations/{table}.json",
                f"jobs/{layer}/{name}.py",
            ):
                (root / file).parent.mkdir(exist_ok=True)
                shutil.copy(_ROOT / file, root / file)
        made.edit(f"conf/tables/{PERFORMANCE}.yml", "lag: 30d", "lag: 7d")
        profile = "profile: {baseline: {model: returning}, repeated: true}\ncolumns:\n"
        made.edit("conf/tables/gold.customers.yml", "columns:\n", profile)
        made.set(_SETTINGS)
        return made
