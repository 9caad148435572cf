"""The grammar of conf/sources/<name>.yml.

Owns what a source may say and every message about one file of them. How sources and tables fit together is
`lakesmith.contracts.load`.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from fnmatch import fnmatchcase

from lakesmith.config.durations import parse_seconds
from lakesmith.contracts.days import BatchRange, parse_day
from lakesmith.contracts.model import (
    BATCH_DATE,
    Calendar,
    Completion,
    Extraction,
    OnMissing,
    Partition,
    Source,
    SourceColumn,
    SourceFormat,
    SourceKind,
)
from lakesmith.contracts.problems import Document, Entry, Fields, nearest
from lakesmith.contracts.queries import parse_query
from lakesmith.contracts.types import ArrayType, ColumnType, DecimalType, PrimitiveType, parse_type

__all__ = ["LANDING_COLUMNS", "check_source_name", "read_source"]

LANDING_COLUMNS = (BATCH_DATE, "source_file", "record_no", "extra", "malformed")
"""What landing adds to the columns of every source, beside its own."""

_NAME_GRAMMAR = "a letter, then letters, digits and _, all lower-case"
_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_COLUMN_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PLACEHOLDER = "{batch_date}"
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_LONGEST_CLOSURE = 3660
_LONGEST_RECORD = 1 << 30

_CONNECTION = re.compile(r"[a-z][a-z0-9_]*")
_PARTITIONED_BY = ("bigint", "int", "smallint", "date")
_MOST_PARTS = 64
_MOST_FETCHED = 1_000_000
_EXTRACT = "{batch_date}.parquet"

_REQUIRED = ("source", "description", "patterns", "format", "start", "columns")
_OPTIONAL = ("kind", "closed", "complete", "missing", "delimiter", "max_record_bytes")
_REQUIRED_OF_FILE = ("source", "description", "file", "format", "start", "columns")
_OPTIONAL_OF_FILE = ("kind", "complete", "delimiter", "max_record_bytes")
_REQUIRED_OF_DELTA = ("source", "description", "format", "path", "date_column", "start", "columns")
_OPTIONAL_OF_DELTA = ("kind", "closed", "missing")
_REQUIRED_OF_DATABASE = ("source", "kind", "description", "connection", "query", "start", "columns")
_OPTIONAL_OF_DATABASE = ("closed", "missing", "partition", "fetch_size")


def read_source(document: Document, name: str) -> Source:
    """The source of a file; defaults stand in for mistakes, which are in `document.problems`.

    Args:
        document: the file.
        name: the file's name without its ending, which is the source's name.
    """
    top = document.top.value if isinstance(document.top.value, dict) else {}
    if top.get("kind") == str(SourceKind.JDBC):
        return _read_database(document, name)
    undated = "file" in top
    # A table of somebody else has no files, and one file that is replaced in place neither a pattern nor a calendar.
    if top.get("format") == str(SourceFormat.DELTA):
        fields = document.top.fields(_REQUIRED_OF_DELTA, _OPTIONAL_OF_DELTA)
    elif undated:
        fields = document.top.fields(_REQUIRED_OF_FILE, _OPTIONAL_OF_FILE)
    else:
        fields = document.top.fields(_REQUIRED, _OPTIONAL)
    fields.read("source", lambda entry: _check_name(entry, name), None)
    fields.read("kind", lambda entry: entry.member(SourceKind), SourceKind.FILES)
    file_format = fields.read("format", lambda entry: entry.member(SourceFormat), SourceFormat.CSV)
    plain = Source(name, "", (), file_format, (), date.min)
    source = Source(
        name=name,
        description=fields.read("description", Entry.text, ""),
        patterns=fields.read("file", _undated_file, ())
        if undated
        else fields.read("patterns", _patterns, ()),
        format=file_format,
        columns=fields.read("columns", _columns, ()),
        start=fields.read("start", _day, date.min),
        calendar=fields.read("closed", _calendar, plain.calendar),
        completion=fields.read("complete", _completion, plain.completion),
        on_missing=fields.read("missing", lambda entry: entry.member(OnMissing), plain.on_missing),
        delimiter=fields.read("delimiter", lambda entry: _delimiter(entry, file_format), plain.delimiter),
        max_record_bytes=fields.read(
            "max_record_bytes", lambda entry: entry.whole(1, _LONGEST_RECORD), plain.max_record_bytes
        ),
        file=document.file,
        path=fields.read("path", _table_path, ""),
        date_column=fields.read("date_column", Entry.text, ""),
        undated=undated,
    )
    if undated and source.completion.marker:
        document.report(
            ("complete", "marker"), "a file without a date has no marker for a day; use stable_for"
        )
    for pattern in source.patterns:
        if source.completion.marker and _matches(source.completion.marker, pattern):
            message = (
                f"the pattern {pattern!r} takes the marker for data; put one of them into another folder"
            )
            document.report(("complete", "marker"), message)
    return source


def _read_database(document: Document, name: str) -> Source:
    """The source of a file that says `kind: jdbc`: a query, whose answer is landed as Parquet."""
    fields = document.top.fields(_REQUIRED_OF_DATABASE, _OPTIONAL_OF_DATABASE)
    fields.read("source", lambda entry: _check_name(entry, name), None)
    no_columns: tuple[SourceColumn, ...] = ()
    columns = fields.read("columns", _typed_columns, no_columns)
    extraction = Extraction(
        connection=fields.read("connection", _connection, ""),
        query=fields.read("query", _query, ""),
        fetch_size=fields.read("fetch_size", lambda entry: entry.whole(1, _MOST_FETCHED), 10_000),
        partition=fields.read("partition", lambda entry: _partition(entry, columns), None),
    )
    return Source(
        name=name,
        description=fields.read("description", Entry.text, ""),
        patterns=(_EXTRACT,),
        format=SourceFormat.PARQUET,
        columns=columns,
        start=fields.read("start", _day, date.min),
        calendar=fields.read("closed", _calendar, Calendar()),
        on_missing=fields.read("missing", lambda entry: entry.member(OnMissing), OnMissing.ERROR),
        file=document.file,
        extraction=extraction,
    )


def _connection(entry: Entry) -> str | None:
    name = entry.text("the name of a connection in the settings, like erp")
    if name is not None and not _CONNECTION.fullmatch(name):
        entry.report(f"{name!r} is no connection's name; expected {_NAME_GRAMMAR}")
    return name


def _query(entry: Entry) -> str | None:
    text = entry.text("one SELECT")
    if text is None:
        return None
    for problem in parse_query(text).problems:
        entry.report(problem)
    return text.strip()


def _typed_columns(entry: Entry) -> tuple[SourceColumn, ...]:
    """The columns that a query gives, each with the type that it must have there."""
    columns = _named_columns(entry, ("type",), ("header",))
    if entry.value == {}:
        entry.expected("at least one column")
    return columns


def _type(entry: Entry) -> ColumnType | None:
    text = entry.text("a type like bigint or decimal(12,2)")
    if text is None:
        return None
    # What no Delta table may hold is a text in the bronze table: a moment without a time zone.
    if text.strip() == "timestamp_ntz":
        return PrimitiveType("timestamp_ntz")
    found = entry.parsed(parse_type, "a type like bigint or decimal(12,2)")
    inner = found.element if isinstance(found, ArrayType) else found
    if found is not None and not isinstance(inner, PrimitiveType | DecimalType):
        entry.report(f"{text!r} is no type that a database gives; cast it to text in the query")
    return found


def _partition(entry: Entry, columns: tuple[SourceColumn, ...]) -> Partition | None:
    fields = entry.fields(("column", "parts"))
    name = fields.read("column", lambda column: column.text("a column of the query"), "")
    by_header = {column.header: column for column in columns}
    if name and name not in by_header:
        message = f"the query's columns do not name {name!r}; there are {', '.join(by_header)}"
        fields.entries["column"].report(message, nearest(name, by_header))
    elif name and str(by_header[name].type) not in _PARTITIONED_BY:
        known = ", ".join(_PARTITIONED_BY)
        fields.entries["column"].report(f"rows are spread by a column of type {known}; {name} is none")
    return Partition(name, fields.read("parts", lambda parts: parts.whole(2, _MOST_PARTS), 2))


def _table_path(entry: Entry) -> str | None:
    path = entry.text("the folder or URI of a Delta table")
    if path is not None and ".." in path.split("/"):
        entry.report(f"{path!r} must not hold '..'")
    return path.rstrip("/") if path else path


def _matches(path: str, pattern: str) -> bool:
    folder, _, name = path.rpartition("/")
    pattern_folder, _, pattern_name = pattern.rpartition("/")
    return folder == pattern_folder and fnmatchcase(name, pattern_name)


def check_source_name(document: Document, name: str) -> None:
    """Reports a file whose name cannot be a source's, which is also a folder's."""
    if not _NAME.fullmatch(name):
        document.report((), f"the file's name must be {_NAME_GRAMMAR} (or -), found {name!r}")


def _check_name(entry: Entry, name: str) -> None:
    if entry.text() not in (None, name):
        entry.report(f"must equal the file's name, {name!r}, found {entry.value!r}")


def _day(entry: Entry) -> date | None:
    return entry.parsed(parse_day, "a day like 2011-03-01")


def _patterns(entry: Entry) -> tuple[str, ...]:
    patterns: list[str] = []
    for element in entry.items("a list of paths"):
        pattern = element.text("a path like '{batch_date}.csv'")
        if pattern is None:
            continue
        if pattern in patterns:
            element.report(f"{pattern!r} stands twice")
        _check_path(element, pattern, wildcards=True)
        patterns.append(pattern)
    if entry.value == []:
        entry.expected("at least one path like '{batch_date}.csv'")
    return tuple(patterns)


def _undated_file(entry: Entry) -> tuple[str, ...] | None:
    path = entry.text("the path of a file that is replaced in place, like stores.csv")
    if path is None:
        return None
    if _PLACEHOLDER in path:
        entry.report(f"{path!r} names a file of one day; list it under patterns instead")
    else:
        _check_path(entry, path, wildcards=False, dated=False)
    return (path,)


def _check_path(entry: Entry, text: str, *, wildcards: bool, dated: bool = True) -> None:
    """Reports what keeps a path from naming files, of one day if dated, inside the source's folder."""
    if dated and _PLACEHOLDER not in text:
        in_place = f". One file that is replaced in place is named by `file: {text}` instead"
        hint = in_place if wildcards and "*" not in text else ""
        entry.report(f"{text!r} must contain {_PLACEHOLDER}, which stands for the day{hint}")
    if "{" in text.replace(_PLACEHOLDER, "") or "}" in text.replace(_PLACEHOLDER, ""):
        entry.report(f"{text!r}: {_PLACEHOLDER} is the only placeholder")
    steps = text.split("/")
    if text.startswith("/") or "://" in text or "\\" in text:
        entry.report(f"{text!r} must be a path below the source's folder, with / between its steps")
    elif any(step in ("", ".", "..") for step in steps):
        entry.report(f"{text!r} must not hold an empty step, '.' or '..'")
    if not wildcards and "*" in text:
        entry.report(f"{text!r} must name one file, without '*'")
    elif any("*" in step for step in steps[:-1]) or "**" in text:
        entry.report(f"{text!r}: a single '*' may stand in the file's name only, not in a folder's")
    if set(text) & set("?["):
        entry.report(f"{text!r}: '*' is the only wildcard")


