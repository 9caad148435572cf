"""CSV as RFC 4180 has it: where records begin and end, and which of them are malformed.

The grammar. A field that starts with a quote ends at the next quote that is not doubled, and the delimiter or
the end of the line must follow; commas, line feeds and carriage returns in it are text. Any other field runs
to the delimiter; a quote within it is a character like others (`12" RULER`). A line ends in LF or CRLF. An
empty field is null, also `""`: the sources that this reads write both for "no value". A line with nothing in
it is no record, wherever it stands (also where there is only one column: write `""`). A repeated header line
is a record: its texts fail where numbers are expected.

Malformed. A record with another number of fields than the header, text after a closing quote, a quote that
never closes, a carriage return outside quotes without its line feed, NUL, bytes that are no UTF-8, or more
than `max_record_bytes`. Where a malformed record ends:

- Its quotes are right and only its content is wrong: where it ends by its quotes.
- Text after a closing quote, or no closing quote within `max_record_bytes`: after the physical line on which
  it began. Reading goes on at the next line, so that a stray quote can't swallow its neighbours.
- The number of fields is wrong and it runs over lines: when most of the lines between its first and its last
  are records by themselves, the quote was stray, and it ends after the first; else where it ends by its
  quotes.

What no reader can tell: a stray quote that a later stray quote closes, in the same column, is a valid record
by the RFC.

How it is fast. A block of lines is first judged as a whole: when each line alone is a record with the right
number of fields, the block goes to Arrow as it is. Otherwise the same judgement runs line by line, and the
lines judged good go to Arrow. Each line is looked at most twice (as a start, and as the inside of a quoted
field), whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

from lakesmith.errors import ConfigurationError
from lakesmith.lake.records_batches import as_text

__all__ = ["Grammar", "Judge", "LineEnd", "QuotedFields", "is_utf8", "split_lines"]


class LineEnd(Enum):
    """How a physical line leaves the record that it belongs to."""

    CLOSED = "closed"
    OPEN = "inside a quoted field"
    WRONG = "not as the grammar says"


class Grammar:
    """The regular expressions for one delimiter; none of them backtracks."""

    def __init__(self, delimiter: str) -> None:
        if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n\0':
            raise ConfigurationError(
                f"the delimiter {delimiter!r} must be one ASCII character, not a quote or a line break. "
                f"Mend `delimiter` in the source's contract."
            )
        self.delimiter = delimiter.encode()
        mark = re.escape(self.delimiter)
        self._inside = rb'[^"]*+(?:""[^"]*+)*+'
        self._field = rb'(?>"' + self._inside + rb'"|[^"\r' + mark + rb"][^\r" + mark + rb"]*+|)"
        self._mark = mark
        self._fields = re.compile(rb"(?:" + self._field + mark + rb")*+")
        self._one_field = re.compile(self._field + mark)
        self._one = re.compile(self._field)
        self._last_field = re.compile(self._field + rb"\r?")
        self._opened_field = re.compile(b'"' + self._inside)
        self._quoted_text = re.compile(self._inside)

    def record(self, fields: int) -> re.Pattern[bytes]:
        """Matches a line that is a record of so many fields by itself."""
        return re.compile(self._field + rb"(?:%b%b){%d}\r?" % (self._mark, self._field, fields - 1))

    def start(self, line: bytes, at: int = 0) -> tuple[LineEnd, int]:
        """How a line ends, seen from the start of a field at `at`; the delimiters that follow from there."""
        matched = self._fields.match(line, at)
        end = matched.end() if matched else at
        count = len(self._one_field.findall(line, at, end))
        if self._last_field.fullmatch(line, end):
            return LineEnd.CLOSED, count
        if self._opened_field.fullmatch(line, end):
            return LineEnd.OPEN, count
        return LineEnd.WRONG, count

    def fields(self, record: bytes) -> list[bytes]:
        """The fields of a record that is right, without their quotes."""
        record = record.removesuffix(b"\r")
        found: list[bytes] = []
        at = 0
        while at <= len(record):
            matched = self._one.match(record, at)
            text = matched.group() if matched else b""
            found.append(text[1:-1].replace(b'""', b'"') if text.startswith(b'"') else text)
            at += len(text) + 1
        return found

    def inside(self, line: bytes) -> tuple[LineEnd, int]:
        """The same for a line that begins inside a quoted field."""
        matched = self._quoted_text.match(line)
        end = matched.end() if matched else 0
        if end == len(line):
            return LineEnd.OPEN, 0
        rest = line[end + 1 : end + 2]
        if not rest or (rest == b"\r" and end + 2 == len(line)):
            return LineEnd.CLOSED, 0
        if rest != self.delimiter:
            return LineEnd.WRONG, 0
        state, count = self.start(line, end + 2)
        return state, count + 1


class _Ending(NamedTuple):
    """Where a quoted field ends that was open at the start of a line.

    Args:
        state: CLOSED; OPEN when the lines ran out; WRONG when it does not end as it must, or not within the
            limit.
        after: the line after the one in which the record ends.
        delimiters: outside quotes, on the way there.
        stray: most of the lines between the first and the last are records by themselves.
    """

    state: LineEnd
    after: int = 0
    delimiters: int = 0
    stray: bool = False


class QuotedFields:
    """Follows quoted fields over lines.

    Being inside quotes at the start of a line decides all that follows, whichever record got there. So what
    was found for one start holds for every later start in between, and each line is looked at once.
    """

    def __init__(
        self, lines: Sequence[bytes], grammar: Grammar, is_record: Callable[[bytes], object]
    ) -> None:
        self._lines = lines
        self._grammar = grammar
        self._is_record = is_record
        self._begin(0)

    def _begin(self, line: int) -> None:
        self._first = self._end = line  # the lines first .. end - 1 were looked at
        self._state = LineEnd.OPEN
        # Sums over the lines before each line.
        self._delimiters, self._sizes, self._records = [0], [0], [0]

    def follow(self, start: int, limit: int) -> _Ending:
        """Follow a field that is open at the start of line `start`, for at most `limit` bytes."""
        known = self._first <= start < self._end or (start == self._end and self._state is LineEnd.OPEN)
        if not known:
            self._begin(start)
        before = start - self._first
        while self._state is LineEnd.OPEN:
            if self._sizes[-1] - self._sizes[before] > limit:
                return _Ending(LineEnd.WRONG)
            if self._end == len(self._lines):
                return _Ending(LineEnd.OPEN)
            self._look_at(self._lines[self._end])
        if self._state is LineEnd.WRONG or self._sizes[-1] - self._sizes[before] > limit:
            return _Ending(LineEnd.WRONG)
        records, between = self._records[-2] - self._records[before], self._end - 1 - start
        return _Ending(
            LineEnd.CLOSED,
            self._end,
            self._delimiters[-1] - self._delimiters[before],
            stray=2 * records > between,
        )

    def _look_at(self, line: bytes) -> None:
        self._state, count = self._grammar.inside(line)
        self._delimiters.append(self._delimiters[-1] + count)
        self._sizes.append(self._sizes[-1] + len(line) + 1)
        self._records.append(self._records[-1] + (self._is_record(line) is not None))
        self._end += 1


@dataclass
class _Judged:
    """The records found in some lines: the good ones' bytes, and the malformed ones at their places."""

    good: list[bytes] = field(default_factory=list)
    malformed: list[tuple[int, str]] = field(default_factory=list)
    used: int = 0  # lines

    @property
    def records(self) -> int:
        return len(self.good) + len(self.malformed)

    def reject(self, record: bytes) -> None:
        self.malformed.append((self.records, as_text(record.removesuffix(b"\r"))))


