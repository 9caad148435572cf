"""Nights of real data on the whole stack, disturbed one after the other.

`make stack-drill`, or `python -m drills.stack_nights` from tests/. A stack of its own is started: PostgreSQL, MLflow, Spark's
master and two workers, Airflow. Its scheduler catches up six nights; nobody tells it a step. Meanwhile a file is late, a worker
of Spark's and Airflow's scheduler are killed, a file is corrupted, and two runs make one night at the same time. In the end
every table equals, row for row, the one of a local backfill in another lake. Prints what was seen; ends with 1 at the first
thing that is not as it should be, and keeps the folder then.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from urllib.request import urlopen

from deltalake import DeltaTable

from drills.airflow_pictures import take
from drills.differences import compare, must
from drills.drivers import Drivers, drivers
from drills.stack_drill import NIGHTLY, ROOT, SOURCE, StackDrill, days, folder_of, play, span
from lakesmith.ledger.location import LakeLocation
from receivers import WebhookServer, webhook_server

DATA = Path(os.environ.get("LAKESMITH_REAL_DATA", ROOT.parent / "shared" / "data"))
AGAIN = "lakesmith_nightly_again"
"""The same DAG under another name: Airflow itself lets one run of a DAG wait for the other."""

FIRST = date(2010, 12, 1)
CLOSED = date(2010, 12, 4)
LATE = date(2010, 12, 5)
REJECTED = date(2010, 12, 6)


class Drill(StackDrill):
    """The stack, its landing folder, a twin, and what was seen.

    Args:
        folder: for everything; PostgreSQL's account can enter it.
        alerts: a channel of alerts.
        pictures: where pictures of Airflow's pages go; None: none are taken.
    """

    def __init__(self, folder: Path, alerts: WebhookServer, pictures: Path | None = None) -> None:
        super().__init__(
            folder,
            LAKESMITH__STACK__DAGS=str(folder / "dags"),
            LAKESMITH__ALERTS__WEBHOOK__URL=alerts.url,
            LAKESMITH__AIRFLOW__END=REJECTED.isoformat(),
        )
        self.alerts = alerts
        self.seen = Drivers()
        self._pictures = pictures
        self._declare_again(folder / "dags")

    @staticmethod
    def _declare_again(dags: Path) -> None:
        shutil.copytree(ROOT / "airflow" / "dags", dags, ignore=shutil.ignore_patterns("__pycache__"))
        text = (dags / f"{NIGHTLY}.py").read_text(encoding="utf-8")
        changed = text.replace(f'"{NIGHTLY}"', f'"{AGAIN}"').replace("catchup=True", "catchup=False")
        (dags / f"{AGAIN}.py").write_text(changed, encoding="utf-8")

    def picture(self, night: date, name: str) -> None:
        """Takes pictures of a night, if they are wanted."""
        run = self.run(night)
        if self._pictures is not None and run is not None:
            taken = take(self.airflow, NIGHTLY, run.run_id, self._pictures, name)
            self.say(f"pictures: {', '.join(f'{path} ({path.stat().st_size:,} bytes)' for path in taken)}")

    def land(self, day: date, change: Callable[[Path], None] | None = None) -> None:
        """The real file of a day arrives, at once and whole."""
        target = self.landing / SOURCE / f"{day}.csv"
        draft = target.with_suffix(".part")
        shutil.copy(DATA / SOURCE / target.name, draft)
        if change is not None:
            draft.chmod(0o644)
            change(draft)
        draft.replace(target)

    def kill(self, service: str) -> int:
        """SIGKILL to a service's process; returns its id."""
        pid = int(self.machine.status()[service]["pid"])
        os.kill(pid, signal.SIGKILL)
        self.say(f"SIGKILL to {service}, process {pid}")
        return pid

    def must_be_back(self, service: str, killed: int) -> None:
        """The supervisor has started it anew."""
        self.until(f"{service} is back", lambda: self._is_back(service, killed), minutes=5)

    def _is_back(self, service: str, killed: int) -> bool:
        found = self.machine.status()[service]
        return found["pid"] not in (0, None, killed) and found["health"] == "well"

    def must_equal_twin(self, last: date) -> str:
        """Every table of the lake has the rows of a local backfill's; returns how many tables and rows that are."""
        twin = self.folder / "twin"
        landing = self.folder / "twin-landing" / SOURCE
        landing.mkdir(parents=True, exist_ok=True)
        for day in days(FIRST, last):
            if (file := DATA / SOURCE / f"{day}.csv").exists():
                shutil.copy(file, landing / file.name)
        environ = {name: value for name, value in os.environ.items() if not name.startswith("LAKESMITH_")}
        saved, self.machine.environ = self.machine.environ, environ
        try:
            ran = self.machine.lakesmith(
                "backfill", "--from", str(FIRST), "--to", str(last), "--env", "dev", "--project", str(ROOT),
                LAKESMITH__LANDING_ROOT=str(landing.parent), LAKESMITH__LAKE_ROOT=str(twin),
            )  # fmt: skip
        finally:
            self.machine.environ = saved
        must(ran.returncode == 0, f"the local backfill ended with {ran.returncode}: {ran.stderr[-2000:]}")
        tables, rows = compare(LakeLocation(str(twin)), LakeLocation(str(self.folder / "lake")))
        must(tables, "no table was compared")
        return f"{tables} tables, {rows:,} rows equal a local backfill's of {FIRST} to {last}"

    def must_not_overlap(self) -> str:
        """No two runs of a table that published were at work at the same time, by the ledger; returns how many runs there are."""
        rows = DeltaTable(str(self.folder / "lake" / "ops" / "runs")).to_pyarrow_table().to_pylist()
        by_table: dict[str, list[tuple[datetime, datetime]]] = {}
        for row in rows:
            by_table.setdefault(row["table"], []).append((row["started_at"], row["finished_at"]))
        for table, spans in by_table.items():
            spans.sort()
            for (_, end), (start, _) in pairwise(spans):
                must(start >= end, f"two runs of {table} at once: one from {start}, one until {end}")
        return f"{len(rows)} runs of {len(by_table)} tables, no two of a table at once"


