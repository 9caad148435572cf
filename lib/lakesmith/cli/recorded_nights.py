"""`lakesmith nights`: the nights on record, and which of them can be read with --as-of. No JVM."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.options import AsJson, Env, Invocation, Project
from lakesmith.cli.output import answer, answer_json
from lakesmith.cli.wording import count, grid

if TYPE_CHECKING:
    from lakesmith.engine.context import Context
    from lakesmith.ledger.records import NightRecord

__all__ = ["command"]


@dataclass(frozen=True)
class _Night:
    """One night as a reader finds it.

    Args:
        gone: table -> why it cannot be read as of that night.
        kept_until: the day from which maintenance may remove it, as the settings are.
    """

    record: NightRecord
    gone: dict[str, str]
    kept_until: str

    def to_json(self) -> dict[str, object]:
        return {
            "night": self.record.last.isoformat(),
            "first": self.record.first.isoformat(),
            "recorded_at": self.record.recorded_at.isoformat(),
            "complete": self.record.complete,
            "troubles": dict(self.record.troubles),
            "kept_until": self.kept_until,
            "unreadable": self.gone,
            "versions": dict(self.record.versions),
        }


def command(
    last: Annotated[int, typer.Option("--last", min=1, help="How many, the newest.")] = 20,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Show the nights on record: which are complete, and which can be read with --as-of.

    For example:

        lakesmith nights --last 5
    """
    context = Invocation(env, project).open()
    every = _nights(context, last)
    if as_json:
        answer_json([night.to_json() for night in every])
        return
    if not every:
        answer("no night is on record yet: that takes a run of all tables.")
        return
    table = grid("night", "recorded (UTC)", "complete", "kept until", "can be read", wrap=["can be read"])
    for night in every:
        record = night.record
        troubles = ", ".join(sorted(record.troubles))
        readable = "whole" if not night.gone else f"all but {', '.join(sorted(night.gone))}"
        if len(night.gone) == len(record.versions):
            readable = "no more"
        table.add_row(
            str(record.last),
            f"{record.recorded_at:%Y-%m-%d %H:%M:%S}",
            "yes" if record.complete else f"no: {troubles}",
            night.kept_until,
            readable,
        )
    answer(table)
    gone = {reason for night in every for reason in night.gone.values()}
    if gone:
        answer("", *sorted(gone))
    answer("", f"{count(len(every), 'night')}; read one with --as-of NIGHT.")


def _nights(context: Context, last: int) -> list[_Night]:
    from datetime import UTC, datetime

    from lakesmith.ledger.nights import NightGone, night_records, open_night
    from lakesmith.ledger.retention import kept_nights

    ops, keep = context.ledger.ops, timedelta(days=context.settings.retention.nights)
    records = kept_nights(night_records(ops), datetime.min.replace(tzinfo=UTC))
    found = []
    for record in sorted(records, key=lambda r: r.last, reverse=True)[:last]:
        gone = {}
        for table in record.versions:
            try:
                open_night(context.lake, ops, table, record)
            except NightGone as error:
                gone[table] = error.reason
        found.append(_Night(record, gone, f"{record.recorded_at + keep:%Y-%m-%d}"))
    return found
