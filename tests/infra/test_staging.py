"""Staging is prod, smaller: which settings differ."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lakesmith.config.load import load_settings

ROOT = Path(__file__).parents[2]


def flat(value: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(value, dict):
        return {prefix: value}
    return {
        name: v
        for key, inner in value.items()
        for name, v in flat(inner, f"{prefix}.{key}".lstrip(".")).items()
    }


def test_staging_differs_from_prod_by_its_size_alone() -> None:
    staging, prod = (
        flat(load_settings(name, ROOT, {}).model_dump(exclude={"environment", "origins"}))
        for name in ("staging", "prod")
    )
    different = {name for name in staging.keys() | prod.keys() if staging.get(name) != prod.get(name)}
    assert {name for name in different if not name.startswith("submit.sizes.")} == {
        "spark.driver_memory",
        "alerts.rules.night_late",
    }
