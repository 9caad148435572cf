"""The night scenarios: tests/scenarios/nights/<case>/, a day's files of the source `online-retail` and all that comes of them.

landing/          the files as they are delivered
meanwhile/        files that take their place once the run has pinned them; such a case is run on its own
published.csv     every row of silver.sales_lines that the night leaves for the day, fillers apart; an empty cell is null
quarantine.csv    every row in its quarantine, with the rules that it broke; neither file is there without rows
expected.json
  event           what happened, in a sentence
  day             the batch; no two cases share one
  filler          so many good lines come in a file of their own, since limits are shares of a day
  exit_code       of the night of this day alone
  states          of the two tables' batches afterwards; both fresh unless it says otherwise
  messages        why a table's batch was not published
  warnings        by table, what it was published in spite of, or what else the run remarks
  accounted       how silver accounts for its rows, fillers included; left out where it was not computed
"""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

BRONZE, SILVER = "bronze.sales_lines", "silver.sales_lines"
TABLES = (BRONZE, SILVER)
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"

Row = dict[str, str | None]


@dataclass(frozen=True)
class Accounted:
    """Where the lines of a day went: `read = kept + quarantined + dropped`; kept are published unless the batch is rejected."""

    read: int
    kept: int
    quarantined: int = 0
    dropped: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.read == self.kept + self.quarantined + sum(self.dropped.values())


@dataclass(frozen=True)
class NightCase:
    """One folder, as its files say it."""

    folder: Path
    event: str
    day: date
    exit_code: int
    filler: int = 0
    states: tuple[str, str] = ("fresh", "fresh")
    messages: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, list[str]] = field(default_factory=dict)
    accounted: Accounted | None = None

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def runs_alone(self) -> bool:
        """True when its files change while they are read."""
        return (self.folder / "meanwhile").exists()

    @property
    def published(self) -> list[Row]:
        """The rows that the night leaves in silver.sales_lines, fillers included, in the order of their files."""
        is_published = self.exit_code == 0
        return _rows(self.folder / "published.csv") + (_filler_rows(self) if is_published else [])

    @property
    def quarantined(self) -> list[Row]:
        """The rows that it leaves in the quarantine."""
        return _rows(self.folder / "quarantine.csv")

    def land(self, landing_root: Path) -> None:
        """Puts the day's files into a landing root."""
        folder = landing_root / "online-retail"
        folder.mkdir(parents=True, exist_ok=True)
        delivered = self.folder / "landing"
        for file in sorted(delivered.iterdir()) if delivered.is_dir() else ():
            assert not (folder / file.name).exists(), f"{file.name} is another case's"
            assert file.name.startswith(str(self.day)), f"{file.name} is of another day"
            shutil.copy2(file, folder / file.name)
        if self.filler:
            lines = [HEADER, *(_filler_line(self.day, n) for n in range(1, self.filler + 1))]
            (folder / f"{self.day}-filler.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")

    def replace_files(self, landing_root: Path) -> None:
        """What happens meanwhile."""
        for file in (self.folder / "meanwhile").iterdir():
            shutil.copy2(file, landing_root / "online-retail" / file.name)


def _read(folder: Path) -> NightCase:
    facts: dict[str, Any] = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    facts["day"] = date.fromisoformat(facts["day"])
    if "accounted" in facts:
        facts["accounted"] = Accounted(**facts["accounted"])
    if "states" in facts:
        facts["states"] = tuple(facts["states"])
    return NightCase(folder, **facts)


def _rows(file: Path) -> list[Row]:
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as text:
        found = [
            {name: value or None for name, value in row.items()} for row in csv.DictReader(text, strict=True)
        ]
    assert found, f"{file} has no rows: leave it out"
    return found


def _filler_line(day: date, number: int) -> str:
    return f"{590000 + number},22423,FILLER {number},2,{day} 16:00:00,1.25,{13000 + number}.0,United Kingdom"


def _filler_rows(case: NightCase) -> list[Row]:
    return [
        {
            "invoice_no": f"{590000 + number}",
            "stock_code": "22423",
            "description": f"FILLER {number}",
            "quantity": "2",
            "invoice_date": f"{case.day} 16:00:00",
            "unit_price": "1.250",
            "amount": "2.500",
            "customer_id": f"{13000 + number}",
            "country": "United Kingdom",
            "line_type": "sale",
            "is_product": "true",
            "source_file": f"{case.day}-filler.csv",
            "record_no": f"{number}",
        }
        for number in range(1, case.filler + 1)
    ]


NIGHTS = Path(__file__).parent / "nights"
CASES = [_read(folder) for folder in sorted(NIGHTS.iterdir()) if folder.is_dir()]
assert len(CASES) >= 24, f"only {len(CASES)} scenarios in {NIGHTS}"
assert len({case.day for case in CASES}) == len(CASES), "two cases share a day"
