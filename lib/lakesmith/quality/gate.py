"""The gate: judges the staged batches of one table, all at once.

Owns the plan (which expectation is answered how) and the verdict of each batch. What the staged log's statistics tell
is not asked of the rows. One grouped pass answers what aggregates can, together with whatever the engine adds to it
(digests); one more action answers what needs groupings, which read the staged rows once for the whole suite, and
inputs; only what is left goes to Great Expectations, batch by batch. Publishes and records nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import reduce
from typing import Any

from pyspark.errors import AnalysisException, PySparkException
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lakesmith.contracts.expectations import GROUP_TOTALS
from lakesmith.contracts.model import BATCH_DATE, Contract, Expectation, Severity
from lakesmith.contracts.suites import IMPLIED_RULE_PREFIX
from lakesmith.contracts.types import ColumnType, PrimitiveType
from lakesmith.errors import ConfigurationError, LakesmithError
from lakesmith.quality.grouped import (
    COUNTS,
    GROUPING,
    QUANTILES,
    REPEATED,
    GroupedQuestion,
    GroupingCounts,
    count_groups,
    grouped_question,
    groupings_of,
    provable_by_hash,
)
from lakesmith.quality.log_statistics import BatchStatistics
from lakesmith.quality.masking import is_masked
from lakesmith.quality.questions import Aggregates, Question, question
from lakesmith.quality.results import Outcome, Result
from lakesmith.quality.silence import errors_without_values
from lakesmith.quality.structure import structure_question
from lakesmith.quality.totals import compare_group_totals, group_totals_outcome

__all__ = ["BatchVerdict", "Gate", "GateFailed", "implied_expectations", "suite_columns"]


class GateFailed(LakesmithError):
    """Spark could not compute the suite; nothing was judged. Its message names conditions, never values."""

    def __init__(self, table: str, condition: str) -> None:
        self.table = table
        self.condition = condition
        super().__init__(
            f"{table}: the suite could not be computed ({condition}); nothing was judged or published. "
            f"Look at the row conditions and the SQL of the suite: lakesmith quality {table}"
        )


@dataclass(frozen=True)
class BatchVerdict:
    """What the gate says of one batch.

    Args:
        results: one for each expectation that judges batches, in suite order; the contract's own come first.
        extras: the caller's aggregates, by name; all None for a batch without rows.
    """

    batch_date: date
    results: tuple[Result, ...]
    extras: Mapping[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """True when no critical expectation failed."""
        return not self.failures

    @property
    def failures(self) -> tuple[Result, ...]:
        """The critical expectations that failed."""
        return tuple(r for r in self.results if not r.success and r.severity is Severity.CRITICAL)

    @property
    def warnings(self) -> tuple[Result, ...]:
        """The other expectations that failed: the batch is published, and they are recorded."""
        return tuple(r for r in self.results if not r.success and r.severity is not Severity.CRITICAL)


def suite_columns(contract: Contract) -> dict[str, ColumnType]:
    """The columns that a suite sees, in order: the contract's, then `batch_date`."""
    return {**{c.name: c.type for c in contract.columns}, BATCH_DATE: PrimitiveType("date")}


def implied_expectations(contract: Contract) -> tuple[Expectation, ...]:
    """What the contract itself demands of every batch: no null where none may be, no key twice.

    What the suite says too, as strictly, is left out.
    """
    implied = [
        Expectation(
            "expect_column_values_to_not_be_null",
            {"column": column.name},
            f"{IMPLIED_RULE_PREFIX}not_null_{column.name}",
            meta={"why": "the contract says nullable: false"},
        )
        for column in contract.columns
        if not column.nullable
    ]
    if contract.key:
        one = len(contract.key) == 1
        implied.append(
            Expectation(
                "expect_column_values_to_be_unique" if one else "expect_compound_columns_to_be_unique",
                {"column": contract.key[0]} if one else {"column_list": list(contract.key)},
                f"{IMPLIED_RULE_PREFIX}key_unique",
                meta={"why": "the contract's key is unique within a batch"},
            )
        )
    said = {_demand(e) for e in contract.suite.expectations if _is_strict(e)}
    return tuple(e for e in implied if _demand(e) not in said)


def _demand(expectation: Expectation) -> tuple[str, frozenset[str]]:
    kwargs = expectation.kwargs
    return expectation.type, frozenset(kwargs.get("column_list") or [kwargs.get("column", "")])


def _is_strict(expectation: Expectation) -> bool:
    kwargs = expectation.kwargs
    narrowed = kwargs.get("row_condition") is not None or kwargs.get("ignore_row_if", "all").startswith("any")
    return expectation.severity is Severity.CRITICAL and kwargs.get("mostly", 1) == 1 and not narrowed