# --- what is shown, in the order of the nights ---------------------------------------------------------------------


def start(drill: Drill) -> None:
    """The stack comes up, and Airflow knows the DAGs."""
    drill.show("the stack", drill.start(NIGHTLY, AGAIN))


def unattended(drill: Drill) -> None:
    """Three nights of data and a closed one are caught up, one after the other, by the scheduler alone."""
    for day in days(FIRST, CLOSED - timedelta(1)):
        drill.land(day)
    drill.airflow.unpause(NIGHTLY)
    for day in days(FIRST, CLOSED):
        must(
            drill.until(f"night {day} has ended", lambda day=day: drill.ended(day)) == "success",
            f"{day} failed",
        )
        drill.show(f"night {day}, unattended", f"green in {drill.must_be_green(day)}")


def late(drill: Drill) -> None:
    """The sensor of a night whose file is late waits in the triggerer, and holds no worker."""
    sensor = f"landing_{SOURCE}"
    drill.until(f"{LATE} waits", lambda: drill.is_in(LATE, sensor, "deferred"))
    # Meanwhile nothing else is to be done: the tables are those of the nights before.
    equal = drill.must_equal_twin(CLOSED)
    drill.show("three nights and a closed day", equal)
    slots = drill.airflow.slots()
    must(
        slots == {"occupied": 0, "running": 0, "queued": 0, "deferred": 1},
        f"the default pool while the file is awaited: {slots}",
    )
    must(drill.is_in(LATE, sensor, "deferred"), f"the sensor did not wait: {drill.tasks(LATE)}")
    drill.picture(CLOSED - timedelta(1), "green")
    drill.show("a late file", f"the sensor is deferred, default pool: {slots}")


