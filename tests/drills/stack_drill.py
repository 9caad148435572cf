"""A stack of a drill's own: how it is started and ended, how Airflow's nights on it are followed, and what was seen."""

from __future__ import annotations

import json
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.table import Table

from drills.airflow_api import Airflow, Run
from drills.differences import Differed, must
from stacks import Machine

__all__ = ["NIGHTLY", "ROOT", "SOURCE", "StackDrill", "days", "folder_of", "play", "span"]

ROOT = Path(__file__).parents[2]
SOURCE = "online-retail"
NIGHTLY = "lakesmith_nightly"

_START_MINUTES = 10.0
_NIGHT_MINUTES = 20.0
_POLL_SECONDS = 1.0


class StackDrill:
    """The stack, its landing folder, and what was seen.

    Args:
        folder: for everything; PostgreSQL's account can enter it.
        variables: settings beside those that every drill has.
    """

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.shown: list[tuple[str, str]] = []
        self.landing = folder / "landing"
        (self.landing / SOURCE).mkdir(parents=True)
        self._began = time.monotonic()
        self.machine = Machine(
            ROOT,
            folder,
            LAKESMITH__STACK__FOLDER=str(folder / "stack"),
            LAKESMITH__STACK__WORKERS__COUNT="2",
            # Room for two applications at once.
            LAKESMITH__STACK__WORKERS__CORES="2",
            LAKESMITH__STACK__WORKERS__MEMORY="2g",
            LAKESMITH__LANDING_ROOT=str(self.landing),
            LAKESMITH__LAKE_ROOT=str(folder / "lake"),
            # A JVM lives for minutes: the second compiler costs more than it gives. Backfills fill the room of the first one.
            JAVA_TOOL_OPTIONS="-XX:TieredStopAtLevel=1 -XX:+UseParallelGC -XX:ReservedCodeCacheSize=512m",
            LAKESMITH__AIRFLOW__RETRY_DELAY="20s",
            LAKESMITH__AIRFLOW__LANDING__POLL="5s",
            LAKESMITH__AIRFLOW__BLOCKED__POLL="10s",
            **variables,
        )
        ports = self.machine.ports
        self.machine.environ |= {
            "LAKESMITH__SPARK__MASTER": f"spark://127.0.0.1:{ports['spark_master']}",
            "LAKESMITH__SPARK__HISTORY_URL": f"http://127.0.0.1:{ports['spark_history']}",
            "LAKESMITH__MLFLOW__TRACKING_URI": f"http://127.0.0.1:{ports['mlflow']}",
        }

    def say(self, text: str) -> None:
        """A line for whoever watches."""
        print(f"{time.monotonic() - self._began:6.0f} s  {text}", file=sys.stderr, flush=True)

    def show(self, what: str, figures: str) -> None:
        """What was seen, for the table at the end."""
        self.shown.append((what, figures))
        self.say(f"{what}: {figures}")

    def until(
        self,
        what: str,
        holds: Callable[[], Any],
        minutes: float = _NIGHT_MINUTES,
        poll: float = _POLL_SECONDS,
    ) -> Any:
        """Waits until something is so; returns it."""
        self.say(f"until {what}")
        pause, limit = threading.Event(), time.monotonic() + 60 * minutes
        while not (found := holds()):
            if time.monotonic() > limit:
                raise Differed(f"not so after {minutes:.0f} minutes: {what}; {self.nights()}")
            pause.wait(poll)
        return found

    def start(self, *dags: str) -> str:
        """The stack comes up, and Airflow knows these DAGs; returns how many services there are, and after how long."""
        began = time.monotonic()
        up = self.machine.stack("up")
        must(up.returncode == 0, f"the stack did not come up: {up.stderr[-2000:]}")
        self._log_in()
        self.until("the DAGs are parsed", lambda: set(dags) <= set(self.airflow.dags()), _START_MINUTES)
        status = self.machine.status()
        well = [name for name, service in status.items() if service["health"] in ("well", "done")]
        must(len(well) == len(status), f"not well: {sorted(set(status) - set(well))}")
        return f"{len(well)} services well after {time.monotonic() - began:.0f} s"

    def stop(self) -> str:
        """The stack goes down and leaves nothing; returns what it says."""
        down = self.machine.stack("down")
        must(down.returncode == 0, f"the stack did not go down: {down.stderr[-2000:]}")
        left = [process.cmdline() for process in self.machine.processes()]
        must(not left and not self.machine.listening(), f"left: {left}, ports {self.machine.listening()}")
        return down.stdout.strip()

    def _log_in(self) -> None:
        """As the administrator, with the password that the stack made."""
        users = json.loads((self.folder / "stack" / "secrets" / "airflow.json").read_text(encoding="utf-8"))
        [(user, password)] = users.items()
        self.airflow = Airflow(f"http://127.0.0.1:{self.machine.ports['airflow']}", user, password)

    def nights(self, dag: str = NIGHTLY) -> dict[str, str]:
        """The state of each run by its night."""
        return {str(run.night): run.state for run in self.airflow.runs(dag)}

    def run(self, night: date) -> Run | None:
        """The scheduled run of a night."""
        return next(
            (r for r in self.airflow.runs(NIGHTLY) if r.night == night and r.kind == "scheduled"), None
        )

    def tasks(self, night: date) -> dict[str, dict[str, Any]]:
        """Its tasks; none before it was made."""
        run = self.run(night)
        return self.airflow.tasks(NIGHTLY, run.run_id) if run is not None else {}

    def is_in(self, night: date, task: str, state: str) -> bool:
        """Whether a task of a night is in a state."""
        found = self.tasks(night).get(task)
        return found is not None and found["state"] == state

    def ended(self, night: date) -> str:
        """How the run of a night ended; empty before."""
        run = self.run(night)
        return run.state if run is not None and run.state in ("success", "failed") else ""

    def must_be_green(self, night: date, tries: int | None = 1, *, asks: bool = False) -> str:
        """Every task of a night has ended well; returns how long it took, and how often tasks were tried.

        Args:
            asks: whether it is a night that asks for a training.
        """
        tasks = self.tasks(night)
        states = {name: task["state"] for name, task in tasks.items()}
        asked = "success" if asks else "skipped"
        expected = dict.fromkeys(states, "success") | {"ask_for_repurchase": asked}
        must(states == expected, f"{night}: {states}")
        tried = {name: task["try_number"] for name, task in tasks.items() if task["try_number"] != 1}
        must(tries is None or not tried, f"{night}: tried more than once: {tried}")
        begun, over = span(tasks)
        return f"{(over - begun).total_seconds():.0f} s" + (f", tries {tried}" if tried else "")