class Gate:
    """The compiled suite of one table.

    `aggregates` are the columns of the grouped pass, `judge` reads one row of it; `evaluate` does everything.
    """

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.columns = suite_columns(contract)
        self.expectations = (*implied_expectations(contract), *contract.suite.gate)
        self.left_to_great_expectations: tuple[Expectation, ...]
        self._aggregates = Aggregates()
        self._questions: dict[str, Question] = {}
        self._grouped: dict[str, GroupedQuestion] = {}
        self._totals: dict[str, Expectation] = {}
        left = []
        for expectation in self.expectations:
            answered = question(expectation, self.columns, self._aggregates) or structure_question(
                expectation, self.columns
            )
            grouped = None if answered else grouped_question(expectation, self.columns, self._aggregates)
            if answered:
                self._questions[expectation.rule] = answered
            elif grouped:
                self._grouped[expectation.rule] = grouped
            elif expectation.type == GROUP_TOTALS:
                self._totals[expectation.rule] = expectation
            else:
                left.append(expectation)
        self.left_to_great_expectations = tuple(left)

    @classmethod
    def compile(cls, contract: Contract) -> Gate:
        """The gate of a contract and its suite. Needs a running Spark session, but reads nothing."""
        return cls(contract)

    @property
    def aggregates(self) -> dict[str, Column]:
        """The columns of the one grouped pass over the staged rows, by name."""
        return dict(self._aggregates.columns)

    def told_by(
        self, log: Mapping[date, BatchStatistics], batches: Sequence[date]
    ) -> dict[str, dict[date, Any]]:
        """The aggregates that the log tells of every one of these batches that has rows, by name and batch."""
        return self._aggregates.of_log(log, batches)

    def judge(self, row: Mapping[str, Any] | None) -> list[Result]:
        """The results that the grouped pass answers, for one batch.

        Args:
            row: the batch's values of `aggregates`, by name; None for a batch without rows.
        """
        values = self._aggregates.of_no_rows if row is None else row
        return [self._result(q.expectation, q.answer(values)) for q in self._questions.values()]

    def evaluate(
        self,
        staged: DataFrame,
        batches: Sequence[date],
        inputs: Mapping[str, DataFrame],
        extra_aggregates: Mapping[str, Column],
        log: Mapping[date, BatchStatistics] | None = None,
    ) -> dict[date, BatchVerdict]:
        """The verdict of each batch.

        Args:
            staged: the rows that are to be published, with the contract's columns and `batch_date`.
            batches: the batches to judge; rows of others are not looked at.
            inputs: the pinned same-day inputs, by name; only those that group totals name are read.
            extra_aggregates: computed in the same pass, by name.
            log: what the log says of these rows, by batch; a batch that is not in it has no rows. The grouped pass leaves
                out what it tells. None asks the rows alone.

        Raises:
            ConfigurationError: the suite names an input that was not read, or SQL that Spark cannot resolve.
            GateFailed: Spark failed while computing.
        """
        rows = staged.where(F.col(BATCH_DATE).isin(list(batches)))
        try:
            with errors_without_values():
                told = {} if log is None else self.told_by(log, batches)
                answers = self._grouped_pass(rows, extra_aggregates, told)
                counts = self._grouped_counts(rows, batches, inputs)
        except AnalysisException:
            self._resolve_each(rows, batches, inputs)
            raise
        except PySparkException as error:
            # The message can quote values of rows ("cannot cast 'Jane' to int"), its condition cannot.
            condition = error.getCondition() or type(error).__name__
            raise GateFailed(self.contract.table, condition) from None
        left = self._ask_great_expectations(rows, batches)
        return {
            day: self._verdict(
                day,
                answers.get(day),
                {name: values[day] for name, values in told.items() if day in values},
                counts,
                left.get(day, {}),
                extra_aggregates,
            )
            for day in batches
        }

    def _verdict(
        self,
        day: date,
        row: Mapping[str, Any] | None,
        told: Mapping[str, Any],
        counts: Mapping[tuple[str, date], GroupingCounts],
        left: Mapping[str, Result],
        extras: Mapping[str, Column],
    ) -> BatchVerdict:
        values = {**self._aggregates.of_no_rows, **(row or {}), **told}
        found = {result.rule: result for result in self.judge(values)} | dict(left)
        for rule, grouped in self._grouped.items():
            found[rule] = self._result(
                grouped.expectation, grouped.answer(values, counts.get((rule, day), {}))
            )
        for rule, expectation in self._totals.items():
            found[rule] = self._result(expectation, group_totals_outcome(counts.get((rule, day), {})))
        ordered = tuple(found[e.rule] for e in self.expectations)
        return BatchVerdict(day, ordered, {name: None if row is None else row[name] for name in extras})

    def _grouped_pass(
        self, rows: DataFrame, extras: Mapping[str, Column], told: Collection[str]
    ) -> dict[date, dict[str, Any]]:
        columns = {name: column for name, column in self._aggregates.columns.items() if name not in told}
        asked = [*columns.items(), *extras.items()]
        if not asked:
            return {}
        found = rows.groupBy(BATCH_DATE).agg(*(column.alias(name) for name, column in asked)).collect()
        return {row[BATCH_DATE]: row.asDict() for row in found}

    def _grouped_counts(
        self, rows: DataFrame, batches: Sequence[date], inputs: Mapping[str, DataFrame]
    ) -> dict[tuple[str, date], GroupingCounts]:
        """The counts of every grouping and comparison, by rule and batch.

        One action, and one scan for all groupings; another of both where two rows of a batch that should differ share a hash.
        """
        asked = list(self._grouped.values())
        groupings = groupings_of(asked)
        hashed = provable_by_hash(asked, self.columns)
        frames = [count_groups(rows, asked, hashed)] if asked else []
        no_quantiles = F.lit(None).cast("map<string,double>").alias(QUANTILES)
        for at, expectation in enumerate(self._totals.values(), len(groupings)):
            compared = self._compare(rows, batches, inputs, expectation)
            frames.append(compared.select(F.lit(at).alias(GROUPING), BATCH_DATE, COUNTS, no_quantiles))
        if not frames:
            return {}
        found = _collected(reduce(DataFrame.unionByName, frames))
        by_hash = {groupings.index(grouping) for grouping in hashed}
        unproven = {key for key, counts in found.items() if key[0] in by_hash and counts[REPEATED]}
        if unproven:
            again = [q for q in asked if groupings.index(q.grouping) in {at for at, _ in unproven}]
            of_days = rows.where(F.col(BATCH_DATE).isin([day for _, day in unproven]))
            numbers = {at: groupings.index(grouping) for at, grouping in enumerate(groupings_of(again))}
            exact = _collected(count_groups(of_days, again))
            found |= {(numbers[at], day): counts for (at, day), counts in exact.items()}
        numbers_of = {rule: groupings.index(question.grouping) for rule, question in self._grouped.items()}
        numbers_of |= {rule: at for at, rule in enumerate(self._totals, len(groupings))}
        return {
            (rule, day): found[at, day]
            for rule, at in numbers_of.items()
            for day in batches
            if (at, day) in found
        }

    def _compare(
        self,
        rows: DataFrame,
        batches: Sequence[date],
        inputs: Mapping[str, DataFrame],
        expectation: Expectation,
    ) -> DataFrame:
        name = expectation.kwargs["input"]
        if name not in inputs:
            raise ConfigurationError(
                f"{self.contract.table}: the rule {expectation.rule!r} compares with the input "
                f"{name!r}, which was not read. Inputs at hand: {', '.join(sorted(inputs)) or 'none'}."
            )
        source = inputs[name].where(F.col(BATCH_DATE).isin(list(batches)))
        return compare_group_totals(rows, source, expectation.kwargs)

    def _ask_great_expectations(
        self, rows: DataFrame, batches: Sequence[date]
    ) -> Mapping[date, Mapping[str, Result]]:
        if not self.left_to_great_expectations:
            return {}
        from lakesmith.quality.great_expectations_runner import run_great_expectations

        return run_great_expectations(
            rows.select(*self.columns), self.contract, self.left_to_great_expectations, batches
        )

    def _result(self, expectation: Expectation, outcome: Outcome) -> Result:
        return Result(expectation, outcome, is_masked(expectation, self.contract))

    def _resolve_each(
        self, rows: DataFrame, batches: Sequence[date], inputs: Mapping[str, DataFrame]
    ) -> None:
        """Names the rule whose SQL Spark cannot resolve; analyses only, runs nothing."""
        for expectation in self.expectations:
            alone = Aggregates()
            try:
                with errors_without_values():
                    question(expectation, self.columns, alone)
                    if grouped := grouped_question(expectation, self.columns, alone):
                        count_groups(rows, [grouped])
                    if expectation.type == GROUP_TOTALS:
                        self._compare(rows, batches, inputs, expectation)
                    rows.groupBy(BATCH_DATE).agg(F.count(F.lit(1)), *alone.columns.values())
            except AnalysisException as error:
                raise self._unresolved(expectation, error) from None

    def _unresolved(self, expectation: Expectation, error: PySparkException) -> ConfigurationError:
        # Of names and types only: nothing has been read when a query is analysed.
        reason = str(error).strip().split("\n")[0].split(" SQLSTATE")[0].removesuffix(";")
        return ConfigurationError(
            f"{self.contract.table}: Spark cannot read the SQL of the rule {expectation.rule!r}: {reason} "
            f"Mend it in {self.contract.suite.file or 'the suite'}."
        )


def _collected(counted: DataFrame) -> dict[tuple[int, date], GroupingCounts]:
    return {
        (row[GROUPING], row[BATCH_DATE]): {**row[COUNTS], **(row[QUANTILES] or {})}
        for row in counted.collect()
    }
