"""A model that is trained again because the trade has changed, unattended, on the whole stack.

`python -m drills.stack_retraining` from tests/. A stack of its own is started: PostgreSQL, MLflow, Spark with two workers,
Airflow. Half a year of simulated trade is backfilled; the weekly training makes version 1. Then most of the trade is gone: the
event that is planted. From there on files land, a day's when the day before is over, and nobody tells Airflow a step: features
drift, alerts are opened, a retraining is requested, trained, held to the gates, looked at in shadow and promoted, and the night
after that is scored by the new version. The same nights without the event ask for nothing.
Prints what was seen; ends with 1 at the first thing that is not as it should be, and keeps the folder then.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

from deltalake import DeltaTable

from drills.airflow_api import Run
from drills.differences import must
from drills.stack_drill import NIGHTLY, SOURCE, StackDrill, days, folder_of, play
from lakesmith.ledger.alerts import AlertEvent, AlertRecord
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind
from lakesmith.ledger.ops import Ops
from lakesmith.ledger.retraining import RetrainingEvent, RetrainingRecord

TRAINING = "lakesmith_training"
_RULES = ("drift", "performance")
"""Those that may ask for a retraining."""
MODEL = "repurchase"
FEATURES, SCORES, SHADOW = "gold.customer_features", "gold.customer_scores", "gold.customer_scores_shadow"

BEGIN = date(2010, 12, 1)
TRAINED = date(2011, 5, 14)
"""The last night that the first version knows."""
EVENT = date(2011, 5, 27)
NIGHTS = tuple(days(date(2011, 6, 6), date(2011, 6, 10)))
"""Airflow's: three that speak of drift, as the settings ask for; one in shadow; one by the new version."""
ASKS, IN_SHADOW, SERVED = NIGHTS[2:]

_LINES_PER_DAY, _SEED = 600, 7
# Three invoices in ten, one in four of them without a customer. Longer before the nights it would be in too many of the labels on
# which the second version is tested, and the gates would rightly refuse it.
_PLANTED = (f"volume@{EVENT}", f"anonymous@{EVENT}")

# What half a year has in common with the weeks after it: windows of 90 days are nearly full by the first training date, and what
# lasts since the first purchase is judged by its trend. All other columns grow with a young history and drift by themselves.
_COLUMNS = (
    "recency_days", "is_uk", "tenure_days", "orders_365d", "amount_365d", "orders_7d", "orders_30d", "orders_90d",
    "amount_7d", "amount_30d", "amount_90d", "orders_30_60d", "lines_90d", "orders_30_over_90d",
)  # fmt: skip
_DECLARED = {
    "features": {"columns": list(_COLUMNS)},
    # Always the same weekday, so that Saturdays, on which the shop is closed, are no part of what is usual.
    "split": {
        "warm_up": "63d",
        "step": "7d",
        "validation": {"cutoffs": 1, "dates": 1},
        "test": {"span": "7d"},
    },
    "budget": {"trials": 3},
    "bootstrap": 100,
    # As in the demo: so little trade teaches little. The labels of the second version's test reach into the event.
    "gates": {
        "minimum": {"roc_auc": 0.6, "pr_auc": 0.3},
        "baselines": ["log_loss"],
        "champion": {"metric": "log_loss", "tolerance": 0.02},
        "calibration": 0.15,
    },
    "rollout": {"shadow": 1, "shares": [100], "checks": {"mean_shift": 0.5, "psi": 0.5}},
}


