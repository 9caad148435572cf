"""The gate against Great Expectations: many expectations over the batches of one small frame.

Owns what counts as the same answer, and the tally. The comparison is exact, to the last digit and its type: verdict,
counts and observed value. Where neither side can compute an expectation (an overflow, a cast) they agree, and it is counted.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from lakesmith.contracts.model import BATCH_DATE, Column, Contract, Suite
from lakesmith.contracts.suites import parse_suite
from lakesmith.contracts.types import parse_type
from lakesmith.errors import LakesmithError
from lakesmith.quality.gate import Gate
from lakesmith.quality.great_expectations_runner import COUNTS_ONLY, quiet_context, validate
from lakesmith.quality.log_statistics import BatchStatistics
from parity.frames import COLUMNS, DAYS, Row
from staged_rows import staged_rows

__all__ = [
    "Answer",
    "Asked",
    "Disagreement",
    "Tally",
    "answer",
    "compare",
    "reduced",
    "same_answer",
    "with_and_without_log",
]

_TABLE = "silver.everything"
_COLUMNS = {name: parse_type(text) for name, text in COLUMNS.items()}
_SCHEMA = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items()) + ", batch_date date"
# Spark adds doubles in another order when distinct values are counted in the same aggregation, which Great
# Expectations does: its last digit depends on what else is asked. So these are asked apart from all others.
_COUNTING_DISTINCT = {
    "expect_column_proportion_of_unique_values_to_be_between",
    "expect_column_unique_value_count_to_be_between",
}
_QUANTILES = {"expect_column_median_to_be_between", "expect_column_quantile_values_to_be_between"}

Asked = tuple[str, dict[str, Any]]
"""The type of an expectation and its kwargs."""
Answer = tuple[bool, dict[str, Any]]
"""Verdict and result."""


@dataclass(frozen=True)
class NotComputed:
    """One side could not answer.

    Args:
        typed: as the suite's author is meant to see it, not as a crash.
    """

    reason: str
    typed: bool = True

    @property
    def condition(self) -> str:
        """Spark's error condition, where the reason has one."""
        found = re.search(r"[A-Z]+(?:[_.][A-Z]+)+", self.reason)
        return found[0] if found else self.reason.split("\n")[0]


@dataclass(frozen=True)
class Disagreement:
    """One expectation that the gate and Great Expectations answer differently for one batch."""

    asked: Asked
    batch: date
    rows: Sequence[Row]
    mine: Answer | NotComputed
    theirs: Answer | NotComputed | None

    def __str__(self) -> str:
        kind, kwargs = self.asked
        shown = [
            {
                name: value
                for name, value in zip([*COLUMNS, BATCH_DATE], row, strict=True)
                if _names(kwargs, name)
            }
            for row in self.rows
        ]
        lines = [f"{kind} {json.dumps(kwargs)}", f"rows of {self.batch}: {shown!r}"]
        return "\n    ".join([*lines, f"gate: {self.mine!r}", f"Great Expectations: {self.theirs!r}"])


@dataclass
class Tally:
    """What was asked, by type; one example is one expectation on one batch."""

    compared: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    handed_over: Counter[str] = field(default_factory=Counter)
    neither: Counter[str] = field(default_factory=Counter)
    disagreed: Counter[str] = field(default_factory=Counter)
    frames: int = 0
    why_refused: Counter[tuple[str, str]] = field(default_factory=Counter)
    why_neither: Counter[tuple[str, str]] = field(default_factory=Counter)
    disagreements: list[Disagreement] = field(default_factory=list)


def compare(
    spark: SparkSession,
    rows: Sequence[Row],
    asked: Sequence[Asked],
    tally: Tally,
    days: Sequence[date] = DAYS,
) -> list[Disagreement]:
    """What the two answer differently; all that was asked is tallied."""
    tally.frames += 1
    found = []
    compiled = []
    for one in asked:
        if not _is_loaded(one, tally):
            continue
        try:
            left = Gate.compile(_contract([one])).left_to_great_expectations
        except Exception as error:
            found.append(Disagreement(one, days[0], rows, _failure(error), None))
            continue
        if left:
            tally.handed_over[one[0]] += 1
        else:
            compiled.append(one)
    with _frame(spark, rows) as frame:
        mine = _gate_answers(frame, compiled, days)
        for day in days:
            theirs = _great_expectations_answers(frame.where(frame[BATCH_DATE] == day), compiled, mine[day])
            for one, my, their in zip(compiled, mine[day], theirs, strict=True):
                if isinstance(my, NotComputed) and isinstance(their, NotComputed) and my.typed:
                    tally.neither[one[0]] += 1
                    tally.why_neither[one[0], my.condition] += 1
                    continue
                tally.compared[one[0]] += 1
                if not same_answer(my, their):
                    of_batch = [row for row in rows if row[-1] == day]
                    found.append(Disagreement(one, day, of_batch, my, their))
    tally.disagreements += found
    tally.disagreed.update(one.asked[0] for one in found)
    return found


