"""The demo on the reference project, small: made once, then nothing to do."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from command_lines import Ask

REPOSITORY = Path(__file__).parents[3]


def test_the_demo_is_made_once_and_its_commands_work(
    ask: Ask, tmp_path: Path, spark_session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("conf", "jobs"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    small = ["--days", "2", "--lines-per-day", "40"]
    made = ask("demo", *small, "--json")
    assert made.code == 0, made.out
    rows = {table["table"]: table for table in made.json["tables"]}
    bronze, silver = rows["bronze.sales_lines"], rows["silver.sales_lines"]
    assert bronze["batches"] == silver["batches"] == 2
    assert bronze["rows"] == silver["rows"] + silver["quarantined"] + silver["dropped"] > 0
    assert made.json["lake_root"] == str(tmp_path / ".lake" / "demo" / "lake")

    again = ask("demo", *small)
    assert again.code == 0
    assert again.out.startswith("nothing to do: the demo of 2010-12-01 .. 2010-12-02 is there already, ")
    commands = [shlex.split(line) for line in again.out.split("try next:\n")[1].splitlines()]
    ours = [words[1:] for words in commands if words[0] == "lakesmith"]
    assert ours[0] == ["status", "--env", "demo"]
    assert [ask(*words).code for words in ours] == [0] * len(ours)
    # Two days are too few for a model, so there are no scores to show.
    assert ours[-2][:2] == ["sql", "SELECT * FROM gold.daily_sales LIMIT 5"]
