"""Plans and states in words: what would be run and why, what would not, and what is not as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from lakesmith.cli.heat_map import STYLES
from lakesmith.cli.output import width
from lakesmith.cli.wording import Trouble, count, days_text, entry, group_states, group_troubles
from lakesmith.ledger.state import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakesmith.ledger.plan import Plan, Step
    from lakesmith.ledger.state import BatchState

__all__ = ["plan_lines", "state_lines", "waiting_lines"]

_REASONS_SHOWN = 3
_GROUPS_SHOWN = 12


def plan_lines(plan: Plan) -> list[RenderableType]:
    """The plan for people; empty when nothing would be run."""
    if not plan.steps:
        return []
    batches = sum(len(step.batches) for step in plan.steps)
    untouched = f"; {plan.untouched:,} are fresh or closed" if plan.untouched else ""
    lines: list[RenderableType] = [
        f"plan: {count(batches, 'batch')} of {count(len(plan.steps), 'table')} to run{untouched}"
    ]
    label = max(len(step.table) for step in plan.steps)
    for step in plan.steps:
        reasons = _reasons(step)
        for at, found in enumerate(reasons[:_REASONS_SHOWN]):
            table = step.table if at == 0 else ""
            lines.append(entry(f"{table:{label}}  {days_text(found.days)}", found.reason, width()))
        if len(reasons) > _REASONS_SHOWN:
            rest = sum(len(found.days) for found in reasons[_REASONS_SHOWN:])
            lines.append(f"  {'':{label}}  {count(rest, 'more batch', 'more batches')} for other reasons")
    return lines


def waiting_lines(waiting: Sequence[BatchState], title: str) -> list[RenderableType]:
    """Batches that are not run, grouped, with what they wait for; empty when there are none."""
    if not waiting:
        return []
    return ["", f"{title}: {count(len(waiting), 'batch')}", *state_lines(waiting)]


def state_lines(states: Sequence[BatchState]) -> list[RenderableType]:
    """States that are not as they should be, grouped, with the reason in words."""
    groups = group_states(states)
    lines: list[RenderableType] = []
    for found in groups[:_GROUPS_SHOWN]:
        head = Text.assemble(f"{found.table} ", (found.label, STYLES[State(found.label)]), f" {found.when}:")
        lines.append(entry(head, found.reason, width()))
    if len(groups) > _GROUPS_SHOWN:
        more = count(len(groups) - _GROUPS_SHOWN, "more such group")
        lines.append(f"  ... and {more}: --json lists every batch")
    return lines


def _reasons(step: Step) -> list[Trouble]:
    found = group_troubles((step.table, "", day, reason) for day, reason in step.reasons.items())
    return sorted(found, key=lambda trouble: -len(trouble.days))
