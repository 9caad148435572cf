"""What was measured, as JSON, and the page that is drawn from it.

Owns docs/performance.json (one entry a benchmark, each replaced by its next run) and docs/performance.md. What a person has to
say of a benchmark (what is compared, how it was made fair, why a line is missed) stands in bench/notes/<benchmark>.md and is
put above its figures; a figure is never written by hand.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.measure import Measured, Ratio

__all__ = ["ORDER", "Figure", "Report", "Table", "draw", "keep", "kept"]

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "docs" / "performance.json"
PAGE = ROOT / "docs" / "performance.md"
NOTES = ROOT / "bench" / "notes"
ORDER = ("night", "gate", "publish", "backfill", "history", "scoring", "drift", "status", "sessions", "scale")
"""The benchmarks, as the page has them."""

_PACKAGES = (
    "pyspark",
    "delta-spark",
    "deltalake",
    "pyarrow",
    "great-expectations",
    "duckdb",
    "evidently",
    "pandas",
    "numpy",
)


@dataclass(frozen=True)
class Figure:
    """One number that is no ratio.

    Args:
        limit: of the budget, in the same unit; None where it names none.
    """

    what: str
    value: float
    unit: str
    limit: float | None = None


@dataclass(frozen=True)
class Table:
    """Further figures, one row a size or a case."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


@dataclass
class Report:
    """What one benchmark found.

    Args:
        command: with which it is run again.
        size: rows, rounds and the like.
        rows: that one round handles, for rates; None where there is no such number.
    """

    name: str
    title: str
    command: str
    size: Mapping[str, Any]
    rows: int | None = None
    measured: list[Measured] = field(default_factory=list)
    ratios: list[Ratio] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)

    def to_json(self, seconds: float) -> dict[str, Any]:
        """As a JSON object.

        Args:
            seconds: that the whole benchmark took.
        """
        return {
            "title": self.title,
            "command": self.command,
            "size": dict(self.size),
            "rows": self.rows,
            "date": datetime.now(UTC).date().isoformat(),
            "took_seconds": round(seconds, 1),
            "versions": _versions(),
            "machine": _machine(),
            "measured": [side.to_json() for side in self.measured],
            "ratios": [asdict(found) for found in self.ratios],
            "figures": [asdict(found) for found in self.figures],
            "tables": [asdict(found) for found in self.tables],
        }


def keep(report: Report, seconds: float, results: Path = RESULTS) -> None:
    """Puts a report into the file of results, in place of the benchmark's last one."""
    known = kept(results)
    known[report.name] = report.to_json(seconds)
    ordered = {name: known[name] for name in ORDER if name in known}
    results.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")


def kept(results: Path) -> dict[str, Any]:
    """What earlier runs found, by benchmark; nothing where there is no file of results yet."""
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
    return found


def draw(results: Path = RESULTS, page: Path = PAGE) -> None:
    """Writes the page anew from the results and the notes."""
    known = json.loads(results.read_text(encoding="utf-8"))
    parts = [_note("page"), _budget(known), _setting(known)]
    parts += [_section(name, known[name]) for name in ORDER if name in known]
    page.write_text("\n\n".join(part.strip() for part in parts if part.strip()) + "\n", encoding="utf-8")


def _note(name: str) -> str:
    file = NOTES / f"{name}.md"
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _budget(known: Mapping[str, Any]) -> str:
    """Every figure that has a limit, and whether it is kept."""
    rows = []
    for name in ORDER:
        if name not in known:
            continue
        for ratio in known[name]["ratios"]:
            if ratio["limit"] is not None:
                rows.append(
                    [
                        ratio["what"],
                        _said(ratio["limit"]),
                        _said(ratio["median"]),
                        _kept(ratio["median"], ratio["limit"]),
                    ]
                )
        for figure in known[name]["figures"]:
            if figure["limit"] is not None:
                unit = f" {figure['unit']}"
                rows.append(
                    [
                        figure["what"],
                        _said(figure["limit"]) + unit,
                        _said(figure["value"]) + unit,
                        _kept(figure["value"], figure["limit"]),
                    ]
                )
    return "## The budget\n\n" + _markdown(("what", "at most", "measured", ""), rows)


