"""The drift of a night for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from lakesmith.cli.wording import count, grid

if TYPE_CHECKING:
    from lakesmith.cli.options import Invocation
    from lakesmith.monitoring.stored import ColumnDrift

__all__ = ["drift_lines", "in_words"]

_NAMED = 3
_SMALL = 0.001
_STYLES = {"drifted": "bold red", "too few": "yellow", "no trend": "yellow"}


def drift_lines(
    day: date, found: Sequence[ColumnDrift], invocation: Invocation, *, every: bool
) -> list[RenderableType]:
    """What was judged of a night.

    Args:
        every: all columns, not only those that drifted.
    """
    if not found:
        told = f"{day}: nothing was judged; tables need a profile with a baseline, and a batch on that day."
        return [told, "", f"  {invocation.command('status')}"]
    drifted = [column for column in found if column.drifted]
    lines: list[RenderableType] = [f"{day}: {_how_many(found)}"]
    for table, group in groupby(found, key=lambda column: column.table_name):
        columns = list(group)
        lines += ["", *_table_lines(table, columns, every=every)]
    if not every:
        table = (drifted or list(found))[0].table_name
        lines += ["", f"All columns: {invocation.command(f'drift {table} --date {day}')}"]
    return lines


def _how_many(found: Sequence[ColumnDrift]) -> str:
    whole, sliced = ([c for c in found if bool(c.slice) is of_slice] for of_slice in (False, True))
    drifted = sum(column.drifted for column in whole)
    told = f"{drifted} of {count(len(whole), 'column')} {'has' if 1 in (drifted, len(whole)) else 'have'} drifted"
    return f"{told}, and {sum(c.drifted for c in sliced)} of {len(sliced):,} in slices" if sliced else told


def _table_lines(table: str, columns: Sequence[ColumnDrift], *, every: bool) -> list[RenderableType]:
    baselines = sorted({column.baseline for column in columns if column.baseline})
    head = Text.assemble((table, "bold"), f"  against {', '.join(baselines)}")
    shown = [column for column in columns if every or column.drifted]
    others = [column for column in columns if column not in shown]
    lines: list[RenderableType] = [head]
    if shown:
        text = grid(
            "column",
            "verdict",
            "effect",
            "limit",
            "p",
            "rows",
            "what",
            right=["effect", "limit", "p", "rows"],
            wrap=["what"],
        )
        for column in sorted(
            shown, key=lambda c: (not c.drifted, -(c.effect or 0.0) / (c.effect_limit or 1.0))
        ):
            name = f"{column.column_name} ({column.slice})" if column.slice else column.column_name
            text.add_row(
                name,
                Text(column.verdict, style=_STYLES.get(column.verdict, "")),
                _figure(column.effect),
                _figure(column.effect_limit),
                _chance(column.adjusted_pvalue),
                "" if column.rows_judged is None else f"{column.rows_judged:,.0f}",
                in_words(column),
            )
        lines.append(text)
    kinds = [
        (kind, sum(column.verdict == kind for column in others)) for kind in ("stable", "too few", "no trend")
    ]
    rest = ", ".join(f"{number} {kind}" for kind, number in kinds if number)
    return [*lines, f"  {rest}"] if rest else lines


def in_words(column: ColumnDrift) -> str:
    """What is other about a column than in its baseline, in a few words."""
    if column.reason is None:
        return "too few rows to say anything"
    said: list[str] = []
    if column.reason == "trend":
        said.append("off its trend" if column.drifted else "on its trend")
    if column.percent_null_delta and abs(column.percent_null_delta) >= 0.1:
        said.append(
            f"nulls {_more(column.percent_null_delta)} by {abs(column.percent_null_delta):.1f} points"
        )
    if column.new_categories:
        said.append(f"new: {_listed(column.new_categories)}")
    if column.vanished_categories:
        said.append(f"gone: {_listed(column.vanished_categories)}")
    if column.avg_delta and column.reason != "missing":
        said.append(f"mean {_more(column.avg_delta)} by {abs(column.avg_delta):.3g}")
    if not said and column.drifted:
        said.append("another mix")
    return ", ".join(said)


def _more(delta: float) -> str:
    return "up" if delta > 0 else "down"


def _listed(values: Sequence[str]) -> str:
    more = len(values) - _NAMED
    named = ", ".join(repr(value) for value in values[:_NAMED])
    return f"{named} and {more} more" if more > 0 else named


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _chance(value: float | None) -> str:
    if value is None:
        return ""
    return "<0.001" if value < _SMALL else f"{value:.3f}"
