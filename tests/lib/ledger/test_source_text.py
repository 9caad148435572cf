from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lakesmith.errors import ConfigurationError
from lakesmith.ledger.source_text import transform_code

JOB = '''
"""A job."""

from pyspark.sql import functions as F

from company.money import vat as tax
from company import rounding
from lakesmith import job

RATE = 3
UNUSED = 4


def helper(x: int) -> int:
    """Says nothing."""
    return x + RATE


def not_called() -> None:
    helper(1)


@job("gold.t")
def t(rows, *, flag: bool = True):
    """Docs."""
    total = f"{helper(2):>5}" if flag else [y for y in rows if y not in (None, -1.5, b"z")]
    return tax(rounding.cents(total)), F.col("a")
'''

MONEY = '''
"""Money."""
from .constants import VAT


def vat(x):
    return x * VAT
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for path, text in {
        "jobs/gold/t.py": JOB,
        "lib/company/__init__.py": "",
        "lib/company/money.py": MONEY,
        "lib/company/constants.py": "VAT = 19\nOTHER = 1\n",
        "lib/company/rounding.py": "def cents(x):\n    return x\n\n\ndef other(x):\n    return x\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def code(project: Path) -> list[str]:
    # A file changed twice within a tick of its clock has the same time; the cache goes by the time.
    from lakesmith.ledger import source_text

    source_text._parse.cache_clear()
    return transform_code(project / "jobs/gold/t.py", "gold.t", project)


def reached(project: Path) -> list[str]:
    return [entry.split("\n")[0] for entry in code(project)]


def test_the_reach_is_what_the_transform_leads_to_and_nothing_else(project: Path) -> None:
    assert reached(project) == [
        "company.constants:VAT",
        "company.money:vat",
        "company.rounding:cents",
        "t:RATE",
        "t:helper",
        "t:t",
    ]


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("jobs/gold/t.py", '"""Docs."""', '"""Other docs."""'),
        ("jobs/gold/t.py", "return x + RATE", "# why\n    return (x\n            + RATE)"),
        ("jobs/gold/t.py", "x: int) -> int", "x: float) -> float"),
        ("jobs/gold/t.py", "UNUSED = 4", "UNUSED = 5"),
        ("jobs/gold/t.py", "helper(1)", "helper(2)"),
        ("lib/company/constants.py", "OTHER = 1", "OTHER = 2"),
        ("lib/company/rounding.py", "def other(x):\n    return x", "def other(x):\n    return 1"),
    ],
)
def test_what_cannot_change_rows_changes_no_text(project: Path, file: str, old: str, new: str) -> None:
    before = code(project)
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new))
    assert code(project) == before


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("jobs/gold/t.py", "RATE = 3", "RATE = 4"),
        ("jobs/gold/t.py", ":>5", ":>6"),
        ("jobs/gold/t.py", "flag: bool = True", "flag: bool = False"),
        ("jobs/gold/t.py", "-1.5", "1.5"),
        ("jobs/gold/t.py", 'F.col("a")', 'F.col("b")'),
        ("lib/company/constants.py", "VAT = 19", "VAT = 20"),
        ("lib/company/rounding.py", "def cents(x):\n    return x", "def cents(x):\n    return None"),
    ],
)
def test_what_can_change_rows_changes_the_text(project: Path, file: str, old: str, new: str) -> None:
    before = code(project)
    text = (project / file).read_text()
    assert old in text
    (project / file).write_text(text.replace(old, new))
    assert code(project) != before


def test_the_text_is_pinned_since_records_hold_its_hash(project: Path) -> None:
    # Equal on Python 3.11, 3.12 and 3.13; another value makes every batch of every lake stale.
    text = "\n".join(code(project))
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "4afbd6e65054167e"


def test_a_job_without_its_transform_is_an_error_that_says_what_to_do(project: Path) -> None:
    with pytest.raises(ConfigurationError, match=r'no function is decorated @job\("gold.other"\)'):
        transform_code(project / "jobs/gold/t.py", "gold.other", project)


def test_a_job_that_does_not_parse_is_named_with_its_line(project: Path) -> None:
    (project / "jobs/gold/t.py").write_text("def f(:\n")
    with pytest.raises(ConfigurationError, match=r"t\.py:1: not valid Python"):
        transform_code(project / "jobs/gold/t.py", "gold.t", project)