_Drill = TypeVar("_Drill", bound=StackDrill)


def days(first: date, last: date) -> list[date]:
    """Every day of a range, both ends included."""
    return [first + timedelta(number) for number in range((last - first).days + 1)]


def span(tasks: Mapping[str, Mapping[str, Any]]) -> tuple[datetime, datetime]:
    """When the first task began and the last one ended."""
    times = [
        datetime.fromisoformat(task[end])
        for task in tasks.values()
        for end in ("start_date", "end_date")
        if task[end]
    ]
    return min(times), max(times)


def folder_of(given: Path | None, prefix: str) -> Path:
    """The folder of a drill: the one that was named, or one of its own; PostgreSQL's account can enter it."""
    folder = (given or Path(tempfile.mkdtemp(prefix=prefix))).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    return folder


def play(
    drill: _Drill,
    steps: Sequence[Callable[[_Drill], None]],
    title: str,
    *,
    keep: bool,
    around: AbstractContextManager[None] | None = None,
) -> int:
    """Goes through the steps until one differs, ends the stack whatever comes, and prints what was seen.

    Args:
        keep: the folder stays when all is well, too.
        around: is entered for the steps.

    Returns:
        The exit code: 1 where something differs.
    """
    problem = None
    # Whoever ends the drill ends its stack.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with around or nullcontext():
            for step in steps:
                step(drill)
    except Differed as differed:
        problem = differed
    finally:
        drill.machine.stack("down")
    table = Table("what", "what was seen", box=None, title=title, title_justify="left")
    for what, figures in drill.shown:
        table.add_row(what, figures)
    Console(width=160).print(table)
    if problem is not None:
        print(f"differs: {problem}\nkept: {drill.folder}")
        return 1
    if not keep:
        shutil.rmtree(drill.folder)
    return 0
