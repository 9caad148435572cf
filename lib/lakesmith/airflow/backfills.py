"""The plan of a backfill as arguments of jobs: for a task of a night the ranges that it has to run.

Owns how batches of a plan become nights of a job, and which ranges go together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from airflow.sdk import BaseOperator

from lakesmith.airflow.declaring import opened
from lakesmith.airflow.operators import of_command, raise_for
from lakesmith.airflow.platform import ask, command_line
from lakesmith.contracts.days import BatchRange, merge_days
from lakesmith.contracts.graph import TableGraph

__all__ = ["PlanBackfill", "submissions"]


class PlanBackfill(BaseOperator):  # type: ignore[misc]  # Airflow is not in the environment where types are checked
    """Asks `lakesmith plan` what a task has to run now; returns the arguments of each submission, as mapped tasks take them.

    Its turn comes once all that the task reads is done, so that what this made stale is in the plan.
    """

    def __init__(self, *, project: str, environment: str, tables: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.project = project
        self.environment = environment
        self.tables = tuple(tables)

    def execute(self, context: Any) -> list[list[str]]:
        """Plans by the run's parameters."""
        asked = context["params"]
        tables = [table for table in self.tables if not asked["tables"] or table in asked["tables"]]
        if not tables:
            return []
        here = opened(self.project, self.environment)
        options = ["--stale-only"] if asked["stale_only"] else []
        ends = [word for end in ("from", "to") if asked[end] for word in (f"--{end}", asked[end])]
        named = [word for table in tables for word in ("--table", table)]
        command = command_line(here.settings, "plan", *ends, *named, *options, "--json")
        answer = ask(command)
        if answer.code != 0 or answer.json is None:
            raise_for(of_command(answer, command))
        for state in answer.json["waiting"]:
            about = (state[key] for key in ("table", "batch_date", "state", "reason"))
            self.log.warning("cannot be run: %s %s is %s: %s", *about)
        return submissions(here.graph, tables, answer.json["steps"], options)


def submissions(
    graph: TableGraph, tables: Sequence[str], steps: Sequence[Mapping[str, Any]], options: Sequence[str] = ()
) -> list[list[str]]:
    """The arguments of each submission: one for each range of nights that these tables need. Pure.

    Args:
        steps: of a plan: tables, each with its batches.
        options: further ones of the job.
    """
    batches = {step["table"]: step["batches"] for step in steps if step["table"] in tables}
    nights = {
        date.fromisoformat(batch) + timedelta(graph.contracts[table].lag_days)
        for table, found in batches.items()
        for batch in found
    }
    named = [word for table in tables if table in batches for word in ("--table", table)]
    return [[*_ends(found), *named, *options] for found in merge_days(nights)]


def _ends(nights: BatchRange) -> list[str]:
    return ["--from", nights.first.isoformat(), "--to", nights.last.isoformat()]
