"""`lakesmith slo`: how the promises of conf/slo.yml are kept. Starts no JVM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from lakesmith.cli.options import AsJson, Env, Invocation, Project
from lakesmith.cli.output import answer, answer_json
from lakesmith.cli.wording import grid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from lakesmith.service_levels.attainment import Attainment

__all__ = ["command"]


def command(env: Env = None, project: Project = None, as_json: AsJson = False) -> None:
    """Show how the service levels of conf/slo.yml are kept: share, error budget, weeks.

    A night counts once it came in live, within three days of its own day: history that was loaded later was never late.

    For example:

        lakesmith slo --json
    """
    from lakesmith.contracts.service_levels import FILE
    from lakesmith.ledger.ops import now
    from lakesmith.service_levels.measuring import service_levels

    context = Invocation(env, project).open()
    found = service_levels(context.project, context.ledger, now())
    if as_json:
        answer_json([kept.to_json() for kept in found])
    elif not found:
        answer(f"no service level is promised: there is no {FILE}, or nothing is in it.")
    else:
        answer(*_lines(found))


def _lines(found: Sequence[Attainment]) -> list[RenderableType]:
    table = grid(
        "service level",
        "promise",
        "kept",
        "target",
        "budget left",
        "weeks",
        right=["kept", "target", "budget left"],
        wrap=["promise"],
    )
    for kept in found:
        level = kept.level
        met = kept.is_met
        style = "" if met is None else "green" if met else "bold red"
        left = kept.budget_left
        table.add_row(
            level.name,
            f"{level.promise}, {level.window_days} days",
            Text(
                "no night yet" if kept.share is None else f"{_percent(kept.share)} of {kept.measured}", style
            ),
            _percent(level.target),
            "" if left is None else _percent(left),
            kept.trend,
        )
    broken = [
        f"{kept.level.name} was broken on {', '.join(map(str, kept.broken))}" for kept in found if kept.broken
    ]
    return [table, *(["", *broken] if broken else [])]


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"
