"""What every DAG file begins with: the project, its settings, and what all tasks share.

Owns that a DAG file reads the contracts and settings, and nothing else; and what `logical date = batch` means.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import Asset, AsyncCallback, CronDataIntervalTimetable, DeadlineAlert, DeadlineReference
from croniter import croniter

from lakesmith.airflow.notices import night_is_late, told_of_failures
from lakesmith.airflow.work import Work, night_work
from lakesmith.config.load import PROJECT_VARIABLE, load_settings
from lakesmith.config.sections.jobs import SizeSettings
from lakesmith.config.sections.servers import AirflowSettings
from lakesmith.config.settings import Settings
from lakesmith.contracts.graph import TableGraph
from lakesmith.contracts.load import load_project
from lakesmith.contracts.project import Project
from lakesmith.contracts.service_levels import Measure, load_service_levels

__all__ = ["Declared", "declared", "opened"]

_GOLD = "gold"


@dataclass(frozen=True)
class Declared:
    """What the files of a project declare, for DAGs."""

    project: Project
    settings: Settings

    @property
    def graph(self) -> TableGraph:
        """The tables."""
        return self.project.graph

    @property
    def airflow(self) -> AirflowSettings:
        """The settings of the DAGs."""
        return self.settings.airflow

    @cached_property
    def work(self) -> tuple[Work, ...]:
        """The tasks of a night, each after those that it needs."""
        return night_work(self.graph, self.airflow)

    @property
    def night(self) -> str:
        """The batch of a run as a template: the day of its logical date, in the time zone of the schedule."""
        return f"{{{{ logical_date.in_timezone({self.airflow.timezone!r}).strftime('%Y-%m-%d') }}}}"

    @property
    def start(self) -> datetime:
        """Midnight of the first night."""
        first = self.airflow.start or min(self.graph.starts.values())
        return datetime.combine(first, time(), ZoneInfo(self.airflow.timezone))

    @property
    def end(self) -> datetime | None:
        """The last moment of the last night; None: nights go on."""
        last = self.airflow.end
        return None if last is None else datetime.combine(last, time.max, ZoneInfo(self.airflow.timezone))

    def timetable(self, cron: str) -> Any:
        """A schedule whose runs are named by the beginning of their interval: the night of a day runs after that day."""
        return CronDataIntervalTimetable(cron, timezone=self.airflow.timezone)

    @property
    def deadlines(self) -> list[Any]:
        """When a night should be done: as the settings say, else as conf/slo.yml promises; none without either."""
        within = self._within()
        if within is None:
            return []
        return [
            DeadlineAlert(
                reference=DeadlineReference.DAGRUN_LOGICAL_DATE,
                interval=within,
                callback=AsyncCallback(night_is_late, self.place),
            )
        ]

    def _within(self) -> timedelta | None:
        """From the logical date of a night to its deadline, as the clocks are on its first day."""
        if self.airflow.deadline is not None:
            return timedelta(seconds=self.airflow.deadline)
        levels = load_service_levels(self.settings.project_root, self.graph)
        begins = croniter(self.airflow.schedule, self.start - timedelta(seconds=1)).get_next(datetime)
        due = [
            datetime.combine(begins.date() + timedelta(1), level.by, ZoneInfo(level.timezone))
            for level in levels
            if level.measure is Measure.NIGHTS_ON_TIME
        ]
        return min(due) - begins if due else None

    def asset(self, table: str) -> Any:
        """The asset that stands for a table; the same in every DAG, of whichever team.

        It has a name and no URI: for a scheme Airflow imports the handlers of all providers, boto3 too, at each parse.
        """
        return Asset(f"lakesmith/{table}")

    def request(self, model: str) -> Any:
        """The asset whose events ask for a training of a model."""
        return Asset(f"lakesmith/retraining/{model}")

    def outlets(self, work: Work) -> list[Any]:
        """The assets of the gold tables of a task."""
        return [self.asset(t) for t in work.tables if self.graph.contracts[t].layer == _GOLD]

    def reading(self, source: str) -> list[str]:
        """The tables that read a source, in order."""
        return [
            table
            for table in self.graph.order
            if any(i.source == source for i in self.graph.contracts[table].inputs)
        ]

    def named(self, work: Work) -> list[str]:
        """The tables of a task as arguments of a job."""
        return [word for table in work.tables for word in ("--table", table)]

    def owner(self, work: Work) -> str:
        """Who answers for the tables of a task."""
        return ", ".join(dict.fromkeys(self.graph.contracts[table].owner for table in work.tables))

    @property
    def defaults(self) -> dict[str, Any]:
        """What all tasks have: an owner, retries, and that a failure is told."""
        return {
            "owner": "lakesmith",
            "on_failure_callback": told_of_failures(**self.place),
            **self._retries(2, timedelta(hours=4)),
        }

    @property
    def place(self) -> dict[str, Any]:
        """Where operators find all this again when they run: in a worker, another process than the one that declares."""
        return {"project": str(self.settings.project_root), "environment": self.settings.environment}

    def submission(self, work: Work | None = None) -> dict[str, Any]:
        """How a job is submitted: the connection, what is shipped, and of a task of a night its tables, limits and resources."""
        found = {**self.place, "conn_id": self.airflow.connection, "py_files": self._archive}
        if work is None:
            return found
        size: SizeSettings = getattr(self.settings.submit.sizes, work.size)
        given = {
            "size": work.size,
            "num_executors": size.executors,
            "executor_cores": size.cores,
            "executor_memory": size.memory,
            # What a standalone cluster is told in place of the number of executors.
            "total_executor_cores": size.executors * size.cores,
        }
        return {**found, **given, "tables": work.tables, "owner": self.owner(work), **self.limits(work)}

    @property
    def _archive(self) -> str | None:
        """The code that is shipped with a job; None where the cluster's machines have it."""
        named = self.settings.submit.archive
        if named is None or "://" in named:
            return named
        return str(self.settings.project_root / named)

    def limits(self, work: Work) -> dict[str, Any]:
        """How often, after how long, for how long and in which pool a task is tried: as its contracts say."""
        pool = self.airflow.pools.get(work.size, "default_pool")
        return {"pool": pool, **self._retries(work.retries, timedelta(seconds=work.timeout))}

    def _retries(self, times: int, longest: timedelta) -> dict[str, Any]:
        return {
            "retries": times,
            "retry_delay": timedelta(seconds=self.airflow.retry_delay),
            "retry_exponential_backoff": True,
            "max_retry_delay": timedelta(seconds=self.airflow.longest_retry_delay),
            "execution_timeout": longest,
        }


def declared(file: str) -> Declared:
    """The project that a DAG file belongs to: LAKESMITH_PROJECT, else the nearest folder upwards that holds conf/base.yml.

    Args:
        file: the DAG file.

    Raises:
        ConfigurationError: there is none, or its files hold mistakes.
    """
    root = None
    if not os.environ.get(PROJECT_VARIABLE):
        folders = Path(file).resolve().parents
        root = next((folder for folder in folders if (folder / "conf" / "base.yml").is_file()), None)
    return opened(root, None)


def opened(project: Path | str | None, environment: str | None) -> Declared:
    """A project in an environment.

    Args:
        project: its folder; None looks for it.
        environment: None takes LAKESMITH_ENV, else dev.

    Raises:
        ConfigurationError: there is none, or its files hold mistakes.
    """
    settings = load_settings(environment, Path(project) if project is not None else None)
    found = load_project(
        settings.project_root,
        model_overrides=settings.models,
        setting_origins=settings.origins,
        with_suites=False,
    )
    return Declared(found, settings)
