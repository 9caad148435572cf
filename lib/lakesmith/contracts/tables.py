"""The grammar of conf/tables/<layer>.<name>.yml.

Owns what a contract may say and every message about one file of them. How contracts, sources and jobs fit
together is `lakesmith.contracts.links`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from keyword import iskeyword

from lakesmith.config.durations import parse_seconds
from lakesmith.config.yaml_text import describe
from lakesmith.contracts.judged import JUDGED
from lakesmith.contracts.keyed import KEYED_KEYS, with_keyed
from lakesmith.contracts.model import (
    BATCH_DATE,
    CHANGES,
    Column,
    Contract,
    Fallback,
    Input,
    Mode,
    ModelRole,
    QuarantineLimit,
    Rows,
    Suite,
)
from lakesmith.contracts.problems import Document, Entry, Fields, nearest
from lakesmith.contracts.profiled import PROFILED, read_profile, read_trends
from lakesmith.contracts.types import ColumnType, MapType, PrimitiveType, parse_type
from lakesmith.contracts.windows import Window, WindowKind, parse_days

__all__ = ["LAYERS", "check_table_name", "read_contract"]

LAYERS = ("bronze", "silver", "gold", "monitoring")
"""The layers whose tables have contracts."""

_TABLE_NAME = re.compile(r"[a-z][a-z0-9_]*")
_COLUMN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_SIZE_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_RESERVED_COLUMNS = {
    BATCH_DATE: "every table has it as its last column; leave it out",
    "input_date": "it is the input row's own day in wide windows",
    "age_days": "it is the input row's age in wide windows",
    "broken_rules": "it holds the reasons in quarantine tables",
}
_MODEL = "model"
_RESERVED_PARAMETERS = ("batches", "settings", _MODEL)
_TYPE_WORDS = (
    *("string", "bigint", "int", "smallint", "tinyint", "float", "double", "boolean", "binary", "date"),
    *("timestamp", "decimal", "array", "map", "struct"),
)
_UNKNOWN_TYPE = PrimitiveType("string")
_MOST_DECIMALS = 15  # a double has no more

_REQUIRED = ("table", "description", "owner", "job", "inputs", "key", "columns")
_OPTIONAL = (
    *("rows", "mode", "lag", "rows_per_file", "retries", "timeout", "resources", "quarantine_limit"),
    *("change_data_feed", "horizon", "profile"),
    *KEYED_KEYS,
)


def read_contract(document: Document, table: str) -> Contract:
    """The contract of a file, without its suite; defaults stand in for what `document.problems` names.

    Args:
        document: the file.
        table: the file's name without its ending, which is the table's name.
    """
    fields = document.top.fields(_REQUIRED, _OPTIONAL)
    fields.read("table", lambda entry: _same_name(entry, table), None)
    no_columns: tuple[Column, ...] = ()
    columns = fields.read("columns", _columns, no_columns)
    plain = Contract(table, "", "", "", (), (), (), Suite(table))
    derived = fields.entries["inputs"].value if "inputs" in fields.entries else None
    contract = Contract(
        table=table,
        description=fields.read("description", Entry.text, ""),
        owner=fields.read("owner", Entry.text, ""),
        job=fields.read("job", Entry.text, ""),
        inputs=fields.read("inputs", _inputs, ()),
        key=fields.read("key", lambda entry: _key(entry, columns), ()),
        columns=columns,
        suite=plain.suite,
        rows=fields.read("rows", lambda entry: entry.member(Rows), plain.rows),
        mode=fields.read("mode", lambda entry: entry.member(Mode), plain.mode),
        lag_days=fields.read("lag", _days, 0),
        rows_per_file=fields.read("rows_per_file", lambda entry: entry.whole(1, 10**9), plain.rows_per_file),
        retries=fields.read("retries", lambda entry: entry.whole(0, 100), plain.retries),
        timeout=fields.read("timeout", _timeout, plain.timeout),
        resources=fields.read("resources", _size, plain.resources),
        quarantine_limit=fields.read("quarantine_limit", _quarantine_limit, plain.quarantine_limit),
        change_data_feed=fields.read("change_data_feed", Entry.flag, plain.change_data_feed),
        horizon_days=fields.read("horizon", _days, None),
        profile=fields.read("profile", read_profile, None),
        profiles=derived == PROFILED,
        judges=derived == JUDGED,
        file=document.file,
    )
    contract = with_keyed(contract, fields)
    return _reading_itself(contract, document, fields) if contract.reads_itself else contract


def check_table_name(document: Document, table: str) -> bool:
    """Reports a file whose name is not `<layer>.<name>.yml`; True when it is."""
    layer, _, name = table.partition(".")
    if layer == "ops":
        document.report((), "tables of the layer 'ops' are the ledger's own and have no contract")
    elif layer == "quarantine":
        document.report((), "the contract of a quarantine table follows from its target's; delete this file")
    elif layer == CHANGES:
        document.report((), "the contract of a keyed table's changes follows from its own; delete this file")
    elif layer not in LAYERS:
        message = f"the file's name begins with {layer!r}, which is no layer; layers: {', '.join(LAYERS)}"
        document.report((), message, nearest(layer, LAYERS))
    elif not _TABLE_NAME.fullmatch(name):
        message = "after the layer the file's name must be one name of lower-case letters, digits and _"
        document.report((), f"{message}, found {name!r}")
    else:
        return True
    return False


def _reading_itself(contract: Contract, document: Document, fields: Fields) -> Contract:
    """The contract with the mode that reading itself implies; reports what that forbids."""
    for own in (i for i in contract.inputs if i.table == contract.table):
        if own.window.kind is not WindowKind.PREVIOUS:
            message = f"a table may read itself with previous: only, like {{previous: 1d}}, not {own.window}"
            document.report(("inputs", own.name, "window"), message)
    if all(i.table == contract.table or i.model for i in contract.inputs):
        message = "a table that reads only itself has nothing to begin with; name another input"
        document.report(("inputs",), message)
    if "mode" in fields.entries and contract.mode is Mode.RANGE:
        fields.entries["mode"].report("a table that reads itself goes batch by batch; leave mode out")
    return replace(contract, mode=Mode.PER_BATCH)


def _same_name(entry: Entry, table: str) -> None:
    if entry.text() not in (None, table):
        entry.report(f"must equal the file's name, {table!r}, found {entry.value!r}")


def _days(entry: Entry) -> int | None:
    return entry.parsed(parse_days, "a number of days like 30d")


def _timeout(entry: Entry) -> int | None:
    seconds = entry.parsed(parse_seconds, "a duration like 30m")
    if seconds == 0:
        entry.report("must be longer than 0s")
    return seconds


def _size(entry: Entry) -> str | None:
    size = entry.text("the name of a size, like small")
    if size is not None and not _SIZE_NAME.fullmatch(size):
        entry.report(f"{size!r} is no name of a size: write lower-case letters, digits, _ and -")
    return size


def _quarantine_limit(entry: Entry) -> QuarantineLimit:
    fields = entry.fields((), ("share", "rows"))
    plain = QuarantineLimit()
    return QuarantineLimit(
        share=fields.read("share", lambda e: e.number(0, 1), plain.share),
        rows=fields.read("rows", lambda e: e.whole(0), plain.rows),
    )


def _inputs(entry: Entry) -> tuple[Input, ...]:
    if entry.value in (PROFILED, JUDGED):
        # They follow from the tables that ask for a profile, or from the models.
        return ()
    inputs: list[Input] = []
    for name, element in entry.entries("input names, each with a table, a source or a model").items():
        if not name.isidentifier() or not name.isascii() or iskeyword(name) or name.startswith("_"):
            element.report(f"{name!r} cannot be the name of a function's parameter, which an input's name is")
        elif name in _RESERVED_PARAMETERS and not (name == _MODEL and _is_model(element)):
            taken = ", ".join(_RESERVED_PARAMETERS)
            element.report(f"the name {name!r} is taken: a transform's parameters {taken} are no inputs")
        inputs.append(_input(name, element))
    if entry.value == {}:
        entry.expected("at least one input")
    return tuple(inputs)


def _is_model(entry: Entry) -> bool:
    return isinstance(entry.value, dict) and _MODEL in entry.value


def _input(name: str, entry: Entry) -> Input:
    value = entry.value if isinstance(entry.value, dict) else {}
    kinds = [kind for kind in ("table", "source", _MODEL) if kind in value]
    if len(kinds) > 1:
        entry.report(f"names a {' and a '.join(kinds)}; an input is one of them")
        return Input(name, Window.same_day())
    if kinds == ["source"]:
        return Input(
            name, Window.same_day(), source=_read_same_day(entry.fields(("source",), ("window",)), "source")
        )
    if kinds == [_MODEL]:
        if name != _MODEL:
            entry.report(
                f"an input that is a model has the name 'model', and a table at most one; found {name!r}"
            )
        return _model_input(name, entry)
    if not isinstance(entry.value, dict):
        entry.expected("{table: <layer>.<name>, window: same_day}, {source: <name>} or {model: <name>}")
    fields = entry.fields(("table", "window")) if isinstance(entry.value, dict) else Fields({})
    window = fields.read("window", _window, Window.same_day())
    return Input(name, window, table=fields.read("table", Entry.text, ""))


def _model_input(name: str, entry: Entry) -> Input:
    fields = entry.fields((_MODEL,), ("window", "role", "fallbacks", "score"))
    no_fallbacks: tuple[Fallback, ...] = ()
    used = Input(
        name,
        Window.same_day(),
        model=_read_same_day(fields, _MODEL),
        role=fields.read("role", lambda e: e.member(ModelRole), ModelRole.CHAMPION),
        fallbacks=fields.read("fallbacks", _fallbacks, no_fallbacks),
        score=fields.read("score", lambda e: e.text("the name of a column"), Input.score),
    )
    if used.role is ModelRole.CHALLENGER and "fallbacks" in fields.entries:
        message = (
            "nobody acts on a challenger's scores, so that nothing stands in for them; leave fallbacks out"
        )
        fields.entries["fallbacks"].report(message)
    return used


def _fallbacks(entry: Entry) -> tuple[Fallback, ...]:
    found: list[Fallback] = []
    for element in entry.items("a list of fallbacks"):
        fallback = element.member(Fallback)
        if fallback in found:
            element.report(f"{fallback} stands twice")
        elif fallback is not None:
            found.append(fallback)
    if found != sorted(found, key=list(Fallback).index):
        # The previous champion needs the features of the day; the last scores need nothing.
        entry.report(f"fallbacks are tried in the order {', '.join(Fallback)}; write them so")
    return tuple(found)


def _read_same_day(fields: Fields, kind: str) -> str:
    """The name of the source or the model that an input reads."""
    if "window" in fields.entries:
        message = f"a {kind} is always read for the batch's own day; leave the window out"
        fields.entries["window"].report(message)
    return fields.read(kind, Entry.text, "")


_WINDOWS = {
    WindowKind.LAST: Window.last,
    WindowKind.AHEAD: Window.ahead,
    WindowKind.PREVIOUS: Window.previous,
}
_WINDOW_WORDS = (WindowKind.SAME_DAY, *_WINDOWS, WindowKind.AS_OF)
_WINDOW_GRAMMAR = "same_day, {last: 90d}, {ahead: 30d}, {previous: 1d} or as_of"


def _window(entry: Entry) -> Window | None:
    if entry.value == WindowKind.SAME_DAY:
        return Window.same_day()
    if entry.value == WindowKind.AS_OF:
        return Window.as_of()
    if not isinstance(entry.value, dict):
        near = nearest(entry.value, _WINDOW_WORDS) if isinstance(entry.value, str) else None
        entry.report(f"expected {_WINDOW_GRAMMAR}, found {describe(entry.value)}", near)
        return None
    fields = entry.fields((), tuple(_WINDOWS))
    if len(entry.value) != 1:
        entry.report(f"expected one window: {_WINDOW_GRAMMAR}")
        return None
    for kind, make in _WINDOWS.items():
        days = fields.read(kind, _days, None)
        if days is not None:
            return make(days)
    return None


def _columns(entry: Entry) -> tuple[Column, ...]:
    columns: list[Column] = []
    seen: dict[str, str] = {}
    for name, element in entry.entries("column names, each with its type").items():
        _check_column_name(name, element)
        if name.lower() in seen:
            element.report(f"{name!r} and {seen[name.lower()]!r} are one name to Spark, which ignores case")
        seen.setdefault(name.lower(), name)
        columns.append(_column(name, element))
    if entry.value == {}:
        entry.expected("at least one column")
    return tuple(columns)


def _check_column_name(name: str, entry: Entry) -> None:
    if name.lower() in _RESERVED_COLUMNS:
        entry.report(f"the name {name!r} is reserved: {_RESERVED_COLUMNS[name.lower()]}")
    elif name.startswith("_"):
        entry.report(f"the name {name!r} is reserved: names that begin with _ are Lakesmith's own")
    elif not _COLUMN_NAME.fullmatch(name):
        entry.report(f"{name!r} is no column name: write letters, digits and _, from a letter on")


def _column(name: str, entry: Entry) -> Column:
    if isinstance(entry.value, str):
        entry.report(f"expected keys and values; write {{type: {entry.value}}}")
        return Column(name, _UNKNOWN_TYPE, nullable=False)
    if (cut := _cut_type(entry)) is not None:
        message = f"a comma inside {{ }} ends the value, so that the type is only {cut!r}; write it in quotes"
        entry.report(message)
        return Column(name, _UNKNOWN_TYPE, nullable=False)
    fields = entry.fields(("type",), ("nullable", "description", "subject", "scale", "unit", "trends"))
    kind = fields.read("type", _type, None)
    scale = fields.read("scale", lambda e: e.whole(0, _MOST_DECIMALS), None)
    if "scale" in fields.entries and kind is not None and str(kind) not in ("double", "float"):
        fields.entries["scale"].report(f"only a double or a float has a scale to be rounded to, not {kind}")
    column = Column(
        name=name,
        type=kind or _UNKNOWN_TYPE,
        description=fields.read("description", Entry.text, ""),
        nullable=fields.read("nullable", lambda e: e.flag() is True, True),
        subject=fields.read("subject", Entry.flag, False),
        scale=scale,
        unit=fields.read("unit", Entry.text, None),
    )
    if kind is None:
        return column
    return replace(column, trends=fields.read("trends", lambda e: read_trends(e, column), False))


def _cut_type(entry: Entry) -> str | None:
    """The first piece of a type that was cut in two: `{type: decimal(18,3)}` without quotes."""
    kind = entry.value.get("type") if isinstance(entry.value, dict) else None
    if not isinstance(kind, str) or not isinstance(entry.value, dict):
        return None
    is_open = any(kind.count(left) > kind.count(right) for left, right in ("()", "<>"))
    return kind if is_open and any(value is None for value in entry.value.values()) else None


def _type(entry: Entry) -> ColumnType | None:
    text = entry.text("a type like string or decimal(18,3)")
    if text is None:
        return None
    try:
        return parse_type(text)
    except ValueError as error:
        wrong = re.match(r"'(\w+)' is not a column type", str(error))
        entry.report(str(error), nearest(wrong.group(1), _TYPE_WORDS) if wrong else None)
        return None


def _key(entry: Entry, columns: tuple[Column, ...]) -> tuple[str, ...]:
    known = {column.name: column for column in columns}
    key: list[str] = []
    for element in entry.items("a list of columns"):
        name = element.text("the name of a column")
        if name is None:
            continue
        if name in key:
            element.report(f"{name!r} stands twice")
        elif name == BATCH_DATE:
            element.report("a key is unique within a batch; leave batch_date out")
        elif columns and name not in known:
            element.report(f"there is no column {name!r}", nearest(name, known))
        elif name in known and known[name].nullable:
            element.report(f"a key column is never null: declare {name!r} with nullable: false")
        elif name in known and isinstance(known[name].type, MapType):
            element.report(f"{name!r} is a map, which cannot be compared")
        key.append(name)
    if entry.value == []:
        entry.expected("at least one column")
    return tuple(key)
