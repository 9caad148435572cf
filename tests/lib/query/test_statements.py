"""What is a question, and what is more than one."""

from __future__ import annotations

import pytest

from lakesmith.query.errors import QueryFailed, QueryRefused
from lakesmith.query.statements import parse


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT 1", ()),
        ("select * from gold.usage", ("gold.usage",)),
        ("FROM Gold.Usage", ("Gold.Usage",)),
        ('SELECT * FROM "gold"."usage" AS u', ("gold.usage",)),
        ("SELECT * FROM gold.usage a JOIN gold.usage b USING (meter)", ("gold.usage",)),
        ("WITH u AS (SELECT * FROM gold.usage) SELECT * FROM u, silver.readings", ("gold.usage", "silver.readings")),
        ("SELECT (SELECT max(kwh) FROM gold.usage) UNION SELECT 1 FROM ops.runs", ("gold.usage", "ops.runs")),
        ("FROM quarantine.gold_usage, unnest(broken_rules)", ("quarantine.gold_usage",)),
        ("WITH Usage AS (FROM gold.usage) SELECT * FROM usage, gold.usage", ("gold.usage",)),
        ("DESCRIBE gold.usage", ("gold.usage",)),
        ("SUMMARIZE gold.usage", ("gold.usage",)),
        ("SHOW TABLES", ()),
        ("PIVOT gold.usage ON meter IN ('m1') USING sum(kwh)", ("gold.usage",)),
        ("SELECT * FROM 'file.csv'", ("file.csv",)),
        ('SELECT * FROM gold."od""d.name"', ('gold.od"d.name',)),
    ],
)  # fmt: skip
def test_the_tables_of_a_question_are_known_before_it_is_asked(sql: str, names: tuple[str, ...]) -> None:
    assert parse(sql).names == names


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO gold.usage VALUES (1)",
        "UPDATE gold.usage SET kwh = 0",
        "DELETE FROM gold.usage",
        "DROP TABLE gold.usage",
        "CREATE TABLE mine AS SELECT 1",
        "ALTER TABLE gold.usage ADD COLUMN x INT",
        "COPY (SELECT 1) TO '/tmp/out.csv'",
        "COPY gold.usage FROM '/tmp/in.csv'",
        "EXPORT DATABASE '/tmp/out'",
        "ATTACH '/tmp/other.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "RESET lock_configuration",
        "USE memory",
        "BEGIN",
        "CHECKPOINT",
        "VACUUM",
        "CALL pragma_version()",
        "PREPARE a AS SELECT 1",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/out.csv'",
        "SELECT 1; DROP TABLE gold.usage",
        "PIVOT gold.usage ON meter USING sum(kwh)",
        "PRAGMA version",
    ],
)
def test_what_does_more_than_read_tables_is_refused(sql: str) -> None:
    with pytest.raises(QueryRefused):
        parse(sql)


@pytest.mark.parametrize(
    "kind", ["INSERT INTO gold.usage VALUES (1)", "COPY gold.usage TO 'x'", "PRAGMA version"]
)
def test_the_kind_of_what_is_refused_is_named(kind: str) -> None:
    with pytest.raises(QueryRefused, match=f"^{kind.split()[0]} is refused"):
        parse(kind)


@pytest.mark.parametrize(
    ("sql", "said"), [("", "no statement"), ("-- x", "no statement"), ("SELEC 1", '"SELEC"')]
)
def test_what_is_no_sql_is_told_with_duckdbs_words(sql: str, said: str) -> None:
    with pytest.raises(QueryFailed, match=said):
        parse(sql)


@pytest.mark.parametrize(
    ("sql", "text"),
    [
        (" SELECT 1 ; -- done", "SELECT 1"),
        ("SELECT 'ä;b' AS x -- ; no end\n;", "SELECT 'ä;b' AS x -- ; no end"),
        ("/* ; */ SELECT 1", "/* ; */ SELECT 1"),
        ("; ;\nSELECT 1;;", "SELECT 1"),
        ("-- first\n; SELECT 1;", "SELECT 1"),
    ],
)
def test_what_stands_after_a_statement_is_left_out(sql: str, text: str) -> None:
    assert parse(sql).text == text


def test_a_description_is_asked_for_in_several_ways() -> None:
    asked = ["DESCRIBE gold.usage", "desc gold.usage ;", 'describe "gold"."usage"', "SHOW gold.usage"]
    assert [parse(sql).describes for sql in asked] == [True] * 4
    assert not parse("DESCRIBE SELECT * FROM gold.usage").describes
    shown = [parse(sql).shows_tables for sql in ("show tables;", "SHOW ALL TABLES", "describe", "SHOW x")]
    assert shown == [True, True, True, False]
