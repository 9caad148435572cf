"""Waiting without a worker: for the landing files of a day, and for batches that blocked ones need.

Both ask the same question, `lakesmith plan`, which says what could be run now and what could not; so that patterns, markers,
calendars and windows are understood in one place only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from lakesmith.airflow.platform import Answer, ask_async
from lakesmith.config.sections.servers import WaitSettings

__all__ = ["BatchesReady", "until_ready", "waiting_for"]

log = logging.getLogger(__name__)

_FOR_GOOD = 2


class BatchesReady(BaseTrigger):  # type: ignore[misc]  # Airflow is not in the environment where types are checked
    """Fires once batches can be run, or when it has waited for too long.

    Its event has `waiting`, what still could not be run (nothing when all can), and `error`, why nobody could tell.

    Args:
        command: a `lakesmith plan ... --json`.
        batches: table -> batch, those that count.
        poll: seconds between two looks.
        until: when to give up, in ISO format; absolute, since a triggerer may be started anew.
    """

    def __init__(self, command: Sequence[str], batches: Mapping[str, str], poll: float, until: str) -> None:
        super().__init__()
        self.command = list(command)
        self.batches = dict(batches)
        self.poll = poll
        self.until = until

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Its name and arguments, as the triggerer makes it again."""
        arguments = {"command": self.command, "batches": self.batches, "poll": self.poll, "until": self.until}
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Looks until nothing is waiting any more, or the time is over."""
        until = datetime.fromisoformat(self.until)
        while True:
            answer = await ask_async(self.command)
            waiting = waiting_for(answer, self.batches)
            left = (until - datetime.now(UTC)).total_seconds()
            if waiting == [] or left <= 0 or answer.code == _FOR_GOOD:
                yield TriggerEvent(
                    {"waiting": waiting or [], "error": "" if waiting is not None else answer.said}
                )
                return
            for state in waiting or [{"said": answer.said}]:
                log.info("waiting: %s", state)
            await asyncio.sleep(min(self.poll, left))


def waiting_for(answer: Answer, batches: Mapping[str, str]) -> list[dict[str, str]] | None:
    """The batches of a plan that cannot be run now; None where the plan could not be made.

    Args:
        batches: table -> batch, those that count: a plan also looks back on earlier ones.
    """
    if answer.code != 0 or answer.json is None:
        return None
    return [state for state in answer.json["waiting"] if batches.get(state["table"]) == state["batch_date"]]


def until_ready(command: Sequence[str], batches: Mapping[str, str], wait: WaitSettings) -> BatchesReady:
    """The trigger that waits from now on for as long as the settings say."""
    until = datetime.now(UTC) + timedelta(seconds=wait.timeout)
    return BatchesReady(command, batches, float(wait.poll), until.isoformat())
