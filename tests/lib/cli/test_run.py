"""Nights run for real from the command line: what is said of a good one, a rejected one and none at all."""

from __future__ import annotations

import json
from pathlib import Path

from pyspark.sql import SparkSession

from command_lines import THREE_TABLES, Ask
from workspaces import Workspace

ONLY = [argument for table in THREE_TABLES for argument in ("--table", table)]


def test_a_night_then_nothing_then_a_rejected_one(
    ask: Ask, meters: Workspace, spark_session: SparkSession, tmp_path: Path
) -> None:
    outcome = tmp_path / "outcome.json"
    answer = ask("run", "--date", "2024-01-01", *ONLY, "--outcome", str(outcome))
    assert answer.code == 0
    assert answer.out.startswith(
        "plan: 3 batches of 3 tables to run\n  bronze.readings  2024-01-01  missing: "
    )
    assert [line.split()[:2] for line in answer.err.splitlines()] == [
        [table, "done"] for table in THREE_TABLES
    ]
    summary = answer.out.split("\n\n")[1].splitlines()
    assert [line.split()[0] for line in summary] == ["table", *THREE_TABLES]
    assert json.loads(outcome.read_text())["exit_code"] == 0

    again = ask("run", "--date", "2024-01-01", *ONLY)
    assert (again.code, again.err) == (0, "")
    assert again.out == "nothing to do for 2024-01-01: all 3 batches are fresh or closed.\n"

    meters.land(1, ("m1", 5000, "High St"), ("m2", 5, "Low St"))
    rejected = ask("run", "--date", "2024-01-01", *ONLY)
    assert rejected.code == 3
    assert (
        "not published; readers keep what was there before:\nsilver.readings rejected 2024-01-01: "
        in rejected.out
    )
    assert "    lakesmith quality silver.readings --date 2024-01-01\n" in rejected.out
    assert "gold.usage blocked 2024-01-01:" in rejected.out
    assert "rejected (exit code 3)" in rejected.out

    told = ask("quality", "silver.readings", "--date", "2024-01-01", "--json").json
    assert (told["state"], told["last_attempt"]["outcome"], told["visible"]["rows"]) == (
        "failed",
        "rejected",
        2,
    )
    assert [r["rule"] for r in told["results"] if not r["success"]] == ["kwh_sane"]
