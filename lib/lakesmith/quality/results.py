"""Results: what the gate found for one expectation on one batch, and its native Great Expectations form.

Owns the promise that no result holds a value of the data beyond counts: lists of unexpected values never
enter, and an observed value (a minimum, a mean) stays out where its column identifies a person.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lakesmith.contracts.model import Expectation, Severity

__all__ = ["Outcome", "Result", "failed_to_compute", "jsonable"]


@dataclass(frozen=True)
class Outcome:
    """The answer to one question, before it is tied to its rule.

    Args:
        element_count: rows that were looked at; None where the expectation is not about rows.
        unexpected_count: how many of them broke it; also distinct values or groups, as the type counts.
        missing_count: rows that were ignored; None where the type ignores none.
        observed_value: what was measured, in JSON's types.
        details: further counts that the type reports (`missing_count` of a set, groups compared).
        error: why nothing could be measured; the name of an error, never its text, which can hold values.
        measures: False where the type only says yes or no.
    """

    success: bool
    element_count: int | None = None
    unexpected_count: int | None = None
    missing_count: int | None = None
    observed_value: Any = None
    details: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None
    measures: bool = True


@dataclass(frozen=True)
class Result:
    """What one expectation says of one batch."""

    expectation: Expectation
    outcome: Outcome
    masked: bool = False

    @property
    def rule(self) -> str:
        """The rule's stable name."""
        return self.expectation.rule

    @property
    def type(self) -> str:
        """The expectation's type."""
        return self.expectation.type

    @property
    def severity(self) -> Severity:
        """Great Expectations' severity; a failed critical one blocks the batch."""
        return self.expectation.severity

    @property
    def success(self) -> bool:
        """True when the batch keeps the rule."""
        return self.outcome.success

    @property
    def unexpected_count(self) -> int | None:
        """How many rows, values or groups broke it; None where the type does not count."""
        return self.outcome.unexpected_count

    @property
    def element_count(self) -> int | None:
        """How many rows were looked at; None where the type does not count."""
        return self.outcome.element_count

    @property
    def observed_value(self) -> Any:
        """What was measured; None where it would show a value of a subject."""
        return None if self.masked else self.outcome.observed_value

    @property
    def error(self) -> str | None:
        """Why nothing could be measured: the name of an error."""
        return self.outcome.error

    def summary(self) -> str:
        """One line for people: the rule and how many of how many, or what was observed; no row's value."""
        outcome = self.outcome
        if outcome.error is not None:
            return f"{self.rule}: could not be computed ({outcome.error})"
        if outcome.unexpected_count is not None and outcome.element_count:
            return f"{self.rule}: {outcome.unexpected_count:,} of {outcome.element_count:,} rows"
        if missing := outcome.details.get("missing_count"):
            beside = f", {outcome.unexpected_count:,} unexpected" if outcome.unexpected_count else ""
            return f"{self.rule}: {missing:,} of the values asked for missing{beside}"
        if outcome.unexpected_count is not None:
            return f"{self.rule}: {outcome.unexpected_count:,} unexpected"
        if self.observed_value is not None:
            return f"{self.rule}: observed {self.observed_value}"
        return f"{self.rule}: {'kept' if self.success else 'broken'}"

    def native(self) -> dict[str, Any]:
        """The result as Great Expectations' JSON (ExpectationValidationResult), without values of rows."""
        expectation = self.expectation
        return {
            "success": self.success,
            "expectation_config": {
                "type": expectation.type,
                "kwargs": dict(expectation.kwargs),
                "meta": {**expectation.meta, "rule": expectation.rule},
                "severity": str(expectation.severity),
            },
            "result": self._native_result(),
            "meta": {},
            "exception_info": {
                "raised_exception": self.error is not None,
                "exception_message": self.error,
                "exception_traceback": None,
            },
        }

    def _native_result(self) -> dict[str, Any]:
        outcome = self.outcome
        if outcome.error is not None or not outcome.measures:
            return {}
        native: dict[str, Any] = {}
        if outcome.element_count is not None:
            native |= _counts(outcome)
        elif outcome.unexpected_count is not None:
            native["unexpected_count"] = outcome.unexpected_count
        if outcome.observed_value is not None or outcome.element_count is None:
            native["observed_value"] = _finite(self.observed_value)
        return native | dict(outcome.details)


def _finite(value: Any) -> Any:
    """JSON has no infinity; readers that keep to it would refuse the whole result."""
    match value:
        case float():
            return str(value) if math.isinf(value) else value
        case list():
            return [_finite(each) for each in value]
        case dict():
            return {key: _finite(each) for key, each in value.items()}
        case _:
            return value


def _counts(outcome: Outcome) -> dict[str, Any]:
    elements, unexpected = outcome.element_count or 0, outcome.unexpected_count

    def percent(part: int | None, whole: int) -> float | None:
        return part / whole * 100 if part is not None and whole > 0 else None

    if outcome.missing_count is None:
        share = percent(unexpected, elements)
        return {"element_count": elements, "unexpected_count": unexpected, "unexpected_percent": share}
    share = percent(unexpected, elements - outcome.missing_count)
    return {
        "element_count": elements,
        "unexpected_count": unexpected,
        "unexpected_percent": share,
        "missing_count": outcome.missing_count,
        "missing_percent": percent(outcome.missing_count, elements),
        "unexpected_percent_total": percent(unexpected, elements),
        "unexpected_percent_nonmissing": share,
    }


def failed_to_compute(expectation: Expectation, error: str) -> Result:
    """The result of an expectation that could not be computed: it counts as failed.

    Args:
        error: the error's class or condition, never its message.
    """
    return Result(expectation, Outcome(success=False, error=error))


def jsonable(value: Any) -> Any:
    """A measured value in JSON's types, as Great Expectations has it: NaN as null, days and times as text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return float(value)