def _kept(value: float, limit: float) -> str:
    return "kept" if value <= limit else "**missed**"


def _setting(known: Mapping[str, Any]) -> str:
    """Machines and versions, once for all benchmarks that share them."""
    settings: dict[str, list[str]] = {}
    for name, entry in known.items():
        versions = ", ".join(f"{package} {version}" for package, version in entry["versions"].items())
        settings.setdefault(f"{entry['machine']}. {versions}.", []).append(f"{name} ({entry['date']})")
    lines = [f"- {', '.join(names)}: {said}" for said, names in settings.items()]
    return "## Where it was measured\n\n" + "\n".join(lines)


def _section(name: str, entry: Mapping[str, Any]) -> str:
    parts = [f"## {entry['title']}", _note(name).strip()]
    size = ", ".join(f"{key.replace('_', ' ')} {_said(value)}" for key, value in entry["size"].items())
    parts.append(f"`{entry['command']}` ({size}; {_minutes(entry['took_seconds'])})")
    if entry["measured"]:
        parts.append(_sides(entry["measured"], entry["rows"]))
    if entry["ratios"]:
        rows = [
            [
                r["what"],
                _said(r["median"]),
                f"{_said(r['least'])} to {_said(r['most'])}",
                "" if r["limit"] is None else _said(r["limit"]),
            ]
            for r in entry["ratios"]
        ]
        parts.append(_markdown(("ratio", "median", "rounds", "budget"), rows))
    if entry["figures"]:
        rows = [
            [
                f["what"],
                f"{_said(f['value'])} {f['unit']}",
                "" if f["limit"] is None else f"{_said(f['limit'])} {f['unit']}",
            ]
            for f in entry["figures"]
        ]
        parts.append(_markdown(("figure", "value", "budget"), rows))
    for table in entry["tables"]:
        rows = [[_said(value) for value in row] for row in table["rows"]]
        parts.append(f"{table['title']}:\n\n{_markdown(table['columns'], rows)}")
    return "\n\n".join(part for part in parts if part)


def _sides(measured: Sequence[Mapping[str, Any]], rows: int | None) -> str:
    has_work = any(side["spark"] for side in measured)
    columns = ["", "cold", "warm, median", "rounds"]
    columns += ["rows a second"] if rows else []
    columns += ["Spark jobs", "stages", "scans", "MB read", "MB written", "MB shuffled"] if has_work else []
    lines = []
    for side in measured:
        warm = sorted(side["seconds"]) or [side["cold"]]
        median = statistics.median(warm)
        line = [
            side["name"],
            f"{_said(side['cold'])} s",
            f"{_said(median)} s",
            f"{_said(warm[0])} to {_said(warm[-1])}",
        ]
        line += [_said(round(rows / median))] if rows else []
        if has_work:
            work = side["spark"]
            line += (
                [""] * 6
                if work is None
                else [
                    str(work["jobs"]),
                    str(work["stages"]),
                    str(len(work["scans"])),
                    *(f"{work[key] / 1e6:,.1f}" for key in ("bytes_read", "bytes_written", "shuffle_bytes")),
                ]
            )
        lines.append(line)
    return _markdown(columns, lines)


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def _said(value: Any) -> str:
    """A number with three digits that count, thousands set apart."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{round(value):,}"
    return f"{value:.3g}" if abs(value) < 1 else f"{value:.2f}".rstrip("0").rstrip(".")


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "java": _java()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _java() -> str:
    from lakesmith.lake.java import java_home

    home = java_home()
    program = str(home / "bin" / "java") if home else "java"
    told = subprocess.run([program, "-version"], capture_output=True, text=True, check=True).stderr
    matched = re.search(r'version "([^"]+)"', told)
    return matched.group(1) if matched else "unknown"


def _machine() -> str:
    """Cores, memory and the kernel's name; no name of the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    model = (
        re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
        if Path("/proc/cpuinfo").exists()
        else None
    )
    processor = f"{model.group(1).strip()}, " if model else ""
    return f"{processor}{os.cpu_count()} cores, {memory:.0f} GB, {platform.system()}"