class Judge:
    """Tells records from malformed ones, for one delimiter, number of fields and limit."""

    def __init__(self, grammar: Grammar, fields: int, limit: int) -> None:
        self._grammar = grammar
        self._delimiters = fields - 1
        self._limit = limit
        self._is_record = grammar.record(fields).fullmatch

    def split(self, text: bytes, last: bool) -> tuple[bytes, list[tuple[int, str]], int, bytes]:
        """The good records' bytes, the malformed records, the number of both, the rest for the next block."""
        lines = split_lines(text)
        plain = self._is_plain(text)
        if plain and self._all_good(text, lines):
            return text, [], len(lines), b""
        found = self._carefully(lines, plain, last)
        rest = b"\n".join([*lines[found.used :], b""]) if found.used < len(lines) else b""
        return b"\n".join(found.good), found.malformed, found.records, rest

    def _is_plain(self, text: bytes) -> bool:
        """True when only quotes, length or the number of fields can make a record of it malformed."""
        return (
            b"\0" not in text
            and (b"\r" not in text or text.count(b"\r") == text.count(b"\r\n"))
            and is_utf8(text)
        )

    def _all_good(self, text: bytes, lines: Sequence[bytes]) -> bool:
        """True when each line of a plain text is a record by itself; the careful way finds just these."""
        if self._delimiters == 0:
            return False  # an empty line looks like a record with one field, and is none
        if len(text) > self._limit and max(map(len, lines)) > self._limit:
            return False
        mark, expected = self._grammar.delimiter, self._delimiters
        if b'"' in text:
            doubtful = [line for line in lines if line.count(mark) != expected or b'"' in line]
        else:
            doubtful = [line for line in lines if line.count(mark) != expected]
        return all(map(self._is_record, doubtful))

    def _carefully(self, lines: Sequence[bytes], plain: bool, last: bool) -> _Judged:
        """Record by record.

        Args:
            lines: physical lines without their line feeds, starting at the start of a record.
            plain: of the text that they make up.
            last: nothing follows these lines; else a record that may go on behind them is left.
        """
        found = _Judged()
        quoted = QuotedFields(lines, self._grammar, self._is_record)
        mark, expected, limit = self._grammar.delimiter, self._delimiters, self._limit
        plain = plain and expected > 0
        while found.used < len(lines):
            line = lines[found.used]
            if plain and line.count(mark) == expected and b'"' not in line and len(line) <= limit:
                found.good.append(line)
                found.used += 1
                continue
            if line in (b"", b"\r"):
                found.used += 1
                continue
            end, fits = self._end(line, found.used, quoted, last)
            if end is None:
                break
            record = line if end == found.used + 1 else b"\n".join(lines[found.used : end])
            if fits and (plain or (b"\0" not in record and is_utf8(record))):
                found.good.append(record)
            else:
                found.reject(record)
            found.used = end
        return found

    def _end(self, line: bytes, at: int, quoted: QuotedFields, last: bool) -> tuple[int | None, bool]:
        """The line after the record that starts at `at` (None: not known yet); whether its structure fits."""
        if len(line) > self._limit:
            return at + 1, False
        state, count = self._grammar.start(line)
        if state is LineEnd.CLOSED:
            return at + 1, count == self._delimiters
        if state is LineEnd.OPEN:
            ending = quoted.follow(at + 1, self._limit - len(line))
            if ending.state is LineEnd.OPEN and not last:
                return None, False
            if ending.state is LineEnd.CLOSED and count + ending.delimiters == self._delimiters:
                return ending.after, True
            if ending.state is LineEnd.CLOSED and not ending.stray:
                return ending.after, False
        return at + 1, False


def split_lines(text: bytes) -> list[bytes]:
    """The physical lines, without their line feeds; nothing after the last line feed is no line."""
    lines = text.split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines


def is_utf8(text: bytes) -> bool:
    """True when the bytes are text in UTF-8."""
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
