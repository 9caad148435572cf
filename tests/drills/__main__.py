"""The long drill: `make drills N=1000`, or `python -m drills --faults N [--seed S]` from tests/.

Nine faults of ten strike publications of batches that are staged by hand, the tenth a whole run on Spark. Prints what struck
where, and every difference from the undisturbed twin; ends with 1 when there is one.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from drills import publications, whole_runs
from drills.faults import AT_RANDOM
from drills.publications import Report

_OPERATIONS = {"publications": 25, "whole runs": 8}


def main() -> int:
    """Strikes until the numbers are reached."""
    parser = argparse.ArgumentParser(prog="drills", description="Seeded faults against an undisturbed twin.")
    parser.add_argument("--faults", type=int, default=1000, help="in all")
    parser.add_argument("--whole", type=int, help="of these on whole runs (default: a tenth)")
    parser.add_argument("--seed", type=int, default=1, help="of the first life")
    options = parser.parse_args()
    # What the planted failures log is not what anybody wants to read here.
    logging.disable(logging.CRITICAL)
    whole = options.faults // 10 if options.whole is None else options.whole
    reports = {
        "publications": _until(
            options.faults - whole,
            "publications",
            options.seed,
            lambda folder, seed, count, report: publications.drill(folder, seed, count, report),
        ),
        "whole runs": _whole(whole, options.seed) if whole else Report(),
    }
    console = Console()
    for name, report in reports.items():
        table = Table(
            "fault", "times", title=f"{name}: {report.total} faults", title_justify="left", box=None
        )
        for fault, times in sorted(report.faults.items()):
            table.add_row(fault, str(times))
        console.print(table)
    differences = [found for report in reports.values() for found in report.differences]
    seen = sum(report.versions_seen for report in reports.values())
    console.print(
        f"{sum(r.total for r in reports.values())} faults, {seen} versions seen by readers, {len(differences)} differences"
    )
    for found in differences:
        console.print(found, markup=False)
    return 1 if differences else 0


def _whole(faults: int, seed: int) -> Report:
    from lakesmith.engine.submit import open_context

    # One session for all that strikes in this process, with this project's settings.
    _ = open_context("dev", Path(__file__).parents[2]).spark
    return _until(
        faults,
        "whole runs",
        seed,
        lambda folder, life, count, report: whole_runs.drill(folder, life, count, report, AT_RANDOM),
    )


def _until(faults: int, name: str, seed: int, live: Callable[[Path, int, int, Report], None]) -> Report:
    report = Report()
    began = time.monotonic()
    while report.total < faults:
        known = len(report.differences)
        with tempfile.TemporaryDirectory(prefix="lakesmith-drill-") as folder:
            live(Path(folder), seed, min(_OPERATIONS[name], faults - report.total), report)
        print(
            f"{name}: seed {seed}, {report.total} of {faults} faults, {len(report.differences)} differences, "
            f"{time.monotonic() - began:.0f} s",
            file=sys.stderr,
            flush=True,
        )
        # Said at once: a long run may be broken off.
        print(
            *report.differences[known:],
            sep="\n",
            end="\n" if report.differences[known:] else "",
            file=sys.stderr,
        )
        seed += 1
    return report


if __name__ == "__main__":
    sys.exit(main())
