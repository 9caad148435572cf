"""Many batches in few words."""

from __future__ import annotations

from datetime import date, timedelta

from lakesmith.cli.wording import count, days_text, entry, group_states, group_troubles
from lakesmith.ledger.state import BatchState, State

FIRST = date(2024, 1, 1)


def _days(*numbers: int) -> list[date]:
    return [FIRST + timedelta(n - 1) for n in numbers]


def test_counts_have_their_plural() -> None:
    assert [count(1, "batch"), count(2, "batch"), count(1200, "row")] == [
        "1 batch",
        "2 batches",
        "1,200 rows",
    ]


def test_days_become_ranges() -> None:
    assert days_text(_days(3)) == "2024-01-03"
    assert days_text(_days(1, 2, 3)) == "2024-01-01 .. 2024-01-03 (3 batches)"
    assert days_text(_days(5, 1, 2)) == "2024-01-01 .. 2024-01-02, 2024-01-05 (3 batches)"
    assert days_text(_days(1, 3, 5, 7, 9)) == "2024-01-01 .. 2024-01-09 (5 batches, with gaps)"


def test_reasons_that_differ_in_numbers_only_are_one_group() -> None:
    found = [
        (
            "a.b",
            "rejected",
            FIRST + timedelta(n),
            f"{n + 2} of 1,{n}00 rows ({n}.5%) broke rule on {FIRST + timedelta(n)}",
        )
        for n in range(5)
    ]
    other = ("a.b", "rejected", FIRST, "no rows at all")
    groups = group_troubles([*found, other])
    assert [(g.label, len(g.days), g.reason) for g in groups] == [
        ("rejected", 5, "e.g. 2 of 1,000 rows (0.5%) broke rule on 2024-01-01"),
        ("rejected", 1, "no rows at all"),
    ]


def test_lists_of_any_length_are_one_group() -> None:
    reasons = [
        "x 2024-01-01 is stale",
        "x 2024-01-01, 2024-01-02 is stale",
        "x 2024-01-01, 2024-01-02, 2024-01-03 and 4 more is stale",
    ]
    groups = group_troubles(
        ("a.b", "stale", FIRST + timedelta(n), reason) for n, reason in enumerate(reasons)
    )
    assert [len(group.days) for group in groups] == [3]


def test_digests_and_run_ids_do_not_split_groups() -> None:
    reasons = [f"run 20240101T00000{n}-0000000{n} has digest abcdef0{n}" for n in range(3)]
    assert len(group_troubles(("a.b", "stale", FIRST, reason) for reason in reasons)) == 1


def test_blocked_batches_are_grouped_by_what_blocks_them() -> None:
    states = [
        BatchState("c.d", day, State.BLOCKED, f"needs a.b {day}, which is failed", blockers=(("a.b", day),))
        for day in _days(1, 2, 3)
    ]
    assert [(g.when, g.reason) for g in group_states(states)] == [
        ("2024-01-01 .. 2024-01-03 (3 batches)", "needs a.b of the same days")
    ]


def test_blockers_of_other_days_are_named() -> None:
    states = [
        BatchState("c.d", day, State.BLOCKED, "needs ...", blockers=(("a.b", FIRST), ("e.f", day)))
        for day in _days(2, 3)
    ]
    assert [g.reason for g in group_states(states)] == ["needs a.b 2024-01-01 and e.f of the same days"]


def test_one_blocked_batch_keeps_its_own_words() -> None:
    state = BatchState("c.d", FIRST, State.BLOCKED, "needs a.b, which is failed", blockers=(("a.b", FIRST),))
    assert [(g.when, g.reason) for g in group_states([state])] == [
        ("2024-01-01", "needs a.b, which is failed")
    ]


def test_an_entry_breaks_only_where_it_must() -> None:
    assert entry("head", "tail", 20).plain == "  head  tail"
    assert entry("head", "a long tail", 16).plain == "  head\n      a long tail"