class Drill(StackDrill):
    """The stack, the days that are still to come, a lake of the same days without the event, and what was seen."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            folder,
            LAKESMITH__MODELS__REPURCHASE=json.dumps(_DECLARED),
            LAKESMITH__AIRFLOW__START=NIGHTS[0].isoformat(),
            LAKESMITH__AIRFLOW__END=NIGHTS[-1].isoformat(),
            # Due once when the DAG is unpaused, as any that is not caught up, and on no day of the drill.
            LAKESMITH__AIRFLOW__TRAINING="0 6 29 2 *",
        )
        self.coming = folder / "coming" / SOURCE
        self.calm = folder / "calm"
        self.calm_lake = folder / "calm-lake"

    # --- days and what is done by hand, before Airflow begins --------------------------------------------------------

    def local(self, *arguments: str, **variables: str) -> str:
        """A command whose Spark is on this machine alone; returns what it answers."""
        ran = self.machine.lakesmith(*arguments, LAKESMITH__SPARK__MASTER="local[2]", **variables)
        must(ran.returncode == 0, f"{' '.join(arguments)} ended with {ran.returncode}: {ran.stderr[-2000:]}")
        return ran.stdout

    def simulate(self, target: Path, *event: str) -> None:
        """The files of all days."""
        number = str((NIGHTS[-1] - BEGIN).days + 1)
        self.local(
            "simulate", "--out", str(target), "--from", str(BEGIN), "--days", number,
            "--lines-per-day", str(_LINES_PER_DAY), "--seed", str(_SEED), *event,
        )  # fmt: skip

    def land(self, *arrived: date) -> None:
        """The files of some days arrive, each at once and whole."""
        for day in arrived:
            if (file := self.coming / f"{day}.csv").exists():
                file.replace(self.landing / SOURCE / file.name)

    def backfill(self, first: date, last: date, **variables: str) -> None:
        """All tables of these nights, without Airflow; what is told of them is not what counts here."""
        silent = json.dumps(dict.fromkeys(_RULES, "silent"))
        told = {"LAKESMITH__ALERTS__RULES": silent}
        self.local("backfill", "--from", str(first), "--to", str(last), **told, **variables)

    @property
    def without_event(self) -> dict[str, str]:
        """The settings of the lake in which nothing was planted."""
        return {
            "LAKESMITH__LANDING_ROOT": str(self.calm),
            "LAKESMITH__LAKE_ROOT": str(self.calm_lake),
        }

    # --- what the lake says ------------------------------------------------------------------------------------------

    @cached_property
    def ops(self) -> Ops:
        """What the stack's lake has on record."""
        return Ops(LakeLocation(str(self.folder / "lake"), {}))

    def alerts(self, night: date) -> list[AlertRecord]:
        """What the rules that may ask for a retraining said of the model on a night."""
        spoken = (r for r in self.ops.records(AlertRecord) if r.night == night and r.event.speaks)
        return [r for r in spoken if _asks_for_training(r.rule, r.subject)]

    def requests(self) -> list[RetrainingRecord]:
        """All requests, without the answers."""
        return [r for r in self.ops.records(RetrainingRecord) if r.event is RetrainingEvent.REQUESTED]

    def events(self, version: int) -> list[ModelEvent]:
        """What became of a version, oldest first."""
        return [e for e in self.ops.records(ModelEvent) if (e.model, e.version) == (MODEL, version)]

    def scored(self, table: str, night: date) -> dict[tuple[int, str], int]:
        """Version and `served_by` -> rows of a night's batch."""
        found = DeltaTable(str(self.folder / "lake" / Path(*table.split("."))))
        rows = found.to_pyarrow_table(
            columns=["model_version", "served_by"], filters=[("batch_date", "=", night)]
        )
        return dict(Counter((row["model_version"], row["served_by"]) for row in rows.to_pylist()))

    def trainings(self, kind: str) -> list[Run]:
        """The runs of the training DAG that were started in a way."""
        return [run for run in self.airflow.runs(TRAINING) if run.kind == kind]

    def must_be_trained(self, kind: str) -> None:
        """The training that is started in a way ends well: trained and promoted, each at the first try."""
        run = self.until(
            f"a training, {kind}, has ended",
            lambda: next((r for r in self.trainings(kind) if r.state in ("success", "failed")), None),
        )
        tasks = {
            name: (task["state"], task["try_number"])
            for name, task in self.airflow.tasks(TRAINING, run.run_id).items()
        }
        expected = {f"train_{MODEL}": ("success", 1), f"promote_{MODEL}": ("success", 1)}
        must(tasks == expected, f"the training, {kind}: {tasks}")

    def a_night(self, night: date, *, asks: bool = False) -> str:
        """A day is over and its file lands; everything else is Airflow's. Returns how long the night took."""
        self.land(night)
        state = self.until(f"night {night} has ended", lambda: self.ended(night))
        must(state == "success", f"night {night} {state}: {self.tasks(night)}")
        return self.must_be_green(night, asks=asks)


