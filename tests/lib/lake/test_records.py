"""Records against slow, obvious readers: Python's csv module line by line, json, and the files themselves."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BufferedReader
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from csv_files import CLEAN, HEADERS, MESSY, THREE, opened, source
from lakesmith.contracts.model import Source, SourceColumn, SourceFormat
from lakesmith.errors import ConfigurationError, InputChanged
from lakesmith.lake import records_bytes
from lakesmith.lake.records import BATCH_ROWS, file_layout, read_records, record_schema
from lakesmith.lake.records_bytes import line_blocks
from lakesmith.lake.records_csv_lines import Grammar, Judge, LineEnd
from lakesmith.lake.records_errors import FileBroken
from lakesmith.ledger.manifest import LandingFile

Row = dict[str, Any]


def read(content: bytes, of: Source | None = None, path: str = "2011-03-01.csv") -> list[Row]:
    raw, file = opened(content, path)
    batches = list(read_records(raw, of or source(), file))
    assert all(batch.schema == record_schema(of or source()) for batch in batches)
    for batch in batches:
        batch.validate(full=True)
    return [row for batch in batches for row in batch.to_pylist(maps_as_pydicts="strict")]


def parsed(*values: str | None) -> Row:
    return {"malformed": None, "extra": None, **dict(zip(("id", "item", "price"), values, strict=True))}


def malformed(text: str) -> Row:
    return {**parsed(None, None, None), "malformed": text}


def numbered(rows: list[Row]) -> list[Row]:
    return [{**row, "record_no": n} for n, row in enumerate(rows, 1)]


def one_record(text: str) -> list[str] | bool | None:
    """The fields of a record, by Python's csv; None: goes on in the next line; False: does not parse."""
    text = text.removesuffix("\r")
    try:
        rows = list(csv.reader([text], strict=True))
    except csv.Error as error:
        return None if str(error) == "unexpected end of data" else False
    return False if text.endswith("\r") else rows[0]


def slowly(text: bytes, limit: int, fields: int = 3) -> list[Row]:
    """What the docstring of records_csv_lines says, word for word, whatever it costs."""
    lines = text.decode("latin-1").split("\n")
    if not lines[-1]:
        lines.pop()
    found: list[Row] = []
    at = 0
    while at < len(lines):
        if lines[at] in ("", "\r"):
            at += 1
            continue
        end, values = at, None
        while values is None and end < len(lines) and len("\n".join(lines[at : end + 1])) <= limit:
            end += 1
            values = one_record("\n".join(lines[at:end]))
        closed = isinstance(values, list)
        fits = isinstance(values, list) and len(values) == fields
        if closed and not fits and end - at > 1:
            between = [one_record(line) for line in lines[at + 1 : end - 1]]
            alone = [one for one in between if isinstance(one, list) and len(one) == fields]
            closed = 2 * len(alone) <= len(between)
        if not closed:
            end = at + 1
        record = "\n".join(lines[at:end]).encode("latin-1")
        try:
            decoded = record.decode()
        except UnicodeDecodeError:
            fits = False
        if fits and b"\0" not in record and isinstance(values, list):
            again = one_record(decoded)
            assert isinstance(again, list)
            found.append(parsed(*(value or None for value in again)))
        else:
            shown = record.removesuffix(b"\r").decode("utf-8", "backslashreplace").replace("\0", "\\x00")
            found.append(malformed(shown))
        at = end
    return numbered(found)


@settings(deadline=None, max_examples=400)
@given(text=st.one_of(MESSY, CLEAN, st.builds(lambda *parts: b"".join(parts), CLEAN, MESSY, CLEAN)))
@example(text=b'x",y,"z\n' * 30)
@example(text=b'1,"pen\n1,b,2\n1,b,2\n2,x",3,4\n')
def test_any_text_gives_the_records_that_the_slow_reader_finds(text: bytes) -> None:
    for limit in (1 << 20, 20):
        found = read(b"Id,Item,Price\n" + text, source(max_record_bytes=limit))
        assert found == slowly(text, limit)


@settings(deadline=None)
@given(text=CLEAN)
def test_valid_text_has_no_malformed_record(text: bytes) -> None:
    rows = csv.reader(io.StringIO(text.decode(), newline=""), strict=True)
    expected = numbered([parsed(*(value or None for value in row)) for row in rows])
    assert read(b"Id,Item,Price\n" + text) == expected


