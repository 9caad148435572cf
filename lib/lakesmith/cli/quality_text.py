"""The quality of batches in words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.text import Text

from lakesmith.cli.wording import count, grid, number

if TYPE_CHECKING:
    from lakesmith.cli.options import Invocation
    from lakesmith.cli.quality_facts import BatchFacts, TroubledBatches
    from lakesmith.contracts.model import Contract
    from lakesmith.ledger.rule_results import RuleResult

__all__ = ["batch_lines", "native_lines", "trouble_lines"]

_RULES_SHOWN = 4


def trouble_lines(found: TroubledBatches, invocation: Invocation) -> list[RenderableType]:
    """The latest batches in trouble, one or a few lines each."""
    head = f"{found.table}: {count(found.audited, 'batch')} audited, {found.total:,} in trouble, "
    head += f"{count(found.quarantined, 'row')} quarantined"
    if not found.audited and not found.total:
        return [f"{found.table}: no batch was audited yet. See what is there: {invocation.command('status')}"]
    if not found.shown:
        return [head]
    table = grid("batch", "outcome", "what", wrap=["what"])
    for batch in found.shown:
        broken = [f"{result.severity}: {_verdict(result)}" for result in batch.broken[:_RULES_SHOWN]]
        if len(batch.broken) > _RULES_SHOWN:
            broken.append(f"{len(batch.broken) - _RULES_SHOWN} more rules")
        said = batch.reason or "; ".join(broken)
        style = "red" if batch.reason else "yellow"
        table.add_row(str(batch.batch_date), Text(batch.outcome, style=style), said)
    lines: list[RenderableType] = [head, "", table]
    if found.total > len(found.shown):
        lines.append(f"... and {found.total - len(found.shown):,} older ones: --last {found.total}")
    lines += [
        "",
        f"all of one batch: {invocation.command(f'quality {found.table} --date {found.shown[0].night}')}",
    ]
    return lines


def batch_lines(facts: BatchFacts, invocation: Invocation) -> list[RenderableType]:
    """One batch: its state, the last audit, where its rows went, and what readers see."""
    owned = f" (the night of {facts.night} owns it)" if facts.night != facts.batch_date else ""
    lines: list[RenderableType] = [
        Text.assemble(
            (f"{facts.table} {facts.batch_date}", "bold"), owned, f": {facts.state.state}", _because(facts)
        )
    ]
    attempt = facts.attempt
    if attempt is None:
        return [*lines, "it was never tried.", _next(facts, invocation)]
    lines.append(
        f"last attempt: {attempt.outcome}, run {attempt.run_id}, {attempt.recorded_at:%Y-%m-%d %H:%M:%S} UTC"
    )
    if attempt.reason:
        lines.append(Text(f"  {attempt.reason}", style="red"))
    lines += _accounting(facts)
    if facts.results:
        lines += ["", f"rules, as run {facts.audited_by} found them:", _rules(facts)]
    else:
        lines += [
            "",
            "no audit: the attempt ended before it." if attempt.reason else "no audit is on record.",
        ]
    if facts.quarantine_rows:
        quarantine = grid("broken rule", "rows", right=["rows"])
        for rule, rows in facts.quarantined.items():
            quarantine.add_row(rule, f"{rows:,}")
        lines += [
            "",
            f"quarantined, in {facts.quarantine_table}: {count(facts.quarantine_rows, 'row')}",
            quarantine,
        ]
    lines += ["", _visible(facts)]
    return lines


def _next(facts: BatchFacts, invocation: Invocation) -> str:
    """The command for a batch that was never tried: to run it where that can work, else to see what it waits for."""
    if facts.state.runnable:
        return f"try it: {invocation.command(f'run --date {facts.night} --table {facts.table}')}"
    nights = f"--from {facts.night} --to {facts.night}"
    return f"see what that night waits for: {invocation.command(f'status {nights}')}"


def _because(facts: BatchFacts) -> str:
    repeated = facts.attempt is not None and facts.state.reason == facts.attempt.reason
    return f", {facts.state.reason}" if facts.state.reason and not repeated else ""


def _accounting(facts: BatchFacts) -> list[RenderableType]:
    attempt = facts.attempt
    if attempt is None or not facts.results:
        return []
    said = "published" if attempt.outcome.stands else "sound but not published"
    dropped = sum(attempt.dropped.values())
    parts = [f"{attempt.rows:,} {said}"]
    if attempt.quarantined or dropped:
        parts.append(f"{attempt.quarantined:,} quarantined")
    parts += [f"{rows:,} dropped ({reason})" for reason, rows in sorted(attempt.dropped.items())]
    read = f"{attempt.read:,} read" if attempt.read is not None else "read"
    whole = attempt.read is not None and attempt.read == attempt.rows + attempt.quarantined + dropped
    return [f"rows: {read} {'=' if whole else '->'} {' + '.join(parts)}"]


def _rules(facts: BatchFacts) -> RenderableType:
    observed = ["observed"] if any(result.observed is not None for result in facts.results) else []
    table = grid("rule", "severity", "verdict", "broken", "of", *observed, right=["broken", "of"])
    order = {"critical": 0, "warning": 1, "info": 2}
    for result in sorted(facts.results, key=lambda r: (r.success, order.get(r.severity, 3))):
        style = "green" if result.success else "red" if result.severity == "critical" else "yellow"
        table.add_row(
            result.rule,
            result.severity,
            Text("kept" if result.success else "broken", style=style),
            number(result.unexpected),
            number(result.elements),
            *(["" if result.observed is None else f"{result.observed}"[:40]] if observed else []),
        )
    return table


def _verdict(result: RuleResult) -> str:
    if result.unexpected is not None and result.elements:
        return f"{result.rule} ({result.unexpected:,} of {result.elements:,})"
    return f"{result.rule} ({result.unexpected:,})" if result.unexpected is not None else result.rule


def _visible(facts: BatchFacts) -> str:
    visible = facts.visible
    if visible is None:
        return "readers see: nothing; no attempt was ever published"
    version = f"version {visible.version}" if visible.version is not None else "no version"
    return (
        f"readers see: {count(visible.rows, 'row')} of run {visible.run_id} ({version}, "
        f"{visible.recorded_at:%Y-%m-%d %H:%M:%S} UTC)"
    )


def native_lines(contract: Contract, day: date, answered: Mapping[str, Any]) -> list[RenderableType]:
    """What Great Expectations itself says of a published batch."""
    statistics = answered["statistics"]
    kept, asked = statistics["successful_expectations"], statistics["evaluated_expectations"]
    table = grid("rule", "severity", "verdict", "broken", "of", right=["broken", "of"])
    for native in answered["results"]:
        config, found = native["expectation_config"], native.get("result") or {}
        table.add_row(
            config["meta"]["rule"],
            config["severity"],
            Text("kept" if native["success"] else "broken", style="green" if native["success"] else "red"),
            number(found.get("unexpected_count")),
            number(found.get("element_count")),
        )
    return [
        f"{contract.table} {day}, by Great Expectations: {kept} of {count(asked, 'rule')} kept",
        "",
        table,
        "",
    ]
