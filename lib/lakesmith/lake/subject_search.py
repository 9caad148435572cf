"""Looking for a person in the files of a lake: which batches hold rows of theirs, and the proof that none is left.

Owns what counts as a find. A value is the person's when it equals the id in a subject column, or stands as a number or a word in
free text (`lakesmith.contracts.subjects`), or under a subject column's name in JSON. The same number anywhere else (an amount, a
count, a stock code, an offset) names nobody: it is counted by place, so that people can look. No JVM is started.
"""

from __future__ import annotations

import gzip
import json
import re
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from lakesmith.contracts.subjects import SubjectColumns, canonical, leaves, mentions
from lakesmith.ledger.files import KeptFile, LakeFile, lake_files
from lakesmith.ledger.live import LiveTable
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.subject_rows import rows_naming

__all__ = ["Found", "Proof", "prove", "remove_kept", "search_table"]

_JSON = (".json", ".crc")
_BATCH_ROWS = 64_000
_LOG = "_delta_log"


@dataclass(frozen=True)
class Found:
    """Where a table's folder holds rows of a person.

    Args:
        batches: batch -> rows that readers see.
        keyed_rows: rows that readers see in a keyed table, which belong to no batch.
        old_files: files that the newest version does not name, relative to the table's folder.
    """

    table: str
    batches: Mapping[date, int] = field(default_factory=dict)
    keyed_rows: int = 0
    old_files: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Rows that readers see."""
        return sum(self.batches.values()) + self.keyed_rows

    def __bool__(self) -> bool:
        return bool(self.rows or self.old_files)


@dataclass
class Proof:
    """What reading every file of a lake came to.

    Args:
        parquet_files, other_files: how many were read.
        values: in the Parquet files, of all columns.
        size: bytes of all files.
        held: place -> finds: the person is there.
        elsewhere: place -> how often the same number or text stands where it names nobody.
        unread: files that could not be read, with the reason.
    """

    parquet_files: int = 0
    other_files: int = 0
    values: int = 0
    size: int = 0
    held: Counter[str] = field(default_factory=Counter)
    elsewhere: Counter[str] = field(default_factory=Counter)
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """True when every file was read and none names the person."""
        return not self.held and not self.unread

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return {
            "holds": self.holds,
            "parquet_files": self.parquet_files,
            "other_files": self.other_files,
            "values": self.values,
            "bytes": self.size,
            "held": dict(sorted(self.held.items())),
            "elsewhere": dict(sorted(self.elsewhere.items())),
            "unread": dict(sorted(self.unread.items())),
        }


def search_table(lake: LakeLocation, table: str, columns: SubjectColumns, form: str) -> Found:
    """The rows of a person below a table's folder: live, replaced, staged and forgotten about.

    Args:
        columns: those of the table that can name somebody.
        form: the canonical id.
    """
    files, folder = lake_files(lake), lake.folder(table)
    opened = lake.open(table)
    found = LiveTable.of(opened) if opened is not None else None
    live: dict[str, date | None] = dict.fromkeys(map(unquote, found.paths)) if found is not None else {}
    if found is not None:
        live |= {unquote(path): day for day, batch in found.batches.items() for path in batch.paths}
    batches: dict[date, int] = defaultdict(int)
    keyed_rows = 0
    old: list[str] = []
    for file in files.below(folder):
        name = file.path.removeprefix(f"{folder}/")
        if not _holds_rows(name):
            continue
        with files.open(file.path) as stream:
            rows = _rows_of(stream, columns, {form})
        day = live.get(name)
        if rows and day is not None:
            batches[day] += rows
        elif rows and name in live:
            keyed_rows += rows
        elif rows:
            old.append(name)
    return Found(table, dict(sorted(batches.items())), keyed_rows, tuple(old))


def remove_kept(lake: LakeLocation, table: str, columns: SubjectColumns, form: str) -> list[LakeFile]:
    """Removes what the store itself keeps of a table's files that name a person, and tells which those were.

    Args:
        columns: those of the table that can name somebody.
        form: the canonical id.

    Raises:
        AwsError: the store does not allow it.
    """
    removed = []
    for kept in lake_files(lake).kept(lake.folder(table)):
        if _holds_rows(kept.file.path) and _rows_of(_opened(kept), columns, {form}):
            kept.remove()
            removed.append(kept.file)
    return removed


def _holds_rows(path: str) -> bool:
    """Whether a file of a table holds rows of it: a checkpoint is Parquet, too."""
    return path.endswith(".parquet") and _LOG not in path.split("/")


def _rows_of(stream: BinaryIO, columns: SubjectColumns, who: Collection[str]) -> int:
    file = pq.ParquetFile(stream)
    present = columns.within(file.schema_arrow.names)
    if not present:
        return 0
    found = 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(present.all)):
        found += pc.sum(rows_naming(batch, present, who)).as_py() or 0
    return found


def prove(lake: LakeLocation, columns: Mapping[str, SubjectColumns], form: str) -> Proof:
    """Reads every file of a lake and looks for a person.

    Args:
        columns: table -> where it can name somebody; files of no such table are held to all of these columns at once.
        form: the canonical id.
    """
    proof = Proof()
    everywhere = SubjectColumns(
        tuple({name for found in columns.values() for name in found.identity}),
        tuple({name for found in columns.values() for name in found.free_text}),
    )
    files = lake_files(lake)
    every: Iterable[tuple[LakeFile, Callable[[], BinaryIO]]] = chain(
        ((found, partial(files.open, found.path)) for found in files.below()),
        ((kept.file, partial(_opened, kept)) for kept in files.kept()),
    )
    for found, opened in every:
        place = found.path
        try:
            with opened() as stream:
                if place.endswith(".parquet"):
                    proof.parquet_files += 1
                    _parquet(proof, stream, place, columns, everywhere, form)
                else:
                    content = stream.read()
                    proof.other_files += 1
                    _other(proof, place.rpartition("/")[2], content, _place_of(place), everywhere, form)
            proof.size += found.size
        except FileNotFoundError:
            # Gone while it was being looked for, as files of a run or a database are.
            continue
        except (OSError, ValueError, pa.ArrowException, zipfile.BadZipFile, EOFError) as error:
            proof.unread[place] = type(error).__name__
    return proof


def _opened(kept: KeptFile) -> BinaryIO:
    return BytesIO(kept.read())


def _place_of(place: str) -> str:
    """A name for all files of a kind, so that what is told stays short: `gold.daily_sales log`, `mlflow png`."""
    parts = place.split("/")
    if _LOG in parts:
        return f"{'.'.join(parts[:2])} log"
    suffix = Path(place).suffix.lstrip(".") or "file"
    return f"{parts[0]} {suffix}" if len(parts) > 1 else parts[0]


def _parquet(
    proof: Proof,
    stream: BinaryIO,
    place: str,
    columns: Mapping[str, SubjectColumns],
    everywhere: SubjectColumns,
    form: str,
) -> None:
    file = pq.ParquetFile(stream)
    parts = place.split("/")
    is_log, table = _LOG in parts, ".".join(parts[:2])
    own = columns.get(table, everywhere)
    for batch in file.iter_batches(batch_size=_BATCH_ROWS):
        proof.values += batch.num_rows * batch.num_columns
        for name, values in zip(batch.schema.names, batch.columns, strict=True):
            one = pa.RecordBatch.from_arrays([values], [name])
            if not is_log and own.within([name]):
                hits = pc.sum(rows_naming(one, own, {form})).as_py() or 0
                if hits:
                    proof.held[f"{table}.{name}"] += hits
                continue
            _elsewhere(proof, values, f"{table} log" if is_log else f"{table}.{name}", everywhere, form)


def _elsewhere(proof: Proof, values: pa.Array, place: str, subjects: SubjectColumns, form: str) -> None:
    """A column that names nobody: whole values and numbers in texts are counted; JSON in it is looked into."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values, kind = values.dictionary_decode(), kind.value_type
    if pa.types.is_nested(kind):
        plain = [leaf for value in values.to_pylist() if value is not None for leaf in leaves(value)]
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        plain = values.filter(pc.fill_null(pc.match_substring(values, form), False)).to_pylist()
    else:
        # Instants and days are no ids; Arrow would need pandas to make values of the finer ones.
        if pa.types.is_temporal(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
            return
        counted = pc.value_counts(values)
        for entry in counted.to_pylist():
            if canonical(entry["values"]) == form:
                proof.elsewhere[place] += entry["counts"]
        return
    for value in plain:
        text = value if isinstance(value, str) else str(value)
        if isinstance(value, str) and value[:1] in "{[":
            _text(proof, text, place, subjects, form)
        elif form in text and form in mentions(text):
            proof.elsewhere[place] += 1


def _other(proof: Proof, name: str, content: bytes, place: str, subjects: SubjectColumns, form: str) -> None:
    """A file that is no Parquet: archives are opened, JSON is parsed, all else is searched as bytes."""
    if name.endswith((".zip", ".whl", ".jar")):
        with zipfile.ZipFile(BytesIO(content)) as archive:
            for member in archive.namelist():
                _other(proof, member, archive.read(member), place, subjects, form)
    elif name.endswith(".gz"):
        _other(proof, name.removesuffix(".gz"), gzip.decompress(content), place, subjects, form)
    elif form.encode() in content:
        if name.endswith(_JSON):
            _text(proof, content.decode("utf-8", errors="replace"), place, subjects, form)
        else:
            hits = len(_token(form).findall(content))
            if hits:
                proof.elsewhere[place] += hits


def _text(proof: Proof, text: str, place: str, subjects: SubjectColumns, form: str) -> None:
    """JSON, or a line of JSON after the other: what stands under a subject column's name is the person's."""
    for line in text.splitlines() if "\n" in text.strip() and not _is_json(text) else [text]:
        try:
            value = json.loads(line)
        except ValueError:
            hits = len(_token(form).findall(line.encode()))
            if hits:
                proof.elsewhere[place] += hits
            continue
        _walk(proof, value, None, place, subjects, form)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _walk(proof: Proof, value: Any, key: str | None, place: str, subjects: SubjectColumns, form: str) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _walk(proof, inner, name, place, subjects, form)
    elif isinstance(value, list):
        for inner in value:
            _walk(proof, inner, key, place, subjects, form)
    elif isinstance(value, str) and value[:1] in "{[" and _is_json(value):
        _walk(proof, json.loads(value), key, place, subjects, form)
    elif (canonical(value) == form and key in subjects.identity) or (
        isinstance(value, str) and key in subjects.free_text and form in mentions(value)
    ):
        proof.held[f"{place}, under {key}"] += 1
    elif canonical(value) == form or (isinstance(value, str) and form in value and form in mentions(value)):
        proof.elsewhere[place] += 1


def _token(form: str) -> re.Pattern[bytes]:
    """The id as a whole number or word among bytes."""
    return re.compile(
        rb"(?<![0-9A-Za-z.])0*" + re.escape(form.encode()) + rb"(?:\.0+)?(?![0-9A-Za-z]|\.[0-9])"
    )
