"""The long run: `make parity`, or `python -m parity --examples N [--seed S]` from tests/.

Asks the gate and Great Expectations the same, until each compiled expectation type was compared N times,
and Java and Python whether they find 20 x N patterns. Prints what was asked, what the loader refused and
every disagreement, made as small as it gets. Ends with 1 when there is one, or when time ran out first.
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from rich import box
from rich.console import Console
from rich.table import Table

from lakesmith.contracts.regexes import dialect_problem
from parity.comparison import Disagreement, Tally, compare, reduced
from parity.dialects import differences, tried
from parity.expectations import COMPILED
from parity.suites import examples

# Interpreted expressions: compiling Java for each of a hundred queries over seven rows is what takes the time.
# Every other frame is computed with the code that production runs.
_INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
_SHOWN = 3
_PATTERNS = 25
T = TypeVar("T")


def main() -> int:
    """Compares until the numbers are reached."""
    parser = argparse.ArgumentParser(prog="parity", description="The gate against Great Expectations.")
    parser.add_argument("--examples", type=int, default=100, help="of every type, at least")
    parser.add_argument("--seed", type=int, default=1, help="of the first frame")
    parser.add_argument("--minutes", type=float, default=120, help="after which no new frame is begun")
    parser.add_argument(
        "--only", nargs="*", default=[], metavar="WORD", help="types with such a word in their name"
    )
    options = parser.parse_args()
    kinds = [kind for kind in COMPILED if not options.only or any(word in kind for word in options.only)]
    # What failing queries log is not what anybody wants to read here.
    logging.disable(logging.CRITICAL)
    from lakesmith.engine.submit import open_context

    # This project's own session: what holds of it holds of a night.
    spark = open_context("dev", Path(__file__).parents[2]).spark
    print(f"seed {options.seed}; {_versions(spark)}")
    apart = _try_patterns(spark, 20 * options.examples, options.seed)
    tally = _run(spark, kinds, options.examples, options.seed, timedelta(minutes=options.minutes))
    _print(tally, kinds)
    too_few = [kind for kind in kinds if tally.compared[kind] < options.examples]
    if too_few:
        print(f"fewer than {options.examples} examples, since time ran out: {', '.join(too_few)}")
    return 1 if tally.disagreements or apart or too_few else 0


def _versions(spark: SparkSession) -> str:
    """What the answers were given by."""
    packages = ", ".join(
        f"{name} {version(name)}" for name in ("great-expectations", "pyspark", "hypothesis")
    )
    jvm: Any = spark._jvm
    return f"{packages}, Java {jvm.java.lang.System.getProperty('java.version')}, Python {platform.python_version()}"


def _try_patterns(spark: SparkSession, wanted: int, first_seed: int) -> int:
    drawn = [
        one
        for number in range(wanted // _PATTERNS)
        for one in _draw(tried(_PATTERNS, _PATTERNS), first_seed + number)
    ]
    pairs, found = differences(spark, drawn)
    taken = {pattern for pattern, _ in drawn if dialect_problem(pattern) is None}
    print(
        f"{len(taken)} patterns taken of {len(drawn)}, {pairs} pairs of a pattern and a text, {len(found)} differences"
    )
    for pair in found:
        print(ascii(pair))
    return len(found)


def _run(spark: SparkSession, kinds: Sequence[str], wanted: int, first_seed: int, limit: timedelta) -> Tally:
    tally, began, next_seed = Tally(), time.monotonic(), first_seed
    while min(tally.compared[kind] for kind in kinds) < wanted:
        if time.monotonic() - began > limit.total_seconds():
            break
        _interpret(spark, next_seed % 2 == 1)
        compare(spark, *_draw(examples(kinds), next_seed), tally)
        next_seed += 1
        least = min(kinds, key=lambda kind: tally.compared[kind])
        print(
            f"{tally.frames} frames, {tally.compared.total()} examples (fewest: {tally.compared[least]} of {least}), "
            f"{len(tally.disagreements)} disagreements, {time.monotonic() - began:.0f} s",
            file=sys.stderr,
            flush=True,
        )
    tally.disagreements = [reduced(spark, found) for found in _first_of_each(tally.disagreements)]
    return tally


def _interpret(spark: SparkSession, interpreted: bool) -> None:
    for key, value in _INTERPRETED.items():
        if interpreted:
            spark.conf.set(key, value)
        else:
            spark.conf.unset(key)


def _draw(strategy: st.SearchStrategy[T], number: int) -> T:
    """The example of a seed: Hypothesis' second, since its first is always the simplest there is."""
    drawn: list[T] = []

    @seed(number)
    @settings(
        max_examples=2,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def draw(example: T) -> None:
        drawn.append(example)

    draw()
    return drawn[-1]


def _first_of_each(found: list[Disagreement]) -> list[Disagreement]:
    """A few of each type: a hundred that say the same would take hours to make small."""
    shown: dict[str, int] = {}
    few = []
    for one in found:
        kind = one.asked[0]
        shown[kind] = shown.get(kind, 0) + 1
        if shown[kind] <= _SHOWN:
            few.append(one)
    return few


def _print(tally: Tally, kinds: Sequence[str]) -> None:
    console = Console(width=140)
    # As Markdown: docs/parity.md has the table of the last long run.
    table = Table(
        "type",
        "compiled as",
        "examples",
        "refused",
        "neither",
        "handed over",
        "disagreements",
        box=box.MARKDOWN,
    )
    for kind in kinds:
        counts = (tally.compared, tally.refused, tally.neither, tally.handed_over, tally.disagreed)
        table.add_row(f"`{kind}`", COMPILED[kind], *(str(counter[kind]) for counter in counts))
    console.print(table)
    for kind, reason in sorted(tally.why_neither):
        console.print(
            f"neither: {kind}: {reason} ({tally.why_neither[kind, reason]})", markup=False, soft_wrap=True
        )
    console.print(
        f"{tally.frames} frames, {tally.compared.total()} examples, {tally.refused.total()} refused by the loader, "
        f"{tally.disagreed.total()} disagreements"
    )
    for found in tally.disagreements:
        console.print(str(found), markup=False, soft_wrap=True)


if __name__ == "__main__":
    sys.exit(main())
