"""A plan in words: what would be run and why, and what would not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType

from lakesmith.cli.wording import Trouble, count, grid, group_states, group_troubles
from lakesmith.contracts.days import merge_days

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakesmith.ledger.plan import Plan, Step
    from lakesmith.ledger.state import BatchState

__all__ = ["plan_lines", "waiting_lines"]

_REASONS_SHOWN = 3
_GROUPS_SHOWN = 12


def plan_lines(plan: Plan) -> list[RenderableType]:
    """The plan for people; empty when nothing would be run and nothing waits."""
    lines: list[RenderableType] = []
    if plan.steps:
        batches = sum(len(step.batches) for step in plan.steps)
        untouched = f"; {plan.untouched:,} fresh or closed" if plan.untouched else ""
        lines.append(
            f"plan: {count(batches, 'batch')} of {count(len(plan.steps), 'table')} to run{untouched}"
        )
        table = grid("table", "batches", "when", "why", right=["batches"], wrap=["why"])
        for step in plan.steps:
            reasons = _reasons(step)
            for at, found in enumerate(reasons[:_REASONS_SHOWN]):
                table.add_row(
                    step.table if at == 0 else "", f"{len(found.days):,}", _when(found), found.reason
                )
            if len(reasons) > _REASONS_SHOWN:
                rest = reasons[_REASONS_SHOWN:]
                table.add_row(
                    "", f"{sum(len(found.days) for found in rest):,}", "", f"{len(rest)} more reasons"
                )
        lines.append(table)
    return lines


def waiting_lines(waiting: Sequence[BatchState], title: str) -> list[RenderableType]:
    """Batches that are not run, grouped, with what they wait for; empty when there are none."""
    if not waiting:
        return []
    groups = group_states(waiting)
    table = grid("table", "state", "batches", "why", wrap=["why", "batches"])
    for found in groups[:_GROUPS_SHOWN]:
        table.add_row(found.table, found.label, found.when, found.reason)
    lines: list[RenderableType] = ["", f"{title}: {count(len(waiting), 'batch')}", table]
    if len(groups) > _GROUPS_SHOWN:
        lines.append(f"... and {len(groups) - _GROUPS_SHOWN} more such groups: --json lists every batch")
    return lines


def _reasons(step: Step) -> list[Trouble]:
    found = group_troubles((step.table, "", day, reason) for day, reason in step.reasons.items())
    return sorted(found, key=lambda trouble: -len(trouble.days))


def _when(found: Trouble) -> str:
    ranges = merge_days(found.days)
    return (
        str(ranges[0]) if len(ranges) == 1 else f"{found.days[0]} .. {found.days[-1]}, {len(ranges)} pieces"
    )