def _asks_for_training(rule: str, subject: str) -> bool:
    return rule in _RULES and subject in (f"models.{MODEL}", FEATURES, SCORES, SHADOW)


# --- what is shown, in its order -----------------------------------------------------------------------------------


def start(drill: Drill) -> None:
    """The stack comes up; both DAGs are paused."""
    drill.show("the stack", drill.start(NIGHTLY, TRAINING))


def history(drill: Drill) -> None:
    """Half a year of trade."""
    began = time.monotonic()
    drill.simulate(drill.coming, *(word for event in _PLANTED for word in ("--event", event)))
    drill.simulate(drill.calm / SOURCE)
    drill.land(*days(BEGIN, TRAINED))
    drill.backfill(BEGIN, TRAINED)
    drill.show(f"{BEGIN} .. {TRAINED}", f"backfilled in {time.monotonic() - began:.0f} s")


def first_version(drill: Drill) -> None:
    """The weekly training, due when its DAG is unpaused, makes version 1 the champion."""
    drill.airflow.unpause(TRAINING)
    drill.must_be_trained("scheduled")
    begun, crowned = drill.events(1)
    must(begun.gates_passed, f"gates: {begun.gates}")
    must(
        (crowned.event, crowned.effective_from) == (ModelEventKind.PROMOTED, TRAINED), f"version 1: {crowned}"
    )
    drill.show(
        "training, scheduled", f"version 1 passed {len(begun.gates)} gates; champion from {TRAINED} on"
    )


def planted(drill: Drill) -> None:
    """The weeks up to the first of Airflow's nights, in the end with the event."""
    shutil.copytree(drill.folder / "lake", drill.calm_lake)
    before = NIGHTS[0] - timedelta(1)
    drill.land(*days(TRAINED + timedelta(1), before))
    # The last night that it knew is the first that it scores.
    drill.backfill(TRAINED, before)
    must(not drill.requests(), f"a retraining was requested before Airflow's first night: {drill.requests()}")
    drill.show(f"{TRAINED} .. {before}", f"backfilled; planted: {', '.join(_PLANTED)}")


def without_event(drill: Drill) -> None:
    """The same nights of the same trade in which nothing was planted: the event makes the difference."""
    drill.backfill(TRAINED, NIGHTS[-1], **drill.without_event)
    spoke = []
    for night in NIGHTS:
        answer = drill.local("alerts", "check", "--date", str(night), "--json", **drill.without_event)
        alerts = [(a["rule"], a["subject"]) for a in json.loads(answer)["open"]]
        spoke += [(night, *alert) for alert in alerts if _asks_for_training(*alert)]
    nights = {night for night, *_ in spoke}
    must(len(nights) < 3, f"without the event {len(nights)} nights speak of the model: {spoke}")
    drill.show(
        f"{NIGHTS[0]} .. {NIGHTS[-1]}, no event",
        f"drift or performance on {len(nights)} of {len(NIGHTS)} nights",
    )


def drifting(drill: Drill) -> None:
    """Airflow is let loose. On each of three nights drift of the features is told, and the third asks for a retraining."""
    drill.airflow.unpause(NIGHTLY)
    for night in NIGHTS[: NIGHTS.index(ASKS) + 1]:
        took = drill.a_night(night, asks=night == ASKS)
        alerts = drill.alerts(night)
        must(any((a.rule, a.subject) == ("drift", FEATURES) for a in alerts), f"{night}: no drift: {alerts}")
        begun = [a for a in alerts if a.event is AlertEvent.OPENED]
        drill.show(
            f"night {night}, green in {took}",
            "; ".join(f"{a.rule} of {a.subject} {a.event}: {a.text}" for a in (begun or alerts)),
        )
        must(
            drill.scored(SCORES, night).keys() == {(1, "champion")}, f"{night}: {drill.scored(SCORES, night)}"
        )
        asked = drill.requests()
        must(bool(asked) == (night == ASKS), f"{night}: requests {asked}")
    [request] = drill.requests()
    must((request.model, request.night) == (MODEL, ASKS), f"another request: {request}")
    drill.show(f"night {ASKS}, request", request.reason)


