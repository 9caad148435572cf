"""How long `lakesmith site build` takes, and how heavy its pages are, as tables and nights grow.

Takes the project and the ledger of bench/histories.py, without Spark, adds runs, verdicts, profiles and drift, and builds
the site in a process of its own: from nothing, again with nothing new, and after one more night's file was corrected.

    python bench/site.py --tables 12 --nights 365
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake
from histories import START, make_history, make_project

from lakesmith.engine.context import Context
from lakesmith.engine.submit import open_context
from lakesmith.ledger.records import QualityRecord, RunOutcome, RunRecord

_RULES = 12
_COLUMNS = 20


def add_runs(context: Context, nights: int) -> None:
    """A run of a minute for each batch of each table, with the verdicts of a dozen rules."""
    for table in context.project.graph.order:
        runs, verdicts = [], []
        for number in range(nights):
            day = START + timedelta(number)
            began = datetime.combine(day, datetime.min.time(), UTC) + timedelta(days=1, hours=2)
            runs.append(_run(table, day, began, f"run-{number + 1}"))
            verdicts += [_verdict(table, day, began, f"run-{number + 1}", rule) for rule in range(_RULES)]
        context.ledger.ops.append(runs)
        context.ledger.ops.append(verdicts)


def _run(table: str, day: date, began: datetime, run_id: str) -> RunRecord:
    return RunRecord(
        run_id=run_id,
        table=table,
        first=day,
        last=day,
        started_at=began,
        finished_at=began + timedelta(seconds=60),
        outcome=RunOutcome.PUBLISHED,
        exit_code=0,
        retryable=False,
        error="",
        batches=1,
        batches_published=1,
        batches_rejected=0,
        rows_read=1000,
        rows_published=1000,
        rows_quarantined=0,
        rows_dropped=0,
        version=1,
        job=f"jobs/{table.replace('.', '/')}.py",
        code_version="0123abc",
        lakesmith_version="0.1.0",
        environment="dev",
        spark_application="local-1",
        spark_jobs=3,
    )


def _verdict(table: str, day: date, began: datetime, run_id: str, rule: int) -> QualityRecord:
    return QualityRecord(
        run_id, table, day, began, f"rule_{rule}", "expect_column_values_to_not_be_null", "critical", True, 0, 1000, {}
    )  # fmt: skip


def add_metrics(context: Context, nights: int, tables: int) -> None:
    """Profiles and drift of twenty columns of some tables, every night."""
    draw = random.Random(7)
    edges = [float(n) for n in range(41)]
    test = pa.struct([("statistic", pa.float64()), ("pvalue", pa.float64())])
    for table in context.project.graph.order[-tables:]:
        profiles: list[dict[str, Any]] = []
        drifts: list[dict[str, Any]] = []
        for number in range(nights):
            day = START + timedelta(number)
            begins = datetime.combine(day, datetime.min.time(), UTC)
            key = {
                "batch_date": day,
                "window": {"start": begins, "end": begins + timedelta(1)},
                "table_name": table,
            }
            for column in range(_COLUMNS):
                named = {**key, "column_name": f"c{column:02d}", "data_type": "double", "slice_key": None}
                counts = [draw.randrange(20, 30) for _ in range(42)]
                stored = json.dumps(
                    {
                        "format": 1,
                        "count": sum(counts),
                        "nulls": 0,
                        "numbers": {"edges": edges, "counts": counts},
                    }
                )
                figures = {
                    "count": sum(counts),
                    "avg": draw.random(),
                    "percent_null": 0.1,
                    "min": 0.0,
                    "max": 40.0,
                }
                profiles.append({**named, **figures, "log_type": "INPUT", "profile": stored})
                profiles.append({**named, **figures, "log_type": "BASELINE", "profile": stored})
                effect = draw.random() / 12
                drifts.append(
                    {
                        **named,
                        "drift_type": "BASELINE",
                        "population_stability_index": effect,
                        "js_distance": effect / 2,
                        "ks_test": {"statistic": effect, "pvalue": 0.5},
                        "effect": effect,
                        "effect_limit": 0.1,
                        "adjusted_pvalue": 0.5,
                        "rows_judged": 1000.0,
                        "verdict": "stable",
                    }
                )
        for name, rows in (("monitoring.profile_metrics", profiles), ("monitoring.drift_metrics", drifts)):
            inferred = pa.Table.from_pylist(rows[:1]).schema
            kinds = {"ks_test": test, "slice_key": pa.string()}
            schema = pa.schema([(f.name, kinds.get(f.name, f.type)) for f in inferred])
            write_deltalake(context.lake.path(name), pa.Table.from_pylist(rows, schema=schema), mode="append")


def build(root: Path, out: Path) -> tuple[float, dict[str, Any]]:
    """Seconds of one process, and what it said of itself."""
    began = time.perf_counter()
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lakesmith"), "site", "build", "--project", str(root), "--out", str(out), "--json"],
        check=True,
        capture_output=True,
        text=True,
        # Not this folder: a file of it is called as a module of Python's own.
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:])},
    )  # fmt: skip
    return time.perf_counter() - began, json.loads(done.stdout)


def main() -> None:
    """Makes a lake, builds its site, and prints times and weights."""
    parser = argparse.ArgumentParser(description="Seconds and bytes of `site build`.")
    parser.add_argument("--tables", type=int, default=12)
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--watched", type=int, default=2, help="tables with profiles and drift")
    parser.add_argument("--keep", type=Path, help="make the lake here, or take it where it is")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = options.keep or Path(folder) / "project"
        if not root.exists():
            make_project(root, options.tables)
            make_history(root, options.nights)
            context = open_context("dev", root)
            add_runs(context, options.nights)
            add_metrics(context, options.nights, options.watched)
        out = Path(folder) / "site"
        day = START + timedelta(options.nights - 3)
        for what in ("from nothing", "nothing new", "a file corrected"):
            if what == "a file corrected":
                (root / "landing" / "files" / f"{day}.csv").write_text("n\nother\n")
            seconds, said = build(root, out)
            print(
                f"{what:18} {seconds:6.1f} s, of it building {said['seconds']:5.1f} s; {said['written']:5,} of "
                f"{said['files']:,} files written, {said['charts_drawn']} charts drawn"
            )
        (root / "landing" / "files" / f"{day}.csv").write_text(f"n\n{day}\n")
        for kind in (
            "index.html",
            "heat-map.html",
            "lineage.html",
            "runs.html",
            "tables/*",
            "drift/*",
            "batches/*/*",
        ):
            sizes = sorted(file.stat().st_size for file in out.glob(kind))
            middle, largest = sizes[len(sizes) // 2] / 1e3, sizes[-1] / 1e3
            print(f"  {kind:16} {len(sizes):5,} pages, median {middle:7.1f} KB, largest {largest:7.1f} KB")
        shared = sum(file.stat().st_size for file in (out / "assets").iterdir())
        whole = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
        print(f"  shared assets {shared / 1e3:.1f} KB; all files {whole / 1e6:.1f} MB")
        if options.keep is None:
            shutil.rmtree(out)


if __name__ == "__main__":
    main()
