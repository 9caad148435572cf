"""The YAML dialect: which texts are which values, where each stands, and what is refused."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lakesmith.config.yaml_text import YamlValue, describe, dotted, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((word, True) for word in ("true", "True", "TRUE")),
        *((word, False) for word in ("false", "False", "FALSE")),
        *((word, None) for word in ("null", "Null", "NULL", "~")),
        *((word, word) for word in ("yes", "no", "on", "off", "Yes", "NO", "y", "n", "tRUE", "nULL")),
        ("0", 0),
        ("-12", -12),
        ("+3", 3),
        ("007", "007"),
        ("0x1F", "0x1F"),
        ("0o17", "0o17"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("1.5", 1.5),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ("1.", 1.0),
        (".", "."),
        ("-", [None]),
        ("2011-03-01", "2011-03-01"),
        ("2011-03-01 12:00:00", "2011-03-01 12:00:00"),
        ("'true'", "true"),
        ('"5"', "5"),
        ("''", ""),
        ("60s", "60s"),
        ("<<", "<<"),
    ],
)
def test_a_scalar_means_what_yaml_1_2_says(text: str, value: object) -> None:
    document = read_yaml(text, "a.yml")
    assert (document.problems, document.value) == ((), value)
    assert type(document.value) is type(value)


def test_keys_are_texts_whatever_they_look_like() -> None:
    document = read_yaml("on: 1\ntrue: 2\n5: 3\nnull: 4\n2011-03-01: 5", "a.yml")
    assert document.value == {"on": 1, "true": 2, "5": 3, "null": 4, "2011-03-01": 5}


def test_every_key_and_element_has_its_line() -> None:
    document = read_yaml("a:\n  - x\n  - {b: 1,\n     c: 2}\n\nd: 4", "a.yml")
    assert document.lines == {
        (): 1,
        ("a",): 1,
        ("a", 0): 2,
        ("a", 1): 3,
        ("a", 1, "b"): 3,
        ("a", 1, "c"): 4,
        ("d",): 6,
    }
    assert document.line(("a", 1, "missing")) == 3
    assert dotted(("a", 1, "c")) == "a[1].c"


def test_an_alias_is_the_value_of_its_anchor() -> None:
    document = read_yaml("a: &x {b: 1}\nc: *x\nd: [*x, *x]", "a.yml")
    assert document.value == {"a": {"b": 1}, "c": {"b": 1}, "d": [{"b": 1}, {"b": 1}]}
    assert document.problems == ()


def test_an_empty_text_has_no_value() -> None:
    for text in ("", "# nothing yet\n", "---\n"):
        document = read_yaml(text, "a.yml")
        assert (document.value, document.problems) == (None, ())
    assert read_yaml("", "a.yml").line(("a",)) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3", "a.yml:3: a: the key 'a' stands twice; the first is in line 1"),
        ("x: {no: 1, 'no': 2}", "a.yml:1: x.no: the key 'no' stands twice; the first is in line 1"),
        ("a: !!str 5", None),
        ("a: !!int 5", "a.yml:1: a: the tag '!!int' is not supported; leave it out"),
        ("a: !secret x", "a.yml:1: a: the tag '!secret' is not supported; leave it out"),
        ("? [a]\n: 1", "a.yml:1: a key must be plain text, not a list or a mapping"),
        ("a: &x [1, *x]", "a.yml:1: a[1]: an alias must not stand inside its own anchor"),
        (
            "a: *nowhere",
            "a.yml:1: is not YAML, column 4: found undefined alias",
        ),
        (
            "a:\n\tb: 1",
            "a.yml:2: is not YAML, column 1: found character that cannot start any token "
            "(while scanning for the next token that begins in line 2)",
        ),
        (
            "a: [1, 2\nb: 3",
            "a.yml:2: is not YAML, column 2: did not find expected ',' or ']' "
            "(while parsing a flow sequence that begins in line 1)",
        ),
        ("é: 1\na: \x01", "a.yml:2: is not YAML: the character U+0001 is not allowed"),
        ("[" * 60 + "]" * 60, "a.yml:1: is nested too deeply: at most 50 levels"),
    ],
)
def test_what_is_no_yaml_of_ours_is_reported_with_its_line(text: str, problem: str | None) -> None:
    assert [str(found) for found in read_yaml(text, "a.yml").problems] == ([problem] if problem else [])


# PyYAML writes the text 1e3 without quotes, since YAML 1.1 has no such number; here it is one, as in YAML 1.2.
_NUMBER_OF_1_2 = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?[0-9]*\.[0-9]*[eE][0-9]+")

PLAIN: st.SearchStrategy[YamlValue] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(min_codepoint=32, max_codepoint=0x7E), max_size=8).filter(
        lambda text: not _NUMBER_OF_1_2.fullmatch(text)
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.sampled_from("abno"), min_size=1, max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(PLAIN)
def test_what_pyyaml_writes_with_quotes_is_read_back(value: YamlValue) -> None:
    text = yaml.safe_dump(value, default_style=None, allow_unicode=True)
    document = read_yaml(text, "a.yml")
    assert document.problems == ()
    assert document.value == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "true"),
        ("abc", "the text 'abc'"),
        ("x" * 61, f"the text '{'x' * 60}...'"),
        (5, "the number 5"),
        (0.5, "the number 0.5"),
        ({"a": 1}, "keys and values"),
        ({}, "an empty mapping"),
        ([1], "a list"),
        ((), "an empty list"),
        (object(), "another value"),
    ],
)
def test_errors_name_a_value_by_its_kind(value: object, text: str) -> None:
    assert describe(value) == text
