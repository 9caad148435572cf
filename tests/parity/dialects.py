"""Java's regular expressions against Python's, on Spark.

Owns how each engine is asked. Java is asked through Spark's `rlike`, which the gate and Great Expectations
both use, with patterns and texts as columns: one job for thousands of pairs.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from py4j.protocol import Py4JJavaError
from pyspark.errors import IllegalArgumentException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lakesmith.contracts.regexes import dialect_problem
from parity.patterns import ascii_texts, patterns

__all__ = ["Pair", "compiles_in_java", "compiles_in_python", "differences", "in_java", "in_python", "tried"]

Pair = tuple[str, str]
"""A pattern and a text."""

_EVERY_TIME = ["", "a", "\n", "a\n", "\na", "\n\n", "aB", "ab", "b1", "A a", "-", "aab", "\x0b"]


@st.composite
def tried(draw: st.DrawFn, least: int = 10, most: int = 40) -> list[tuple[str, list[str]]]:
    """Patterns, refused ones among them, each with ASCII texts to try it on."""
    own = st.lists(ascii_texts(), max_size=4).map(lambda texts: [*texts, *_EVERY_TIME])
    return draw(st.lists(st.tuples(patterns(), own), min_size=least, max_size=most))


def differences(spark: SparkSession, drawn: Iterable[tuple[str, list[str]]]) -> tuple[int, list[Pair]]:
    """How many pairs were compared, and those in which only one engine finds the pattern."""
    pairs = {(pattern, text) for pattern, texts in drawn if not dialect_problem(pattern) for text in texts}
    found = in_java(spark, pairs)
    return len(pairs), sorted(pair for pair in pairs if found[pair] is not in_python(*pair))


def in_java(spark: SparkSession, pairs: Iterable[Pair]) -> dict[Pair, bool]:
    """Whether Java finds each pattern in its text."""
    frame = spark.createDataFrame(sorted(set(pairs)), "pattern string, text string")
    rows = frame.select("pattern", "text", F.rlike("text", F.col("pattern")).alias("found")).collect()
    return {(row["pattern"], row["text"]): row["found"] for row in rows}


def in_python(pattern: str, text: str) -> bool:
    """Whether Python finds a pattern in a text."""
    with warnings.catch_warnings():
        # Of the classes that mean something else in other engines.
        warnings.simplefilter("ignore", FutureWarning)
        return re.search(pattern, text) is not None


def compiles_in_java(spark: SparkSession, pattern: str) -> bool:
    """True when Java can read a pattern at all."""
    jvm: Any = spark._jvm
    try:
        jvm.java.util.regex.Pattern.compile(pattern)
    except (IllegalArgumentException, Py4JJavaError):
        return False
    return True


def compiles_in_python(pattern: str) -> bool:
    """True when Python can read a pattern at all."""
    try:
        in_python(pattern, "")
    except re.error:
        return False
    return True
