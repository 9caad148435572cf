"""The page of a model: which version is in use and why, how good each is, and its card. Pure but for the reading of artifacts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from lakesmith.contracts.declaration import LESS_IS_BETTER, METRICS, ModelDeclaration, ProblemKind
from lakesmith.engine.context import Context
from lakesmith.errors import LakesmithError
from lakesmith.extras import needs_extra
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind, ModelTimeline
from lakesmith.ml.evaluation_values import ClassificationCurves, Evaluation, Interval
from lakesmith.ml.store import EVALUATION_FILE, ModelStore
from lakesmith.ml.wording import interval_text
from lakesmith.monitoring.stored import MetricOutcome, newest_outcomes
from lakesmith.site import charts
from lakesmith.site.charts import Chart
from lakesmith.site.snapshot import Snapshot
from lakesmith.site.words import amount, share, whole

__all__ = ["ModelView", "Outcome", "Version", "model_view"]

_VERSIONS = 10


@dataclass(frozen=True)
class Version:
    """One version and what became of it.

    Args:
        role: champion, challenger, previous champion, rejected, or the last event.
        metrics: on its own test, as texts.
    """

    event: ModelEvent
    role: str
    since: date | None
    metrics: Mapping[str, str]


@dataclass(frozen=True)
class Outcome:
    """A metric on the newest labels, beside the version's test.

    Args:
        now, test: with their intervals, as texts.
        said: the verdict in words.
    """

    found: MetricOutcome
    now: str
    test: str
    said: str


@dataclass(frozen=True)
class ModelView:
    """Everything that the page of a model says.

    Args:
        shown: the version whose evaluation and card are shown; None without any.
        parts: what it was measured on, the model first, then baselines; each with its metrics as texts.
        card: as HTML of our own making; empty where there is none.
        missing: why there is no evaluation or card, in words.
        outcomes: what the newest labels say of it.
    """

    declaration: ModelDeclaration
    timeline: ModelTimeline
    versions: Sequence[Version]
    shown: ModelEvent | None
    metrics: Sequence[tuple[str, bool]]
    parts: Sequence[tuple[str, str, Mapping[str, str]]]
    gates: Sequence[Mapping[str, Any]]
    charts: Sequence[Chart]
    card: str
    missing: str
    outcomes: Sequence[Outcome]
    performance_chart: Chart | None


def model_view(context: Context, snapshot: Snapshot, model: str) -> ModelView:
    """The page of one model.

    Args:
        context: for the place where artifacts are kept.
    """
    declaration, timeline = context.project.models[model], snapshot.timelines[model]
    store = ModelStore(context.settings)
    shown = snapshot.champion(model) or timeline.challenger
    if shown is None and timeline.versions:
        shown = timeline.registered(max(timeline.versions))
    evaluations, card, missing = _artifacts(store, model, shown)
    names = METRICS[declaration.problem]
    tests = {
        number: _stored(store, model, event)
        for number in sorted(timeline.versions, reverse=True)[:_VERSIONS]
        if (event := timeline.registered(number)) is not None
    }
    performance = [row for row in snapshot.metrics.performance if row.model_name == model]
    return ModelView(
        declaration=declaration,
        timeline=timeline,
        versions=[_version(timeline, number, tests[number], names) for number in tests],
        shown=shown,
        metrics=[(name, name in LESS_IS_BETTER) for name in names],
        parts=_parts(evaluations),
        gates=shown.gates if shown is not None else (),
        charts=_charts(evaluations.get("test")),
        card=_html(card),
        missing=missing,
        outcomes=_outcomes(performance),
        performance_chart=_performance(performance, declaration.metric),
    )


def _artifacts(
    store: ModelStore, model: str, event: ModelEvent | None
) -> tuple[dict[str, Evaluation], str, str]:
    """The evaluations and the card of a version; or why they are not there."""
    if event is None:
        return {}, "", f"No version was trained yet: lakesmith train {model}"
    found, missing, card = dict[str, Evaluation](), "", ""
    try:
        with store.artifacts(model, event.run_id, "model_card.md") as path:
            card = path.read_text(encoding="utf-8")
        with store.artifacts(model, event.run_id, EVALUATION_FILE) as path:
            stored = json.loads(path.read_text(encoding="utf-8"))
        for part in ("test", "validation"):
            if stored.get(part):
                found[part] = Evaluation.from_dict(stored[part])
        for name, baseline in stored.get("baselines", {}).items():
            found[f"baseline {name}"] = Evaluation.from_dict(baseline)
        if stored.get("champion"):
            found["the champion of then"] = Evaluation.from_dict(
                stored["champion"].get("evaluation", stored["champion"])
            )
    except (LakesmithError, OSError, ValueError) as error:
        missing = str(error)
    return found, card, missing


def _stored(store: ModelStore, model: str, event: ModelEvent) -> Evaluation | None:
    """The evaluation of a version on its test; None where it is not there."""
    return _artifacts(store, model, event)[0].get("test")


def _version(timeline: ModelTimeline, number: int, test: Evaluation | None, names: Sequence[str]) -> Version:
    event, last = timeline.registered(number), timeline.last(number)
    assert event is not None
    assert last is not None
    champion, challenger, previous = timeline.champion, timeline.challenger, timeline.previous
    role = str(last.event).replace("_", " ")
    if champion is not None and champion.version == number:
        role = "champion"
    elif challenger is not None and challenger.version == number:
        role = "challenger"
    elif last.event is ModelEventKind.REJECTED:
        role = "rejected"
    elif previous is not None and previous.version == number:
        role = "previous champion"
    found = {name: interval_text(test.metrics[name]) for name in names} if test is not None else {}
    return Version(event, role, last.effective_from, found)


def _parts(evaluations: Mapping[str, Evaluation]) -> list[tuple[str, str, Mapping[str, str]]]:
    return [
        (
            part,
            f"{whole(found.rows)} rows",
            {name: interval_text(interval) for name, interval in found.metrics.items()},
        )
        for part, found in evaluations.items()
    ]


def _charts(test: Evaluation | None) -> list[Chart]:
    """Calibration and lift of a classification; nothing of a regression, whose card has its tables."""
    if test is None or not isinstance(test.curves, ClassificationCurves):
        return []
    bins = [b for b in test.curves.calibration if b.count and not math.isnan(b.predicted)]
    points = [(b.predicted, b.observed) for b in bins]
    worst = max((abs(b.predicted - b.observed) for b in bins), default=math.nan)
    lifts = {f"{at}": lift for at, lift in enumerate(test.curves.lift, start=1) if not math.isnan(lift)}
    found = [
        charts.pair(
            "Calibration",
            f"Of those with a probability p, about p should come true; the worst bin is off by {share(worst)}.",
            points,
            "predicted probability",
            "share that came true",
            diagonal=True,
            domain=(0.0, 1.0),
        )
    ]
    if lifts:
        best = next(iter(lifts.values()))
        says = f"The best tenth comes true {amount(best, 3)} times as often as all."
        found.append(
            charts.histogram(
                "Lift by tenth", says, list(lifts), {"lift": list(lifts.values())}, "times the base rate"
            )
        )
    edges, counts = test.curves.probabilities.edges, test.curves.probabilities.counts
    labels = [f"{low:.2f}" for low in edges[:-1]]
    total = max(sum(counts), 1)
    shares = {"rows": [100 * n / total for n in counts]}
    found.append(
        charts.histogram(
            "Scores on the test",
            f"{whole(test.rows)} rows by probability.",
            labels,
            shares,
            "share of rows, %",
        )
    )
    return found


def _outcomes(found: Sequence[MetricOutcome]) -> list[Outcome]:
    """What the newest labels say, metric by metric."""
    newest = [each for each in newest_outcomes(found) if each.slice == ""]
    order = {
        name: at
        for at, name in enumerate((*METRICS[ProblemKind.CLASSIFICATION], *METRICS[ProblemKind.REGRESSION]))
    }
    newest.sort(key=lambda o: (o.model_version, o.role, order.get(o.metric, len(order)), o.metric))
    return [
        Outcome(
            each,
            _ends(each.value, each.lower, each.upper),
            _ends(each.test_value, each.test_lower, each.test_upper),
            _said(each),
        )
        for each in newest
    ]


def _ends(*ends: float | None) -> str:
    value, low, high = (math.nan if each is None else each for each in ends)
    return interval_text(Interval(value, low, high))


def _said(outcome: MetricOutcome) -> str:
    if not outcome.worse:
        return outcome.verdict or "no test to compare with"
    if outcome.concept_drift:
        return "worse: concept drift, inputs are stable"
    return f"worse; inputs: {outcome.input_drift}"


def _performance(rows: Sequence[MetricOutcome], metric: str) -> Chart | None:
    """The model's own metric on labels that came since, batch by batch, beside the test; None before there are any."""
    # In order of versions: of several that served a batch, the newest.
    known = {row.batch_date: row for row in rows if row.in_use and row.metric == metric}
    known = {day: row for day, row in known.items() if row.value is not None}
    if len(known) < 2:
        return None
    days = sorted(known)
    says = f"{metric} on labels that came since, {days[0]} to {days[-1]}; the newest is {amount(known[days[-1]].value)}."
    series = {
        metric: [known[day].value for day in days],
        "in its test": [known[day].test_value for day in days],
    }
    return charts.lines("Performance since promotion", says, days, series, metric)


def _html(card: str) -> str:
    """A card's Markdown as HTML: markup in it is shown as text, and links other than web addresses are none."""
    if not card:
        return ""
    with needs_extra("site"):
        from markdown_it import MarkdownIt
    made = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = made.parse(card)
    for token in tokens:
        if token.tag in ("h1", "h2", "h3"):
            # Below the page's own headings.
            token.tag = f"h{int(token.tag[1]) + 2}"
        if token.attrs.pop("style", None) == "text-align:right":
            # The page's policy allows no styles but those of its sheet.
            token.attrs["class"] = "n"
    return str(made.renderer.render(tokens, made.options, {}))
