"""Verdicts of expectations on batches, as `ops.quality` keeps them, in the form in which they are shown. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["RESULT_COLUMNS", "RuleResult"]

RESULT_COLUMNS = [
    "run_id",
    "table",
    "batch_date",
    "recorded_at",
    "rule",
    "severity",
    "success",
    "unexpected_count",
    "element_count",
    "result",
]
"""The columns of `ops.quality` that they are made of."""


@dataclass(frozen=True)
class RuleResult:
    """One expectation's verdict on a batch.

    Args:
        unexpected: rows, values or groups that broke it; None where the type does not count.
        elements: rows that were looked at.
        observed: what was measured, where that says nothing of a subject.
    """

    rule: str
    severity: str
    success: bool
    unexpected: int | None
    elements: int | None
    observed: object = None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> RuleResult:
        """The verdict in a row of ops.quality."""
        result = json.loads(row["result"])
        observed = (result.get("result") or {}).get("observed_value")
        raised = (result.get("exception_info") or {}).get("exception_message")
        return cls(
            row["rule"],
            row["severity"],
            row["success"],
            row["unexpected_count"],
            row["element_count"],
            raised or observed,
        )

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "success": self.success,
            "unexpected_count": self.unexpected,
            "element_count": self.elements,
            "observed": self.observed,
        }
