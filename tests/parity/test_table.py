"""The table of docs/parity.md, held to the code."""

from __future__ import annotations

import re
from pathlib import Path

from lakesmith.contracts.expectations import GROUP_TOTALS, ROW_RULE_TYPES, ExpectationType, catalogue
from lakesmith.quality.grouped import GROUPED_TYPES
from lakesmith.quality.questions import AGGREGATE_TYPES, LOG_TYPES
from lakesmith.quality.structure import STRUCTURE_TYPES

PAGE = Path(__file__).parents[2] / "docs" / "parity.md"


def test_the_table_says_of_every_core_type_how_it_is_answered() -> None:
    rows = re.findall(r"^\| `(\w+)` \| ([\w ,]+) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert rows == [(name, _how(kind)) for name, kind in sorted(catalogue().items()) if name != GROUP_TOTALS]


def test_every_compiled_type_is_answered_in_one_way() -> None:
    ways = [ROW_RULE_TYPES, AGGREGATE_TYPES, GROUPED_TYPES, STRUCTURE_TYPES]

    assert len(frozenset[str]().union(*ways)) == sum(len(way) for way in ways) == 43
    assert LOG_TYPES <= ROW_RULE_TYPES | AGGREGATE_TYPES
    assert "answers 43 expectation types itself" in PAGE.read_text(encoding="utf-8")


def _how(kind: ExpectationType) -> str:
    if not kind.spark:
        return "refused"
    if kind.name in STRUCTURE_TYPES:
        return "columns only"
    if kind.name in GROUPED_TYPES:
        return "second pass"
    if kind.name in LOG_TYPES:
        return "log statistics, else grouped pass"
    return "grouped pass" if kind.name in ROW_RULE_TYPES | AGGREGATE_TYPES else "Great Expectations"