def killed(drill: Drill) -> None:
    """The late file lands. A worker of Spark's is killed while it computes, and Airflow's scheduler while a driver is at work."""
    drill.land(LATE)
    drill.land(REJECTED, turn_cancellations)
    worker, executor, application = drill.until("an executor computes", lambda: _busy(drill), poll=0.2)
    drill.must_be_back(worker, drill.kill(worker))
    drill.until(
        f"features of {LATE} are computed",
        lambda: any(night == str(LATE) and "gold.daily_sales" in tables for night, tables in drivers()),
    )
    drill.must_be_back("airflow-scheduler", drill.kill("airflow-scheduler"))
    must(drill.until(f"night {LATE} has ended", lambda: drill.ended(LATE)) == "success", f"{LATE} failed")
    took = drill.must_be_green(LATE, tries=None)
    executors = drill.machine.url("spark_history", f"/api/v1/applications/{application}/allexecutors")
    told = {e["id"]: e.get("removeReason", "") for e in executors if e["id"] != "driver"}
    must(told.get(executor), f"executor {executor} was not lost: {told}")
    others = sum(e["completedTasks"] for e in executors if e["id"] not in ("driver", executor))
    tries = drill.tasks(LATE)["ingest"]["try_number"]
    drill.show(
        f"night {LATE}, {worker} killed",
        f"executor {executor} lost ({told[executor].splitlines()[0][:60]}), {others} tasks elsewhere; tries of ingest: {tries}",
    )
    most = {tables: number for (night, tables), number in drill.seen.most.items() if night == str(LATE)}
    must(set(most.values()) == {1}, f"drivers of {LATE} at once: {most}")
    drill.show(f"night {LATE}, the scheduler killed", f"green in {took}; never two drivers of a task at once")


def _busy(drill: Drill) -> tuple[str, str, str] | None:
    """A worker that computes a task of an application now, its executor and the application; None while there is none."""
    for port in range(4040, 4060):
        try:
            with urlopen(f"http://127.0.0.1:{port}/api/v1/applications", timeout=5) as answer:
                [application] = [found["id"] for found in json.load(answer)]
            with urlopen(
                f"http://127.0.0.1:{port}/api/v1/applications/{application}/executors", timeout=5
            ) as answer:
                busy = {e["id"] for e in json.load(answer) if e["id"] != "driver" and e["activeTasks"]}
        except (OSError, ValueError):
            continue
        for number in (1, 2):
            page = drill.machine.ports["spark_worker_ui"] + number - 1
            with urlopen(f"http://127.0.0.1:{page}/json/", timeout=5) as answer:
                running = json.load(answer)["executors"]
            for executor in running:
                if executor["appid"] == application and str(executor["id"]) in busy:
                    return f"spark-worker-{number}", str(executor["id"]), application
    return None


def turn_cancellations(file: Path) -> None:
    """As if the source had changed its signs: cancellations add pieces."""
    with file.open(newline="", encoding="utf-8") as read:
        header, *rows = list(csv.reader(read))
    invoice, quantity = header.index("InvoiceNo"), header.index("Quantity")
    for row in rows:
        if row[invoice].startswith("C"):
            row[quantity] = row[quantity].removeprefix("-")
    with file.open("w", newline="", encoding="utf-8") as written:
        csv.writer(written).writerows([header, *rows])


