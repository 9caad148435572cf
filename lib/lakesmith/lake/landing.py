"""A source as Spark reads it: pinned landing files to a DataFrame, and errors back from the executors.

Owns Spark's side of reading. Which files are read is the manifests' say (`lakesmith.ledger.manifest`), what a
record is `lakesmith.lake.records`' say. Nothing of a file passes through the driver, apart from
`inspect_headers`, which looks at the start of each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import DateType, LongType, MapType, StringType, StructField, StructType

from lakesmith.aws.s3 import S3_BY_DEFAULT, S3Access
from lakesmith.contracts.model import Source
from lakesmith.contracts.subjects import SubjectColumns
from lakesmith.errors import LakesmithError
from lakesmith.lake.records import file_layout, read_records, record_schema
from lakesmith.lake.records_errors import FileRejected
from lakesmith.lake.records_pieces import Piece, cut, is_cuttable
from lakesmith.ledger.landing_store import LandingStore, landing_store
from lakesmith.ledger.manifest import LandingFile, Manifest
from lakesmith.ledger.subject_rows import rows_naming

__all__ = [
    "Erasure",
    "FileColumns",
    "inspect_headers",
    "read_source",
    "reads_evenly",
    "source_schema",
    "translate",
]

TASK_BYTES = 32 << 20
"""Small files share a task up to about so many bytes; a larger one is cut into pieces of so many, if it can be."""

_ERROR_MARK = "lakesmith-error:"
_POSITION = ("batch_date", "source_file", "record_no")


@dataclass(frozen=True)
class FileColumns:
    """What the columns of a landing file have to do with its source's contract.

    Args:
        path: relative to the source's landing folder.
        unknown: columns that the contract does not name; they are kept in `extra`.
        absent: optional columns that the file does not have; null in its rows.
        error: why the file can't be read, as far as its start shows; None when nothing speaks against it.
    """

    batch_date: date
    path: str
    unknown: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    error: FileRejected | None = None


@dataclass(frozen=True)
class Erasure:
    """Records that name certain people, and what becomes of them.

    Args:
        who: tells of an id whether it is one of theirs.
        columns: where they can be named.
        theirs: give the positions of just these records, and nothing else of them, instead of all the others.
    """

    who: Container[str]
    columns: SubjectColumns
    theirs: bool = False

    def apply(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """What is left of records."""
        named = rows_naming(batch, self.columns, self.who)
        if not self.theirs:
            return batch.filter(pc.invert(named))
        found = batch.filter(named)
        return pa.RecordBatch.from_arrays(
            [
                found.column(at) if field.name in _POSITION else pa.nulls(found.num_rows, field.type)
                for at, field in enumerate(found.schema)
            ],
            schema=found.schema,
        )


def source_schema(source: Source) -> StructType:
    """What a transform sees of a source: where a record is from, the declared columns, extra, malformed."""
    text = StringType()
    return StructType(
        [
            StructField("batch_date", DateType()),
            StructField("source_file", text),
            StructField("record_no", LongType()),
            *(StructField(column.name, text) for column in source.columns),
            StructField("extra", MapType(text, text)),
            StructField("malformed", text),
        ]
    )


def read_source(
    spark: SparkSession,
    source: Source,
    landing_root: str | Path,
    manifests: Sequence[Manifest],
    *,
    s3: S3Access = S3_BY_DEFAULT,
    erasure: Erasure | None = None,
) -> DataFrame:
    """All records of the pinned files, lazily.

    Args:
        spark: the session; its workers need lakesmith and pyarrow.
        source: the contract.
        landing_root: as the workers see it.
        manifests: of the batches to read; those without files add no rows.
        s3: how the workers reach S3, if the root lies there.
        erasure: people whose records are to be left out; they never leave the worker that reads the file.

    Raises:
        LakesmithError: not here but in the workers; `translate` gives it back from what the action raises.
    """
    files = [(manifest.batch_date, file) for manifest in manifests for file in manifest.files]
    schema = source_schema(source)
    if not files:
        return spark.createDataFrame([], schema)
    store = landing_store(landing_root, s3)
    tasks = _tasks(_parts(spark, source, store, files), spark)
    reader = _reader(source, store, tasks, erasure)
    return spark.range(0, len(tasks), 1, len(tasks)).mapInArrow(reader, schema)


def inspect_headers(
    source: Source, landing_root: str | Path, manifests: Sequence[Manifest], *, s3: S3Access = S3_BY_DEFAULT
) -> list[FileColumns]:
    """Look at the starts of the pinned files, before anything runs: columns, and what is wrong.

    One batch of a range that is rejected here need not keep the others waiting. What only shows further into
    a file (gzip that is truncated, a Parquet page that is damaged, a column that no JSON line has) is raised
    while it is read.

    Raises:
        LandingEscape: a link leads out of the landing root.
        LandingUnreadable: a file is gone, or may not be read.
    """
    store = landing_store(landing_root, s3)
    return [
        _look(store, source, manifest.batch_date, file) for manifest in manifests for file in manifest.files
    ]


def _look(store: LandingStore, source: Source, batch_date: date, file: LandingFile) -> FileColumns:
    with store.open(f"{source.name}/{file.path}") as raw:
        try:
            layout = file_layout(raw, source, file)
        except FileRejected as error:
            error.batch_date = batch_date
            return FileColumns(batch_date, file.path, error=error)
    if layout is None:
        return FileColumns(batch_date, file.path)
    return FileColumns(batch_date, file.path, layout.unknown, layout.absent)


def translate(error: BaseException) -> LakesmithError | None:
    """The typed error that a worker raised, from what Spark made of it on the driver; None for others."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is None or id(current) in seen:
            continue
        seen.add(id(current))
        if isinstance(current, LakesmithError):
            return current
        found = _decode(str(current))
        if found is not None:
            return found
        pending += [current.__cause__, current.__context__]
    return None


