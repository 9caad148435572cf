"""The grammar of keyed tables: what a contract with `kind: keyed` says besides, and what it must not say.

Owns the messages about that, and about who may read a keyed table and how.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from lakesmith.contracts.model import (
    BATCH_DATE,
    KEY_BUCKET,
    Contract,
    FullDump,
    Input,
    Keyed,
    Rows,
)
from lakesmith.contracts.problems import Document, Entry, Fields
from lakesmith.contracts.types import MapType
from lakesmith.contracts.windows import WindowKind

__all__ = ["KEYED_KEYS", "check_keyed_input", "with_keyed"]

KEYED_KEYS = ("kind", "scd", "sequence", "delete_when", "buckets", "full_dump")
"""The keys of a contract that say how a table is keyed."""

_MOST_BUCKETS = 1024
_NOT_BESIDE = {
    "rows": "a keyed table holds what follows from its changes, not one row for each row read; leave rows out",
    "lag": "a keyed table takes in the changes of the batch's own day; leave lag out",
}


_Marker = tuple[str | None, tuple[str | int | bool, ...]]


class _Kind(StrEnum):
    BATCH = "batch"
    KEYED = "keyed"


def with_keyed(contract: Contract, fields: Fields) -> Contract:
    """The contract with what its file says of being keyed, generated columns included; reports mistakes.

    Args:
        contract: what the other keys say.
        fields: all keys of the file.
    """
    kind = fields.read("kind", lambda entry: entry.member(_Kind), _Kind.BATCH)
    if kind is _Kind.BATCH:
        if "kind" not in fields.entries or fields.entries["kind"].value == _Kind.BATCH:
            for name in KEYED_KEYS[1:]:
                if name in fields.entries:
                    fields.entries[name].report(
                        "only a keyed table has this; write kind: keyed, or leave it out"
                    )
        return contract
    top = fields.entries["kind"]
    missing = [name for name in ("scd", "sequence") if name not in fields.entries]
    if missing:
        listed = " and ".join(repr(name) for name in missing)
        top.report(f"a keyed table also has the key{'s' if len(missing) > 1 else ''} {listed}")
    for name, message in _NOT_BESIDE.items():
        if name in fields.entries and not (name == "rows" and contract.rows is Rows.ANY):
            fields.entries[name].report(message)
    no_marker: _Marker = (None, ())
    delete_column, delete_values = fields.read(
        "delete_when", lambda entry: _delete_when(entry, contract), no_marker
    )
    no_sequence: tuple[str, ...] = ()
    no_dump: FullDump | None = None
    keyed = Keyed(
        scd=fields.read("scd", lambda entry: entry.whole(1, 2), 2),
        sequence=fields.read("sequence", lambda entry: _sequence(entry, contract), no_sequence),
        delete_column=delete_column,
        delete_values=delete_values,
        buckets=fields.read("buckets", lambda entry: entry.whole(1, _MOST_BUCKETS), Keyed.buckets),
        full_dump=fields.read("full_dump", _full_dump, no_dump),
    )
    _check_columns(contract, keyed, fields)
    _check_log(contract, fields)
    return replace(contract, keyed=keyed, columns=(*contract.columns, *keyed.generated))


def check_keyed_input(used: Input, contract: Contract, document: Document, read: Contract) -> None:
    """Reports an input that is a keyed table in a window that it cannot have, or that is none in a window of such.

    Args:
        used: the input.
        contract, document: the table that names it, and its file.
        read: the table that is named.
    """
    place = ("inputs", used.name, "window")
    is_as_of = used.window.kind is WindowKind.AS_OF
    if read.keyed is None:
        if is_as_of:
            message = f"as_of is the window of keyed tables, which {read.table} is not; write same_day, or another window"
            document.report(place, message)
    elif contract.keyed is not None:
        message = f"a keyed table reads a log of changes, not another keyed table; name a batch table instead of {read.table}"
        document.report(("inputs", used.name, "table"), message)
    elif not is_as_of:
        log = next((i.table for i in read.inputs if i.table), None)
        message = (
            f"{read.table} is keyed: what it holds now knows days after the batch. Write window: as_of"
            f"{f', or read its log {log}' if log else ''}"
        )
        document.report(place, message)
    elif not read.keyed.keeps_history:
        message = f"{read.table} holds the last row of every key only (scd: 1), so that nothing is known of earlier days"
        document.report(place, message)


def _check_log(contract: Contract, fields: Fields) -> None:
    """Reports inputs that are not one log of changes."""
    if not contract.inputs or "inputs" not in fields.entries:
        return
    entry = fields.entries["inputs"]
    if len(contract.inputs) > 1:
        entry.report(f"a keyed table reads one log of changes, found {len(contract.inputs)} inputs")
        return
    (log,) = contract.inputs
    if log.source or log.model:
        entry.report(
            "the log of a keyed table is a batch table, so that it can be audited and corrected; name a table"
        )
    elif log.table and log.table == contract.table:
        entry.report("a keyed table reads a log of changes, not itself")
    elif log.table and not log.window.is_same_day:
        entry.report(f"a keyed table reads its log day by day: write window: same_day, not {log.window}")


def _check_columns(contract: Contract, keyed: Keyed, fields: Fields) -> None:
    """Reports columns that a keyed table gets by itself."""
    columns = fields.entries["columns"].entries() if "columns" in fields.entries else {}
    reserved = {column.name: "Lakesmith adds it to a keyed table with history" for column in keyed.generated}
    reserved[KEY_BUCKET] = "it is the last column and the partition of every keyed table"
    for name, element in columns.items():
        if name.lower() in reserved:
            element.report(f"the name {name!r} is reserved: {reserved[name.lower()]}; leave it out")


def _sequence(entry: Entry, contract: Contract) -> tuple[str, ...]:
    """Columns of the changes; what is not in the table is known to the job alone."""
    types = {column.name: column.type for column in contract.columns}
    found: list[str] = []
    for element in entry.items("a list of columns"):
        name = element.text("the name of a column")
        if name is None:
            continue
        if name in found:
            element.report(f"{name!r} stands twice")
        elif name == BATCH_DATE:
            element.report(
                "changes are taken in day by day; the sequence orders those of one day: leave batch_date out"
            )
        elif name in contract.key:
            element.report(f"{name!r} is in the key, so that it orders nothing")
        elif isinstance(types.get(name), MapType):
            element.report(f"{name!r} is a map, which cannot be compared")
        found.append(name)
    if entry.value == []:
        entry.expected("at least one column")
    return tuple(found)


def _delete_when(entry: Entry, contract: Contract) -> _Marker | None:
    marks = entry.entries("a column and the value that marks a deleted key, like {operation: D}")
    if not isinstance(entry.value, dict):
        return None
    if len(marks) != 1:
        entry.expected("one column and the value that marks a deleted key, like {operation: D}")
        return None
    ((name, element),) = marks.items()
    known = [column.name for column in contract.columns]
    if name in known or name == BATCH_DATE:
        element.report(
            f"{name!r} is a column of the table, where deleted keys have no row; let the job return a marker of its own"
        )
        return None
    listed = element.value if isinstance(element.value, list) else [element.value]
    values = tuple(value for value in listed if isinstance(value, str | int | bool))
    if not values or len(values) != len(listed) or len({type(value) for value in values}) > 1:
        element.expected("a text, a whole number, true or false, or a list of one kind of them")
        return None
    return name, values


def _full_dump(entry: Entry) -> FullDump:
    fields = entry.fields((), ("least_share",))
    return FullDump(fields.read("least_share", lambda e: e.number(0, 1), FullDump.least_share))