def rejected(drill: Drill) -> None:
    """A file that a critical expectation rejects: red at once, told, and nothing is built on it."""
    must(
        drill.until(f"night {REJECTED} has ended", lambda: drill.ended(REJECTED)) == "failed",
        f"{REJECTED} was not rejected",
    )
    tasks = drill.tasks(REJECTED)
    states = {name: task["state"] for name, task in tasks.items()}
    expected = {
        f"landing_{SOURCE}": "success",
        "ingest": "failed",
        **dict.fromkeys(("features", "score", "watch", "night"), "upstream_failed"),
        "alerts": "success",
        "ask_for_repurchase": "skipped",
    }
    must(states == expected, f"{REJECTED}: {states}")
    must(tasks["ingest"]["try_number"] == 1, f"ingest was tried {tasks['ingest']['try_number']} times")
    run = drill.run(REJECTED)
    assert run is not None
    log = drill.airflow.log(NIGHTLY, run.run_id, "ingest", 1)
    must("cancellation_takes_back" in log and "exit code 3" in log, f"the log has no reason: {log[-2000:]}")
    told = [text for text in map(json.dumps, drill.alerts.posted) if "task_failed" in text]
    must(len(told) == 1, f"not one alert of the task was sent: {told}")
    for part in ("silver.sales_lines", str(REJECTED), f"/dags/{NIGHTLY}/runs/"):
        must(part in told[0], f"the alert does not say {part}: {told[0]}")
    drill.picture(REJECTED, "rejected")
    drivers_of = {tables for night, tables in drill.seen.most if night == str(REJECTED)}
    must(len(drivers_of) == 1, f"drivers of {REJECTED}: {drivers_of}")
    drill.show(
        f"night {REJECTED}, a batch rejected",
        f"ingest failed at its first try by cancellation_takes_back, {list(states.values()).count('upstream_failed')} tasks "
        f"not run, one alert of task_failed on the webhook",
    )


def two_at_once(drill: Drill) -> None:
    """The corrected file lands; the night is cleared and runs in two DAGs at the same time, and a third run waits in Airflow."""
    drill.land(REJECTED)
    run = drill.run(REJECTED)
    assert run is not None
    drill.airflow.unpause(AGAIN)
    drill.airflow.trigger(AGAIN, f"{REJECTED}T03:00:00Z")
    drill.airflow.clear(NIGHTLY, run.run_id)
    drill.until(f"{REJECTED} runs again", lambda: drill.is_in(REJECTED, "ingest", "running"), poll=0.5)
    third = drill.airflow.trigger(NIGHTLY, f"{REJECTED}T12:00:00Z")
    for dag in (NIGHTLY, AGAIN):
        drill.until(
            f"all runs of {dag} have ended",
            lambda dag=dag: all(r.state in ("success", "failed") for r in drill.airflow.runs(dag)),
        )
        states = {r.run_id: r.state for r in drill.airflow.runs(dag)}
        must(set(states.values()) == {"success"}, f"{dag}: {states}")
    begun = span(drill.airflow.tasks(NIGHTLY, third))[0]
    cleared = span(drill.tasks(REJECTED))[1]
    must(begun >= cleared, f"a run of {NIGHTLY} began at {begun}, the one before it ended at {cleared}")
    most = max(n for (night, _), n in drill.seen.most.items() if night == str(REJECTED))
    must(most >= 2, f"the two runs of {REJECTED} never met")
    drill.show(
        f"night {REJECTED}, two runs at once",
        f"both green, {most} drivers of the same tables seen at once; a third one waited in Airflow until the first was over",
    )


def stop(drill: Drill) -> None:
    """The stack goes down and leaves nothing."""
    drill.show("all nights", drill.must_not_overlap())
    drill.show("the stack", drill.stop())


def compared(drill: Drill) -> None:
    """All nights, disturbed as they were, against the undisturbed twin."""
    drill.show("all nights, disturbed", drill.must_equal_twin(REJECTED))


STEPS: Sequence[Callable[[Drill], None]] = (
    start, unattended, late, killed, rejected, two_at_once, stop, compared,
)  # fmt: skip


def main() -> int:
    """Runs all steps in their order."""
    parser = argparse.ArgumentParser(prog="stack_nights", description="Disturbed nights on the whole stack.")
    parser.add_argument(
        "--folder", type=Path, help="for everything (default: one of its own that is removed)"
    )
    parser.add_argument(
        "--pictures", type=Path, help="where to put pictures of Airflow's pages (docs/images)"
    )
    options = parser.parse_args()
    pictures = options.pictures.resolve() if options.pictures is not None else None
    with webhook_server() as alerts:
        drill = Drill(folder_of(options.folder, "stack-nights-"), alerts, pictures)
        return play(
            drill,
            STEPS,
            "nights on the stack",
            keep=options.folder is not None,
            around=drill.seen.watched(),
        )


if __name__ == "__main__":
    sys.exit(main())