class _WorkerError(Exception):
    """A LakesmithError in a worker, with a message from which the driver can make it again."""

    def __init__(self, error: LakesmithError) -> None:
        facts = {name: value for name, value in vars(error).items() if _is_plain(value)}
        body = {"class": type(error).__name__, "message": str(error), "facts": facts}
        if isinstance(error, FileRejected) and error.batch_date:
            body["batch_date"] = error.batch_date.isoformat()
        super().__init__(f"{_ERROR_MARK}{json.dumps(body)}")


def _decode(text: str) -> LakesmithError | None:
    at = text.find(_ERROR_MARK)
    if at < 0:
        return None
    try:
        body, _ = json.JSONDecoder().raw_decode(text, at + len(_ERROR_MARK))
        kind = _error_classes(LakesmithError)[body["class"]]
        error = kind.__new__(kind)
        error.args = (body["message"],)
        vars(error).update(body["facts"])
        if isinstance(error, FileRejected) and "batch_date" in body:
            error.batch_date = date.fromisoformat(body["batch_date"])
    except (ValueError, KeyError, TypeError):
        return None
    return error


def _error_classes(root: type[LakesmithError]) -> dict[str, type[LakesmithError]]:
    found = {root.__name__: root}
    for kind in root.__subclasses__():
        found |= _error_classes(kind)
    return found


def _is_plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool | None) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    )


def reads_evenly(source: Source, manifests: Sequence[Manifest]) -> bool:
    """True when no task has to read far more than others: every large file can be cut."""
    return all(
        not _is_large(file) or is_cuttable(source, file) for manifest in manifests for file in manifest.files
    )


def _is_large(file: LandingFile) -> bool:
    return file.size > 2 * TASK_BYTES


@dataclass(frozen=True)
class _Part:
    """What one task reads, alone or with others: a file, or a piece of one."""

    batch_date: date
    file: LandingFile
    piece: Piece | None = None

    @property
    def size(self) -> int:
        return self.file.size if self.piece is None else self.piece.end - self.piece.start


