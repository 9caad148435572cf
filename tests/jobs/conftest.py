"""Runs the transforms of jobs/ on small frames, by the contracts that name them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakesmith import Job
from lakesmith.contracts.load import load_project
from lakesmith.contracts.model import Contract
from lakesmith.contracts.project import Project
from lakesmith.lake.windowing import window_pairs

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def reference() -> Project:
    """The reference pipeline's contracts."""
    return load_project(ROOT)


@pytest.fixture(scope="session")
def start(reference: Project) -> date:
    """The first day of history."""
    return reference.graph.sources["online-retail"].start


@pytest.fixture
def rows_of(reference: Project, spark_session: SparkSession) -> Callable[..., DataFrame]:
    """`rows_of(table, [{...}, ...])`: rows of a table; a column that a row does not name is null."""

    def build(table: str, rows: Sequence[dict[str, Any]]) -> DataFrame:
        columns = {
            **{c.name: str(c.type) for c in reference.graph.contracts[table].columns},
            "batch_date": "date",
        }
        unknown = {name for row in rows for name in row} - set(columns)
        assert not unknown, f"{table} has no {unknown}"
        schema = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        return spark_session.createDataFrame(
            [tuple(row.get(name) for name in columns) for row in rows], schema
        )

    return build


@pytest.fixture
def transformed(reference: Project) -> Callable[..., DataFrame]:
    """`transformed(table, batches, name=frame, ...)`: what the job of a table makes of whole input tables."""

    def run(table: str, batches: Sequence[date], **inputs: DataFrame) -> DataFrame:
        contract = reference.graph.contracts[table]
        start = next(iter(reference.graph.sources.values())).start
        windowed = {
            i.name: window_pairs(inputs.pop(i.name), i.window, batches, start) for i in contract.inputs
        }
        assert not inputs, f"{table} has no input {list(inputs)}"
        frame = _job(contract).transform(**windowed)
        _assert_schema(contract, frame)
        return _to_scale(contract, frame)

    return run


def _job(contract: Contract) -> Job:
    spec = importlib.util.spec_from_file_location(
        f"tested_{contract.layer}_{contract.name}", ROOT / contract.job
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (job,) = [value for value in vars(module).values() if isinstance(value, Job)]
    assert job.table == contract.table
    assert job.parameters == tuple(i.name for i in contract.inputs)
    return job


def _assert_schema(contract: Contract, frame: DataFrame) -> None:
    expected = {**{c.name: str(c.type) for c in contract.columns}, "batch_date": "date"}
    assert {name: kind for name, kind in frame.dtypes if name != "_dropped"} == expected
    assert len(frame.columns) == len(set(frame.columns))


def _to_scale(contract: Contract, frame: DataFrame) -> DataFrame:
    """Derived doubles rounded as the engine rounds them before it stages."""
    scales = {c.name: c.scale for c in contract.columns if c.scale is not None}
    return frame.withColumns({name: F.round(name, scale) for name, scale in scales.items()})
