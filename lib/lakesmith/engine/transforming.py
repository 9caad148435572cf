"""From pinned inputs to rows ready to stage: the transform called, its columns checked, every row given its outcome.

Owns what a transform sees and what is asked of what it returns. Everything here is lazy: no row is computed yet.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from lakesmith.contracts.model import BATCH_DATE, Contract, Rows
from lakesmith.contracts.subjects import source_columns
from lakesmith.contracts.types import PrimitiveType
from lakesmith.engine.context import Context
from lakesmith.engine.pinning import PinnedInputs, PinnedSource
from lakesmith.errors import ConfigurationError, SchemaMismatch
from lakesmith.jobs import Job
from lakesmith.lake.external import read_external
from lakesmith.lake.keyed import as_of_pairs, last_of_each_day, marked_changes
from lakesmith.lake.landing import Erasure, read_source
from lakesmith.lake.plan_columns import marked
from lakesmith.lake.reading import read_batches, read_buckets
from lakesmith.lake.staging import OUTCOME, RowOutcome
from lakesmith.lake.tables import BROKEN_RULES, changes_contract
from lakesmith.lake.windowing import window_pairs
from lakesmith.ledger.forgotten import FORGOTTEN
from lakesmith.quality.predicates import row_rules

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = [
    "DROPPED",
    "SettingsRead",
    "changes_with_outcome",
    "forgotten_rows",
    "load_job",
    "rows_with_outcome",
    "transform_inputs",
    "transformed",
]

DROPPED = "_dropped"
"""The column in which a transform marks rows to drop, with the reason; null keeps the row."""

_BATCHES, _SETTINGS = "batches", "settings"
_KINDS_OF_VALUES = {
    str: ("string",),
    bool: ("boolean",),
    int: ("tinyint", "smallint", "int", "bigint"),
}
_POSITION = ("source_file", "record_no")
_FLOATING = (PrimitiveType("double"), PrimitiveType("float"))


class SettingsRead(Mapping[str, Any]):
    """`settings.parameters` as a transform sees it; remembers what was read, since rows may depend on it."""

    def __init__(self, parameters: Mapping[str, Any]) -> None:
        self._parameters = parameters
        self.read: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._parameters:
            raise ConfigurationError(
                f"a transform reads the setting parameters.{name}, which is not set. "
                f"Add it to conf/base.yml under `parameters:`. Set are: {', '.join(sorted(self._parameters)) or 'none'}"
            )
        self.read[name] = self._parameters[name]
        return self._parameters[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parameters)

    def __len__(self) -> int:
        return len(self._parameters)


def load_job(root: Path, contract: Contract) -> Job:
    """The job of a table, from the file that its contract names.

    Raises:
        ConfigurationError: the file cannot be imported, or decorates no function for the table.
    """
    file = root / contract.job
    name = f"lakesmith_job_{contract.layer}_{contract.name}"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{contract.file}: {contract.job} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    # Executors unpickle functions by the module's name; they get the function by value, as it is no package's.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    jobs = [
        value for value in vars(module).values() if isinstance(value, Job) and value.table == contract.table
    ]
    if not jobs:
        raise ConfigurationError(
            f'{contract.job}: no function is decorated @job("{contract.table}"), as {contract.file} says. '
            f"Decorate the transform, or name another file."
        )
    return jobs[0]


def transform_inputs(
    context: Context, contract: Contract, pinned: PinnedInputs, batches: Sequence[date]
) -> dict[str, DataFrame]:
    """The DataFrames of a transform, each holding only what the windows of these batches allow, and marked by its name."""
    frames: dict[str, DataFrame] = {}
    for table in pinned.tables:
        if table.contract.keyed is not None:
            state = read_buckets(context.spark, context.lake, table.contract, table.version)
            frames[table.input.name] = as_of_pairs(state, batches)
            continue
        rows = read_batches(context.spark, context.lake, table.contract, table.version, table.days)
        start = context.project.graph.starts[table.contract.table]
        frames[table.input.name] = window_pairs(
            rows, table.input.window, batches, start, spread_by=table.contract.key
        )
    for source in pinned.sources:
        frames[source.input.name] = _read_source(context, source, batches, theirs=False)
    return {name: marked(frame, name) for name, frame in frames.items()}


def forgotten_rows(
    context: Context, contract: Contract, pinned: PinnedInputs, batches: Sequence[date]
) -> DataFrame | None:
    """The records that a transform never saw since they name somebody forgotten, as rows that were dropped.

    Nothing but their position is in them, so that what was read still adds up.

    Returns:
        Rows as `rows_with_outcome` gives them; None where there are none to account for.
    """
    if contract.rows is not Rows.PRESERVING:
        return None
    found: DataFrame | None = None
    for source in pinned.sources:
        if not source.forgotten:
            continue
        records = _read_source(context, source, batches, theirs=True)
        # Rows of somebody else's table have no place in a file.
        positions = {name for name in _POSITION if name in records.columns}
        rows = records.select(
            *[
                F.col(c.name) if c.name in positions else F.lit(None).cast(str(c.type)).alias(c.name)
                for c in contract.columns
            ],
            F.array(F.lit(FORGOTTEN)).alias(BROKEN_RULES),
            BATCH_DATE,
            F.lit(str(RowOutcome.DROPPED)).alias(OUTCOME),
        )
        found = rows if found is None else found.unionByName(rows)
    return found


def _read_source(
    context: Context, source: PinnedSource, batches: Sequence[date], *, theirs: bool
) -> DataFrame:
    """The records of a source, without those that name somebody forgotten; or the positions of just those."""
    graph = context.project.graph
    declared = graph.sources[source.input.target]
    erasure = None
    if source.forgotten:
        erasure = Erasure(source.forgotten, source_columns(graph, declared.name), theirs)
    if source.table is not None:
        path, version = source.table.path, source.table.version
        return read_external(context.spark, declared, path, version, batches, erasure=erasure)
    manifests = [source.manifests[day] for day in batches]
    return read_source(
        context.spark,
        declared,
        context.settings.landing_root,
        manifests,
        s3=context.settings.s3_access,
        erasure=erasure,
    )


def transformed(
    job: Job,
    contract: Contract,
    inputs: Mapping[str, Any],
    batches: Sequence[date],
    settings: SettingsRead,
) -> DataFrame:
    """Calls a transform and checks what it returns against the contract.

    Args:
        inputs: DataFrames, and a model where the contract names one, by the input's name.

    Raises:
        ConfigurationError: the transform asks for a parameter that the contract does not name, or leaves an input out.
        SchemaMismatch: columns or types are not the contract's.
    """
    offered: dict[str, Any] = {**inputs, _BATCHES: list(batches), _SETTINGS: settings}
    unknown = [name for name in job.parameters if name not in offered]
    unused = [name for name in inputs if name not in job.parameters]
    if unknown or unused:
        asks = f"asks for {', '.join(unknown)}" if unknown else f"does not take {', '.join(unused)}"
        raise ConfigurationError(
            f"{contract.job}: the transform {asks}; the inputs in {contract.file} are {', '.join(inputs)} "
            f"(besides: {_BATCHES}, {_SETTINGS}). Parameter names are input names."
        )
    frame = job.transform(**{name: offered[name] for name in job.parameters})
    _check_columns(contract, frame)
    return frame


def _check_columns(contract: Contract, frame: DataFrame) -> None:
    wanted = {**{c.name: str(c.type) for c in contract.change_columns}, BATCH_DATE: "date"}
    found = dict(frame.dtypes)
    # What orders and marks the changes of a keyed table need not be among its columns.
    beside = _beside(contract)
    differences = [f"{name} is missing" for name in (*wanted, *beside) if name not in found]
    differences += [
        f"{name} is not in the contract"
        for name in found
        if name not in wanted and name not in beside and name != DROPPED
    ]
    differences += [
        f"{name} is {found[name]}, which {what}"
        for name, (what, fits) in beside.items()
        if name in found and not fits(found[name])
    ]
    differences += [
        f"{name} is {found[name]}, should be {wanted[name]}"
        for name in wanted
        if name in found and found[name] != wanted[name]
    ]
    doubled = sorted({name for name in frame.columns if frame.columns.count(name) > 1})
    differences += [f"{name} stands twice" for name in doubled]
    if differences:
        raise SchemaMismatch(contract.table, differences, contract.file)


def _beside(contract: Contract) -> dict[str, tuple[str, Callable[[str], bool]]]:
    """The columns that the job of a keyed table returns besides, each with what its type must not be."""
    keyed = contract.keyed
    if keyed is None:
        return {}
    named = {c.name for c in contract.change_columns}
    found: dict[str, tuple[str, Callable[[str], bool]]] = {
        name: ("cannot be compared", lambda kind: not kind.startswith("map"))
        for name in keyed.sequence
        if name not in named
    }
    if keyed.delete_column is not None:
        kinds = _KINDS_OF_VALUES[type(keyed.delete_values[0])]
        found[keyed.delete_column] = (
            f"is compared with {keyed.delete_values[0]!r} in delete_when",
            lambda kind: kind in kinds,
        )
    return found


def changes_with_outcome(contract: Contract, frame: DataFrame) -> DataFrame:
    """The changes of a keyed table as its changes' contract has them, ready to stage: the last of each key and day."""
    kept = [DROPPED] if DROPPED in frame.columns else []
    marked, order = marked_changes(contract, frame, kept)
    return last_of_each_day(contract, rows_with_outcome(changes_contract(contract), marked, order), order)


