"""Queries of databases: where a parameter stands, and what is none."""

from __future__ import annotations

from datetime import date

import pytest

from lakesmith.contracts.queries import parse_query

DAY = date(2024, 2, 29)


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("SELECT :batch_date", "SELECT DATE '2024-02-29'"),
        (
            "SELECT 1 WHERE x >= :batch_date AND x<:next_date",
            "SELECT 1 WHERE x >= DATE '2024-02-29' AND x<DATE '2024-03-01'",
        ),
        ("  WITH a AS (SELECT 1) SELECT * FROM a  ", "WITH a AS (SELECT 1) SELECT * FROM a"),
        ("SELECT ':batch_date', ''':next_date'", "SELECT ':batch_date', ''':next_date'"),
        ('SELECT ":batch_date"', 'SELECT ":batch_date"'),
        (
            "SELECT 1 -- :batch_date, it's\n, :batch_date",
            "SELECT 1 -- :batch_date, it's\n, DATE '2024-02-29'",
        ),
        ("SELECT /* :nothing; 'a */ 1", "SELECT /* :nothing; 'a */ 1"),
        ("SELECT x::date, y::batch_date FROM t", "SELECT x::date, y::batch_date FROM t"),
        ("SELECT :batch_date::timestamp", "SELECT DATE '2024-02-29'::timestamp"),
        ("SELECT a[1:n], f(x)[2:batch_date]", "SELECT a[1:n], f(x)[2:batch_date]"),
        ("SELECT $$ :batch_date; ' $$, $a$ $$ :x $a$", "SELECT $$ :batch_date; ' $$, $a$ $$ :x $a$"),
        ("-- what\n/* is */ (SELECT 1)", "-- what\n/* is */ (SELECT 1)"),
    ],
)
def test_a_parameter_is_put_in_as_a_typed_literal_and_nothing_else_is_touched(text: str, sql: str) -> None:
    query = parse_query(text)
    assert (query.on(DAY), query.problems) == (sql, ())


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("SELECT 1; DROP TABLE sales", ("expected one query; leave out the ';'",)),
        ("DELETE FROM sales", ("expected one query, which begins with SELECT or WITH",)),
        (
            "SELECT :batch_dat, :day",
            (
                "unknown parameter ':batch_dat'; known: :batch_date, :next_date. Did you mean ':batch_date'?",
                "unknown parameter ':day'; known: :batch_date, :next_date.",
            ),
        ),
        ("SELECT 'a", ("what ' opens is never closed",)),
        ("SELECT 1 /* a", ("what /* opens is never closed",)),
    ],
)
def test_what_cannot_be_asked_is_said(text: str, problems: tuple[str, ...]) -> None:
    assert parse_query(text).problems == problems