def reduced(spark: SparkSession, found: Disagreement) -> Disagreement:
    """The same disagreement with as few rows and parameters as can be left, one taken away at a time."""
    smaller: Disagreement | None = found
    while smaller is not None:
        found = smaller
        smaller = next((d for one in _smaller(found) if (d := _disagrees(spark, found.batch, *one))), None)
    return found


def _smaller(found: Disagreement) -> Iterator[tuple[Sequence[Row], Asked]]:
    rows, (kind, kwargs) = list(found.rows), found.asked
    for at in range(len(rows)):
        yield rows[:at] + rows[at + 1 :], found.asked
    for key in kwargs:
        without = {
            k: v for k, v in kwargs.items() if k != key and (key, k) != ("row_condition", "condition_parser")
        }
        yield rows, (kind, without)
    for key, value in kwargs.items():
        if isinstance(value, list):
            for at in range(len(value)):
                yield rows, (kind, {**kwargs, key: value[:at] + value[at + 1 :]})


def _disagrees(spark: SparkSession, day: date, rows: Sequence[Row], asked: Asked) -> Disagreement | None:
    return next(iter(compare(spark, rows, [asked], Tally(), [day])), None)


def _is_loaded(one: Asked, tally: Tally) -> bool:
    """True when the loader takes the expectation, alone."""
    _, problems = _suite([one])
    if problems:
        tally.refused[one[0]] += 1
        tally.why_refused[one[0], problems[0]] += 1
    return not problems


def _suite(asked: Sequence[Asked]) -> tuple[Suite, list[str]]:
    listed = [
        {"type": kind, "kwargs": kwargs, "meta": {"rule": f"case_{at}"}}
        for at, (kind, kwargs) in enumerate(asked)
    ]
    text = json.dumps({"name": _TABLE, "expectations": listed})
    suite, problems = parse_suite(text, "suite.json", _COLUMNS, ())
    return suite, [problem.message for problem in problems]


def _contract(asked: Sequence[Asked]) -> Contract:
    suite, problems = _suite(asked)
    assert problems == []
    columns = tuple(Column(name, kind) for name, kind in _COLUMNS.items())
    return Contract(
        table=_TABLE, description="", owner="", job="", inputs=(), key=(), columns=columns, suite=suite
    )


@contextmanager
def _frame(spark: SparkSession, rows: Sequence[Row]) -> Iterator[DataFrame]:
    frame = spark.createDataFrame(list(rows), _SCHEMA).coalesce(1).cache()
    try:
        assert frame.count() == len(rows)
        yield frame
    finally:
        frame.unpersist()


def _failure(error: Exception) -> NotComputed:
    return NotComputed(f"{type(error).__name__}: {error}", isinstance(error, LakesmithError))


def with_and_without_log(
    spark: SparkSession, rows: Sequence[Row], asked: Sequence[Asked], folder: Path
) -> list[Disagreement]:
    """What the gate answers differently when the log of the staged files tells it a part, which stands for the others."""
    loaded = [one for one in asked if _is_loaded(one, Tally())]
    compiled = [one for one in loaded if not Gate.compile(_contract([one])).left_to_great_expectations]
    frame = spark.createDataFrame(list(rows), _SCHEMA)
    staged, log = staged_rows(spark, frame, _contract([]), folder, DAYS)
    alone = _gate_answers(staged.cache(), compiled, DAYS)
    told = _gate_answers(staged, compiled, DAYS, log)
    staged.unpersist()
    return [
        Disagreement(one, day, [row for row in rows if row[-1] == day], mine, theirs)
        for day in DAYS
        for one, mine, theirs in zip(compiled, told[day], alone[day], strict=True)
        if mine != theirs
    ]


