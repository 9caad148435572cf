"""Words for many batches: counts, days as ranges, batches in trouble grouped by what ails them.

Owns that what is said stays short whatever the data does: like reasons become one entry. Pure; whoever shows it, a terminal or a
page, says it in these words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from lakesmith.contracts.days import merge_days

if TYPE_CHECKING:
    from lakesmith.ledger.state import BatchState

__all__ = ["Trouble", "count", "days_text", "group_states", "group_troubles", "number"]

_RANGES_SHOWN = 3
# What differs in reasons that are otherwise the same: days, times, digests, run ids, numbers.
_VARYING = re.compile(r"\b(?:\d{8}T\d{6}-[0-9a-f]{8}|[0-9a-f]{8,}|\d(?:[\d:.,/-]*\d)?)\b")
_LISTED = re.compile(r"#(?:, #)*(?: and # more)?")


@dataclass(frozen=True)
class Trouble:
    """Batches of one table that share a reason.

    Args:
        label: the state or the outcome.
        days: the batches, in order.
        reason: in words; the first batch's, marked as an example, where they differ.
    """

    table: str
    label: str
    days: tuple[date, ...]
    reason: str

    @property
    def when(self) -> str:
        """The batches as ranges, and how many."""
        return days_text(self.days)


def count(number_of: int, singular: str, plural: str | None = None) -> str:
    """`1 batch`, `2 batches`, with thousands apart."""
    if number_of == 1:
        return f"1 {singular}"
    default = f"{singular}es" if singular.endswith(("ch", "s", "x")) else f"{singular}s"
    return f"{number_of:,} {plural or default}"


def number(value: int | None) -> str:
    """A count for a column; empty when there is none."""
    return "" if value is None else f"{value:,}"


def days_text(days: Iterable[date]) -> str:
    """Days as ranges, and how many days where that is not plain; many ranges are said by their ends."""
    listed = sorted(set(days))
    ranges = merge_days(listed)
    if len(listed) == 1:
        return str(listed[0])
    if len(ranges) == 1:
        return f"{ranges[0]} ({len(listed):,} batches)"
    if len(ranges) <= _RANGES_SHOWN:
        return f"{', '.join(str(found) for found in ranges)} ({len(listed):,} batches)"
    return f"{listed[0]} .. {listed[-1]} ({len(listed):,} batches, with gaps)"


def group_troubles(found: Iterable[tuple[str, str, date, str]]) -> list[Trouble]:
    """Batches in trouble grouped by what ails them, in the order of each group's first batch.

    Args:
        found: table, label, batch and reason of each.
    """
    groups: dict[tuple[str, str, str], list[tuple[date, str]]] = {}
    for table, label, day, reason in found:
        groups.setdefault((table, label, _likeness(reason)), []).append((day, reason))
    return [_trouble(table, label, members) for (table, label, _), members in groups.items()]


def _likeness(reason: str) -> str:
    """The reason without what differs from batch to batch: equal for batches with the same trouble."""
    return _LISTED.sub("#", _VARYING.sub("#", reason))


def _trouble(table: str, label: str, members: Sequence[tuple[date, str]]) -> Trouble:
    ordered = sorted(members)
    reasons = {reason for _, reason in ordered}
    reason = ordered[0][1] if len(reasons) == 1 else f"e.g. {ordered[0][1]}"
    return Trouble(table, label, tuple(day for day, _ in ordered), reason)


def group_states(states: Iterable[BatchState]) -> list[Trouble]:
    """States grouped by table, state and reason; blocked ones by the tables that block them."""
    troubles: dict[tuple[str, str, str], list[BatchState]] = {}
    for state in states:
        tables = sorted({table for table, _ in state.blockers})
        likeness = ", ".join(tables) if tables else _likeness(state.reason)
        troubles.setdefault((state.table, str(state.state), likeness), []).append(state)
    return [_state_trouble(table, label, members) for (table, label, _), members in troubles.items()]


def _state_trouble(table: str, label: str, members: Sequence[BatchState]) -> Trouble:
    days = tuple(sorted(state.batch_date for state in members))
    if not members[0].blockers or len(members) == 1:
        return _trouble(table, label, [(state.batch_date, state.reason) for state in members])
    blockers: dict[str, set[date]] = {}
    for state in members:
        for blocker, day in state.blockers:
            blockers.setdefault(blocker, set()).add(day)
    needs = [
        f"{blocker} of the same days" if missing == set(days) else f"{blocker} {days_text(missing)}"
        for blocker, missing in sorted(blockers.items())
    ]
    return Trouble(table, label, days, f"needs {' and '.join(needs)}")
