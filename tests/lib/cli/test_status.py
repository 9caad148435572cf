"""`status` on a ledger written by hand."""

from __future__ import annotations

import json

from command_lines import THREE_TABLES, Ask, publish
from lakesmith.ledger.records import BatchOutcome
from workspaces import Workspace, day

ONLY = [argument for table in THREE_TABLES for argument in ("--table", table)]


def test_an_empty_lake_says_what_to_do(ask: Ask, meters: Workspace) -> None:
    for path in (meters.root / "landing" / "readings").iterdir():
        path.unlink()
    answer = ask("status")
    assert answer.code == 0
    assert answer.out.startswith(f"Nothing is there yet: no batch in {meters.root}/lake, ")
    assert f"{meters.root}/landing/readings/{{batch_date}}.csv, from 2024-01-01 on" in answer.out
    assert "lakesmith demo" in answer.out
    assert ask("status", "--json").json == {
        "environment": "dev",
        "lake_root": f"{meters.root}/lake",
        "from": None,
        "to": None,
        "tables": [],
    }


def test_landed_but_never_run(ask: Ask, meters: Workspace) -> None:
    answer = ask("status", *ONLY)
    assert answer.out == (
        f"dev: {meters.root}/lake, nights 2024-01-01 .. 2024-01-06\n"
        "\n"
        "                 Jan 2024\n"
        "                 1\n"
        "bronze.readings  MMMMMM\n"
        "silver.readings  BBBBBB\n"
        "gold.usage       BBBBBB\n"
        "\n"
        "M missing   B blocked\n"
        "\n"
        "table            missing  blocked  newest fresh\n"
        "bronze.readings        6           none        \n"
        "silver.readings                 6  none        \n"
        "gold.usage                      6  none        \n"
        "\n"
        "  bronze.readings missing 2024-01-01 .. 2024-01-06 (6 batches): never published\n"
        "  silver.readings blocked 2024-01-01 .. 2024-01-06 (6 batches):\n"
        "      needs bronze.readings of the same days\n"
        "  gold.usage blocked 2024-01-01 .. 2024-01-06 (6 batches):\n"
        "      needs silver.readings of the same days\n"
        "\n"
        "to repair what can be: lakesmith backfill --from 2024-01-01 --to 2024-01-06 "
        "--table bronze.readings --table silver.readings --table gold.usage\n"
    )


def test_everything_fresh_has_nothing_to_explain(ask: Ask, meters: Workspace) -> None:
    publish(meters, range(1, 7))
    answer = ask("status", *ONLY)
    assert (
        "bronze.readings  ......\nsilver.readings  ......\ngold.usage       ......\n\n. fresh\n" in answer.out
    )
    assert answer.out.endswith("gold.usage           6  2024-01-06  \n")


def test_trouble_is_told_in_words_and_by_name(ask: Ask, meters: Workspace) -> None:
    publish(meters, range(1, 7))
    publish(meters, [4], ["silver.readings"], outcome=BatchOutcome.REJECTED, reason="kwh_sane: 3 of 9 rows")
    meters.land(2, ("m1", 99, "High St"))
    answer = ask("status", *ONLY)
    assert "bronze.readings  .S....\nsilver.readings  .S.F..\ngold.usage       .S.B..\n" in answer.out
    assert "  bronze.readings stale 2024-01-02: readings: 2024-01-02.csv changed\n" in answer.out
    assert "  silver.readings failed 2024-01-04: kwh_sane: 3 of 9 rows\n" in answer.out
    assert (
        "  gold.usage blocked 2024-01-04:\n      needs silver.readings 2024-01-04, which is failed\n"
        in answer.out
    )


def test_json_holds_every_batch(ask: Ask, meters: Workspace) -> None:
    publish(meters, range(1, 6))
    found = ask("status", "--json", *ONLY).json
    assert list(found) == ["environment", "lake_root", "from", "to", "tables"]
    assert (found["from"], found["to"]) == ("2024-01-01", "2024-01-06")
    bronze = found["tables"][0]
    assert bronze["table"] == "bronze.readings"
    assert bronze["counts"] == {
        "fresh": 5, "stale": 0, "missing": 1, "failed": 0, "blocked": 0, "foreign": 0, "closed": 0
    }  # fmt: skip
    assert bronze["batches"][-1] == {
        "batch_date": "2024-01-06",
        "state": "missing",
        "reason": "never published",
        "audit": "",
    }
    assert ask("status", "--json", *ONLY).out == json.dumps(found, indent=2) + "\n"


