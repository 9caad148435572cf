"""The landing scenarios: tests/scenarios/landing/<case>/ with files of the source `shop` and expected.json.

event     what happened, in a sentence
source    differences from the source contract SHOP, in the grammar of conf/sources
records   every record of 2011-03-01, nulls left out; `file` where there is more than one file, or an odd name
columns   what is told of the files' columns, where there is something to tell
error     instead of records: type, message and whatever attributes matter
make      what a folder of files can't hold, by its path; each an object with one of
            text      a file of these pieces; a piece is a text, or [text, times]
            gzip      likewise, each piece a gzip member of its own
            parquet   a file of these columns, [name, values] each; the types are what Arrow takes them for
            link_to   a link; `{outside}` is a folder outside the landing root that holds secret.csv
            same_as   a hard link, likewise
            folder, pipe   true

A value of a record may be a list of pieces, too.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from pyarrow import parquet

from lakesmith.config.yaml_text import read_yaml
from lakesmith.contracts.model import Source
from lakesmith.contracts.problems import Document
from lakesmith.contracts.sources import read_source

SCENARIOS = Path(__file__).parent / "landing"
CASES = sorted(path for path in SCENARIOS.iterdir() if path.is_dir())
assert len(CASES) >= 100, f"only {len(CASES)} scenarios in {SCENARIOS}"

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
    unknown = expected.keys() - {"event", "source", "records", "columns", "error", "make"}
    assert not unknown, unknown
    assert ("records" in expected) != ("error" in expected)
    for record in expected.get("records", []):
        record.update({name: text(value) for name, value in record.items() if isinstance(value, list)})
    return expected


def land(case: Path, landing_root: Path, day: date = DAY) -> None:
    """Put a case's files into a landing root, as those of another day if need be."""
    folder = landing_root / "shop"
    folder.mkdir(parents=True, exist_ok=True)
    for file in case.iterdir():
        if file.name != "expected.json":
            shutil.copy2(file, folder / file.name.replace(DAY.isoformat(), day.isoformat()))
    for name, wanted in expectation(case).get("make", {}).items():
        _make(folder / name.replace(DAY.isoformat(), day.isoformat()), landing_root, day, wanted)


def _make(path: Path, landing_root: Path, day: date, wanted: Mapping[str, Any]) -> None:
    """What one entry of `make` describes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    [(kind, content)] = wanted.items()
    match kind:
        case "text":
            path.write_text(text(content), encoding="utf-8", newline="")
        case "gzip":
            path.write_bytes(b"".join(_member(piece) for piece in content))
        case "parquet":
            names, values = zip(*content, strict=True)
            parquet.write_table(pa.table([pa.array(column) for column in values], names=names), path)
        case "link_to":
            path.symlink_to(_target(content, landing_root, day))
        case "same_as":
            path.hardlink_to(_target(content, landing_root, day))
        case "folder":
            path.mkdir()
        case "pipe":
            os.mkfifo(path)
        case _:
            raise AssertionError(f"{kind!r} can't be made")


def text(pieces: list[str | tuple[str, int]]) -> str:
    """The text that its pieces give."""
    return "".join(piece if isinstance(piece, str) else piece[0] * piece[1] for piece in pieces)


def _member(piece: str | tuple[str, int]) -> bytes:
    """A piece as gzip; one that is repeated as so many members, compressed once."""
    once, times = (piece, 1) if isinstance(piece, str) else piece
    block = max(1, min(times, (1 << 20) // len(once)))
    whole, rest = divmod(times, block)
    return _compressed(once * block) * whole + (_compressed(once * rest) if rest else b"")


def _compressed(content: str) -> bytes:
    return gzip.compress(content.encode(), mtime=0)


def _target(path: str, landing_root: Path, day: date) -> Path:
    outside = landing_root.with_name("outside")
    if "{outside}" in path:
        outside.mkdir(exist_ok=True)
        (outside / "secret.csv").write_text("Id,Item,Price\n1,secret,0.20\n", encoding="utf-8")
    return Path(path.replace("{outside}", str(outside)).replace(DAY.isoformat(), day.isoformat()))
