"""Loading a project: conf/sources, conf/tables, conf/expectations and conf/models as one checked whole.

Owns which files are read and that all mistakes of all files are reported at once. The grammars are
`lakesmith.contracts.sources`, `tables`, `suites` and `models`; how files fit together is `lakesmith.contracts.links`
and `model_links`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lakesmith.config.yaml_text import read_yaml
from lakesmith.contracts.graph import TableGraph
from lakesmith.contracts.judged import check_judged, with_judged
from lakesmith.contracts.links import ReadContract, check_links
from lakesmith.contracts.model import Source, Suite
from lakesmith.contracts.model_links import ReadModel, check_model, with_features
from lakesmith.contracts.models import check_model_name, read_model
from lakesmith.contracts.overrides import Overrides
from lakesmith.contracts.problems import Document, nearest
from lakesmith.contracts.profiled import check_profiles, with_watched
from lakesmith.contracts.project import Project
from lakesmith.contracts.sources import check_source_name, read_source
from lakesmith.contracts.suites import parse_suite
from lakesmith.contracts.tables import check_table_name, read_contract
from lakesmith.contracts.types import parse_type
from lakesmith.errors import InvalidProject, Problem

__all__ = ["load_project"]

_SOURCES = "conf/sources"
_TABLES = "conf/tables"
_SUITES = "conf/expectations"
_MODELS = "conf/models"
_NO_TYPES: Mapping[str, frozenset[str]] = MappingProxyType({})
_NO_OVERRIDES: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
_NO_ORIGINS: Mapping[str, str] = MappingProxyType({})


def load_project(
    root: Path,
    expectation_types: Mapping[str, frozenset[str]] = _NO_TYPES,
    model_overrides: Mapping[str, Mapping[str, Any]] = _NO_OVERRIDES,
    setting_origins: Mapping[str, str] = _NO_ORIGINS,
    *,
    with_suites: bool = True,
) -> Project:
    """The tables, sources and models that the files of a project declare.

    Args:
        root: the folder that holds conf/ and jobs/.
        expectation_types: expectation types of the project's own modules, with the names of their parameters.
        model_overrides: what `settings.models` changes in the models' files.
        setting_origins: `settings.origins`, so that a mistake in such a change is reported where it was made.
        with_suites: False leaves every suite empty and unread: whoever only needs the graph need not know a project's own
            expectation types.

    Raises:
        InvalidProject: the files hold mistakes; it lists all of them.
    """
    problems: list[Problem] = []
    source_documents = _documents(root, _SOURCES, problems)
    table_documents = _documents(root, _TABLES, problems)
    sources: dict[str, Source] = {}
    for name, document in source_documents.items():
        check_source_name(document, name)
        sources[name] = read_source(document, name)
    tables: dict[str, ReadContract] = {}
    misnamed: set[str] = set()
    for name, document in table_documents.items():
        if not check_table_name(document, name):
            misnamed.add(name)
        tables[name] = ReadContract(read_contract(document, name), document)
    if not tables:
        problems.append(Problem(_TABLES, "", "holds no contract; a table is a file <layer>.<name>.yml in it"))
    overrides = Overrides(model_overrides, setting_origins)
    model_documents = _documents(root, _MODELS, problems)
    models = {
        name: _model(overrides.laid_over(document, name), name) for name, document in model_documents.items()
    }
    declared = {name: model.declaration for name, model in models.items()}
    check_profiles(tables, declared)
    read = {name: table.contract for name, table in tables.items()}
    featured = {name: with_features(model, tables) for name, model in declared.items()}
    tables = {
        name: replace(table, contract=with_judged(with_watched(table.contract, read), read, featured))
        for name, table in tables.items()
    }
    check_judged(tables)
    check_links(root, tables, sources, declared)
    for model in models.values():
        check_model(model, tables)
    suites = (
        _suites(root, tables, expectation_types, problems)
        if with_suites
        else {name: Suite(name) for name in tables}
    )
    for name in sorted(tables.keys() - suites.keys() - misnamed):
        message = f'is missing; a suite without rules is {{"name": "{name}", "expectations": []}}'
        problems.append(Problem(f"{_SUITES}/{name}.json", "", message))
    for document in [*source_documents.values(), *table_documents.values()]:
        problems.extend(document.problems)
    for name, model in models.items():
        problems.extend(overrides.located(model.document, model_documents[name], name))
    problems.extend(overrides.unknown(models))
    if problems:
        raise InvalidProject(sorted(problems, key=lambda p: (p.file, p.line or 0)))
    contracts = {name: replace(table.contract, suite=suites[name]) for name, table in tables.items()}
    return Project(root, TableGraph(contracts, sources), featured)


def _model(document: Document, name: str) -> ReadModel:
    check_model_name(document, name)
    return ReadModel(read_model(document, name), document)


def _documents(root: Path, folder: str, problems: list[Problem]) -> dict[str, Document]:
    """Every YAML file of a folder by its name without the ending, in order of name."""
    documents: dict[str, Document] = {}
    for name, file, text in _texts(root, folder, ".yml", problems):
        document = read_yaml(text, file)
        problems.extend(document.problems)
        if document.value is None and not document.problems:
            problems.append(Problem(file, "", "is empty"))
        documents[name] = Document(document)
    return documents


def _suites(
    root: Path,
    tables: Mapping[str, ReadContract],
    expectation_types: Mapping[str, frozenset[str]],
    problems: list[Problem],
) -> dict[str, Suite]:
    suites: dict[str, Suite] = {}
    for name, file, text in _texts(root, _SUITES, ".json", problems):
        if name not in tables:
            message = f"there is no table {name!r}; a suite has the name of its table"
            problems.append(Problem(file, "", message, nearest=nearest(name, tables)))
            continue
        suites[name], found = _suite(text, file, tables[name], expectation_types)
        problems.extend(found)
    return suites


def _suite(
    text: str, file: str, table: ReadContract, expectation_types: Mapping[str, frozenset[str]]
) -> tuple[Suite, list[Problem]]:
    """The suite of a table; beside a contract with mistakes, only what is wrong in any case."""
    contract, document = table.contract, table.document
    words = re.findall(r"\w+", text)
    # The suite of a keyed table judges the changes of a batch.
    columns = {column.name: column.type for column in contract.change_columns}
    unsure = [name for name in columns if document.has_problem(f"columns.{name}")] if columns else words
    # What a source holds is read while it is staged; only tables can be compared with afterwards.
    same_day = [used.name for used in contract.inputs if used.table and used.window.is_same_day]
    inputs = same_day if contract.inputs else words
    if not unsure:
        return parse_suite(text, file, columns, inputs, expectation_types)
    readings = [
        parse_suite(text, file, {**columns, **dict.fromkeys(unsure, kind)}, inputs, expectation_types)
        for kind in _EXAMPLE_TYPES
    ]
    suite, first = readings[0]
    return suite, [problem for problem in first if all(problem in found for _, found in readings)]


_EXAMPLE_TYPES = [parse_type(text) for text in ("string", "bigint", "double", "date", "timestamp", "boolean")]


def _texts(root: Path, folder: str, ending: str, problems: list[Problem]) -> Iterator[tuple[str, str, str]]:
    """Name without ending, path in the project and text of each file; reports files that are overlooked."""
    for path in sorted((root / folder).glob("*")):
        file = f"{folder}/{path.name}"
        if path.name.startswith(".") or path.is_dir():
            continue
        if path.suffix != ending:
            if path.suffix in (".yml", ".yaml", ".json"):
                problems.append(Problem(file, "", f"is not read: files here end in {ending}"))
            continue
        text = path.read_text(encoding="utf-8-sig", errors="replace")
        if "\ufffd" in text:
            line = text[: text.index("\ufffd")].count("\n") + 1
            problems.append(Problem(file, "", "is not UTF-8 text", line=line))
        yield path.name.removesuffix(ending), file, text
