"""How a model's declaration fits the tables: columns, keys, types, and that nothing looks ahead.

Owns every message about a model's file and a contract that contradict each other. Nothing is said twice: where a
contract itself is broken, what hangs on the broken part is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from lakesmith.contracts.declaration import ModelDeclaration, ProblemKind
from lakesmith.contracts.expectations import Family, family
from lakesmith.contracts.judged import lacking_of_scores
from lakesmith.contracts.links import ReadContract
from lakesmith.contracts.model import SERVED_BY, Column, Contract, ModelRole
from lakesmith.contracts.problems import Document, Entry, nearest
from lakesmith.contracts.types import PrimitiveType

__all__ = ["ReadModel", "check_model", "with_features"]

_INTEGERS = ("bigint", "int", "smallint", "tinyint")


@dataclass(frozen=True)
class ReadModel:
    """A declaration and the file that it was read from."""

    declaration: ModelDeclaration
    document: Document


def with_features(model: ModelDeclaration, tables: Mapping[str, ReadContract]) -> ModelDeclaration:
    """The declaration with every feature named: without `columns`, all but the entity and subjects."""
    table = tables.get(model.features_table)
    if model.features or table is None:
        return model
    return replace(model, features=tuple(c.name for c in _offered(model, table.contract)))


def check_model(model: ReadModel, tables: Mapping[str, ReadContract]) -> None:
    """Notes in a model's document what does not fit the tables.

    Args:
        model: as it was read, without features where its file names none.
        tables: every contract by its file's name.
    """
    declaration, document = model.declaration, model.document
    for key, name in (("features", declaration.features_table), ("label", declaration.label.table)):
        if name and name not in tables:
            message = f"there is no table {name!r}; tables are the files of conf/tables"
            document.report((key, "table"), message, nearest(name, tables))
        elif name and tables[name].contract.keyed is not None:
            message = f"{name} is keyed and has no batches to learn from; let a batch table read it as_of, and name that"
            document.report((key, "table"), message)
    features, labels = tables.get(declaration.features_table), tables.get(declaration.label.table)
    read = [table for table in (features, labels) if table is not None]
    for table in read:
        _check_entity(model, table)
    if features is not None:
        _check_no_look_ahead(model, tables)
        if _has_columns(features):
            _check_features(model, features.contract)
    if labels is not None:
        _check_horizon(model, labels, tables)
        if _has_columns(labels):
            _check_label(model, labels.contract)
    if features is not None and labels is not None:
        _check_one_type(model, features, labels)
    if declaration.rollout is not None or declaration.floors is not None:
        _check_in_use(model, tables)


def _has_columns(table: ReadContract) -> bool:
    return bool(table.contract.columns) and not table.document.has_problem("columns")


def _columns(contract: Contract) -> dict[str, Column]:
    return {column.name: column for column in contract.columns}


def _check_in_use(model: ReadModel, tables: Mapping[str, ReadContract]) -> None:
    """Reports a model that is to be watched, and tables of scores in which nothing could be seen of it."""
    declaration, document = model.declaration, model.document
    key = "rollout" if declaration.rollout is not None else "floors"
    read = [
        (t, i)
        for t in tables.values()
        for i in t.contract.inputs
        if i.model == declaration.name and not i.baseline
    ]
    roles = {entry.role for _, entry in read}
    needed = [ModelRole.CHAMPION, *([ModelRole.CHALLENGER] if declaration.rollout is not None else [])]
    for role in needed:
        if role not in roles:
            message = (
                f"needs a table of the {role}'s scores: one in conf/tables with the input "
                f"model: {{model: {declaration.name}, role: {role}}}"
            )
            document.report((key,), message)
    held = declaration.floors is not None and bool(declaration.floors.metrics)
    if held and not any(table.contract.judges for table in tables.values()):
        message = "is read off a table that judges models: one in conf/tables with inputs: judged"
        document.report(("floors", "metrics"), message)
    for table, entry in read:
        if not _has_columns(table):
            continue
        missing = lacking_of_scores(table.contract, entry, [SERVED_BY])
        if missing:
            message = f"{document.file} declares {key}, for which this table needs {missing}"
            table.document.report(("inputs", entry.name), message)


def _check_entity(model: ReadModel, table: ReadContract) -> None:
    entity, contract = model.declaration.entity, table.contract
    if not entity or not _has_columns(table):
        return
    columns = _columns(contract)
    if entity not in columns:
        message = f"{contract.table} has no column {entity!r}"
        model.document.report(("entity",), message, nearest(entity, columns))
    elif contract.key != (entity,) and not table.document.has_problem("key"):
        message = (
            f"the key of {contract.table} is {', '.join(contract.key)}; a model needs one row for each {entity} "
            f"a day, so that the key is {entity} alone"
        )
        model.document.report(("entity",), message)


def _check_one_type(model: ReadModel, features: ReadContract, labels: ReadContract) -> None:
    """Reports an entity that cannot be joined."""
    entity = model.declaration.entity
    if not (_has_columns(features) and _has_columns(labels)):
        return
    found = [_columns(table.contract).get(entity) for table in (features, labels)]
    here, there = (str(column.type) if column else "" for column in found)
    if here and there and here != there:
        message = (
            f"{entity!r} is {here} in {features.contract.table} and {there} in {labels.contract.table}; "
            "give it one type"
        )
        model.document.report(("entity",), message)


def _offered(model: ModelDeclaration, contract: Contract) -> Iterator[Column]:
    """The columns of the features table that are features when the file names none."""
    return (c for c in contract.columns if c.name != model.entity and not c.subject)


def _check_features(model: ReadModel, contract: Contract) -> None:
    declaration, document = model.declaration, model.document
    columns = _columns(contract)
    for name in declaration.features:
        _check_feature(_element(document, ("features", "columns"), name), name, declaration, contract)
    if not declaration.features and not document.has_problem("features.columns"):
        for column in _offered(declaration, contract):
            if reason := _why_no_feature(column, declaration):
                message = (
                    f"{column.name!r} {reason} (without columns every column is a feature: list those to use)"
                )
                document.report(("features",), message)
    features = declaration.features or tuple(c.name for c in _offered(declaration, contract))
    for name in declaration.categorical:
        element = _element(document, ("features", "categorical"), name)
        if name not in features:
            element.report(f"{name!r} is none of the features", nearest(name, features))
        elif name in columns and not _is_category(columns[name]):
            message = f"{name!r} is {columns[name].type}; categories are texts, whole numbers or booleans"
            element.report(message)
    for baseline in declaration.baselines:
        for name in baseline.features:
            element = _element(document, ("baselines", baseline.name, "features"), name)
            _check_feature(element, name, declaration, contract)


def _check_feature(entry: Entry, name: str, model: ModelDeclaration, contract: Contract) -> None:
    columns = _columns(contract)
    if name not in columns:
        entry.report(f"{contract.table} has no column {name!r}", nearest(name, columns))
    elif reason := _why_no_feature(columns[name], model):
        entry.report(f"{name!r} {reason}")


def _why_no_feature(column: Column, model: ModelDeclaration) -> str:
    if column.name == model.entity:
        return "is the entity: whom a row is about, not what is known of it"
    if column.subject:
        return "names or identifies a person; no model learns from it"
    match family(column.type):
        case Family.NUMBER | Family.BOOLEAN:
            return ""
        case Family.STRING if column.name in model.categorical:
            return ""
        case Family.STRING:
            return "is a string; name it in features.categorical too"
        case _:
            return f"is {column.type}; a feature is a number, a boolean or a categorical string"


def _is_category(column: Column) -> bool:
    return isinstance(column.type, PrimitiveType) and column.type.name in (*_INTEGERS, "string", "boolean")


def _element(document: Document, path: tuple[str, ...], name: str) -> Entry:
    """A name in one of the file's lists, at its place."""
    entry = document.top
    for key in path:
        entry = entry.entries()[key]
    return next(element for element in entry.items() if element.value == name)


