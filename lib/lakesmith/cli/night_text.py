"""What a night or a backfill came to, in words: a table of what was done, then everything that was not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from lakesmith.cli.output import width
from lakesmith.cli.plan_text import waiting_lines
from lakesmith.cli.wording import count, days_text, grid, group_troubles
from lakesmith.errors import LakesmithError, Stopped
from lakesmith.ledger.records import BatchOutcome

if TYPE_CHECKING:
    from datetime import date

    from lakesmith.cli.options import Invocation
    from lakesmith.contracts.graph import TableGraph
    from lakesmith.engine.outcome import NightResult, TableResult

__all__ = ["night_lines"]

_SHOWN = 10
_BATCHES = ("published", "confirmed", "unchanged", "rejected", "waiting")
_ROWS = ("read", "rows", "quarantined", "dropped")


def night_lines(night: NightResult, graph: TableGraph, invocation: Invocation) -> list[RenderableType]:
    """The summary of a night for people; its length does not grow with the data."""
    done = {table: _counts(result) for table, result in night.tables.items()}
    lines: list[RenderableType] = [""]
    lines += _tables(done)
    lines += _errors(night)
    lines += _rejected(night, graph, invocation)
    waiting = [state for result in night.tables.values() for state in result.waiting]
    lines += waiting_lines(waiting, "not run")
    lines += _warnings(night)
    if night.decisions:
        lines += ["", "models:", *(f"  {decision}" for decision in night.decisions)]
    lines += _alerts(night, invocation)
    verdict = Text(f"{night.exit_code.name.lower()} (exit code {int(night.exit_code)})", style=_style(night))
    spent = f": {night.seconds:.1f} s, {count(night.spark_jobs, 'Spark job')}"
    again = "; the same command can go better later" if night.exit_code and night.retryable else ""
    lines += ["", Text.assemble(verdict, spent, again)]
    return lines


def _alerts(night: NightResult, invocation: Invocation) -> list[RenderableType]:
    """How many alerts came and went, and which channels took no message; nothing while all is quiet."""
    found = night.alerts
    if found is None or not (found.standing or found.resolved or found.undelivered or found.unasked):
        return []
    counts = {"opened": found.opened, "resolved": found.resolved}
    said = [f"{len(alerts):,} {word}" for word, alerts in counts.items() if alerts]
    said.append(f"{len(found.standing):,} open: {invocation.command('alerts list --open')}")
    lines: list[RenderableType] = ["", f"alerts: {', '.join(said)}"]
    lines += [f"  a retraining of {model} was requested" for model in found.requested]
    lines += [
        Text.assemble((f"  the channel {channel} took no message", "bold red"), f": {reason}")
        for channel, reason in found.undelivered.items()
    ]
    lines += [
        Text.assemble((f"  the rule {rule} could not be asked", "bold red"), f": {error}")
        for rule, error in found.unasked.items()
    ]
    return lines


def _style(night: NightResult) -> str:
    return "bold red" if night.exit_code else "bold green"


def _counts(result: TableResult) -> dict[str, float]:
    runs = result.runs
    return {
        "published": len(result.with_outcome(BatchOutcome.PUBLISHED, BatchOutcome.EMPTY)),
        "confirmed": len(result.with_outcome(BatchOutcome.CONFIRMED)),
        "unchanged": result.unchanged,
        "rejected": len(result.with_outcome(BatchOutcome.REJECTED, BatchOutcome.FAILED)),
        "waiting": len(result.waiting),
        "read": sum(run.rows_read or 0 for run in runs),
        "rows": sum(run.rows_published for run in runs),
        "quarantined": sum(run.rows_quarantined for run in runs),
        "dropped": sum(run.rows_dropped for run in runs),
        "seconds": sum((run.finished_at - run.started_at).total_seconds() for run in runs),
    }


def _tables(done: Mapping[str, Mapping[str, float]]) -> list[RenderableType]:
    """One table where it fits, else batches and rows apart; columns without any count are left out."""
    present = [name for name in (*_BATCHES, *_ROWS, "seconds") if any(found[name] for found in done.values())]
    present = present or ["unchanged"]
    for apart in (2, 1):
        whole = _table(done, present, apart)
        if _fits(whole):
            return [whole]
    batches = [name for name in present if name in _BATCHES or name == "seconds"]
    rows = [name for name in present if name in _ROWS]
    apart = 2 if _fits(_table(done, batches, 2)) else 1
    lines: list[RenderableType] = [_table(done, batches, apart)]
    return [*lines, "", _table(done, rows, apart)] if rows else lines


def _fits(table: Table) -> bool:
    console = Console(width=1000)
    return Measurement.get(console, console.options, table).maximum <= width()


def _table(done: Mapping[str, Mapping[str, float]], columns: Sequence[str], apart: int) -> Table:
    table = grid("table", *columns, right=columns, apart=apart)
    for name, found in done.items():
        table.add_row(name, *(_cell(column, found[column]) for column in columns))
    return table


def _cell(column: str, value: float) -> str:
    if column == "seconds":
        return f"{value:.1f}" if value else ""
    return f"{int(value):,}" if value else "0" if column in ("published", "rows") else ""


def _errors(night: NightResult) -> list[RenderableType]:
    """Errors that ended a table's runs without any batch to pin them on."""
    lines: list[RenderableType] = []
    for table, result in night.tables.items():
        if result.error is not None and not result.reasons:
            # What is not Lakesmith's own may quote rows: its text is in the log only.
            known = isinstance(result.error, LakesmithError | Stopped)
            said = (
                str(result.error) if known else f"{type(result.error).__name__}; the log above has the rest"
            )
            lines.append(Text.assemble((f"{table}: ", "bold red"), said))
    return ["", *lines] if lines else []


