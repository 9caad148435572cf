"""`expect_group_totals_to_equal_input` as an expectation of Great Expectations.

Owns the class and its metric, so that a suite which names the rule loads and runs in Great Expectations
as it is. It runs the same comparison as the gate. Import it only where Great Expectations is wanted: it
takes seconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar

from great_expectations.core.metric_domain_types import MetricDomainTypes
from great_expectations.execution_engine.execution_engine import ExecutionEngine
from great_expectations.execution_engine.sparkdf_execution_engine import SparkDFExecutionEngine
from great_expectations.expectations.expectation import BatchExpectation
from great_expectations.expectations.metrics.metric_provider import metric_value
from great_expectations.expectations.metrics.table_metric_provider import TableMetricProvider
from pyspark.sql import DataFrame

from lakesmith.quality.totals import compare_group_totals, group_totals_outcome

__all__ = ["ExpectGroupTotalsToEqualInput", "provided_inputs"]

_INPUTS: ContextVar[Mapping[str, DataFrame] | None] = ContextVar("lakesmith_inputs", default=None)
_METRIC = "table.group_totals_against_input"


@contextmanager
def provided_inputs(inputs: Mapping[str, DataFrame]) -> Iterator[None]:
    """Within it the expectation finds its inputs, by name, cut to the batch that is validated."""
    token = _INPUTS.set(inputs)
    try:
        yield
    finally:
        _INPUTS.reset(token)


class GroupTotalsAgainstInput(TableMetricProvider):
    """Counts the groups of a batch and those whose totals differ from the input's."""

    metric_name = _METRIC
    value_keys = ("input", "group_by", "totals", "where")

    @metric_value(engine=SparkDFExecutionEngine)
    def _spark(
        cls,
        execution_engine: SparkDFExecutionEngine,
        metric_domain_kwargs: dict[str, Any],
        metric_value_kwargs: dict[str, Any],
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any],
    ) -> dict[str, int]:
        rows, _, _ = execution_engine.get_compute_domain(
            metric_domain_kwargs, domain_type=MetricDomainTypes.TABLE
        )
        inputs, name = _INPUTS.get() or {}, metric_value_kwargs["input"]
        if name not in inputs:
            raise KeyError(f"the input {name} is not at hand")
        compared = compare_group_totals(rows, inputs[name], metric_value_kwargs).collect()
        return {
            key: sum(row["counts"][key] for row in compared) for row in compared[:1] for key in row["counts"]
        }


class ExpectGroupTotalsToEqualInput(BatchExpectation):
    """For every group, totals of this table equal totals of an input of the same day.

    Args:
        input: the name of the input in the table's contract.
        group_by: columns that both sides have; empty compares the whole batch.
        totals: SQL aggregate over this table -> SQL aggregate over the input.
        where: SQL condition on the input's rows.
    """

    input: str
    group_by: list[str]
    totals: dict[str, str]
    where: str | None = None

    metric_dependencies: ClassVar[tuple[str, ...]] = (_METRIC,)
    success_keys: ClassVar[tuple[str, ...]] = ("input", "group_by", "totals", "where")
    args_keys: ClassVar[tuple[str, ...]] = ("input", "group_by", "totals", "where")

    def _validate(
        self,
        metrics: dict[str, Any],
        runtime_configuration: dict[str, Any] | None = None,
        execution_engine: ExecutionEngine[Any] | None = None,
    ) -> dict[str, Any]:
        outcome = group_totals_outcome(metrics[_METRIC])
        counts = {"element_count": outcome.element_count, "unexpected_count": outcome.unexpected_count}
        return {"success": outcome.success, "result": {**counts, "observed_value": outcome.unexpected_count}}