def _columns(entry: Entry) -> tuple[SourceColumn, ...]:
    columns = _named_columns(entry, (), ("header", "required"))
    if entry.value == {}:
        entry.expected("at least one column")
    return columns


def _named_columns(
    entry: Entry, required: tuple[str, ...], optional: tuple[str, ...]
) -> tuple[SourceColumn, ...]:
    columns: list[SourceColumn] = []
    named: dict[str, str] = {}
    for name, column in entry.entries("column names, each with its header").items():
        if not _COLUMN_NAME.fullmatch(name):
            column.report(f"{name!r} is no column name; expected {_NAME_GRAMMAR}")
        elif name in LANDING_COLUMNS:
            column.report(f"the name {name!r} is taken: landing adds {', '.join(LANDING_COLUMNS)}")
        # `name:` alone is a column whose header is its name.
        fields = Fields({}) if column.value is None and not required else column.fields(required, optional)
        header = fields.read("header", Entry.text, name)
        if header in named:
            column.report(f"the header {header!r} is already that of {named[header]!r}")
        named.setdefault(header, name)
        kind = fields.read("type", _type, None)
        columns.append(SourceColumn(name, header, fields.read("required", Entry.flag, True), kind))
    return tuple(columns)


def _calendar(entry: Entry) -> Calendar:
    fields = entry.fields((), ("weekdays", "dates"))
    open_all_week: frozenset[int] = frozenset()
    weekdays = fields.read("weekdays", _weekdays, open_all_week)
    if len(weekdays) == len(_WEEKDAYS):
        entry.report("every weekday is closed, so that no file would ever be due")
    return Calendar(weekdays, fields.read("dates", _dates, frozenset()))