def _check_label(model: ReadModel, contract: Contract) -> None:
    label, document = model.declaration.label, model.document
    columns = _columns(contract)
    if not label.column:
        return
    if label.column not in columns:
        message = f"{contract.table} has no column {label.column!r}"
        document.report(("label", "column"), message, nearest(label.column, columns))
        return
    kind = columns[label.column].type
    if label.column in contract.key:
        message = f"{label.column!r} is in the key of {contract.table}; what is predicted is not"
        document.report(("label", "column"), message)
    elif document.has_problem("problem"):
        return
    elif model.declaration.problem is ProblemKind.CLASSIFICATION:
        if str(kind) not in ("boolean", *_INTEGERS):
            message = f"{label.column!r} is {kind}; the label of a classification is a boolean, or 0 and 1"
            document.report(("label", "column"), message)
    elif family(kind) is not Family.NUMBER:
        message = f"{label.column!r} is {kind}; the label of a regression is a number"
        document.report(("label", "column"), message)


def _check_horizon(model: ReadModel, labels: ReadContract, tables: Mapping[str, ReadContract]) -> None:
    """Reports a horizon that is not how far the labels look ahead."""
    label, document, contract = model.declaration.label, model.document, labels.contract
    if labels.document.has_problem("inputs"):
        return
    seen = _look_ahead(contract.table, tables)
    if not seen.days:
        message = (
            f"{label.table} reads no day after its own; a label needs an input with a window like ahead: 30d"
        )
        document.report(("label", "table"), message)
    if not seen.days or not label.horizon_days:
        return
    if label.horizon_days < seen.days:
        message = (
            f"the labels of D know D+{seen.days} through {seen.path_from(contract.table)}; "
            f"write at least {seen.days}d"
        )
        document.report(("label", "horizon"), message)
    if contract.lag_days < label.horizon_days and not labels.document.has_problem("lag"):
        message = (
            f"the labels of D are made on the night D+{contract.lag_days}, before the horizon is over; "
            f"write lag: {label.horizon_days}d in {contract.file}"
        )
        document.report(("label", "horizon"), message)


