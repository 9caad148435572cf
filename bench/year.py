"""What monitoring notices of a year: planted events, and a calm one.

Simulates two years of trade with the same seed, one with events, runs every night of both through the whole graph, with a model
of April, and asks the alert rules about each night as its end does. Answers which night noticed each event, in which words, and
what was an alert without cause. Up to the first event both years are one: its nights are run once. With 1,500 lines a day it
takes three quarters of an hour on two cores, with 10,000 about an hour and a half.

    python bench/year.py --out year
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from lakesmith.alerts.check import check_night
from lakesmith.contracts.days import BatchRange
from lakesmith.engine.alerting import watched
from lakesmith.engine.keeping import train_and_keep
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.submit import open_context
from lakesmith.ml.registry import ModelRegistry
from lakesmith.ml.store import ModelStore
from lakesmith.simulate import Event, EventKind, SimulationSpec, simulate

ROOT = Path(__file__).parents[1]
START, TRAINED, SCORED, END = date(2010, 12, 1), date(2011, 4, 30), date(2011, 5, 1), date(2011, 12, 31)
MODEL = "repurchase"
EVENTS = (
    Event(EventKind.ANONYMOUS, date(2011, 6, 6), date(2011, 6, 19)),
    Event(EventKind.MIX, date(2011, 7, 4), date(2011, 7, 17)),
    Event(EventKind.COLUMNS, date(2011, 8, 3), date(2011, 8, 3)),
    Event(EventKind.VOLUME, date(2011, 8, 15), date(2011, 8, 17)),
    Event(EventKind.PRICES, date(2011, 8, 29), date(2011, 9, 11)),
    Event(EventKind.REPURCHASES, date(2011, 10, 10)),
)
# By April there are four months of labels: dates close together.
SPLIT = "{warm_up: 30d, step: 3d, validation: {cutoffs: 2, dates: 1}, test: {span: 7d}}"
MORNING, DAY = timedelta(days=1, hours=5), timedelta(days=1)


@dataclass(frozen=True)
class Said:
    """What a rule says of a subject on a night."""

    night: date
    rule: str
    subject: str
    names: tuple[str, ...]
    text: str
    opened: bool

    def things(self) -> frozenset[tuple[str, str, str]]:
        """What it speaks of, one by one."""
        return frozenset((self.rule, self.subject, name) for name in self.names or ("",))


def main() -> None:
    """Both years, one after the other; what is there already is taken up."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--out", type=Path, required=True, help="a folder for files, lakes and the answer")
    parser.add_argument("--lines-per-day", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args()
    out = options.out.absolute()
    for name, events in {"calm": (), "planted": EVENTS}.items():
        landing = out / name / "landing" / "online-retail"
        if not landing.is_dir():
            days = (END - START).days + 1
            simulate(SimulationSpec(START, days, options.lines_per_day, options.seed, events=events), landing)
    history = out / "history"
    until_the_events(out / "calm" / "landing", history)
    years = {}
    for name in ("calm", "planted"):
        began = time.perf_counter()
        lake = out / name / "lake"
        if not lake.is_dir():
            shutil.copytree(history, lake.with_suffix(".part"), dirs_exist_ok=True).rename(lake)
        years[name] = list(nights_with_events(out / name / "landing", lake))
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    print(*planted_table(years["planted"], years["calm"]), "", *calm_table(years["calm"]), sep="\n")


def _settings(landing: Path, lake: Path) -> None:
    os.environ.update(
        LAKESMITH__LANDING_ROOT=str(landing),
        LAKESMITH__LAKE_ROOT=str(lake),
        LAKESMITH__MODELS__REPURCHASE=f"{{split: {SPLIT}, budget: {{trials: 4}}, bootstrap: 100}}",
        LAKESMITH__ALERTS__LOG="false",
    )


def until_the_events(landing: Path, lake: Path) -> None:
    """What both years have in common: tables, the model, and its first nights."""
    _settings(landing, lake)
    _run(START, TRAINED)
    context = open_context("dev", ROOT)
    if context.ledger.timeline(MODEL).champion is None:
        _ = context.spark
        _, event = train_and_keep(context, context.project.models[MODEL], TRAINED, "the first")
        registry = ModelRegistry(ModelStore(context.settings), context.ledger)
        registry.promote(MODEL, event.version, SCORED, force=True, reason="the first")
    _run(SCORED, EVENTS[0].first - DAY)


def nights_with_events(landing: Path, lake: Path) -> Iterator[Said]:
    """The rest of a year; then what is open on each of its nights, in order."""
    _settings(landing, lake)
    _run(EVENTS[0].first, END)
    shutil.rmtree(lake / "ops" / "alerts", ignore_errors=True)
    shutil.rmtree(lake / "ops" / "retraining", ignore_errors=True)
    about = watched(open_context("dev", ROOT))
    for night in BatchRange(SCORED, END):
        moment = datetime(night.year, night.month, night.day, tzinfo=UTC) + MORNING
        checked = check_night(about, night, moment=moment)
        if checked.unasked:
            raise SystemExit(f"{night}: these rules could not be asked: {dict(checked.unasked)}")
        for alert in checked.standing:
            yield Said(night, alert.rule, alert.subject, alert.names, alert.text, alert.opened_night == night)


def _run(first: date, last: date) -> None:
    """Every table of these nights, by its name: a run of all would ask the rules about the last night first."""
    context = open_context("dev", ROOT)
    print(f"{datetime.now(UTC):%H:%M:%S} nights {first} .. {last}", file=sys.stderr, flush=True)
    result = execute(
        context, plan_nights(context, BatchRange(first, last), sorted(context.project.graph.contracts))
    )
    print(f"{datetime.now(UTC):%H:%M:%S} {result.exit_code.name}", file=sys.stderr, flush=True)


def planted_table(planted: Sequence[Said], calm: Sequence[Said]) -> Iterator[str]:
    """Markdown: of each event, what is said on its nights and not on the same nights of the calm year, nor before it."""
    without = _by_night(calm)
    extra = {
        night: {thing: said for thing, said in things.items() if thing not in without.get(night, {})}
        for night, things in _by_night(planted).items()
    }
    yield "| planted | days | first noticed | by | in these words |"
    yield "| --- | --- | --- | --- | --- |"
    for at, event in enumerate(EVENTS):
        until = EVENTS[at + 1].first - DAY if at + 1 < len(EVENTS) else END
        before = extra.get(event.first - DAY, {})
        first: dict[tuple[str, str], Said] = {}
        for night in BatchRange(event.first, until):
            for (rule, subject, _), said in extra.get(night, {}).items():
                if not said.things() <= before.keys():
                    first.setdefault((rule, subject), said)
        days = f"{event.first} .. {event.last or ''}"
        for said in first.values():
            yield f"| {event.kind} | {days} | {said.night} | {said.rule}, {said.subject} | {said.text} |"
        if not first:
            yield f"| {event.kind} | {days} | never | | |"


def calm_table(calm: Sequence[Said]) -> Iterator[str]:
    """Every alert that was opened in the calm year, and for how many nights it stood."""
    opened = [said for said in calm if said.opened]
    yield f"A calm year, {(END - SCORED).days + 1} nights: {len(opened)} alerts were opened."
    for said in opened:
        stood = sum((s.rule, s.subject) == (said.rule, said.subject) for s in calm)
        yield f"- {said.night} {said.rule}, {said.subject} (open on {stood} nights in all): {said.text}"


def _by_night(year: Sequence[Said]) -> dict[date, dict[tuple[str, str, str], Said]]:
    found: dict[date, dict[tuple[str, str, str], Said]] = {}
    for said in year:
        found.setdefault(said.night, {}).update(dict.fromkeys(said.things(), said))
    return found


if __name__ == "__main__":
    main()
