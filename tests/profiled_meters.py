"""The meters project whose readings and usage are profiled, with the reference pipeline's tables of profiles and drift."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

from workspaces import METERS, Workspace

__all__ = ["BASELINE", "DRIFT", "METERS_READ", "PROFILES", "TABLES", "profiled_meters", "readings"]

PROFILES, DRIFT = "monitoring.profile_metrics", "monitoring.drift_metrics"
TABLES = ("bronze.readings", "silver.readings", "gold.usage", PROFILES, DRIFT)
BASELINE = (1, 4)
"""The days that later ones are compared with."""

METERS_READ = 60

_ROOT = Path(__file__).parents[1]
_PROFILE = """profile:
  columns: [meter, kwh, street]
  slices: ["meter < 'm30'"]
  baseline: {from: 2024-01-01, to: 2024-01-04}
"""


def profiled_meters(root: Path) -> Workspace:
    """A copy of the project, with nothing landed."""
    shutil.copytree(METERS, root)
    for name in ("profile_metrics", "drift_metrics"):
        for file in (
            f"conf/tables/monitoring.{name}.yml",
            f"conf/expectations/monitoring.{name}.json",
            f"jobs/monitoring/{name}.py",
        ):
            (root / file).parent.mkdir(exist_ok=True)
            shutil.copy(_ROOT / file, root / file)
    meters = Workspace(root)
    for table, profile in (("silver.readings", _PROFILE), ("gold.usage", "profile: true\n")):
        meters.edit(f"conf/tables/{table}.yml", "columns:\n", f"{profile}columns:\n")
    meters.edit(
        "conf/base.yml", "parameters:", "monitoring: {drift: {least_rows: 50, windows: [1, 2]}}\nparameters:"
    )
    return meters


def readings(number: int, *, factor: int = 1) -> list[tuple[object, ...]]:
    """A reading of each meter on a day."""
    draw = random.Random(number)
    return [(f"m{meter:02}", draw.randrange(1, 100) * factor, "High St") for meter in range(METERS_READ)]