def _weekdays(entry: Entry) -> frozenset[int]:
    names = [element.choice(_WEEKDAYS) for element in entry.items("a list of weekdays")]
    return frozenset(_WEEKDAYS.index(name) for name in names if name is not None)


def _dates(entry: Entry) -> frozenset[date]:
    closed: set[date] = set()
    for element in entry.items("a list of days and ranges of days"):
        days = element.parsed(_parse_days, "a day like 2011-04-22 or a range like '2010-12-24 .. 2011-01-03'")
        closed.update(days or ())
    return frozenset(closed)


def _parse_days(text: str) -> BatchRange:
    first, dots, last = text.partition("..")
    begin, end = parse_day(first.strip()), parse_day((last if dots else first).strip())
    if end < begin:
        raise ValueError(f"{text!r} ends before it starts")
    days = BatchRange(begin, end)
    if len(days) > _LONGEST_CLOSURE:
        raise ValueError(f"{text!r} closes {len(days)} days; at most {_LONGEST_CLOSURE} in one range")
    return days


def _completion(entry: Entry) -> Completion | None:
    if entry.value == "at_once":
        return Completion()
    if not isinstance(entry.value, dict):
        entry.expected("at_once, {marker: '{batch_date}.done'} or {stable_for: 10m}")
        return None
    fields = entry.fields((), ("marker", "stable_for"))
    if len(entry.value) != 1:
        entry.report("expected one of marker and stable_for")
    marker = fields.read("marker", _marker, "")
    return Completion(marker or None, fields.read("stable_for", _stable_for, None))


def _stable_for(entry: Entry) -> timedelta | None:
    seconds = entry.parsed(parse_seconds, "a duration like 10m")
    if seconds == 0:
        entry.report("must be longer than 0s; write complete: at_once for no waiting")
    return timedelta(seconds=seconds) if seconds else None


def _marker(entry: Entry) -> str | None:
    marker = entry.text("a path like '{batch_date}.done'")
    if marker is not None:
        _check_path(entry, marker, wildcards=False)
    return marker


def _delimiter(entry: Entry, file_format: SourceFormat) -> str | None:
    if file_format is not SourceFormat.CSV:
        entry.report(f"only csv has a delimiter, and the format is {file_format}")
        return None
    value = entry.value
    if not isinstance(value, str) or len(value) != 1 or value in '"\r\n\0' or value.isalnum():
        entry.expected('one character that is no letter, digit, quote or line break, like ";" or "\\t"')
        return None
    return value
