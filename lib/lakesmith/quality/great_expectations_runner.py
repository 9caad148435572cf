"""Great Expectations itself, for what the gate does not answer on its own.

Owns the one place where Great Expectations is set up and asked: an ephemeral context that writes no
file, sends nothing, shows no progress bars and persists no DataFrame. Importing it takes seconds, so it
happens in here, when a suite needs it. Answers are reduced to counts before anybody sees them.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith.contracts.model import BATCH_DATE, Contract, Expectation
from lakesmith.quality.masking import COUNTING_TYPES, is_masked
from lakesmith.quality.results import Outcome, Result
from lakesmith.quality.silence import errors_without_values

__all__ = [
    "COUNTS_ONLY",
    "expectation_json",
    "outcome_of",
    "quiet_context",
    "run_great_expectations",
    "validate",
]

COUNTS_ONLY: dict[str, Any] = {
    "result_format": "BASIC",
    "partial_unexpected_count": 0,
    "exclude_unexpected_values": True,
}
"""The result format that asks for counts and fetches no row."""


def run_great_expectations(
    rows: DataFrame,
    contract: Contract,
    expectations: Sequence[Expectation],
    batches: Iterable[date],
) -> dict[date, dict[str, Result]]:
    """The results of expectations by batch and rule: first yes or no, then counts for those that failed.

    Args:
        rows: the staged rows, with the columns that the suite sees and no others.
        contract: the table's contract; it says which columns identify a person.
        expectations: what to ask.
        batches: the batches to ask about; those without rows are asked about an empty frame.
    """
    with quiet_context() as context:
        return {
            day: _ask(context, rows.where(F.col(BATCH_DATE) == F.lit(day)), contract, expectations)
            for day in batches
        }


def _ask(
    context: Any, batch: DataFrame, contract: Contract, expectations: Sequence[Expectation]
) -> dict[str, Result]:
    answered = validate(context, batch, expectations, "BOOLEAN_ONLY")
    failed = [e for e in expectations if not answered[e.rule]["success"]]
    if failed:
        answered |= validate(context, batch, failed, COUNTS_ONLY)
    return {e.rule: Result(e, outcome_of(e, answered[e.rule]), is_masked(e, contract)) for e in expectations}


def validate(
    context: Any, batch: DataFrame, expectations: Sequence[Expectation], result_format: str | dict[str, Any]
) -> dict[str, dict[str, Any]]:
    """The native results of expectations on one frame, by rule.

    Args:
        context: from `quiet_context`.
        batch: the rows of one batch.
        expectations: what to ask.
        result_format: Great Expectations' name for how much to answer, or its settings.
    """
    import great_expectations as gx

    suite = gx.ExpectationSuite(name="suite", expectations=[expectation_json(e) for e in expectations])
    definition = context.data_sources.get("lakesmith").get_asset("rows").get_batch_definition("whole")
    answer = definition.get_batch(batch_parameters={"dataframe": batch}).validate(
        suite, result_format=result_format
    )
    return {result.expectation_config.meta["rule"]: result.to_json_dict() for result in answer.results}


def expectation_json(expectation: Expectation) -> dict[str, Any]:
    """An expectation as the JSON that Great Expectations reads; its meta names the rule."""
    return {
        "type": expectation.type,
        "kwargs": dict(expectation.kwargs),
        "meta": {**expectation.meta, "rule": expectation.rule},
        "severity": str(expectation.severity),
    }


def outcome_of(expectation: Expectation, native: Mapping[str, Any]) -> Outcome:
    """The outcome that a native result holds, reduced to counts and plain numbers.

    A list of values never comes through; an observed value does where it is a number, the quantiles that
    were asked for, or, for the types that look at the table's structure, names of columns and types.
    """
    if raised := _raised(native.get("exception_info") or {}):
        return Outcome(success=False, error=raised)
    result, success = native.get("result") or {}, bool(native["success"])
    if "element_count" in result:
        # Of no rows Great Expectations counts null or 0, depending on the type; here it is 0.
        unexpected = result["unexpected_count"] or 0
        return Outcome(success, result["element_count"], unexpected, result.get("missing_count"))
    structural = expectation.type in COUNTING_TYPES
    observed = result.get("observed_value")
    kept = ("missing_count", "details") if structural else ("missing_count",)
    details = {key: result[key] for key in kept if key in result}
    if isinstance(observed, Mapping) and _is_plain(observed):
        # Which of the quantiles were met; NumPy's booleans are not JSON.
        details["details"] = {"success_details": [bool(met) for met in result["details"]["success_details"]]}
    return Outcome(
        success,
        unexpected_count=result.get("unexpected_count"),
        observed_value=observed if structural or _is_plain(observed) else None,
        details=details,
        measures=bool(result),
    )


def _is_plain(observed: Any) -> bool:
    if isinstance(observed, Mapping):
        return set(observed) == {"quantiles", "values"}
    return isinstance(observed, int | float)


def _raised(info: Mapping[str, Any]) -> str | None:
    """The name of what was raised, if anything was: the message itself can quote values of rows."""
    # One entry, or one for each metric that failed.
    entries = [info] if "raised_exception" in info else [e for e in info.values() if isinstance(e, Mapping)]
    for entry in entries:
        if entry.get("raised_exception"):
            return _condition_name(str(entry.get("exception_message") or ""))
    return None


def _condition_name(message: str) -> str:
    """Spark's error condition (`CAST_INVALID_INPUT`) from a message; else only that it was an exception."""
    found = re.search(r"\[([A-Z][A-Z0-9_]+(?:\.[A-Z0-9_]+)*)\]", message)
    return found.group(1) if found else "exception"


@contextmanager
def quiet_context() -> Iterator[Any]:
    """An ephemeral Great Expectations context with one Spark asset, which leaves nothing behind."""
    # Read once, when the library is imported: nothing may be sent from a customer's cluster.
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    with warnings.catch_warnings(), errors_without_values():
        # Great Expectations warns of its own deprecations (condition_parser, force_reuse_spark_context).
        warnings.simplefilter("ignore", DeprecationWarning)
        # NumPy warns of the median of no rows, which is no number and fails.
        warnings.simplefilter("ignore", RuntimeWarning)
        import great_expectations as gx
        from great_expectations.data_context.types.base import ProgressBarsConfig

        from lakesmith.quality import group_totals_expectation  # noqa: F401 - registers itself

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = ProgressBarsConfig(globally=False)
        source = context.data_sources.add_spark("lakesmith", persist=False)
        source.add_dataframe_asset("rows").add_batch_definition_whole_dataframe("whole")
        yield context
