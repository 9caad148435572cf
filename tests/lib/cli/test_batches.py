"""Which batch a night means for commands that look at one: of keyed tables, whose rows are those of no batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_lines import Ask
from stock import Stock


@pytest.mark.parametrize(
    "command", [("diff",), ("restore", "--to-version", "1"), ("restore", "--release")], ids=" ".join
)
def test_a_keyed_table_has_no_batch_to_compare_or_restore(
    ask: Ask, command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock = Stock.landed_in(tmp_path / "stock")
    monkeypatch.chdir(stock.root)
    answer = ask(*command, "silver.items", "--date", "2024-01-02")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == (
        "error: silver.items is a keyed table: no rows of it are those of one batch, they follow from all changes. "
        "Compare or restore the batch of the table that the changes come from: bronze.edits\n"
    )


def test_a_batch_of_changes_has_a_quality(ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stock = Stock.landed_in(tmp_path / "stock")
    monkeypatch.chdir(stock.root)
    answer = ask("quality", "silver.items", "--date", "2024-01-02", "--json")
    assert (answer.code, answer.json["state"]) == (0, "blocked")
