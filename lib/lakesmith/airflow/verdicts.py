"""What a task does after a process of Lakesmith has ended: done, fail for good, try again later, or wait.

Owns the meaning of exit codes and outcome records for a scheduler. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lakesmith.errors import ExitCode

__all__ = ["Action", "Trouble", "Verdict", "judge"]

_FOR_GOOD = (ExitCode.USAGE, ExitCode.REJECTED, ExitCode.PARTIAL)
_LATER = (ExitCode.MISSING, ExitCode.BUSY)
_AS_RECORDED = (ExitCode.FAILED, ExitCode.INTERRUPTED, ExitCode.TERMINATED)
_BLOCKED = "blocked"


class Action(StrEnum):
    """What to do now."""

    DONE = "done"
    FAIL = "fail"
    RETRY = "retry"
    WAIT = "wait"


@dataclass(frozen=True)
class Trouble:
    """What is wrong with one batch of a table.

    Args:
        table: `layer.name`; empty where the process ended before any table's turn.
        batch: `YYYY-MM-DD`; empty where it is the table's run as a whole.
        blocked: nothing is wrong with it but that it needs other batches first.
    """

    table: str
    batch: str
    reason: str
    blocked: bool = False

    def __str__(self) -> str:
        return f"{' '.join(filter(None, (self.table, self.batch)))}: {self.reason}".removeprefix(": ")


@dataclass(frozen=True)
class Verdict:
    """What a process came to, for a scheduler.

    Args:
        troubles: batch by batch, as the outcome record says; none when it is done.
        text: all of it in one line for people.
    """

    action: Action
    troubles: tuple[Trouble, ...] = ()
    text: str = ""


def judge(
    code: int | None, outcome: Mapping[str, Any] | None, next_command: str = "lakesmith status"
) -> Verdict:
    """What to do after a process ended.

    Args:
        code: its exit code; None where nobody saw it.
        outcome: its outcome record; None where it left none.
        next_command: what a person types to see more.
    """
    recorded = outcome.get("exit_code") if outcome is not None else None
    code = recorded if recorded is not None else code
    if code == ExitCode.DONE:
        return Verdict(Action.DONE)
    troubles = _troubles(outcome or {})
    said = "; ".join(str(trouble) for trouble in troubles) or (
        "no outcome was recorded: the driver ended before it could say what came of it; its log tells more"
    )
    text = f"exit code {code} ({_name(code)}). {said}"
    return Verdict(_action(code, outcome), troubles, f"{text.rstrip('.')}. See: {next_command}")


def _action(code: int | None, outcome: Mapping[str, Any] | None) -> Action:
    if code in _FOR_GOOD:
        return Action.FAIL
    if code in _LATER:
        return Action.WAIT if outcome is not None and _is_blocked(outcome) else Action.RETRY
    if code == ExitCode.FAILED or (code in _AS_RECORDED and outcome is not None):
        return Action.RETRY if outcome is not None and outcome.get("retryable") is True else Action.FAIL
    # Killed, out of memory, its machine lost: nothing half-done is visible, and another try may be luckier.
    return Action.RETRY


def _is_blocked(outcome: Mapping[str, Any]) -> bool:
    """True when all that waits needs batches that somebody else must make."""
    states = [waiting["state"] for table in outcome.get("tables", ()) for waiting in table["waiting"]]
    return bool(states) and set(states) == {_BLOCKED}


def _troubles(outcome: Mapping[str, Any]) -> tuple[Trouble, ...]:
    found = []
    for table in outcome.get("tables", ()):
        name = table["table"]
        batches = [Trouble(name, day, reason) for day, reason in table["rejected"].items()]
        batches += [
            Trouble(
                name,
                waiting["batch_date"],
                f"is {waiting['state']}: {waiting['reason']}",
                blocked=waiting["state"] == _BLOCKED,
            )
            for waiting in table["waiting"]
        ]
        if table["error"] and not table["rejected"]:
            batches.append(Trouble(name, "", table["error"]))
        found += batches
    if outcome.get("error"):
        found.append(Trouble("", "", str(outcome["error"])))
    return tuple(found)


def _name(code: int | None) -> str:
    try:
        return ExitCode(code).name.lower() if code is not None else "not known"
    except ValueError:
        return "not one of Lakesmith's"