def rows_with_outcome(contract: Contract, frame: DataFrame, beside: Sequence[str] = ()) -> DataFrame:
    """The contract's columns, `broken_rules`, `batch_date` and `_outcome`, ready to stage.

    Derived doubles are rounded to the contract's scale, since sums of doubles differ with how rows are spread.

    Args:
        beside: other columns to keep.
    """
    columns: list[Column] = [F.col(name) for name in beside]
    for c in contract.columns:
        value = F.col(c.name)
        if c.scale is not None and c.type in _FLOATING:
            # Adding zero makes -0.0 a plain 0.0.
            value = (F.round(value, c.scale) + F.lit(0.0)).cast(str(c.type))
        columns.append(value.alias(c.name))
    has_drops = DROPPED in frame.columns
    dropped = F.col(DROPPED) if has_drops else F.lit(None).cast("string")
    rounded = frame.select(*columns, BATCH_DATE, dropped.alias(DROPPED))
    rules = contract.suite.row_rules
    broken = (
        row_rules(rules, {c.name: c.type for c in contract.columns})
        if rules
        else F.array().cast("array<string>")
    )
    is_dropped, is_broken = F.col(DROPPED).isNotNull(), F.size("_broken") > 0
    return rounded.withColumn("_broken", broken).select(
        *beside,
        *[c.name for c in contract.columns],
        F.when(is_dropped, F.array(DROPPED)).when(is_broken, F.col("_broken")).alias(BROKEN_RULES),
        BATCH_DATE,
        F.when(is_dropped, str(RowOutcome.DROPPED))
        .when(is_broken, str(RowOutcome.QUARANTINED))
        .otherwise(str(RowOutcome.PUBLISHED))
        .alias(OUTCOME),
    )
