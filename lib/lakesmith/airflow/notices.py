"""Failures and missed deadlines, told on the channels of Lakesmith's alerts.

Owns what is told: table, batch, reason and the link to the task's log. De-duplication, channels and when it is over are those of
`lakesmith alerts`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from lakesmith.airflow.platform import ask, ask_async, command_line
from lakesmith.airflow.verdicts import Trouble
from lakesmith.config.load import load_settings
from lakesmith.config.settings import Settings

__all__ = ["night_is_late", "told_of_failures"]

log = logging.getLogger(__name__)

_LONGEST = 300
_SECONDS = 120.0


def told_of_failures(project: str, environment: str) -> Callable[[Any], None]:
    """The callback for tasks that failed for good.

    Args:
        project: the folder that holds conf/.
    """

    def tell(context: Any) -> None:
        settings = load_settings(environment, Path(project))
        task = context["ti"]
        named: tuple[Trouble, ...] = getattr(context.get("exception"), "troubles", ())
        whole = Trouble("", "", str(context.get("exception") or "the task was ended from outside"))
        # What only waits for a batch that is told here, too, is no news.
        causes = [trouble for trouble in named if not trouble.blocked] or list(named) or [whole]
        # One table, one alert, whatever it is made of.
        by_table = {trouble.table: trouble for trouble in reversed(causes)}
        night = _night(context.get("logical_date"), settings.airflow.timezone)
        for trouble in reversed(by_table.values()):
            reason = (
                f"{trouble.batch or night}: {trouble.reason[:_LONGEST]} (task {task.task_id}: {task.log_url})"
            )
            subject = trouble.table or f"dags.{task.dag_id}"
            _report(settings, "task_failed", subject, trouble.batch, night, reason)

    return tell


def _report(settings: Settings, rule: str, subject: str, batch: str, night: str, text: str) -> None:
    found = ask(_command(settings, rule, subject, batch, night, text), timeout=_SECONDS)
    if found.code != 0:
        log.error("the alert %s of %s was not told (exit code %d): %s", rule, subject, found.code, found.said)


def _command(settings: Settings, rule: str, subject: str, batch: str, night: str, text: str) -> list[str]:
    about = ["--batch", batch] if batch else []
    named = ["--rule", rule, "--subject", subject, "--date", night, *about, "--text", text]
    return command_line(settings, "alerts", "report", *named, "--json")


async def night_is_late(project: str, environment: str, context: Any) -> str:
    """What a missed deadline calls, in the triggerer.

    A night that was only begun after its deadline, as when days are caught up, is not late.

    Args:
        project: the folder that holds conf/.
        context: the run and the deadline, as Airflow gives them.
    """
    settings = load_settings(environment, Path(project))
    run, deadline = context["dag_run"], _moment(context["deadline"]["deadline_time"])
    if (begun := run.get("queued_at")) is not None and _moment(begun) >= deadline:
        return "begun after its deadline: no night is late that is caught up"
    night = _night(_moment(run["logical_date"]), settings.airflow.timezone)
    text = f"night {night} is not done at {deadline:%Y-%m-%d %H:%M %Z} (run {run['dag_run_id']} is {run['state']})"
    subject = f"dags.{run['dag_id']}"
    found = await ask_async(_command(settings, "night_late", subject, "", night, text))
    if found.code != 0:
        log.error(
            "the alert night_late of %s was not told (exit code %d): %s", subject, found.code, found.said
        )
    return text


def _night(logical_date: datetime | None, timezone: str) -> str:
    moment = logical_date or datetime.now(ZoneInfo(timezone))
    return moment.astimezone(ZoneInfo(timezone)).date().isoformat()


def _moment(value: Any) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)
