"""The landing scenarios: tests/scenarios/landing/<case>/ with files of the source `shop` and expected.json.

event     what happened, in a sentence
source    differences from the source contract SHOP, in the grammar of conf/sources
records   every record of 2011-03-01, nulls left out; `file` where there is more than one file, or an odd name
columns   what is told of the files' columns, where there is something to tell
error     instead of records: type, message and whatever attributes matter
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from lakesmith.config.yaml_text import read_yaml
from lakesmith.contracts.model import Source
from lakesmith.contracts.problems import Document
from lakesmith.contracts.sources import read_source

SCENARIOS = Path(__file__).parent / "landing"
CASES = sorted(path for path in SCENARIOS.iterdir() if path.is_dir())
assert len(CASES) >= 60, f"only {len(CASES)} scenarios in {SCENARIOS}"

DAY = date(2011, 3, 1)
SHOP = {
    "source": "shop",
    "description": "The sales of a shop.",
    "format": "csv",
    "start": "2011-01-01",
    "patterns": ["{batch_date}.csv", "{batch_date}-*.csv", "{batch_date}.csv.gz"],
    "columns": {
        "id": {"header": "Id"},
        "item": {"header": "Item"},
        "price": {"header": "Price", "required": False},
    },
}


def shop(changes: Mapping[str, Any] | None = None) -> Source:
    """The source `shop`, with other entries in its contract."""
    document = Document(read_yaml(yaml.safe_dump({**SHOP, **(changes or {})}), "conf/sources/shop.yml"))
    source = read_source(document, "shop")
    assert not document.problems, document.problems
    return source


def expectation(case: Path) -> dict[str, Any]:
    """What a case's expected.json says."""
    expected: dict[str, Any] = json.loads((case / "expected.json").read_text(encoding="utf-8"))
    unknown = expected.keys() - {"event", "source", "records", "columns", "error"}
    assert not unknown, unknown
    assert ("records" in expected) != ("error" in expected)
    return expected


def land(case: Path, landing_root: Path, day: date = DAY) -> None:
    """Put a case's files into a landing root, as those of another day if need be."""
    folder = landing_root / "shop"
    folder.mkdir(parents=True, exist_ok=True)
    for file in case.iterdir():
        if file.name != "expected.json":
            shutil.copy2(file, folder / file.name.replace(DAY.isoformat(), day.isoformat()))
