"""Models in words: what a training came to, versions and their events, comparisons, reproductions; and the same as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType
from rich.markdown import Markdown
from rich.text import Text

from lakesmith.cli.wording import grid
from lakesmith.contracts.declaration import METRICS

if TYPE_CHECKING:
    from lakesmith.cli.options import Invocation
    from lakesmith.engine.reproducing import Comparison, Reproduction
    from lakesmith.engine.training import Trained
    from lakesmith.ledger.model_events import ModelEvent, ModelTimeline
    from lakesmith.ml.evaluation_values import Evaluation, Interval

__all__ = [
    "comparison_json",
    "comparison_lines",
    "differences_table",
    "event_json",
    "event_line",
    "interval_json",
    "interval_text",
    "models_json",
    "models_lines",
    "reproduction_json",
    "reproduction_lines",
    "trained_json",
    "trained_lines",
    "version_json",
    "version_lines",
]

_MOST_TRIALS = 20


def trained_lines(trained: Trained, event: ModelEvent, invocation: Invocation) -> list[RenderableType]:
    """A training: what was tried, how the winner did beside the baselines, what the gates said, what to do next."""
    declaration, dates = trained.declaration, trained.pinned.dates
    tried = grid(f"tried (validation {declaration.metric})", "value", "seconds", right=["value", "seconds"])
    for trial in trained.fitted.trials[:_MOST_TRIALS]:
        chosen = trial is trained.fitted.winner
        tried.add_row(
            Text(trial.name, style="bold" if chosen else ""), f"{trial.value:.5f}", f"{trial.seconds:.1f}"
        )
    count = sum(trained.rows[day] for day in dates.train)
    tested = sum(trained.rows[day] for day in dates.test)
    lines: list[RenderableType] = [
        f"{declaration.name} as of the night {dates.night}: {count:,} rows of {len(dates.train)} dates to train on "
        f"({dates.train[0]} .. {dates.train[-1]}), {tested:,} of {len(dates.test)} to test on "
        f"({dates.test[0]} .. {dates.test[-1]})",
        "",
        tried,
        "",
        _measured({"this model": trained.test, **trained.baselines}, METRICS[declaration.problem]),
        "",
        *_gate_lines([verdict.to_dict() for verdict in trained.verdicts]),
        "",
        event_line(event),
    ]
    model, version = declaration.name, event.version
    if trained.passed and not event.event.crowns:
        lines.append(f"put it to use: {invocation.command(f'models promote {model} {version}')}")
    lines.append(f"its card:      {invocation.command(f'models show {model} {version}')}")
    return lines


def _measured(found: Mapping[str, Evaluation], metrics: Sequence[str]) -> RenderableType:
    table = grid("test", *found, right=list(found))
    for metric in metrics:
        table.add_row(metric, *[interval_text(evaluation.metrics[metric]) for evaluation in found.values()])
    return table


def interval_text(found: Interval) -> str:
    """A number with its interval."""
    if math.isnan(found.value):
        return "-"
    digits = 1 if abs(found.value) >= 100 else 3
    if math.isnan(found.low):
        return f"{found.value:.{digits}f}"
    return f"{found.value:.{digits}f} ({found.low:.{digits}f} .. {found.high:.{digits}f})"


def _gate_lines(gates: Iterable[Mapping[str, Any]]) -> list[Text]:
    return [
        Text.assemble(
            ("passed  " if gate["passed"] else "refused ", "green" if gate["passed"] else "bold red"),
            f"{gate['gate']}: {gate['text']}",
        )
        for gate in gates
    ]


def event_line(event: ModelEvent) -> Text:
    """An event as a sentence."""
    name = f"{event.model} version {event.version}"
    first = f" from the batch {event.effective_from} on" if event.effective_from else ""
    shares = f"scores {event.share} % of the entities" if event.share else "is in shadow"
    said = {
        "registered": f"is the challenger{first}: every gate passed",
        "validation_failed": "is kept, and cannot be promoted: a gate refused it",
        "rollout": f"{shares}{first}",
        "promoted": f"is the champion{first}{' (forced)' if event.forced else ''}",
        "rolled_back": f"is the champion again{first}",
        "rejected": "is rejected",
    }[str(event.event)]
    because = f" ({event.reason})" if event.reason else ""
    return Text(f"{name} {said}{because}")


def models_lines(timelines: Sequence[ModelTimeline], invocation: Invocation) -> list[RenderableType]:
    """Every version of every model, newest first."""
    lines: list[RenderableType] = []
    for timeline in timelines:
        if not timeline.events:
            lines += [
                f"{timeline.model}: no version yet. {invocation.command(f'train {timeline.model}')}",
                "",
            ]
            continue
        table = grid(
            timeline.model,
            "state",
            "as of",
            "scores from",
            "run",
            "why",
            wrap=["why"],
            right=[timeline.model],
        )
        for version in reversed(timeline.versions):
            last, first = timeline.last(version), timeline.registered(version)
            assert last is not None
            assert first is not None
            table.add_row(
                str(version),
                _state(timeline, version),
                str(first.as_of),
                str(last.effective_from or "") if last.event.crowns or last.share else "",
                first.run_id,
                last.reason,
            )
        lines += [table, ""]
    return lines[:-1] or ["no models: a model is a file conf/models/<name>.yml"]


def _state(timeline: ModelTimeline, version: int) -> Text:
    champion, previous, last = timeline.champion, timeline.previous, timeline.last(version)
    if champion is not None and champion.version == version:
        return Text("champion", style="bold green")
    if previous is not None and previous.version == version:
        return Text("previous champion")
    assert last is not None
    styles = {"validation_failed": "red", "rejected": "red"}
    step = timeline.rollout_on(date.max)
    if step is not None and step.version == version:
        return Text(f"rollout, {step.share} %" if step.share else "rollout, in shadow", style="yellow")
    if timeline.challenger is not None and timeline.challenger.version == version:
        return Text("challenger")
    words = {
        "registered": "passed",
        "rollout": "passed",
        "promoted": "former champion",
        "rolled_back": "former champion",
    }
    return Text(words.get(str(last.event), str(last.event)), style=styles.get(str(last.event), ""))


def version_lines(timeline: ModelTimeline, event: ModelEvent, card: str) -> list[RenderableType]:
    """A version's events, then its gates, then its card."""
    table = grid("when (UTC)", "who", "what", "why", wrap=["what", "why"])
    for each in timeline.events:
        if each.version == event.version:
            table.add_row(
                f"{each.recorded_at:%Y-%m-%d %H:%M:%S}",
                each.who,
                f"{each.event}{' (forced)' if each.forced else ''}"
                + (f", {each.share} %" if each.share is not None else "")
                + (f", from {each.effective_from}" if each.effective_from else ""),
                each.reason,
            )
    return [table, "", *_gate_lines(event.gates), "", Markdown(card)]


