"""How the files of a project fit together: inputs, jobs, nights, landing columns, cycles.

Owns every message about two files that contradict each other. Each check takes contracts as they were read
and notes its findings in the contract's document; no file is read, only asked for whether a job's is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from lakesmith.contracts.declaration import ModelDeclaration
from lakesmith.contracts.graph import find_cycle
from lakesmith.contracts.keyed import check_keyed_input
from lakesmith.contracts.model import SERVED_BY, Contract, Input, Source
from lakesmith.contracts.problems import Document, nearest

__all__ = ["ReadContract", "check_links"]


@dataclass(frozen=True)
class ReadContract:
    """A contract and the file that it was read from."""

    contract: Contract
    document: Document


def check_links(
    root: Path,
    tables: Mapping[str, ReadContract],
    sources: Mapping[str, Source],
    models: Mapping[str, ModelDeclaration],
) -> None:
    """Notes in each contract's document what does not fit the rest of the project.

    Args:
        root: the project's folder.
        tables: every contract by its file's name.
        sources: every source by its file's name.
        models: every model by its file's name.
    """
    jobs: dict[str, str] = {}
    for name, table in sorted(tables.items()):
        for used in table.contract.inputs:
            if used.optional:
                # It follows from another contract, which says what is wrong with it.
                continue
            if used.model:
                _check_model_input(used, table, tables, models)
            else:
                _check_input(used, table, tables, sources)
        _check_job(root, table, jobs)
        jobs.setdefault(table.contract.job, name)
    _check_cycles(tables, models)


def _check_input(
    used: Input, table: ReadContract, tables: Mapping[str, ReadContract], sources: Mapping[str, Source]
) -> None:
    place = ("inputs", used.name)
    if used.source:
        if used.source not in sources:
            message = f"there is no source {used.source!r}; sources are the files of conf/sources"
            table.document.report((*place, "source"), message, nearest(used.source, sources))
        elif table.contract.layer == "bronze":
            _check_landing_columns(sources[used.source], table)
    elif used.table:
        if used.table not in tables:
            message = f"there is no table {used.table!r}; tables are the files of conf/tables"
            table.document.report((*place, "table"), message, nearest(used.table, tables))
        elif used.table != table.contract.table:
            check_keyed_input(used, table.contract, table.document, tables[used.table].contract)
            _check_nights(used, table, tables[used.table].contract)


def _check_model_input(
    used: Input,
    table: ReadContract,
    tables: Mapping[str, ReadContract],
    models: Mapping[str, ModelDeclaration],
) -> None:
    """Reports a model that is not there, and one whose features the table does not read."""
    place = ("inputs", used.name, "model")
    name = str(used.model)
    if name not in models:
        message = f"there is no model {name!r}; models are the files of conf/models"
        table.document.report(place, message, nearest(name, models))
        return
    _check_served_by(used, table)
    features = models[name].features_table
    read = [entry.table for entry in table.contract.inputs if entry.table is not None]
    if features in tables and features not in read and all(name in tables for name in read):
        message = f"the features of {name} are {features}, which must be an input of this table too"
        table.document.report(place, message)


def _check_served_by(used: Input, table: ReadContract) -> None:
    """Reports a table whose rows could not say what stood in for the champion."""
    served_by = next((c for c in table.contract.columns if c.name == SERVED_BY), None)
    found = f"it is {served_by.type}" if served_by is not None else "there is none"
    if (
        used.fallbacks
        and not table.document.has_problem("columns")
        and (served_by is None or str(served_by.type) != "string")
    ):
        message = f"every row says what gave its score: that needs the column {SERVED_BY} of type string, and {found}"
        table.document.report(("inputs", used.name, "fallbacks"), message)


def _check_landing_columns(source: Source, table: ReadContract) -> None:
    declared = {column.name for column in table.contract.columns}
    missing = [column.name for column in source.columns if column.name not in declared]
    if missing and declared:
        listed = ", ".join(missing)
        message = f"a bronze table keeps every column of its source; {source.file} also has {listed}"
        table.document.report(("columns",), message, nearest(missing[0], declared))


def _check_nights(used: Input, table: ReadContract, read: Contract) -> None:
    """Reports a window whose last day is made on a later night than the batch that reads it."""
    if table.document.has_problem("lag"):
        return
    needed = used.window.last_offset + read.lag_days
    if needed > table.contract.lag_days:
        message = (
            f"batch D of this table belongs to the night D+{table.contract.lag_days}, but its window "
            f"{used.window} of {read.table} is complete on the night D+{needed} only; write lag: {needed}d"
        )
        table.document.report(("inputs", used.name, "window"), message)


def _check_job(root: Path, table: ReadContract, jobs: Mapping[str, str]) -> None:
    job = table.contract.job
    if not job:
        return
    path = PurePosixPath(job)
    if (
        path.is_absolute()
        or ".." in path.parts
        or path.parts[0] != "jobs"
        or path.suffix != ".py"
        or "\\" in job
    ):
        message = (
            f"expected the path of a Python file below jobs/, like jobs/silver/sales_lines.py, found {job!r}"
        )
        table.document.report(("job",), message)
    elif not (root / path).is_file():
        found = [str(p.relative_to(root).as_posix()) for p in (root / "jobs").rglob("*.py")]
        table.document.report(("job",), f"there is no file {job}", nearest(job, found))
    elif not (root / path).resolve().is_relative_to((root / "jobs").resolve()):
        table.document.report(("job",), f"{job} leads out of the project's folder jobs/")
    elif job in jobs:
        table.document.report(("job",), f"{job} computes {jobs[job]} already; a job computes one table")


def _check_cycles(tables: Mapping[str, ReadContract], models: Mapping[str, ModelDeclaration]) -> None:
    """Reports every cycle that is left when those reported before are cut."""
    left = {name: table.contract for name, table in tables.items()}
    while cycle := find_cycle(left) or find_cycle(left, models):
        # From the least name of a table on, so that the same cycle always reads the same.
        circle = cycle[:-1]
        start = circle.index(min(name for name in circle if name in left))
        circle = circle[start:] + circle[:start]
        before = circle[-1]
        first = left.pop(circle[0])
        used = next(i for i in first.inputs if i.target == before)
        each = "each table" if all(name in tables for name in circle) else "each table or model"
        message = f"a circle, {each} read by the next: {' -> '.join([*circle, circle[0]])}"
        place = ("inputs", used.name, "model" if used.model else "table")
        tables[circle[0]].document.report(place, message)
