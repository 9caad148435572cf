"""Plans and states in words: what would be run and why, what would not, and what is not as it should be."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from lakesmith.cli.heat_map import STYLES
from lakesmith.cli.output import width
from lakesmith.cli.wording import Trouble, count, days_text, entry, group_states, group_troubles
from lakesmith.ledger.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from lakesmith.ledger.expected import Expected
    from lakesmith.ledger.plan import Plan
    from lakesmith.ledger.state import BatchState

__all__ = ["audit_lines", "plan_lines", "state_lines", "waiting_lines"]

_REASONS_SHOWN = 3
_GROUPS_SHOWN = 12


def plan_lines(plan: Plan, expected: Mapping[str, Expected] = MappingProxyType({})) -> list[RenderableType]:
    """The plan for people; empty when nothing would be run.

    Args:
        expected: rows and seconds for each table that was run before.
    """
    if not plan.steps:
        return []
    batches = sum(len(step.batches) for step in plan.steps)
    audits = sum(len(step.audits) for step in plan.steps)
    todo = [f"{count(batches, 'batch')} of {count(sum(bool(s.batches) for s in plan.steps), 'table')} to run"]
    todo = todo if batches else []
    todo += [f"{count(audits, 'batch')} to audit again"] if audits else []
    untouched = f"; {plan.untouched:,} are fresh or closed" if plan.untouched else ""
    lines: list[RenderableType] = [f"plan: {' and '.join(todo)}{untouched}"]
    label = max(len(step.table) for step in plan.steps)
    for step in plan.steps:
        shown = 0
        for title, found in (
            ("", _reasons(step.table, step.reasons)),
            ("audit ", _reasons(step.table, step.audits)),
        ):
            for trouble in found[:_REASONS_SHOWN]:
                table = step.table if not shown else ""
                lines.append(
                    entry(f"{table:{label}}  {title}{days_text(trouble.days)}", trouble.reason, width())
                )
                shown += 1
            if len(found) > _REASONS_SHOWN:
                rest = sum(len(trouble.days) for trouble in found[_REASONS_SHOWN:])
                lines.append(f"  {'':{label}}  {count(rest, 'more batch', 'more batches')} for other reasons")
        if step.table in expected:
            lines.append(f"  {'':{label}}  {_work(expected[step.table])}, going by earlier runs")
    if len(expected) > 1:
        whole = sum(work.seconds for work in expected.values())
        unknown = sum(bool(step.batches) and step.table not in expected for step in plan.steps)
        but = f"; {count(unknown, 'table')} never run before" if unknown else ""
        lines.append(f"  in all about {_duration(whole)}{but}")
    return lines


def audit_lines(states: Sequence[BatchState]) -> list[RenderableType]:
    """Fresh batches that the next run over them audits again, grouped, with the reason."""
    found = group_troubles((state.table, "", state.batch_date, state.audit) for state in states)
    return [
        "fresh, and to be audited again by the next run over them:",
        *(entry(f"{trouble.table} {trouble.when}:", trouble.reason, width()) for trouble in found),
    ]


def _work(work: Expected) -> str:
    return f"about {work.rows:,} rows, {_duration(work.seconds)}"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


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


def _reasons(table: str, reasons: Mapping[date, str]) -> list[Trouble]:
    found = group_troubles((table, "", day, reason) for day, reason in reasons.items())
    return sorted(found, key=lambda trouble: -len(trouble.days))
