"""Rejected rows and what became of them, in words and as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from lakesmith.cli.masking import MASK, shown_row
from lakesmith.cli.wording import count, days_text, grid
from lakesmith.ledger.quarantined import BROKEN_RULES
from lakesmith.query.values import json_value, text_of

if TYPE_CHECKING:
    from lakesmith.cli.options import Invocation
    from lakesmith.contracts.model import Contract
    from lakesmith.engine.context import Context
    from lakesmith.engine.replaying import Replay, ReplayPlan
    from lakesmith.ledger.quarantined import Quarantined

__all__ = [
    "list_json",
    "list_lines",
    "replay_json",
    "replay_lines",
    "replay_plan_lines",
    "show_json",
    "show_lines",
]


def list_json(found: Sequence[Quarantined]) -> list[dict[str, object]]:
    """All counts of all tables with rows in quarantine."""
    return [
        {
            "table": rows.table,
            "rows": rows.total,
            "by_rule": rows.rules,
            "batches": [
                {
                    "batch_date": day.isoformat(),
                    "rows": rows.rows[day],
                    "by_rule": dict(sorted(rows.by_rule[day].items())),
                }
                for day in rows.batches()
            ],
        }
        for rows in found
        if rows.total
    ]


def list_lines(
    found: Sequence[tuple[Contract, Quarantined]], most: int, invocation: Invocation
) -> list[RenderableType]:
    """A table's rules with their rows, then its newest batches."""
    there = [(contract, rows) for contract, rows in found if rows.total]
    if not there:
        return ["nothing is in quarantine."]
    lines: list[RenderableType] = []
    for contract, rows in there:
        batches = rows.batches()
        head = f"{rows.table}: {count(rows.total, 'row')} of {count(len(batches), 'batch')} in quarantine"
        rules = grid("broken rule", "rows", "batches", "newest", right=["rows", "batches"])
        for rule, broken in rows.rules.items():
            days = rows.batches(rule)
            rules.add_row(rule, f"{broken:,}", f"{len(days):,}", str(days[-1]))
        by_day = grid("batch", "rows", "by rule", right=["rows"], wrap=["by rule"])
        for day in reversed(batches[-most:]):
            listed = sorted(rows.by_rule[day].items(), key=lambda item: (-item[1], item[0]))
            by_day.add_row(
                str(day), f"{rows.rows[day]:,}", ", ".join(f"{rule} {broken:,}" for rule, broken in listed)
            )
        lines += [*([""] if lines else []), Text(head, style="bold"), rules, "", by_day]
        if len(batches) > most:
            lines.append(f"... and {len(batches) - most:,} older: --last {len(batches)}")
        night = batches[-1] + timedelta(contract.lag_days)
        lines += [
            "",
            f"the rows: {invocation.command(f'quarantine show {rows.table} --date {night}')}",
            f"once the cause is mended: {invocation.command(f'quarantine replay {rows.table}')}",
        ]
    return lines


def show_json(
    counted: Quarantined, day: date, rows: Sequence[Mapping[str, object]], masked: frozenset[str]
) -> dict[str, object]:
    """A batch's counts, and the rows that were asked for."""
    return {
        "table": counted.table,
        "batch_date": day.isoformat(),
        "rows_in_quarantine": counted.total,
        "by_rule": counted.rules,
        "masked": sorted(masked),
        "rows": [{name: json_value(value) for name, value in shown_row(row, masked).items()} for row in rows],
    }


