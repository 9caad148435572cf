"""CSV files in memory: a source of three columns, sound texts and messy ones."""

from __future__ import annotations

import csv
import hashlib
import io
from datetime import date
from io import BufferedReader
from typing import Any

from hypothesis import strategies as st

from lakesmith.contracts.model import Source, SourceColumn, SourceFormat
from lakesmith.ledger.manifest import LandingFile

HEADERS = ("Id", "Item", "Price")
THREE = tuple(SourceColumn(header.lower(), header) for header in HEADERS)


def source(**changes: Any) -> Source:
    facts: dict[str, Any] = {
        "name": "shop",
        "description": "",
        "patterns": ("{batch_date}",),
        "format": SourceFormat.CSV,
        "columns": THREE,
        "start": date(2011, 1, 1),
        "file": "conf/sources/shop.yml",
    }
    return Source(**{**facts, **changes})


def opened(content: bytes, path: str = "2011-03-01.csv") -> tuple[BufferedReader, LandingFile]:
    sha256 = hashlib.sha256(content).hexdigest()
    return BufferedReader(io.BytesIO(content)), LandingFile(path, len(content), 0, sha256)  # type: ignore[arg-type]


def csv_text(rows: list[list[str]], line_break: str, quoting: Any) -> bytes:
    text = io.StringIO()
    if (
        quoting == csv.QUOTE_MINIMAL and line_break == "\n"
    ):  # Python 3.11 then leaves a lone \r without quotes
        rows = [[value.replace("\r", "") for value in row] for row in rows]
    csv.writer(text, lineterminator=line_break, quoting=quoting).writerows(rows)
    return text.getvalue().encode()


MESSY = st.lists(
    st.sampled_from(
        [b"a", b",", b",", b'"', b'"', b'""', b"\n", b"\n", b"\r\n", b"\r", b"\0", b"\xc3\xa9", b"\xff"]  # noqa: RUF005
        + [b" ", b"1,pen,2\n", b'1,"pen",2\n', b'x",y,"z\n', b'",', b',"', b'"\n']
    ),
    max_size=40,
).map(b"".join)
CLEAN = st.builds(
    csv_text,
    st.lists(
        st.lists(st.text('ab ,"\n\ré日', max_size=5), min_size=3, max_size=3).filter(any),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
)