@settings(deadline=None)
@given(text=st.one_of(MESSY, CLEAN), block=st.integers(1, 30), pieces=st.integers(1, 9))
def test_where_blocks_and_pieces_end_changes_nothing(text: bytes, block: int, pieces: int) -> None:
    chunks = [text[n : n + pieces] for n in range(0, len(text), pieces)]
    judge = Judge(Grammar(","), 3, 25)
    whole = _judged(judge, iter([text]))
    assert _judged(judge, line_blocks(chunks, block)) == whole


def _judged(judge: Judge, blocks: Iterator[bytes]) -> tuple[list[bytes], list[tuple[int, str]]]:
    held = list(blocks)
    good: list[bytes] = []
    bad: list[tuple[int, str]] = []
    rest, count = b"", 0
    for n, block in enumerate(held):
        records, malformed_ones, rows, rest = judge.split(rest + block, n == len(held) - 1)
        good += [records.removesuffix(b"\n")] if records else []
        bad += [(count + place, text) for place, text in malformed_ones]
        count += rows
    return [b"\n".join(good)], bad


@settings(deadline=None)
@given(
    line=st.lists(st.sampled_from([b"a", b'"', b",", b"\r", b'""', b'",', b',"']), max_size=12).map(b"".join)
)
def test_the_grammar_splits_a_line_as_csv_does(line: bytes) -> None:
    state, delimiters = Grammar(",").start(line)
    fields = one_record(line.decode())
    if fields is None:
        assert state is LineEnd.OPEN
    elif isinstance(fields, list) and line not in (b"", b"\r"):
        assert state is LineEnd.CLOSED
        assert delimiters == len(fields) - 1
        assert [name.decode() for name in Grammar(",").fields(line)] == fields
    elif fields is False:
        assert state is LineEnd.WRONG


def test_each_line_is_looked_at_twice_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = {"start": 0, "inside": 0}
    start, inside = Grammar.start, Grammar.inside

    def counted_start(self: Grammar, line: bytes, at: int = 0) -> tuple[LineEnd, int]:
        looked["start"] += 1
        return start(self, line, at)

    def counted_inside(self: Grammar, line: bytes) -> tuple[LineEnd, int]:
        looked["inside"] += 1
        return inside(self, line)

    monkeypatch.setattr(Grammar, "start", counted_start)
    monkeypatch.setattr(Grammar, "inside", counted_inside)
    lines = 4_000  # each opens a field that runs on to the limit, or closes with another number of fields
    for line, limit in (
        (b'x",y,"z\n', 1 << 20),
        (b'x",y,"z\n', 500),
        (b'a,b,"c\n', 500),
        (b'"",",\n', 1 << 20),
    ):
        looked.update(start=0, inside=0)
        assert len(read(b"Id,Item,Price\n" + line * lines, source(max_record_bytes=limit))) >= lines // 2
        assert looked["inside"] <= lines + 1
        assert (
            looked["start"] <= 3 * lines
        )  # once as a start, once behind a closing quote, once in the header


