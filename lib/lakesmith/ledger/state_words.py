"""States for people: a letter for each, what it means in a sentence, and which is worse than which. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from lakesmith.ledger.state import State

__all__ = ["LETTERS", "MEANINGS", "worst"]

LETTERS = {
    State.FRESH: ".",
    State.CLOSED: "-",
    State.STALE: "S",
    State.MISSING: "M",
    State.BLOCKED: "B",
    State.FOREIGN: "X",
    State.FAILED: "F",
}
"""From the best to the worst but for `closed`: of several batches in one cell the worst is shown."""

MEANINGS = {
    State.FRESH: "published, and still what it would be",
    State.CLOSED: "the source is shut that day",
    State.STALE: "published, and something that it was made from has changed since",
    State.MISSING: "never published",
    State.BLOCKED: "a batch that it needs is not there",
    State.FOREIGN: "somebody else wrote to it",
    State.FAILED: "its last run was rejected or failed",
}

_WORST_FIRST = (
    State.FAILED,
    State.FOREIGN,
    State.BLOCKED,
    State.MISSING,
    State.STALE,
    State.FRESH,
    State.CLOSED,
)


def worst(states: Iterable[State]) -> State | None:
    """Of several the one that a person should see first; None without any."""
    found = set(states)
    return next((state for state in _WORST_FIRST if state in found), None)
