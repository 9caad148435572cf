"""What is not as it should be, and the comparison of two lakes that says so."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from lakesmith.contracts.load import load_project
from lakesmith.lake.tables import quarantine_contract
from lakesmith.ledger.location import LakeLocation

__all__ = ["Differed", "compare", "must"]

ROOT = Path(__file__).parents[2]


class Differed(Exception):
    """Something is not as it should be."""


def must(holds: object, text: str) -> None:
    """Goes on only when something is so."""
    if not holds:
        raise Differed(text)


def compare(twin: LakeLocation, lake: LakeLocation) -> tuple[int, int]:
    """Holds all tables of two lakes against each other, row for row; returns how many tables and rows are equal.

    Raises:
        Differed: a table is in one of them only, or rows differ.
    """
    contracts = load_project(ROOT).graph.contracts
    names = [*contracts, *(quarantine_contract(contract).table for contract in contracts.values())]
    tables = total = 0
    for name in names:
        expected, got = _rows(twin, name), _rows(lake, name)
        if expected is None and got is None:
            continue
        if expected is None or got is None:
            raise Differed(f"{name} is in one lake only")
        lacking, surplus = expected - got, got - expected
        must(
            not lacking and not surplus,
            f"{name}: {lacking.total()} rows lack, as {next(iter(lacking), None)}; "
            f"{surplus.total()} are too many, as {next(iter(surplus), None)}",
        )
        tables += 1
        total += expected.total()
    return tables, total


def _rows(lake: LakeLocation, table: str) -> Counter[tuple[str, ...]] | None:
    """All rows as values, without what names runs; None where there is no table."""
    opened = lake.open(table)
    if opened is None:
        return None
    found = opened.to_pyarrow_table()
    names = sorted(set(found.column_names) - {"run_id"})
    return Counter(tuple(repr(row[name]) for name in names) for row in found.to_pylist())
