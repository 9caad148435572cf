from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lakesmith.quality.custom import BadExpectationModule, load_expectation_modules

EVEN = '''
from great_expectations.expectations.expectation import ColumnMapExpectation
from great_expectations.execution_engine.sparkdf_execution_engine import SparkDFExecutionEngine
from great_expectations.expectations.metrics.map_metric_provider import (
    ColumnMapMetricProvider,
    column_condition_partial,
)


class ColumnValuesEven(ColumnMapMetricProvider):
    condition_metric_name = "column_values.{metric}"
    condition_value_keys = ("modulus",)

    @column_condition_partial(engine=SparkDFExecutionEngine)
    def _spark(cls, column, modulus, **kwargs):
        return column % modulus == 0


class {name}(ColumnMapExpectation):
    """Values are multiples."""
    modulus: int = 2
    map_metric = "column_values.{metric}"
    success_keys = ("modulus", "mostly")
'''


@pytest.fixture
def _registry_as_before() -> Iterator[None]:
    """Great Expectations registers a class when it is made, in place of another of its type."""
    from great_expectations.expectations import core
    from great_expectations.expectations.registry import register_expectation

    yield
    register_expectation(core.ExpectColumnToExist)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """An importable module with the text that the test gives."""
    name, text = request.param
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    return str(name)


@pytest.mark.parametrize(
    "module",
    [("even_module", EVEN.format(name="ExpectColumnValuesToBeMultiples", metric="multiples_for_lakesmith"))],
    indirect=True,
)
def test_a_module_brings_its_types_with_their_parameters(module: str) -> None:
    assert load_expectation_modules([module]) == {
        "expect_column_values_to_be_multiples": frozenset(
            {"column", "condition_parser", "modulus", "mostly", "row_condition"}
        )
    }


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (("empty_module", "answer = 42"), "it defines no expectation"),
        (("broken_module", "1 / 0"), "importing it raised ZeroDivisionError: division by zero"),
        (("needy_module", "import not_there_at_all"), "it imports not_there_at_all, which is not installed"),
        (
            ("shadow_module", EVEN.format(name="ExpectColumnToExist", metric="shadow_for_lakesmith")),
            "expect_column_to_exist is a built-in type already; give it another name",
        ),
        (
            (
                "abstract_module",
                EVEN.format(name="ExpectNothing", metric="abstract").split("    modulus: int")[0],
            ),
            "it defines no expectation (ExpectNothing is abstract: it has no _validate or no metric)",
        ),
    ],
    indirect=["module"],
)
@pytest.mark.usefixtures("_registry_as_before")
def test_a_module_that_cannot_be_used_says_why(module: str, message: str) -> None:
    with pytest.raises(BadExpectationModule) as raised:
        load_expectation_modules([module])

    assert str(raised.value) == (
        f"quality.expectation_modules: {module}: {message}. Mend the module or take it out of settings."
    )


def test_a_module_that_is_not_there_says_so() -> None:
    with pytest.raises(BadExpectationModule, match="there is no module of that name on Python's path"):
        load_expectation_modules(["nowhere.expectations"])