def comparison_lines(found: Comparison) -> list[RenderableType]:
    """Two versions beside each other, with the interval of the difference."""
    first, second = (f"version {version}" for version in found.versions)
    rows = found.evaluations[0].rows
    return [
        f"{found.model}: both on the same {rows:,} rows, as of {found.dates[0]} .. {found.dates[-1]}",
        "",
        differences_table(found.versions, found.evaluations, found.differences),
        "",
        f"difference: {first} minus {second}, the same customers drawn for both; an interval that holds 0 tells no difference",
    ]


def differences_table(
    versions: Sequence[int], evaluations: Sequence[Evaluation], differences: Mapping[str, Interval]
) -> RenderableType:
    """Every metric of two versions on the same rows, and by how much the first exceeds the second."""
    names = [f"version {version}" for version in versions]
    table = grid("metric", *names, "difference", right=[*names, "difference"])
    for metric, gap in differences.items():
        table.add_row(metric, *[interval_text(e.metrics[metric]) for e in evaluations], interval_text(gap))
    return table


def reproduction_lines(found: Reproduction) -> list[RenderableType]:
    """A run beside its repetition."""
    table = grid("test", "recorded", "again", right=["recorded", "again"])
    for name, value in found.recorded.items():
        table.add_row(name, f"{value:.9f}", f"{found.again.get(name, math.nan):.9f}")
    verdict = (
        Text("the same: every metric and every score, to six decimals", style="bold green")
        if found.same
        else Text(
            f"not the same: {', '.join(found.differing) or 'no metric'} and {found.scores_differ:,} scores differ",
            style="bold red",
        )
    )
    lines: list[RenderableType] = [
        f"{found.model}, run {found.run_id}",
        "",
        table,
        "",
        f"scores compared: {found.scores:,}, of them different: {found.scores_differ:,}",
        verdict,
    ]
    return lines + [f"then and now: {text}" for text in found.environment]