def _rejected(night: NightResult, graph: TableGraph, invocation: Invocation) -> list[RenderableType]:
    """Rejected and failed batches with their reason, and the command that tells more."""
    troubles = group_troubles(
        (table, str(result.batches[day]), day, reason)
        for table, result in night.tables.items()
        for day, reason in sorted(result.reasons.items())
    )
    if not troubles:
        return []
    lines: list[RenderableType] = ["", "not published; readers keep what was there before:"]
    for found in troubles[:_SHOWN]:
        label = Text.assemble(
            (f"{found.table} {found.label}", "bold red"), f" {days_text(found.days)}: {found.reason}"
        )
        lag = graph.contracts[found.table].lag_days
        lines += [
            label,
            f"    {invocation.command(f'quality {found.table} --date {_night(found.days[0], lag)}')}",
        ]
    if len(troubles) > _SHOWN:
        lines.append(f"... and {len(troubles) - _SHOWN} more such groups: --json lists every batch")
    return lines


def _night(batch: date, lag: int) -> date:
    from datetime import timedelta

    return batch + timedelta(lag)


def _warnings(night: NightResult) -> list[RenderableType]:
    """What stopped nothing: rules of severity warning that published batches broke, and what runs remarked."""
    troubles = group_troubles(
        (table, warning.split(":")[0], day, warning)
        for table, result in night.tables.items()
        for day, warnings in sorted(result.warnings.items())
        if day not in result.reasons
        for warning in warnings
    )
    remarks = [remark for result in night.tables.values() for run in result.runs for remark in run.warnings]
    if not troubles and not remarks:
        return []
    lines: list[RenderableType] = ["", "warnings, which stopped nothing:"]
    lines += [f"  {found.table} {days_text(found.days)}: {found.reason}" for found in troubles[:_SHOWN]]
    if len(troubles) > _SHOWN:
        lines.append(f"  ... and {len(troubles) - _SHOWN} more: --json lists every one")
    lines += [f"  {remark}" for remark in remarks[:_SHOWN]]
    if len(remarks) > _SHOWN:
        lines.append(f"  ... and {len(remarks) - _SHOWN} more: ops.runs keeps every one")
    return lines