def _parts(
    spark: SparkSession, source: Source, store: LandingStore, files: Sequence[tuple[date, LandingFile]]
) -> list[_Part]:
    """Files in order; each large one that can be cut as its pieces, after a job that looks through all of those."""
    whole = [_Part(batch_date, file) for batch_date, file in files]
    large = [part for part in whole if _is_large(part.file) and is_cuttable(source, part.file)]
    pieces = _cut(spark, source, store, large) if large else {}
    return [
        cut_part
        for part in whole
        for cut_part in [replace(part, piece=piece) for piece in pieces.get(part.file.path, ())] or [part]
    ]


def _cut(
    spark: SparkSession, source: Source, store: LandingStore, files: Sequence[_Part]
) -> dict[str, list[Piece]]:
    """The pieces of whole files, by path; none of a file that has to be read as one."""
    target = TASK_BYTES

    def look(numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            for batch in numbers:
                for number in batch.column(0).to_pylist():
                    found = _cut_file(source, store, files[number], target)
                    told = [json.dumps(astuple(piece)) for piece in found]
                    yield pa.RecordBatch.from_pydict({"file": [number] * len(told), "piece": told}, _CUTS)
        except LakesmithError as error:
            raise _WorkerError(error) from error

    found: dict[str, list[Piece]] = {}
    rows = spark.range(0, len(files), 1, len(files)).mapInArrow(look, "file long, piece string").collect()
    for row in rows:
        start, end, first_no, sha256, header = json.loads(row["piece"])
        piece = Piece(start, end, first_no, sha256, tuple(header))
        found.setdefault(files[row["file"]].file.path, []).append(piece)
    return found


def _cut_file(source: Source, store: LandingStore, part: _Part, target: int) -> list[Piece]:
    with store.open(f"{source.name}/{part.file.path}") as raw:
        try:
            return cut(raw, source, part.file, target)
        except FileRejected as error:
            error.batch_date = part.batch_date
            raise


_CUTS = pa.schema([("file", pa.int64()), ("piece", pa.string())])


def _tasks(parts: Sequence[_Part], spark: SparkSession) -> list[list[_Part]]:
    """Parts in order, small ones together, so that every core has work and none is lost in starting tasks."""
    total = sum(part.size for part in parts)
    target = min(TASK_BYTES, total // (2 * spark.sparkContext.defaultParallelism) + 1)
    tasks: list[list[_Part]] = []
    filled = target
    for part in parts:
        if filled >= target:
            tasks.append([])
            filled = 0
        tasks[-1].append(part)
        filled += part.size
    return tasks


def _reader(
    source: Source, store: LandingStore, tasks: list[list[_Part]], erasure: Erasure | None
) -> Callable[[Iterable[pa.RecordBatch]], Iterable[pa.RecordBatch]]:
    def read(numbers: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            for batch in numbers:
                for number in batch.column(0).to_pylist():
                    for part in tasks[number]:
                        for records in _read_part(source, store, part):
                            yield records if erasure is None else erasure.apply(records)
        except LakesmithError as error:
            raise _WorkerError(error) from error

    return read


def _read_part(source: Source, store: LandingStore, part: _Part) -> Iterator[pa.RecordBatch]:
    day, path = pa.scalar(part.batch_date, pa.date32()), pa.scalar(part.file.path, pa.string())
    names = ["batch_date", "source_file", *record_schema(source).names]
    with store.open(f"{source.name}/{part.file.path}") as raw:
        try:
            for batch in read_records(raw, source, part.file, part.piece):
                origin = [pa.repeat(value, batch.num_rows) for value in (day, path)]
                yield pa.RecordBatch.from_arrays([*origin, *batch.columns], names)
        except FileRejected as error:
            error.batch_date = part.batch_date
            raise
