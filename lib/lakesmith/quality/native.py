"""The plain suite in Great Expectations: what `lakesmith quality ... --with great-expectations` shows.

Owns running a whole suite, as its JSON says, on one published batch, and the Data Docs of the answer.
Everything is answered by Great Expectations itself, Lakesmith's group totals included, so that it can be
held against the gate. Answers and pages hold counts; values of rows never get that far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith.contracts.model import BATCH_DATE, Contract
from lakesmith.quality.gate import suite_columns
from lakesmith.quality.great_expectations_runner import (
    COUNTS_ONLY,
    expectation_json,
    outcome_of,
    quiet_context,
    validate,
)
from lakesmith.quality.masking import is_masked
from lakesmith.quality.results import Result

__all__ = ["validate_with_great_expectations"]


def validate_with_great_expectations(
    rows: DataFrame,
    contract: Contract,
    batch_date: date,
    inputs: Mapping[str, DataFrame],
    out: Path | None = None,
) -> dict[str, Any]:
    """The suite's answer for one batch, as Great Expectations' own JSON (ExpectationSuiteValidationResult).

    Args:
        rows: the table, or the batch; only the batch's rows are looked at.
        contract: whose suite is run, row rules included.
        batch_date: the batch.
        inputs: same-day inputs by name, for group totals; cut to the batch here.
        out: the folder for the Data Docs, whose first page is `index.html`; None writes none.
    """
    batch = rows.where(F.col(BATCH_DATE) == F.lit(batch_date)).select(*suite_columns(contract))
    of_the_day = {name: frame.where(F.col(BATCH_DATE) == F.lit(batch_date)) for name, frame in inputs.items()}
    expectations = contract.suite.expectations
    with quiet_context() as context:
        from lakesmith.quality.group_totals_expectation import provided_inputs

        with provided_inputs(of_the_day):
            answered = validate(context, batch, expectations, COUNTS_ONLY)
        results = [
            Result(
                expectation,
                outcome_of(expectation, answered[expectation.rule]),
                is_masked(expectation, contract),
            )
            for expectation in expectations
        ]
        answer = _suite_result(contract, batch_date, results)
        if out is not None:
            _write_data_docs(context, contract, batch_date, answer, out)
    return answer


def _suite_result(contract: Contract, batch_date: date, results: Sequence[Result]) -> dict[str, Any]:
    import great_expectations as gx

    kept = sum(result.success for result in results)
    return {
        "success": kept == len(results),
        "results": [result.native() for result in results],
        "suite_name": contract.suite.name,
        "suite_parameters": {},
        "statistics": {
            "evaluated_expectations": len(results),
            "successful_expectations": kept,
            "unsuccessful_expectations": len(results) - kept,
            "success_percent": kept / len(results) * 100 if results else None,
        },
        "meta": {
            "great_expectations_version": gx.__version__,
            "table": contract.table,
            "batch_date": batch_date.isoformat(),
        },
        "id": None,
    }


def _write_data_docs(
    context: Any, contract: Contract, batch_date: date, answer: dict[str, Any], out: Path
) -> None:
    import great_expectations as gx
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
        ExpectationValidationResult,
    )
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    out.mkdir(parents=True, exist_ok=True)
    site = {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(out.resolve())},
    }
    for name in list(context.list_data_docs_sites()):
        context.delete_data_docs_site(name)
    context.add_data_docs_site("lakesmith", site)
    suite = gx.ExpectationSuite(
        name=contract.suite.name, expectations=[expectation_json(e) for e in contract.suite.expectations]
    )
    context.suites.add(suite)
    run = RunIdentifier(run_name=batch_date.isoformat(), run_time=datetime.now(UTC))
    results = [
        ExpectationValidationResult(
            success=native["success"],
            expectation_config=configured.configuration,
            result=_drawable(native["result"]),
            # The page cuts lines from a traceback and cannot do without one.
            exception_info={**native["exception_info"], "exception_traceback": ""},
        )
        for native, configured in zip(answer["results"], suite.expectations, strict=True)
    ]
    meta = {"run_id": run, "validation_time": run.run_time, "batch_parameters": None, **answer["meta"]}
    context.validation_results_store.set(
        ValidationResultIdentifier(ExpectationSuiteIdentifier(suite.name), run, str(batch_date)),
        ExpectationSuiteValidationResult(
            success=answer["success"],
            results=results,
            suite_name=suite.name,
            statistics=answer["statistics"],
            meta=meta,
        ),
    )
    context.build_data_docs(site_names=["lakesmith"])


def _drawable(result: Mapping[str, Any]) -> dict[str, Any]:
    """A result that the pages can show: they expect a share wherever the unexpected are counted."""
    if "unexpected_count" not in result or "unexpected_percent" in result:
        return dict(result)
    counted = {key: count for key, count in result.items() if key.endswith("_count")}
    words = ", ".join(f"{count} {key.removesuffix('_count')}" for key, count in counted.items())
    return {key: value for key, value in result.items() if key not in counted} | {"observed_value": words}