def _check_no_look_ahead(model: ReadModel, tables: Mapping[str, ReadContract]) -> None:
    """Reports features that know days after their own: whatever is measured with them is too good to be true."""
    table = model.declaration.features_table
    seen = _look_ahead(table, tables)
    if seen.days:
        message = f"features of D would know D+{seen.days} through {seen.path_from(table)}"
        model.document.report(("features", "table"), message)


@dataclass(frozen=True)
class _LookAhead:
    """How many days after its own a batch of a table knows, and through which tables."""

    days: int = 0
    path: tuple[str, ...] = ()

    def path_from(self, table: str) -> str:
        return " -> ".join((table, *self.path))


def _look_ahead(
    table: str, tables: Mapping[str, ReadContract], known: dict[str, _LookAhead] | None = None
) -> _LookAhead:
    """Windows add up: what reads yesterday of a table that looks three days ahead knows two days ahead.

    Args:
        known: the answers so far; a table that is still open counts as none, since a circle is another's finding.
    """
    known = {} if known is None else known
    known[table] = most = _LookAhead()
    for used in tables[table].contract.inputs:
        if used.table is None or used.table not in tables:
            continue
        beyond = known.get(used.table) or _look_ahead(used.table, tables, known)
        days = used.window.last_offset + beyond.days
        if days > most.days:
            window = "" if used.window.is_same_day else f" ({used.window})"
            most = _LookAhead(days, (f"{used.table}{window}", *beyond.path))
    known[table] = most
    return most
