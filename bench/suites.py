"""Suites run by plain Great Expectations: what a team would put behind its writes without Lakesmith."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pyspark.sql import DataFrame

from lakesmith.contracts.expectations import GROUP_TOTALS
from lakesmith.contracts.model import Contract, Expectation
from lakesmith.contracts.project import Project
from lakesmith.quality.gate import implied_expectations, suite_columns
from lakesmith.quality.great_expectations_runner import quiet_context, validate

__all__ = ["audited_by", "expectations_of", "validated"]


def expectations_of(contract: Contract) -> list[Expectation]:
    """All that the gate asks of a table and Great Expectations knows: group totals are Lakesmith's own."""
    return [e for e in (*implied_expectations(contract), *contract.suite.gate) if e.type != GROUP_TOTALS]


def validated(
    frame: DataFrame, expectations: Sequence[Expectation], result_format: str
) -> dict[str, dict[str, Any]]:
    """The native results by rule."""
    with quiet_context() as context:
        return validate(context, frame, expectations, result_format)


def audited_by(project: Project) -> Callable[[str, DataFrame], None]:
    """An audit of each batch after it was written, as SUMMARY, Great Expectations' usual format."""

    def audit(table: str, batch: DataFrame) -> None:
        contract = project.graph.contracts[table]
        found = validated(batch.select(*suite_columns(contract)), expectations_of(contract), "SUMMARY")
        broken = [rule for rule, result in found.items() if not result["success"]]
        if broken:
            raise AssertionError(f"{table}: {', '.join(broken)}")

    return audit
