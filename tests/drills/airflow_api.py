"""Airflow's REST API as a person with a log-in uses it: runs, their tasks, logs, pools, and what can be asked for by hand.

Owns how it is asked. Answers are those of the running servers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

__all__ = ["Airflow", "Run"]

_SECONDS = 60.0


@dataclass(frozen=True)
class Run:
    """A run of a DAG.

    Args:
        night: the day of its logical date; None where an asset started it, as it has no such date.
        state: `queued`, `running`, `success` or `failed`.
        kind: `scheduled`, `manual` or `asset_triggered`.
    """

    run_id: str
    night: date | None
    state: str
    kind: str


class Airflow:
    """One Airflow.

    Args:
        url: of its API server.
        user, password: of the simple log-in.
    """

    def __init__(self, url: str, user: str, password: str) -> None:
        self.url = url
        self.login = {"username": user, "password": password}

    @cached_property
    def _token(self) -> str:
        return str(self._send("POST", "/auth/token", self.login, {})["access_token"])

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        return self._send(method, f"/api/v2{path}", body, {"Authorization": f"Bearer {self._token}"})

    def _send(
        self, method: str, path: str, body: Mapping[str, Any] | None, headers: Mapping[str, str]
    ) -> Any:
        data = json.dumps(body).encode() if body is not None else None
        said = {"Content-Type": "application/json", "Accept": "application/json", **headers}
        with urlopen(Request(f"{self.url}{path}", data, said, method=method), timeout=_SECONDS) as answer:
            return json.load(answer)

    def dags(self) -> list[str]:
        """The DAGs that were parsed."""
        return sorted(dag["dag_id"] for dag in self._ask("GET", "/dags")["dags"])

    def unpause(self, dag: str) -> None:
        """Lets the scheduler have a DAG."""
        self._ask("PATCH", f"/dags/{dag}", {"is_paused": False})

    def runs(self, dag: str) -> list[Run]:
        """The runs of a DAG, oldest night first; those without one last, as they were made."""
        found = self._ask("GET", f"/dags/{dag}/dagRuns?limit=100")["dag_runs"]
        runs = [
            Run(run["dag_run_id"], _day(run["logical_date"]), run["state"], run["run_type"]) for run in found
        ]
        return sorted(runs, key=lambda run: (run.night or date.max, run.run_id))

    def tasks(self, dag: str, run_id: str) -> dict[str, dict[str, Any]]:
        """The task instances of a run by their names: `state`, `try_number`, `start_date`, `end_date` and more."""
        found = self._ask("GET", f"/dags/{dag}/dagRuns/{quote(run_id)}/taskInstances")["task_instances"]
        return {task["task_id"]: task for task in found}

    def log(self, dag: str, run_id: str, task: str, attempt: int) -> str:
        """What a try of a task wrote."""
        path = f"/dags/{dag}/dagRuns/{quote(run_id)}/taskInstances/{task}/logs/{attempt}?full_content=true"
        lines = self._ask("GET", path)["content"]
        return "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)

    def slots(self) -> dict[str, int]:
        """How many slots of the default pool are occupied, running, queued and deferred."""
        pool = self._ask("GET", "/pools/default_pool")
        return {name: pool[f"{name}_slots"] for name in ("occupied", "running", "queued", "deferred")}

    def trigger(self, dag: str, moment: str) -> str:
        """A run by hand; returns its name.

        Args:
            moment: its logical date, in ISO format.
        """
        return str(self._ask("POST", f"/dags/{dag}/dagRuns", {"logical_date": moment})["dag_run_id"])

    def clear(self, dag: str, run_id: str) -> None:
        """Has every task of a run done again."""
        body = {"dry_run": False, "only_failed": False}
        self._ask("POST", f"/dags/{dag}/dagRuns/{quote(run_id)}/clear", body)


def _day(moment: str | None) -> date | None:
    return date.fromisoformat(moment[:10]) if moment is not None else None
