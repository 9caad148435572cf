"""The model card: what a stranger must know before trusting a model, in Markdown.

Owns its sections and their sentences (Mitchell et al. 2019, "Model cards for model reporting"). Everything it says
comes from `CardFacts`; the text stays bounded whatever was tried.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping

from lakesmith.contracts.declaration import LESS_IS_BETTER, METRICS, Calibration
from lakesmith.ml.card_facts import CardFacts, ChampionFact, SplitFact, TableFact, TrialFact
from lakesmith.ml.evaluation_values import ClassificationCurves, Evaluation, RegressionCurves
from lakesmith.ml.markdown import table
from lakesmith.ml.wording import counted, interval_text, number_text, percent, size, thousands

__all__ = ["CardFacts", "ChampionFact", "SplitFact", "TableFact", "TrialFact", "model_card"]

_TRIALS_SHOWN = 12
_OTHERS_SHOWN = 6
_SEGMENTS_SHOWN = 12
_IMPORTANCES_SHOWN = 10

# What a glance at a segment, or the first lines of a card, should show.
_TELLING = {
    True: ("roc_auc", "pr_auc", "log_loss", "ece"),
    False: ("rmse", "mae", "bias", "spearman"),
}

_ECE_LIES_HIGH = (
    " The interval of the calibration error lies high, since resampling adds noise to every group of rows."
)

_NAMES = {
    "roc_auc": "ROC AUC",
    "pr_auc": "average precision",
    "log_loss": "log loss",
    "brier": "Brier score",
    "ece": "calibration error",
    "lift_10": "lift of the best tenth",
    "profit": "profit for 1,000 rows",
    "f1": "F1",
    "rmse": "RMSE",
    "mae": "MAE",
    "r2": "R²",
    "spearman": "rank correlation",
}


def model_card(facts: CardFacts) -> str:
    """The card as Markdown, ending in a newline.

    Args:
        facts: what it tells.
    """
    sections = {
        "In short": _in_short(facts),
        "Intended use": [facts.intended_use],
        "What it predicts": _prediction(facts),
        "Data": _data(facts),
        "Candidates": _candidates(facts),
        "Test": _test(facts),
        "Segments": _segments(facts),
        "Calibration": _calibration(facts),
        "Threshold": _threshold(facts),
        "What it looks at": _importances(facts),
        "Gates": _gates(facts),
        "Limits": ["\n".join(f"- {limit}" for limit in facts.limits)] if facts.limits else [],
        "How to reproduce it": _reproduction(facts),
    }
    blocks = [f"# {facts.title}", facts.description]
    for heading, content in sections.items():
        if found := list(content):
            blocks += [f"## {heading}", *found]
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def _in_short(facts: CardFacts) -> Iterator[str]:
    test, (first, *_) = facts.test, _TELLING[facts.classifies]
    lines = [f"- {_NAMES[first]} {interval_text(test.metrics[first])} on {_rows(test)} that it never saw."]
    merits = {name: _merit(first, each.metrics[first].value) for name, each in facts.baselines.items()}
    if merits and max(merits.values()) > -math.inf:
        best = max(merits, key=lambda name: merits[name])
        lines.append(
            f"- The best baseline, {best}, reaches {interval_text(facts.baselines[best].metrics[first])}."
        )
    if facts.champion is not None:
        compared = facts.champion
        lines.append(
            f"- Against the champion, version {compared.version}, its {_name(compared.metric)} differs by "
            f"{interval_text(compared.difference)}; {_better(compared.metric)} is better."
        )
    failed = sum(not verdict.passed for verdict in facts.gates)
    if failed:
        lines.append(
            f"- {failed} of {counted(len(facts.gates), 'gate')} failed: it must not become the champion."
        )
    elif facts.gates:
        lines.append("- It passes every gate.")
    lines.append(
        f"- Owner: {facts.owner}. Trained {facts.trained_at:%Y-%m-%d %H:%M} UTC by run {facts.run_id}."
    )
    yield "\n".join(lines)


def _prediction(facts: CardFacts) -> Iterator[str]:
    table_, _, column = facts.label.rpartition(".")
    what = "the probability that" if facts.classifies else "the number"
    yield (
        f"For each {facts.entity} in {facts.features_table} on an as-of date D: {what} `{column}` of {table_}"
        f"{' is true' if facts.classifies else ''}, as the days D+1 to D+{facts.horizon_days} decide. "
        f"It sees {facts.features} columns of {facts.features_table}, nothing later than D."
    )


def _data(facts: CardFacts) -> Iterator[str]:
    yield f"As known on the night {facts.night}."
    read = [
        [each.name, str(each.version), str(each.first), str(each.last), thousands(each.rows)]
        for each in facts.tables
    ]
    yield table(["table", "Delta version", "first batch", "last batch", "rows"], read)
    mean = "base rate" if facts.classifies else "mean label"
    parts = [
        [
            each.name,
            str(each.first),
            str(each.last),
            thousands(each.dates),
            thousands(each.rows),
            number_text(each.label_mean),
        ]
        for each in facts.splits
    ]
    yield table(["split", "first as-of date", "last", "dates", "rows", mean], parts)


def _candidates(facts: CardFacts) -> Iterator[str]:
    ranked = sorted(facts.trials, key=lambda trial: _merit(facts.metric, trial.value), reverse=True)
    yield f"Chosen by {_name(facts.metric)} on validation; {_better(facts.metric)} is better."
    shown = ranked[:_TRIALS_SHOWN]
    shown += [trial for trial in ranked[_TRIALS_SHOWN:] if trial.chosen]
    rows = [
        [
            trial.candidate,
            _parameters(trial.parameters),
            "chosen" if trial.chosen else "",
            f"{trial.value:.4f}",
        ]
        for trial in shown
    ]
    yield table(["candidate", "parameters", "", _name(facts.metric)], rows, left=3)
    if more := len(ranked) - len(shown):
        yield f"{more} more were tried and did worse."
    how = {
        Calibration.PLATT: "Its scores are calibrated by a logistic curve (Platt) fitted on validation.",
        Calibration.ISOTONIC: "Its scores are calibrated by isotonic regression on validation.",
        Calibration.NONE: "",
    }[facts.calibration]
    yield f"The winner is a {facts.algorithm.replace('_', ' ')}, trained again on all training dates. {how}"


def _test(facts: CardFacts) -> Iterator[str]:
    others = dict(list(facts.baselines.items())[:_OTHERS_SHOWN])
    named = {"model": facts.test}
    if facts.champion is not None:
        named[f"champion (version {facts.champion.version})"] = facts.champion.evaluation
    named |= {f"baseline {name}": evaluation for name, evaluation in others.items()}
    rows = []
    for metric in METRICS[facts.test.problem]:
        found = [evaluation.metrics[metric] for evaluation in named.values()]
        largest = max(size(interval) for interval in found)
        label = f"{_name(metric)} ↓" if metric in LESS_IS_BETTER else _name(metric)
        rows.append([label, *(interval_text(interval, beside=largest) for interval in found)])
    yield table(["metric", *named], rows)
    more = len(facts.baselines) - len(others)
    yield (
        f"{_rows(facts.test)}; in brackets 95 % intervals from {facts.test.replicates} resamplings of the entities. "
        "Of metrics with ↓ less is better"
        f"{', of the bias by its size' if 'bias' in facts.test.metrics else ''}."
        f"{_ECE_LIES_HIGH if facts.classifies else ''}"
        f"{f' {more} more baselines are in evaluation.json.' if more else ''}"
    )


def _segments(facts: CardFacts) -> Iterator[str]:
    telling = _TELLING[facts.classifies]
    mean = "base rate" if facts.classifies else "mean label"
    for name, values in facts.segments.items():
        ranked = sorted(values.items(), key=lambda pair: (-pair[1].rows, pair[0]))
        rows = [
            [
                text,
                thousands(each.rows),
                thousands(each.entities),
                number_text(each.label_mean),
                *(interval_text(each.metrics[metric]) for metric in telling),
            ]
            for text, each in ranked[:_SEGMENTS_SHOWN]
        ]
        header = [name, "rows", "entities", mean, *(_name(metric) for metric in telling)]
        yield table(header, rows)
        if more := len(ranked) - len(rows):
            yield f"{more} smaller ones are in evaluation.json."


def _calibration(facts: CardFacts) -> Iterator[str]:
    curves = facts.test.curves
    if isinstance(curves, ClassificationCurves):
        filled = [each for each in curves.calibration if each.count]
        common = [each for each in filled if each.count >= facts.test.rows / 100]
        worst = max(common or filled, key=lambda each: abs(each.observed - each.predicted))
        yield (
            f"The calibration error is {interval_text(facts.test.metrics['ece'])}. Of the groups with at least a "
            f"hundredth of the rows the one around {percent(worst.predicted)} is farthest off: there "
            f"{percent(worst.observed)} were observed."
        )
        rows = [
            [
                f"{each.low:.1f} to {each.low + 0.1:.1f}",
                number_text(each.predicted),
                number_text(each.observed),
                thousands(each.count),
            ]
            for each in filled
        ]
        yield table(["probability", "mean", "observed share", "rows"], rows)
    else:
        yield from _deciles(curves)


def _deciles(curves: RegressionCurves) -> Iterator[str]:
    yield "By tenths of the predictions, lowest first. Eight of ten rows lie between the last two columns."
    rows = [
        [
            str(at),
            thousands(each.count),
            number_text(each.predicted),
            number_text(each.observed),
            number_text(each.residual_low),
            number_text(each.residual_high),
        ]
        for at, each in enumerate(curves.deciles, start=1)
    ]
    header = ["tenth", "rows", "mean prediction", "mean label", "label − prediction from", "to"]
    yield table(header, rows)


def _threshold(facts: CardFacts) -> Iterator[str]:
    test = facts.test
    if test.threshold is None or test.costs is None or test.confusion is None:
        return
    unit = f" {facts.currency}" if facts.currency else ""
    costs = f"A contact costs {test.costs.contact:g}{unit} and brings {test.costs.gain:g}{unit} where the label is true."
    if test.threshold > 1:
        yield f"{costs} At these costs no contact paid on validation: nobody is contacted."
        return
    found = test.confusion
    contacted = found.true_positives + found.false_positives
    yield (
        f"{costs} Contacting from a probability of {number_text(test.threshold)} on paid best on validation. On the "
        f"test rows that contacts {thousands(contacted)} of {thousands(test.rows)} rows "
        f"({percent(contacted / test.rows)}) and brings {interval_text(test.metrics['profit'])}{unit} for 1,000 rows."
    )
    yield "\n".join(
        [
            f"- {thousands(found.true_positives)} contacted, label true: "
            f"{percent(test.metrics['precision'].value)} of the contacted (precision).",
            f"- {thousands(found.false_positives)} contacted, label false.",
            f"- {thousands(found.false_negatives)} left out, label true: {percent(test.metrics['recall'].value)} of "
            "those with a true label were reached (recall).",
            f"- {thousands(found.true_negatives)} left out, label false.",
        ]
    )


def _importances(facts: CardFacts) -> Iterator[str]:
    if not facts.importances:
        return
    ranked = sorted(facts.importances.items(), key=lambda pair: (-abs(pair[1]), pair[0]))
    shown = ranked[:_IMPORTANCES_SHOWN]
    yield table(
        ["feature", facts.importance_measure],
        [[name, number_text(value, beside=ranked[0][1])] for name, value in shown],
    )
    if more := len(ranked) - len(shown):
        yield f"{more} more matter less."


def _gates(facts: CardFacts) -> Iterator[str]:
    if not facts.gates:
        return
    rows = [
        ["passed" if verdict.passed else "FAILED", verdict.gate, verdict.text]
        for verdict in sorted(facts.gates, key=lambda verdict: verdict.passed)
    ]
    yield table(["verdict", "gate", "found and needed"], rows, left=3)


def _reproduction(facts: CardFacts) -> Iterator[str]:
    yield f"```\nlakesmith models reproduce {facts.run_id}\n```"
    yield (
        f"It reads the same table versions, trains with the seed {facts.seed} and compares the metrics. "
        f"The code was {facts.code_version}."
    )
    yield table(
        ["package", "version"], [[name, version] for name, version in facts.environment.items()], left=2
    )


def _rows(evaluation: Evaluation) -> str:
    return f"{counted(evaluation.rows, 'row')} of {counted(evaluation.entities, 'entity', 'entities')}"


def _name(metric: str) -> str:
    return _NAMES.get(metric, metric)


def _better(metric: str) -> str:
    return "less" if metric in LESS_IS_BETTER else "more"


def _merit(metric: str, value: float) -> float:
    """A number that is larger for a better value; the least there is for an undefined one."""
    if math.isnan(value):
        return -math.inf
    return -abs(value) if metric == "bias" else -value if metric in LESS_IS_BETTER else value


def _exact(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.4f}".replace("-", "\N{MINUS SIGN}")


def _parameters(parameters: Mapping[str, object]) -> str:
    chosen: Iterable[str] = (f"{name}={value}" for name, value in parameters.items())
    return ", ".join(chosen) or "default"
