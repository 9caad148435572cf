from __future__ import annotations

import pytest

from lakesmith.contracts.regexes import dialect_problem, joined_problem


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[A-Z]{2}\d+(\.0)?$",
        r"[^\]\[]",
        "a|b",
        r"\\",
        r"(?i)abc",
        r"(?is:abc)|(?-i:d)",
        r"(?:a)(?=b)(?!c)(?<=d)(?<!e)",
        r"\u00e9\x41é",
        r"a{0,3}-{2}b??",
        r"(a)\1",
        r"[a&\&b]",
        r"[a|]]",
        r"\{a}",
        "",
    ],
)
def test_patterns_of_both_dialects_are_taken(pattern: str) -> None:
    assert dialect_problem(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("a(", "not a regular expression: missing ), unterminated subpattern at position 1"),
        ("*", "not a regular expression: nothing to repeat at position 0"),
        (r"\p{L}", r"not a regular expression: bad escape \p at position 0"),
        (r"(?<=a+)b", "not a regular expression: look-behind requires fixed-width pattern"),
        ("a{4294967295}", "not a regular expression: the repetition number is too large"),
        ("(?P<year>a)", "(?P...) is Python's spelling of a named group; leave the name out"),
        ("(?#why)a", "Java has no comments in patterns"),
        ("(a)(?(1)b|c)", "Java has no conditional groups"),
        ("(?>a)", "Python has atomic groups only since 3.11; write (?:...)"),
        ("a++", "Python has possessive quantifiers only since 3.11; leave the second + out"),
        ("(?x)a b", "only the flags i and s mean the same in Java and Python"),
        (r"[\b]", r"\b inside [...] is a backspace in Python and an error in Java; write \x08"),
        (r"\v", r"\v is one character in Python and a class in Java; write \x0b"),
        (r"a\Z", r"\Z lies before a last line end in Java; write $ or (?![\s\S])"),
        (r"\U0001F600", r"\U does not mean the same in Java and Python"),
        (r"(a)\101", r"octal escapes differ between Java and Python; write \x.."),
        ("[]a]", r"a ] at the start of [...] is a member in some engines and its end in others; write \]"),
        ("[a[b]", r"a [ inside [...] starts a nested class in Java; write \["),
        (r"\\[a&&b]", "&& inside [...] is an intersection in Java; write one & only"),
        (
            "(?i)é",
            "(?i) knows only ASCII letters in Java; write both cases of the others: [éÉ]",
        ),
        (r"(a)(?<=\1)", "Java has no backreferences inside (?<=...) and (?<!...)"),
        ("a{2147483648}", "Java repeats at most 2147483647 times"),
    ],
)
def test_a_refused_pattern_gets_the_reason_and_another_spelling(pattern: str, reason: str) -> None:
    assert dialect_problem(pattern) == reason


def test_what_stands_in_an_escape_or_a_class_is_no_construct() -> None:
    assert dialect_problem(r"\(\?P<a>") is None
    assert dialect_problem(r"[(?P<a>{]\[a&&b\]") is None
    assert dialect_problem(r"\\(?P<a>b)") is not None


def test_patterns_that_are_joined_share_no_flags_and_groups() -> None:
    assert joined_problem(["(?i)a"]) is None
    assert joined_problem(["(?i:a)", "(b)"]) is None
    assert joined_problem(["(?i)a", "b"]) is not None
    assert joined_problem(["a", r"(b)\1"]) is not None