def test_from_and_to_name_nights(ask: Ask, meters: Workspace) -> None:
    found = ask(
        "status", "--json", "--from", "2024-01-03", "--to", "2024-01-04", "--table", "gold.next_day"
    ).json
    assert [b["batch_date"] for b in found["tables"][0]["batches"]] == ["2024-01-02", "2024-01-03"]
    assert found["tables"][0]["lag_days"] == 1


def test_a_closed_day_is_closed(ask: Ask, meters: Workspace) -> None:
    found = ask("status", "--to", "2024-01-07", "--json", "--table", "bronze.readings").json
    assert found["tables"][0]["batches"][-1] == {
        "batch_date": "2024-01-07",
        "state": "closed",
        "reason": "",
        "audit": "",
    }


def test_nothing_is_due_before_history_starts(ask: Ask, meters: Workspace) -> None:
    answer = ask("status", "--from", "2023-12-01", "--to", "2023-12-31")
    assert (answer.code, answer.out) == (
        0,
        "nothing is due for 2023-12-01 .. 2023-12-31: history starts on 2024-01-01.\n",
    )


def test_the_newest_record_counts_where_files_are_gone(ask: Ask, meters: Workspace) -> None:
    publish(meters, range(1, 7))
    (meters.root / "landing" / "readings" / f"{day(6)}.csv").unlink()
    assert ask("status", "--json").json["to"] == "2024-01-06"


def test_a_record_of_a_table_with_a_lag_counts_for_the_night_that_owns_it(
    ask: Ask, meters: Workspace
) -> None:
    publish(meters, range(1, 7), ["gold.next_day"])
    assert ask("status", "--json").json["to"] == "2024-01-07"


def test_an_unknown_table_is_an_error_with_the_known_ones(ask: Ask, meters: Workspace) -> None:
    answer = ask("status", "--table", "gold.usages")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: there is no table 'gold.usages'. Tables: bronze.readings, ")


def test_a_range_that_ends_before_it_starts_is_an_error(ask: Ask, meters: Workspace) -> None:
    answer = ask("status", "--from", "2024-01-06", "--to", "2024-01-01")
    assert answer.code == 2
    assert "--from 2024-01-01 --to 2024-01-06" in answer.err


def test_what_changed_is_repaired_by_one_command(ask: Ask, meters: Workspace) -> None:
    publish(meters, range(1, 7))
    meters.land(2, ("m1", 99, ""))
    answer = ask("status", *ONLY)
    assert answer.out.endswith(
        "\n"
        "  bronze.readings stale 2024-01-02: readings: 2024-01-02.csv changed\n"
        "  silver.readings stale 2024-01-02: bronze.readings 2024-01-02 is itself stale\n"
        "  gold.usage stale 2024-01-02: silver.readings 2024-01-02 is itself stale\n"
        "\n"
        "to repair what can be: lakesmith backfill --stale-only "
        "--table bronze.readings --table silver.readings --table gold.usage\n"
    )


def test_another_suite_makes_nothing_stale_and_is_said(ask: Ask, meters: Workspace) -> None:
    publish(meters, range(1, 7))
    meters.edit("conf/expectations/silver.readings.json", '"max_value": 1000', '"max_value": 900')
    answer = ask("status", *ONLY)
    assert answer.out.endswith(
        "\n"
        "fresh, and to be audited again by the next run over them:\n"
        "  silver.readings 2024-01-01 .. 2024-01-06 (6 batches):\n"
        "      what it is judged by changed: its suite, or what conf/tables/silver.readings.yml demands\n"
    )
    assert ask("plan", *ONLY).out == (
        "plan: 6 batches to audit again; 12 are fresh or closed\n"
        "  silver.readings  audit 2024-01-01 .. 2024-01-06 (6 batches)\n"
        "      what it is judged by changed: its suite, or what conf/tables/silver.readings.yml demands\n"
    )
