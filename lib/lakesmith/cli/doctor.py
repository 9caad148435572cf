"""`lakesmith doctor`: can this machine, this project and this environment run?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lakesmith.cli.options import AsJson, Env, Project
from lakesmith.cli.output import answer, answer_json
from lakesmith.cli.wording import count, grid
from lakesmith.errors import ExitCode

__all__ = ["command"]


def command(
    env: Env = None,
    project: Project = None,
    from_terraform: Annotated[
        Path | None,
        typer.Option(
            "--from-terraform",
            metavar="FILE",
            help="Compare the settings with what `terraform output -json` printed.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Check Python, Java, jars, settings, contracts, landing and lake; exit 2 when there is a problem.

    Every mistake is listed at once, each with what to do about it. Nothing is changed.

    For example:

        lakesmith doctor --env prod --from-terraform outputs.json
    """
    from rich.text import Text

    from lakesmith.engine.doctor import Verdict, examine
    from lakesmith.engine.doctor_terraform import compare_with_terraform

    # First what can be wrong with the file itself: nobody waits for the other checks to hear of that.
    made = list(compare_with_terraform(env, project, from_terraform)) if from_terraform is not None else []
    checks = [*examine(env, project), *made]
    problems = sum(check.verdict is Verdict.PROBLEM for check in checks)
    code = int(ExitCode.USAGE if problems else ExitCode.DONE)
    if as_json:
        answer_json(
            {
                "exit_code": code,
                "checks": [
                    {"subject": c.subject, "verdict": str(c.verdict), "found": c.found, "next": c.next_step}
                    for c in checks
                ],
            }
        )
        return code
    styles = {Verdict.OK: "green", Verdict.WARNING: "yellow", Verdict.PROBLEM: "bold red"}
    table = grid("", "check", "found", wrap=["found"])
    for check in checks:
        found = Text(check.found)
        if check.next_step:
            found.append(f"\nnext: {check.next_step}", style="bold")
        table.add_row(Text(str(check.verdict), style=styles[check.verdict]), check.subject, found)
    answer(table)
    warnings = sum(check.verdict is Verdict.WARNING for check in checks)
    answer("", f"{count(problems, 'problem')}, {count(warnings, 'warning')}")
    return code
