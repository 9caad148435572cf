"""`lineage` on a ledger written by hand."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from command_lines import Ask, publish
from lakes import record_night
from lakesmith.ledger.columns import ColumnsRecord
from lakesmith.ledger.fingerprint import SCHEME
from workspaces import Workspace, day

TABLES = ("bronze.readings", "silver.readings", "gold.usage", "gold.usage_3d", "gold.running")


@pytest.fixture
def published(meters: Workspace) -> Workspace:
    publish(meters, range(1, 7), TABLES)
    return meters


def batches(found: list[dict[str, object]]) -> set[str]:
    return {f"{batch['table']} {str(batch['batch_date'])[-2:]}" for batch in found}


def test_what_was_made_from_a_batch(ask: Ask, published: Workspace) -> None:
    answer = ask("lineage", "silver.readings", "--date", "2024-01-03", "--down")
    head, *tree = answer.out.splitlines()
    assert head.startswith("silver.readings 2024-01-03: 2 rows, published ")
    assert head.endswith(" UTC by run 20240201T000000-00000001")
    assert tree == [
        "",
        "made from it: 8 batches of 3 tables",
        "  └─ gold.usage  2024-01-03",
        "     ├─ gold.running  2024-01-03 .. 2024-01-06 (4 batches)",
        "     └─ gold.usage_3d  2024-01-03 .. 2024-01-05 (3 batches)",
    ]
    found = ask("lineage", "silver.readings", "--date", "2024-01-03", "--down", "--json").json
    assert set(found) == {"of", "down"}
    assert batches([found["of"]]) == {"silver.readings 03"}
    assert batches(found["down"]["batches"]) == {
        "gold.usage 03",
        *(f"gold.usage_3d 0{n}" for n in (3, 4, 5)),
        *(f"gold.running 0{n}" for n in (3, 4, 5, 6)),
    }
    fourth = next(
        b
        for b in found["down"]["batches"]
        if b["table"] == "gold.usage_3d" and b["batch_date"] == "2024-01-04"
    )
    assert fourth["read"] == [{"target": "gold.usage", "batches": ["2024-01-03"]}]
    assert fourth["stands"] is True


def test_what_a_batch_was_made_from(ask: Ask, published: Workspace) -> None:
    answer = ask("lineage", "gold.usage_3d", "--date", "2024-01-03", "--up")
    assert answer.out.splitlines()[1:] == [
        "",
        "made from: 9 batches of 3 tables, 3 landing files",
        "  └─ gold.usage  2024-01-01 .. 2024-01-03 (3 batches)",
        "     └─ silver.readings  2024-01-01 .. 2024-01-03 (3 batches)",
        "        └─ bronze.readings  2024-01-01 .. 2024-01-03 (3 batches)",
        "           └─ readings  2024-01-01.csv, 2024-01-02.csv, 2024-01-03.csv",
    ]


def test_a_landing_file_is_a_start_too(ask: Ask, published: Workspace) -> None:
    found = ask("lineage", "--file", "readings/2024-01-06.csv", "--json").json
    assert found["of"]["path"] == "2024-01-06.csv"
    assert batches(found["down"]["batches"]) == {f"{table} 06" for table in TABLES}
    text = ask("lineage", "--file", "readings/2024-01-06.csv").out
    assert text.startswith("readings/2024-01-06.csv: ")
    assert "made from it: 5 batches of 5 tables\n  └─ bronze.readings  2024-01-06\n" in text


def test_rows_that_were_replaced_are_another_start(ask: Ask, published: Workspace) -> None:
    publish(published, [3], ["silver.readings"], digest="corrected", version=9)
    answer = ask("lineage", "silver.readings", "--date", "2024-01-03", "--down")
    assert "made from it: nothing" in answer.out
    assert "there are other rows of it: --version None" not in answer.out


def test_lineage_as_of_a_night_is_what_was_known_then(ask: Ask, published: Workspace) -> None:
    record_night(published, 6)
    publish(published, [7], ["gold.usage_3d"])
    publish(published, [3], ["silver.readings"], digest="corrected", version=9)
    then = ask(
        "lineage", "silver.readings", "--date", "2024-01-03", "--down", "--as-of", "2024-01-06", "--json"
    )
    assert len(then.json["down"]["batches"]) == 8
    assert then.json["of"]["stands"] is True
    early = ask("lineage", "gold.usage_3d", "--date", "2024-01-07", "--as-of", "2024-01-06")
    assert early.err.startswith("error: gold.usage_3d 2024-01-07 was never published.")
    assert ask("lineage", "gold.usage", "--columns", "--as-of", "2024-01-06").code == 2


def test_the_tables_around_a_table(ask: Ask, published: Workspace) -> None:
    answer = ask("lineage", "gold.usage")
    assert answer.out == (
        "gold.usage  2024-01-01 .. 2024-01-06 (6 batches)\n"
        "\n"
        "made from\n"
        "  └─ silver.readings  2024-01-01 .. 2024-01-06 (6 batches)  same_day\n"
        "     └─ bronze.readings  2024-01-01 .. 2024-01-06 (6 batches)  same_day\n"
        "        └─ readings  landing files  same_day\n"
        "\n"
        "made from it\n"
        "  ├─ gold.next_day  never published  same_day, ahead: 1d\n"
        "  ├─ gold.running  2024-01-01 .. 2024-01-06 (6 batches)  same_day\n"
        "  └─ gold.usage_3d  2024-01-01 .. 2024-01-06 (6 batches)  last: 3d\n"
    )
    found = ask("lineage", "gold.usage", "--down", "--json").json
    assert {edge["to"] for edge in found["down"]} == {"gold.next_day", "gold.running", "gold.usage_3d"}


def test_columns_are_told_as_a_run_wrote_them_down(ask: Ask, published: Workspace) -> None:
    context = published.context()
    columns = {
        "columns": {
            "meter": {"from": [["silver.readings", "meter"]], "through": []},
            "kwh": {"from": [["silver.readings", "kwh"]], "through": ["PythonUDF"]},
            "cost": {"from": [], "through": []},
        },
        "deciding": [["silver.readings", "meter"]],
        "opaque": ["MapInPandas"],
    }
    moment = datetime(2024, 2, 1, tzinfo=UTC)
    current = context.fingerprints("gold.usage", SCHEME).data
    context.ledger.ops.append([ColumnsRecord("gold.usage", current, moment, "r1", columns)])

    answer = ask("lineage", "gold.usage", "--columns")

    lines = [line.rstrip() for line in answer.out.splitlines()]
    assert lines == [
        "gold.usage, by the plan of run r1 of 2024-02-01",
        "",
        "column  comes from",
        "meter   silver.readings.meter",
        "kwh     silver.readings.kwh (through a Python function)",
        "cost    no input: a constant, or made by the job",
        "",
        "which rows there are is decided by silver.readings.meter",
        "",
        "the plan does not show what happens inside of MapInPandas",
    ]
    found = ask("lineage", "gold.usage", "--columns", "--json").json
    assert found["current"] is True
    assert found["columns"][1] == {
        "column": "kwh",
        "from": [{"target": "silver.readings", "column": "kwh"}],
        "through": ["PythonUDF"],
    }
    published.edit("jobs/gold/usage.py", 'F.sum("kwh")', 'F.max("kwh")')
    assert "the code has changed since" in ask("lineage", "gold.usage", "--columns").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "say what to look at: a table, a model or a landing file"),
        (("gold.usages",), "there is no table 'gold.usages'. Tables: "),
        (("gold.usage", "--date", "2024-01-09"), "gold.usage 2024-01-09 was never published."),
        (("gold.usage", "--version", "3"), "--version is of one batch: --date DAY."),
        (("--file", "readings"), "'readings' is no landing file: a source and a path are expected"),
        (("--file", "readings/x.csv"), "no batch was made from readings/x.csv."),
        (
            ("--file", "readings/2024-01-06.csv", "--up"),
            "a landing file was made from nothing that Lakesmith knows.",
        ),
        (("models.x",), "there is no model 'x'."),
        (
            ("gold.usage", "--columns"),
            "no run has written down yet where the columns of gold.usage come from",
        ),
    ],
)
def test_what_cannot_be_told_is_said(
    ask: Ask, published: Workspace, arguments: tuple[str, ...], message: str
) -> None:
    answer = ask("lineage", *arguments)
    assert answer.code == 2
    assert message in answer.err


def test_a_day_of_any_length_of_history_is_told_by_its_ends(ask: Ask, published: Workspace) -> None:
    assert day(6) > day(1)
    assert "6 batches" in ask("lineage", "gold.running").out