def _gate_answers(
    frame: DataFrame,
    asked: Sequence[Asked],
    days: Sequence[date],
    log: Mapping[date, BatchStatistics] | None = None,
) -> dict[date, list[Answer | NotComputed]]:
    """All at once, as production does; where that fails, halves, to see which ones cannot be computed."""
    if not asked:
        return {day: [] for day in days}
    try:
        verdicts = Gate.compile(_contract(asked)).evaluate(frame, days, {}, {}, log)
    except Exception as error:
        if len(asked) == 1 and len(days) == 1:
            return {days[0]: [_failure(error)]}
        if len(asked) == 1:
            return {day: _gate_answers(frame, asked, [day], log)[day] for day in days}
        middle = len(asked) // 2
        halves = [_gate_answers(frame, part, days, log) for part in (asked[:middle], asked[middle:])]
        return {day: halves[0][day] + halves[1][day] for day in days}
    return {day: [answer(result.native()) for result in verdicts[day].results] for day in days}


def _great_expectations_answers(
    batch: DataFrame, asked: Sequence[Asked], mine: Sequence[Answer | NotComputed]
) -> list[Answer | NotComputed]:
    """What the gate could not compute is asked alone: most likely it fails here, too, and takes its bundle with it."""
    alone = {at for at, my in enumerate(mine) if isinstance(my, NotComputed)}
    counting = {at for at, (kind, _) in enumerate(asked) if kind in _COUNTING_DISTINCT} - alone
    others = set(range(len(asked))) - alone - counting
    found = {}
    for part in (*([at] for at in alone), sorted(counting), sorted(others)):
        found |= dict(zip(part, _asked_together(batch, [asked[at] for at in part]), strict=True))
    return [found[at] for at in range(len(asked))]


def _asked_together(batch: DataFrame, asked: Sequence[Asked]) -> list[Answer | NotComputed]:
    """Those that raise again each alone: one that fails takes others of its bundle with it."""
    if not asked:
        return []
    expectations = _contract(asked).suite.expectations
    try:
        with quiet_context() as context:
            native = validate(context, batch, expectations, COUNTS_ONLY)
    except Exception as error:
        if len(asked) == 1:
            return [_failure(error)]
        return [answered for one in asked for answered in _asked_together(batch, [one])]
    answers: list[Answer | NotComputed] = []
    for one, expectation in zip(asked, expectations, strict=True):
        result = native[expectation.rule]
        if not (raised := _raised(result["exception_info"])):
            answers.append(answer(result))
        elif len(asked) == 1:
            answers.append(NotComputed(raised[0]))
        else:
            answers += _asked_together(batch, [one])
    return answers


def answer(native: Mapping[str, Any]) -> Answer:
    """Verdict, counts and observed value; what is written differently on purpose is brought to one form."""
    assert _raised(native["exception_info"]) == [], native
    result = dict(native["result"])
    if "unexpected_count" in result:
        # Of no rows Great Expectations counts null or 0, depending on the type; Lakesmith counts 0.
        result["unexpected_count"] = result["unexpected_count"] or 0
    if result.get("observed_value") in (math.inf, -math.inf):
        # Great Expectations leaves infinity in, which is not JSON.
        result["observed_value"] = str(result["observed_value"])
    kind = native["expectation_config"]["type"]
    if kind == "expect_column_most_common_value_to_be_in_set":
        # Lakesmith keeps no value of a row.
        result["observed_value"] = None
    if kind in _QUANTILES:
        result["observed_value"] = _plain(result["observed_value"])
    if "success_details" in (met := result.get("details") or {}):
        # Some of them are NumPy's, as the verdict is, which is not JSON either.
        result["details"] = {"success_details": [bool(each) for each in met["success_details"]]}
    return bool(native["success"]), result


def _plain(observed: Any) -> Any:
    """Quantiles without infinity, and with one zero: which of 0.0 and -0.0 Spark names depends on how rows lie in files."""
    match observed:
        case {"values": values}:
            return {**observed, "values": [_plain(value) for value in values]}
        case float():
            return str(observed) if math.isinf(observed) else observed + 0.0
        case _:
            return observed


def same_answer(mine: Answer | NotComputed, theirs: Answer | NotComputed) -> bool:
    """Equal as the JSON that is kept: there 1, 1.0 and true are three values."""
    if isinstance(mine, NotComputed) or isinstance(theirs, NotComputed):
        return False
    return json.dumps(mine, sort_keys=True) == json.dumps(theirs, sort_keys=True)


def _raised(info: Mapping[str, Any]) -> list[str]:
    entries = [info] if "raised_exception" in info else list(info.values())
    return [entry["exception_message"] for entry in entries if entry["raised_exception"]]


def _names(kwargs: Mapping[str, Any], column: str) -> bool:
    """True when a column's name stands anywhere in kwargs, SQL included."""
    text = json.dumps(kwargs)
    return any(spelling in text for spelling in (f'"{column}"', f"{column} ", f"({column})"))
