"""Java's regular expressions against Python's: why each refused pattern is refused, and that the others agree."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from pyspark.sql import SparkSession

from lakesmith.contracts.regexes import dialect_problem
from parity.dialects import (
    Pair,
    compiles_in_java,
    compiles_in_python,
    differences,
    in_java,
    in_python,
    tried,
)

# Each with a text that one engine finds it in and the other does not; None where one of them cannot read it.
READ_APART: list[tuple[str, str | None]] = [
    (r"a\Z", "a\n"),
    (r"a\z", None),
    (r"\h", None),
    (r"\R", None),
    (r"\G", None),
    (r"\e", None),
    (r"\cA", None),
    (r"\Qa.\E", None),
    (r"\p{L}", None),
    (r"\p{Alpha}", None),
    (r"\x{41}", None),
    (r"\U0001F600", None),
    (r"\v", "\n"),
    (r"\B", ""),
    (r"[\b]", None),
    (r"\0", None),
    (r"(a)\101", "aA"),
    (r"\ud83d\ude00", "😀"),
    ("[[:alpha:]]", "a"),
    ("[a[b]]", "b"),
    ("[a-c&&[^b]]", "a"),
    ("[a&&b]", "a"),
    (r"\\[a&&b]", r"\a"),
    ("(?P<n>a)", None),
    ("(?<n>a)", None),
    ("(?#a)", None),
    ("(?(1)a|b)", None),
    ("(a)(?(1)b|c)", None),
    ("(?m)^$", "a\n"),
    ("(?m:^b)", "a\rb"),
    ("(?x)[a b]", " "),
    ("(?a)a", None),
    ("(?d).", None),
    ("a{,2}b", None),
    ("a{", None),
    ("{a", None),
    ("a{1, 2}", None),
    ("a{2147483648}", None),
    ("(?<=a+)b", None),
    ("(?<=a|bb)b", None),
    (r"(a)(?<=\1)", None),
    ("(?i)é", "É"),
    ("(?i)\u212a", "k"),
    (r"(?i)\u0131", "i"),
    ("(?i:ſ)", "s"),
]
# What this Java and this Python agree on, as far as anybody saw; other versions and other engines do not.
REFUSED_ALL_THE_SAME = [
    "a++b",
    "a*+a",
    "a?+a",
    "a{1,2}+a",
    "(?>a|ab)c",
    "(?u)a",
    r"\N{SPACE}",
    "[]a]",
    "[^]a]",
]


# Texts that the two read apart whatever the pattern: what Java finds.
BEYOND_ASCII: list[tuple[str, str, bool]] = [
    (r"^\d$", "٣", False),
    (r"^\w$", "é", False),
    (r"^\s$", "\u00a0", False),
    (r"^\s$", "\x1c", False),
    ("(?i)^k$", "\u212a", False),
    ("^.$", "\r", False),
    ("^.$", "\u2028", False),
    ("^a$", "a\r", True),
    ("^a$", "a\u0085", True),
    ("^a\r$", "a\r\n", False),
    ("^[0-9]$", "٣", False),
    (r"^[^\n]$", "\r", True),
]


@pytest.fixture(scope="module")
def java(spark_session: SparkSession) -> dict[Pair, bool]:
    """What Java says of all the pairs above, by one job."""
    apart = [(pattern, text) for pattern, text in READ_APART if text is not None]
    return in_java(spark_session, [*apart, *((pattern, text) for pattern, text, _ in BEYOND_ASCII)])


@pytest.mark.parametrize(("pattern", "text"), READ_APART)
def test_what_the_engines_read_apart_is_refused(
    pattern: str, text: str | None, java: dict[Pair, bool], spark_session: SparkSession
) -> None:
    assert dialect_problem(pattern) is not None
    if text is None:
        assert not (compiles_in_java(spark_session, pattern) and compiles_in_python(pattern))
    else:
        assert java[pattern, text] is not in_python(pattern, text)


@pytest.mark.parametrize("pattern", REFUSED_ALL_THE_SAME)
def test_what_not_everybody_reads_is_refused(pattern: str) -> None:
    assert dialect_problem(pattern) is not None


@pytest.mark.parametrize(("pattern", "text", "found"), BEYOND_ASCII)
def test_a_text_beyond_ascii_is_read_as_java_reads_it(
    pattern: str, text: str, found: bool, java: dict[Pair, bool]
) -> None:
    assert dialect_problem(pattern) is None
    assert java[pattern, text] is found


@settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
@given(drawn=tried())
def test_a_pattern_that_is_taken_means_the_same_in_java_and_python(
    drawn: list[tuple[str, list[str]]], spark_session: SparkSession
) -> None:
    _, found = differences(spark_session, drawn)

    assert found == []
