"""`python -m bench`: runs benchmarks, keeps what they found, draws the page.

python -m bench                        the lines of the budget (make bench; under 40 minutes on two cores)
python -m bench --full                 everything, with progress (make bench-full; hours)
python -m bench gate --rows 300000     one benchmark with its own size
python -m bench --draw                 the page anew, from what was found before
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

from bench.report import ORDER, PAGE, RESULTS, draw, keep
from bench.size import Size


def main() -> int:
    """Runs what was asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "benchmarks", nargs="*", metavar="BENCHMARK", help=f"of {', '.join(ORDER)}; none: all of them"
    )
    parser.add_argument("--full", action="store_true", help="all sizes, not only the budget's")
    parser.add_argument("--rows", type=int, help="rows of a round, where a benchmark has rows")
    parser.add_argument("--rounds", type=int, help="rounds that count, after the cold one")
    parser.add_argument(
        "--folder", type=Path, help="where data are made; else a temporary folder (wants 10 GB, --full 60)"
    )
    parser.add_argument(
        "--results", type=Path, default=RESULTS, help="the file of results; the page is drawn beside it"
    )
    parser.add_argument("--draw", action="store_true", help="only draw the page")
    asked = parser.parse_args()
    unknown = [name for name in asked.benchmarks if name not in ORDER]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(ORDER)}")
    page = PAGE if asked.results == RESULTS else asked.results.with_suffix(".md")
    if not asked.draw:
        if asked.folder:
            asked.folder.mkdir(parents=True, exist_ok=True)
        for name in asked.benchmarks or ORDER:
            with tempfile.TemporaryDirectory(prefix="lakesmith-bench-", dir=asked.folder) as folder:
                size = Size(Path(folder), asked.results, asked.full, asked.rows, asked.rounds)
                size.say(f"{name} ...")
                began = time.perf_counter()
                report = importlib.import_module(f"bench.{name}").run(size)
                keep(report, time.perf_counter() - began, asked.results)
                size.say(f"{name}: done in {time.perf_counter() - began:.0f} s")
                for found in report.ratios:
                    limit = "" if found.limit is None else f" (at most {found.limit:g})"
                    size.say(f"  {found.what}: {found.median:.3g}{limit}")
                for figure in report.figures:
                    limit = "" if figure.limit is None else f" (at most {figure.limit:g})"
                    size.say(f"  {figure.what}: {figure.value:.4g} {figure.unit}{limit}")
            draw(asked.results, page)
    draw(asked.results, page)
    print(f"figures: {asked.results}; page: {page}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