def show_lines(
    contract: Contract,
    counted: Quarantined,
    day: date,
    rule: str | None,
    rows: Sequence[Mapping[str, object]],
    masked: frozenset[str],
    invocation: Invocation,
    night: str,
) -> list[RenderableType]:
    """Rows one below the other, a column a line: that fits however many columns there are."""
    if not counted.total:
        return [f"{counted.table} {day}: nothing is in quarantine."]
    total = counted.rules[rule] if rule is not None else counted.total
    broke = f" that broke {rule}" if rule is not None else ""
    lines: list[RenderableType] = [
        Text(f"{counted.table} {day}: {count(total, 'row')} in quarantine{broke}", style="bold")
    ]
    for number, row in enumerate(rows, start=1):
        table = grid("column", "value", wrap=["value"])
        table.show_header = False
        rules = row[BROKEN_RULES]
        for name, value in shown_row(row, masked).items():
            if name != BROKEN_RULES:
                table.add_row(f"  {name}", Text(text_of(value), style="dim" if value is None else ""))
        listed = ", ".join(str(broken) for broken in rules) if isinstance(rules, list) else ""
        lines += ["", Text(f"{number}. broke {listed}", style="yellow"), table]
    more = total - len(rows)
    if more:
        only = f" --rule {rule}" if rule is not None else ""
        command = f"quarantine show {counted.table} --date {night}{only} --rows {total}"
        lines += ["", f"... {count(more, 'more row')}: {invocation.command(command)}"]
    hidden = [c.name for c in contract.columns if c.name in masked]
    if hidden:
        lines += [
            "",
            f"{MASK} stands for values of people's columns ({', '.join(hidden)}): --unmask shows them.",
        ]
    return lines


def replay_plan_lines(plan: ReplayPlan) -> list[RenderableType]:
    """What a replay would run, or why it would run nothing."""
    from lakesmith.cli.plan_text import plan_lines, waiting_lines

    if not plan.plan.steps and not plan.plan.waiting:
        return _nothing(plan)
    return [
        _head(plan),
        *plan_lines(plan.plan),
        *waiting_lines(plan.plan.waiting, "cannot be run"),
        *_held(plan),
    ]


def replay_json(done: Replay) -> dict[str, object]:
    """What became of the rows, and the runs."""
    plan = done.plan
    return {
        "table": plan.contract.table,
        "batches": [day.isoformat() for day in plan.batches],
        "held": [day.isoformat() for day in plan.held],
        "before": plan.before.total,
        "came_back": done.came_back,
        "remaining": done.remaining,
        "by_rule": {
            rule: {"before": plan.before.rules.get(rule, 0), "remaining": done.after.rules.get(rule, 0)}
            for rule in {**plan.before.rules, **done.after.rules}
        },
        "run": done.night.to_json(),
    }


def replay_lines(done: Replay, context: Context, invocation: Invocation) -> list[RenderableType]:
    """What became of the rows, by rule; then the runs."""
    from lakesmith.cli.night_text import night_lines

    plan, graph = done.plan, context.project.graph
    if not plan.plan.steps and not plan.plan.waiting:
        return _nothing(plan)
    lines: list[RenderableType] = [*night_lines(done.night, graph, invocation), ""]
    before = plan.before.total
    lines.append(
        f"{done.came_back:,} of {count(before, 'row')} in quarantine came back, {done.remaining:,} remain"
    )
    gone = before - done.came_back - done.remaining
    if gone > 0:
        lines.append(f"{count(gone, 'row')} are neither in quarantine nor in the table any more.")
    rules = grid("broken rule", "before", "now", right=["before", "now"])
    for rule in {**plan.before.rules, **done.after.rules}:
        rules.add_row(rule, f"{plan.before.rules.get(rule, 0):,}", f"{done.after.rules.get(rule, 0):,}")
    lines += ["", rules, *_held(plan)]
    readers = graph.children(plan.contract.table)
    changed = any(run.batches_published for result in done.night.tables.values() for run in result.runs)
    if changed and readers:
        repair = f"backfill --from {plan.plan.nights.first} --to {plan.plan.nights.last}"
        lines += ["", f"what reads them may be stale now: {invocation.command(repair)}"]
    return lines


def _head(plan: ReplayPlan) -> str:
    where = days_text(plan.batches)
    return f"{plan.contract.table}: {count(plan.before.total, 'row')} in quarantine, {where}"


def _nothing(plan: ReplayPlan) -> list[RenderableType]:
    if not plan.batches:
        return [f"{plan.contract.table}: nothing is in quarantine there, so there is nothing to replay."]
    return [
        f"{_head(plan)}.",
        "Nothing to replay: no rule, no code and no file of these batches has changed since.",
        *_held(plan),
    ]


def _held(plan: ReplayPlan) -> list[RenderableType]:
    if not plan.held:
        return []
    return [
        f"Held, and left as they are: {days_text(plan.held)}. "
        f"Let go what was restored first: lakesmith restore {plan.contract.table} --date DAY --release"
    ]