def trained(drill: Drill) -> None:
    """The request has started the training DAG: version 2 passes the gates and goes into shadow."""
    drill.must_be_trained("asset_triggered")
    begun, stepped = drill.events(2)
    must(begun.event is ModelEventKind.REGISTERED, f"version 2 is {begun.event}")
    must(begun.gates_passed, f"gates: {begun.gates}")
    must(
        (stepped.event, stepped.share, stepped.effective_from) == (ModelEventKind.ROLLOUT, 0, IN_SHADOW),
        f"version 2 did not go into shadow: {stepped}",
    )
    [answer] = [r for r in drill.ops.records(RetrainingRecord) if r.event is RetrainingEvent.ANSWERED]
    must(answer.version == 2, f"the request was answered by version {answer.version}")
    drill.show(
        "training, asset_triggered",
        f"version 2 passed {len(begun.gates)} gates: {'; '.join(gate['text'] for gate in begun.gates)}",
    )
    drill.show("promotion", f"version 2 in shadow from {IN_SHADOW} on: {stepped.reason}")


def in_shadow(drill: Drill) -> None:
    """A night in shadow: both versions score everybody, nobody acts upon the new one; its checks pass and it is the champion."""
    took = drill.a_night(IN_SHADOW)
    served, shadow = drill.scored(SCORES, IN_SHADOW), drill.scored(SHADOW, IN_SHADOW)
    must(served.keys() == {(1, "champion")}, f"{IN_SHADOW} was scored by {served}")
    must(shadow.keys() == {(2, "challenger")}, f"in shadow on {IN_SHADOW}: {shadow}")
    must(list(served.values()) == list(shadow.values()), f"{IN_SHADOW}: {served}, in shadow {shadow}")
    drill.show(
        f"night {IN_SHADOW}, green in {took}",
        f"{served[1, 'champion']} scores by version 1; as many by version 2 in {SHADOW}",
    )
    promoted = drill.events(2)[-1]
    must(
        (promoted.event, promoted.effective_from, promoted.before) == (ModelEventKind.PROMOTED, SERVED, 1),
        f"version 2 is not the champion: {promoted}",
    )
    drill.show(f"night {IN_SHADOW}, promotion", f"version 2 from {SERVED} on: {promoted.reason}")


def served(drill: Drill) -> None:
    """The next night is scored by the new version."""
    took = drill.a_night(SERVED)
    found = drill.scored(SCORES, SERVED)
    must(found.keys() == {(2, "champion")}, f"{SERVED} was scored by {found}")
    drill.show(
        f"night {SERVED}, green in {took}", f"{found[2, 'champion']} scores by version 2, the champion"
    )
    asked = drill.trainings("asset_triggered")
    must(len(asked) == 1, f"more than one training was asked for: {asked}")
    must(len(drill.requests()) == 1, f"more than one request: {drill.requests()}")


def stop(drill: Drill) -> None:
    """The stack goes down and leaves nothing."""
    drill.show("the stack", drill.stop())


STEPS: Sequence[Callable[[Drill], None]] = (
    start, history, first_version, planted, without_event, drifting, trained, in_shadow, served, stop,
)  # fmt: skip


def main() -> int:
    """Runs all steps in their order."""
    parser = argparse.ArgumentParser(
        prog="stack_retraining", description="A retraining that drift asked for, on the whole stack."
    )
    parser.add_argument(
        "--folder", type=Path, help="for everything (default: one of its own that is removed)"
    )
    options = parser.parse_args()
    drill = Drill(folder_of(options.folder, "stack-retraining-"))
    return play(drill, STEPS, "a retraining on the stack", keep=options.folder is not None)


if __name__ == "__main__":
    sys.exit(main())