class Repeating(io.RawIOBase):
    """One line again and again, made as it is read."""

    def __init__(self, line: bytes, times: int) -> None:
        self.line, self.at, self.size = line, 0, len(line) * times

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), self.size - self.at)
        start = self.at % len(self.line)
        buffer[:count] = (self.line * (count // len(self.line) + 2))[start : start + count]
        self.at += count
        return count


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.usefixtures("traced")
def test_memory_does_not_grow_with_the_file() -> None:
    wide = "Price" * 40
    content = Repeating(f"Id,Item,{wide}\n".encode(), 250_000)  # 52 MB
    of = source(columns=(*THREE[:2], SourceColumn("price", wide)))
    before, most, rows = pa.total_allocated_bytes(), 0, 0
    batches = read_records(BufferedReader(content), of, LandingFile("2011-03-01.csv", 0, 0, ""))
    while rows < 249_999:
        rows += next(batches).num_rows
        most = max(most, pa.total_allocated_bytes() - before)
    with pytest.raises(InputChanged):  # at the end
        next(batches)
    assert most < 16 << 20
    assert tracemalloc.get_traced_memory()[1] < 24 << 20


def test_a_line_that_is_too_long_to_keep_is_cut_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    text = b"1,pen,0.20\n2," + b"x" * 5000 + b",1\n3,cup,1.00\n4," + b"y" * 7000
    chunks = [text[n : n + 100] for n in range(0, len(text), 100)]
    blocks = b"".join(line_blocks(chunks, 300, kept_bytes=1000))
    assert blocks.split(b"\n") == [
        b"1,pen,0.20",
        b"2," + b"x" * 998 + b" ... [4004 more bytes]",
        b"3,cup,1.00",
        b"4," + b"y" * 998 + b" ... [6002 more bytes]",
    ]


def test_a_field_of_10_megabytes_is_kept_whole_and_its_neighbours_stand() -> None:
    text = "x" * 10_000_000
    rows = read(f"Id,Item,Price\n1,pen,0.20\n2,{text},1.00\n3,cup,2.00\n".encode())
    assert rows == numbered(
        [parsed("1", "pen", "0.20"), malformed(f"2,{text},1.00"), parsed("3", "cup", "2.00")]
    )
    longer = read(f"Id,Item,Price\n2,{text},1.00\n".encode(), source(max_record_bytes=16 << 20))
    assert longer == numbered([parsed("2", text, "1.00")])


def test_a_batch_holds_no_more_than_its_share_of_rows() -> None:
    raw, file = opened(b"Id,Item,Price\n" + b"1,,\n" * (BATCH_ROWS + 10))
    assert [batch.num_rows for batch in read_records(raw, source(), file)] == [BATCH_ROWS, 10]


def test_the_first_records_come_before_the_file_is_read() -> None:
    raw, file = opened(b"Id,Item,Price\n" + b"1,pen,0.20\n" * 2_000_000)
    batches = read_records(raw, source(), file)
    next(batches)
    assert raw.tell() < 8 << 20


@pytest.mark.parametrize("content", [b"Id,Item,Price\n1,pen,0.20\n", b"Id,Price\n", b"", b"\x1f\x8b\x08"])
def test_a_file_replaced_since_it_was_pinned_is_a_changed_input_whatever_is_in_it(content: bytes) -> None:
    _, file = opened(b"Id,Item,Price\n")
    raw, _ = opened(content)
    with pytest.raises(InputChanged, match="was replaced after this run had pinned it") as caught:
        list(read_records(raw, source(), file))
    assert caught.value.retryable


def test_gzip_that_expands_beyond_reason_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records_bytes, "_EXPANSION_FREE_BYTES", 1 << 20)
    bomb = gzip.compress(b"Id,Item,Price\n" + b"\n" * 4_000_000)
    with pytest.raises(FileBroken, match="which no table of records does"):
        read(bomb, path="2011-03-01.csv.gz")
    monkeypatch.setattr(records_bytes, "_MAX_EXPANSION", 2000)
    assert read(bomb, path="2011-03-01.csv.gz") == []


def test_an_empty_file_called_gz_is_truncated_gzip() -> None:
    with pytest.raises(FileBroken, match="it is empty, though its name says so"):
        read(b"", path="2011-03-01.csv.gz")


@pytest.mark.parametrize("delimiter", ["", ",,", "§", '"', "\n"])
def test_a_delimiter_that_csv_cannot_have_is_a_mistake_in_the_contract(delimiter: str) -> None:
    with pytest.raises(ConfigurationError, match="delimiter"):
        read(b"Id,Item,Price\n", source(delimiter=delimiter))


def test_a_header_may_run_over_lines_and_over_blocks() -> None:
    wide = tuple(SourceColumn(f"c{n}", f"column\n{n} " + "x" * 90) for n in range(30_000))
    header = ",".join(f'"{column.header}"' for column in wide)
    of = source(columns=wide[:2], max_record_bytes=8 << 20)
    raw, file = opened(header.encode() + b"\n" + b"," * 29_999)
    layout = file_layout(raw, of, file)
    assert layout is not None
    assert len(layout.unknown) == 29_998


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def as_column(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


@settings(deadline=None)
@given(
    objects=st.lists(st.dictionaries(st.sampled_from([*HEADERS, "new", ""]), JSON, min_size=1), min_size=1)
)
def test_json_lines_are_what_json_says(objects: list[dict[str, Any]]) -> None:
    columns = tuple(SourceColumn(column.name, column.header, required=False) for column in THREE)
    content = "\n".join(json.dumps(value) for value in objects).encode()
    expected = []
    for value in objects:
        extra = {key: as_column(item) for key, item in value.items() if key not in HEADERS}
        expected.append(
            {**parsed(*(as_column(value.get(header)) for header in HEADERS)), "extra": extra or None}
        )
    assert read(content, source(columns=columns, format=SourceFormat.JSONL)) == numbered(expected)


def parquet(table: pa.Table) -> bytes:
    target = io.BytesIO()
    pq.write_table(table, target)
    return target.getvalue()


MOMENT, LONG_AGO = (datetime.fromisoformat(text) for text in ("2011-03-01 08:26:00.120", "1500-01-01"))
PARQUET_TEXTS: list[tuple[pa.DataType, list[Any], list[str]]] = [
    (pa.string(), ["", "é", "null"], ["", "é", "null"]),
    (pa.large_string(), ["a"], ["a"]),
    (pa.int8(), [-1, 0], ["-1", "0"]),
    (pa.uint64(), [2**64 - 1], ["18446744073709551615"]),
    (pa.bool_(), [True, False], ["true", "false"]),
    (pa.float64(), [17850.0, 0.1, 1e22, -0.0], ["17850.0", "0.1", "1e+22", "-0.0"]),
    (pa.float64(), [float("nan"), float("inf"), float("-inf")], ["nan", "inf", "-inf"]),
    (pa.float32(), [0.1, 16777217.0, 3.4e38], ["0.1", "16777216.0", "3.4e+38"]),
    (pa.decimal128(12, 2), [Decimal("2.50"), Decimal("-0.01")], ["2.50", "-0.01"]),
    (pa.decimal128(38, 20), [Decimal("1E-20")], ["0.00000000000000000001"]),
    (pa.date32(), [date(2011, 3, 1), date(1, 1, 1)], ["2011-03-01", "0001-01-01"]),
    (pa.timestamp("s"), [datetime.fromisoformat("2011-03-01 08:00")], ["2011-03-01 08:00:00"]),
    (pa.timestamp("us"), [MOMENT, LONG_AGO], ["2011-03-01 08:26:00.12", "1500-01-01 00:00:00"]),
    (pa.timestamp("ns"), [1_298_967_960_000_000_001], ["2011-03-01 08:26:00.000000001"]),
    (pa.timestamp("ms", "Europe/London"), [datetime(2011, 7, 1, tzinfo=UTC)], ["2011-07-01 00:00:00Z"]),
    (pa.time64("us"), [time(8, 26), time(0, 0, 0, 5)], ["08:26:00", "00:00:00.000005"]),
    (pa.binary(), [b"\x00\xff"], ["00ff"]),
    (pa.dictionary(pa.int32(), pa.string()), ["red", "red"], ["red", "red"]),
    (pa.list_(pa.float64()), [[1.5, None], []], ["[1.5,null]", "[]"]),
    (
        pa.struct([("d", pa.date32()), ("x", pa.decimal128(5, 2)), ("s", pa.string())]),
        [{"d": date(2011, 3, 1), "x": Decimal("1.00"), "s": 'a"é'}],
        ['{"d":"2011-03-01","x":1.00,"s":"a\\"é"}'],
    ),
    (pa.map_(pa.string(), pa.int32()), [[("a", 1), ("b", None)]], ['[["a",1],["b",null]]']),
]


@pytest.mark.parametrize(("kind", "values", "texts"), PARQUET_TEXTS, ids=lambda part: str(part)[:40])
def test_parquet_values_as_text(kind: pa.DataType, values: list[Any], texts: list[str]) -> None:
    content = parquet(pa.table({"Id": pa.array([*values, None], kind)}))
    of = source(format=SourceFormat.PARQUET, columns=(SourceColumn("id", "Id"),))
    assert [row["id"] for row in read(content, of)] == [*texts, None]


def test_parquet_damaged_in_its_pages_is_rejected() -> None:
    content = bytearray(parquet(pa.table({"Id": [f"text {n % 977}" for n in range(20_000)]})))
    content[4 : len(content) // 2] = b"\xff" * (len(content) // 2 - 4)
    of = source(format=SourceFormat.PARQUET, columns=(SourceColumn("id", "Id"),))
    with pytest.raises(FileBroken, match="the Parquet file can't be read"):
        read(bytes(content), of)


def test_parquet_text_that_is_no_utf8_is_rejected() -> None:
    latin = pa.array([b"caf\xe9"]).view(pa.string())
    of = source(format=SourceFormat.PARQUET, columns=(SourceColumn("id", "Id"),))
    with pytest.raises(FileBroken):
        read(parquet(pa.table({"Id": latin})), of)


def test_parquet_of_many_slices_counts_on() -> None:
    of = source(format=SourceFormat.PARQUET, columns=(SourceColumn("id", "Id"),))
    rows = read(parquet(pa.table({"Id": list(range(40_000))})), of)
    assert rows == numbered([{"id": str(n), "extra": None, "malformed": None} for n in range(40_000)])


def test_json_lines_of_which_none_parses_are_all_malformed() -> None:
    of = source(format=SourceFormat.JSONL)  # without a record nobody can tell whether a column is missing
    assert read(b"no json\n", of) == numbered([malformed("no json")])