def trained_json(trained: Trained, event: ModelEvent) -> dict[str, Any]:
    """A training for programs."""
    return {
        "model": trained.declaration.name,
        "as_of": trained.pinned.dates.night.isoformat(),
        "winner": trained.fitted.winner.name,
        "trials": [{"trial": t.name, "value": _number(t.value)} for t in trained.fitted.trials],
        "test": trained.test.to_dict()["metrics"],
        "baselines": {name: e.to_dict()["metrics"] for name, e in trained.baselines.items()},
        "gates": [verdict.to_dict() for verdict in trained.verdicts],
        "passed": trained.passed,
        "version": event_json(event),
    }


def event_json(event: ModelEvent) -> dict[str, Any]:
    """An event for programs."""
    return {
        "model": event.model,
        "version": event.version,
        "event": str(event.event),
        "recorded_at": event.recorded_at.isoformat(),
        "effective_from": event.effective_from.isoformat() if event.effective_from else None,
        "before": event.before,
        "run_id": event.run_id,
        "sha256": event.digest,
        "as_of": event.as_of.isoformat(),
        "who": event.who,
        "reason": event.reason,
        "forced": event.forced,
        "share": event.share,
        "gates": [dict(gate) for gate in event.gates],
    }


def models_json(timelines: Sequence[ModelTimeline]) -> dict[str, Any]:
    """Every model's events for programs."""
    return {
        timeline.model: {
            "champion": timeline.champion.version if timeline.champion else None,
            "previous_champion": timeline.previous.version if timeline.previous else None,
            "events": [event_json(event) for event in timeline.events],
        }
        for timeline in timelines
    }


def version_json(timeline: ModelTimeline, event: ModelEvent, card: str) -> dict[str, Any]:
    """A version for programs."""
    events = [event_json(each) for each in timeline.events if each.version == event.version]
    return {"model": timeline.model, "version": event.version, "events": events, "card": card}


def comparison_json(found: Comparison) -> dict[str, Any]:
    """A comparison for programs."""
    return {
        "model": found.model,
        "versions": list(found.versions),
        "rows": found.evaluations[0].rows,
        "metrics": [evaluation.to_dict()["metrics"] for evaluation in found.evaluations],
        "differences": {metric: interval_json(gap) for metric, gap in found.differences.items()},
    }


def reproduction_json(found: Reproduction) -> dict[str, Any]:
    """A reproduction for programs."""
    return {
        "model": found.model,
        "run_id": found.run_id,
        "same": found.same,
        "recorded": {name: _number(value) for name, value in found.recorded.items()},
        "again": {name: _number(value) for name, value in found.again.items()},
        "scores": found.scores,
        "scores_differ": found.scores_differ,
        "environment": list(found.environment),
    }


def interval_json(found: Interval) -> dict[str, float | None]:
    """A number with its interval for programs; null where undefined."""
    return {"value": _number(found.value), "low": _number(found.low), "high": _number(found.high)}


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
