"""The rows of `monitoring.model_performance`: how a model does on the labels that came since, beside its own test.

Owns what is measured together, when a metric is called worse, and when that is concept drift. Metrics and intervals are those of
`lakesmith.ml.evaluation`, as training takes them. No Spark.

A metric is worse when both hold: its whole interval lies beyond the whole interval of the test, so that chance hardly explains
it, and it is worse by a part of the test's figure that matters. Labels of neighbouring days are mostly of the same entities and
overlap: intervals come from resampling entities, and a longer window is taken only where a shorter one has too few of them.

It is concept drift when a metric is worse although the inputs, judged by the same version's training, are stable. Where nothing
was said of the inputs, nothing is said of that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from lakesmith.contracts.declaration import LESS_IS_BETTER, METRICS, Costs, ModelDeclaration, ProblemKind
from lakesmith.contracts.model import BATCH_DATE
from lakesmith.ml.bootstrap import FloatArray, IntArray
from lakesmith.ml.evaluation import Evaluation, classification, regression
from lakesmith.ml.evaluation_values import Interval
from lakesmith.monitoring.metric_rows import MONITOR_VERSION, WINDOW, granularity, window_of
from lakesmith.monitoring.stored import DRIFTED, SHADOW

__all__ = [
    "PERFORMANCE_COLUMNS",
    "PERFORMANCE_SETTINGS",
    "InputDrift",
    "LabelledScores",
    "PerformanceSettings",
    "PerformanceVerdict",
    "TestFigures",
    "input_drift",
    "performance_rows",
    "performance_settings",
]

PERFORMANCE_SETTINGS = "monitoring.performance."
"""What the names of these settings begin with, as a transform reads them."""

# With fewer rows of a class a resampled ranking says little.
_LEAST_OF_A_CLASS = 20

PERFORMANCE_COLUMNS: Mapping[str, str] = {
    "window": WINDOW,
    "granularity": "string",
    "monitor_version": "bigint",
    "model_name": "string",
    "model_version": "int",
    "role": "string",
    "table_name": "string",
    "slice_key": "string",
    "slice_value": "string",
    "slice": "string",
    "metric": "string",
    "value": "double",
    "lower": "double",
    "upper": "double",
    "rows": "bigint",
    "entities": "bigint",
    "share": "double",
    "test_value": "double",
    "test_lower": "double",
    "test_upper": "double",
    "effect": "double",
    "effect_limit": "double",
    "baselines": "array<struct<name:string,value:double,test_value:double>>",
    "verdict": "string",
    "input_drift": "string",
    "drifted_inputs": "array<string>",
    "concept_drift": "boolean",
}
"""The columns of the table and their types, beside the batch."""


class PerformanceVerdict(StrEnum):
    """What is said of a metric of a window."""

    WORSE = "worse"
    STABLE = "stable"
    TOO_FEW = "too few"


class InputDrift(StrEnum):
    """What is said of a model's inputs on a day."""

    STABLE = "stable"
    DRIFTED = "drifted"
    TOO_FEW = "too few"
    """Some of them could not be judged, and none has drifted."""
    NOT_JUDGED = "not judged"
    """Nothing was said of them, or by what another version was trained on."""


@dataclass(frozen=True)
class PerformanceSettings:
    """When a model is said to do worse.

    Args:
        effect: by which part of the test's figure a metric must be worse.
        least_entities: fewer entities in a window are too few to say anything.
        windows: lengths in days, ascending; the first one with enough entities is judged.
    """

    effect: float = 0.05
    least_entities: int = 500
    windows: tuple[int, ...] = (1, 7, 28)


@dataclass(frozen=True)
class TestFigures:
    """What a version was found to be when it was trained.

    Args:
        metrics: on its test.
        threshold: the score from which an entity is contacted; None for a number.
        segments: segment and text -> metrics on these rows of the test.
        baselines: name -> metrics on the test.
        train_mean: mean label of the training rows, which is what a baseline without features says of everybody; None where it
            was not kept.
    """

    __test__ = False

    metrics: Mapping[str, Interval]
    threshold: float | None = None
    segments: Mapping[tuple[str, str], Mapping[str, Interval]] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    train_mean: float | None = None

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> TestFigures:
        """Those of the evaluations that a training leaves.

        Raises:
            EvaluationUnreadable: they were written in another form.
        """
        test = Evaluation.from_dict(stored["test"])
        return cls(
            test.metrics,
            test.threshold,
            {
                (name, text): Evaluation.from_dict(found).metrics
                for name, texts in stored.get("segments", {}).items()
                for text, found in texts.items()
            },
            {
                name: {metric: each.value for metric, each in Evaluation.from_dict(found).metrics.items()}
                for name, found in stored.get("baselines", {}).items()
            },
            stored.get("train_mean"),
        )

    def to_dict(self) -> dict[str, Any]:
        """The figures in JSON's types; NaN as null."""
        return {
            "metrics": _plain(self.metrics),
            "threshold": self.threshold,
            "segments": [[*key, _plain(found)] for key, found in self.segments.items()],
            "baselines": {name: {m: _finite(v) for m, v in f.items()} for name, f in self.baselines.items()},
            "train_mean": self.train_mean,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TestFigures:
        """The figures that `to_dict` gave."""
        return cls(
            _intervals(stored["metrics"]),
            stored["threshold"],
            {(name, text): _intervals(found) for name, text, found in stored["segments"]},
            {name: {m: _number(v) for m, v in found.items()} for name, found in stored["baselines"].items()},
            stored["train_mean"],
        )


@dataclass(frozen=True)
class LabelledScores:
    """Scores of a table whose labels are known, of one or several days.

    Args:
        scores: float64 (n,).
        labels: float64 (n,); 0 and 1 for a class.
        entities: int64 (n,); equal numbers are one entity.
        versions: int64 (n,), of the model.
        roles: text (n,), what served each row.
        segments: name of a segment -> its texts (n,), None where it has none.
    """

    scores: FloatArray
    labels: FloatArray
    entities: IntArray
    versions: IntArray
    roles: npt.NDArray[np.object_]
    segments: Mapping[str, npt.NDArray[np.object_]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.scores)

    def where(self, chosen: npt.NDArray[np.bool_]) -> LabelledScores:
        """Some of the rows."""
        return LabelledScores(
            self.scores[chosen],
            self.labels[chosen],
            self.entities[chosen],
            self.versions[chosen],
            self.roles[chosen],
            {name: texts[chosen] for name, texts in self.segments.items()},
        )

    def of(self, version: int, role: str) -> LabelledScores:
        """The rows that a version served in a role."""
        return self.where((self.versions == version) & (self.roles == role))

    @staticmethod
    def together(parts: Sequence[LabelledScores]) -> LabelledScores:
        """The rows of several days, at least one."""
        return LabelledScores(
            np.concatenate([part.scores for part in parts]),
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.entities for part in parts]),
            np.concatenate([part.versions for part in parts]),
            np.concatenate([part.roles for part in parts]),
            {name: np.concatenate([p.segments[name] for p in parts]) for name in parts[0].segments},
        )


@dataclass(frozen=True)
class Inputs:
    """What is said of a model's inputs.

    Args:
        drifted: the columns that have drifted.
    """

    drift: InputDrift = InputDrift.NOT_JUDGED
    drifted: tuple[str, ...] = ()


def performance_settings(read: Mapping[str, Any]) -> PerformanceSettings:
    """When a model is said to do worse, from the settings that a transform may read.

    Args:
        read: with the names `monitoring.performance.<setting>`.
    """
    values = {each.name: read[f"{PERFORMANCE_SETTINGS}{each.name}"] for each in fields(PerformanceSettings)}
    return PerformanceSettings(**{**values, "windows": tuple(values["windows"])})


def input_drift(model: ModelDeclaration, version: int, rows: Iterable[Mapping[str, Any]]) -> Inputs:
    """What the table of drift says of a model's inputs on a day.

    Args:
        version: whose training they must have been judged by; a baseline of batches, not of a model, is as good.
        rows: of that day, with `table_name`, `column_name`, `verdict` and `baseline`, about whole tables against their baselines.
    """
    said = {
        row["column_name"]: row["verdict"]
        for row in rows
        if row["table_name"] == model.features_table
        and row["column_name"] in model.features
        and row["verdict"] is not None
        and _speaks_of(model.name, version, row["baseline"] or "")
    }
    if not said:
        return Inputs()
    if drifted := sorted(name for name, verdict in said.items() if verdict == DRIFTED):
        return Inputs(InputDrift.DRIFTED, tuple(drifted))
    stable = all(verdict == InputDrift.STABLE for verdict in said.values())
    return Inputs(InputDrift.STABLE if stable else InputDrift.TOO_FEW)


def performance_rows(
    model: ModelDeclaration,
    table: str,
    day: date,
    days: Mapping[date, LabelledScores],
    tests: Mapping[int, TestFigures | None],
    drift: Sequence[Mapping[str, Any]],
    settings: PerformanceSettings,
    *,
    shadow: bool = False,
    share: float = 1.0,
) -> Iterator[dict[str, Any]]:
    """The rows about a table of scores on a day: each version that scored some of them, in each role.

    Args:
        table: of the scores.
        days: the day, and of those before it as many as the longest window has, each as far as it is there.
        tests: of each version that scored on the day; None where nothing is known of it.
        drift: as `input_drift` has it.
        shadow: nobody acted upon the scores.
        share: of the entities that the rows are about; below 1 of a sample.

    Returns:
        Rows with `PERFORMANCE_COLUMNS` and `batch_date`.

    Raises:
        NotEvaluable: scores or labels that nothing can be measured on.
    """
    known = days.get(day)
    if known is None or not len(known):
        return
    for version, role in sorted({(int(v), str(r)) for v, r in zip(known.versions, known.roles, strict=True)}):
        length, window = _window(day, days, version, role, settings)
        test, inputs = tests.get(version), input_drift(model, version, drift)
        facts = {
            "window": window_of(day, length),
            "granularity": granularity(length),
            "monitor_version": MONITOR_VERSION,
            "model_name": model.name,
            "model_version": version,
            "role": SHADOW if shadow else role,
            "table_name": table,
            "share": share,
            "effect_limit": settings.effect,
            "input_drift": str(inputs.drift),
            "drifted_inputs": list(inputs.drifted),
            BATCH_DATE: day,
        }
        for key, text, chosen in _slices(window):
            compared = test.metrics if test is not None else {}
            if key is not None:
                compared = test.segments.get((key, str(text)), {}) if test is not None else {}
            sliced = {"slice_key": key, "slice_value": text, "slice": _slice(key, text)}
            for row in _measured(model, chosen, test, compared, inputs, settings, whole=key is None):
                yield {**facts, **sliced, **row}


def _speaks_of(model: str, version: int, baseline: str) -> bool:
    """True when a baseline is what a version was trained on, or batches."""
    return baseline == f"{model} version {version}" or " version " not in baseline


def _window(
    day: date,
    days: Mapping[date, LabelledScores],
    version: int,
    role: str,
    settings: PerformanceSettings,
) -> tuple[int, LabelledScores]:
    """The shortest window with enough entities, else the longest, and its rows."""
    for length in settings.windows:
        near = [day - timedelta(back) for back in reversed(range(length))]
        rows = LabelledScores.together([days[each].of(version, role) for each in near if each in days])
        if len(np.unique(rows.entities)) >= settings.least_entities:
            break
    return length, rows


def _slices(rows: LabelledScores) -> Iterator[tuple[str | None, str | None, LabelledScores]]:
    """All rows, and those of each text of each segment."""
    yield None, None, rows
    for name, texts in rows.segments.items():
        for text in sorted(set(texts), key=lambda each: (each is not None, each or "")):
            chosen = np.array([each == text for each in texts], dtype=np.bool_)
            yield name, text, rows.where(chosen)


def _slice(key: str | None, text: str | None) -> str:
    if key is None:
        return ""
    return f"{key} is null" if text is None else f"{key} = {text}"


def _measured(
    model: ModelDeclaration,
    rows: LabelledScores,
    test: TestFigures | None,
    compared: Mapping[str, Interval],
    inputs: Inputs,
    settings: PerformanceSettings,
    *,
    whole: bool,
) -> Iterator[dict[str, Any]]:
    threshold = test.threshold if test is not None else None
    found = _evaluation(model, rows, rows.scores, threshold, model.bootstrap)
    enough = found.entities >= settings.least_entities and _both_classes(model, rows)
    baselines = _baselines(model, rows, test, threshold) if whole else {}
    for metric in METRICS[model.problem]:
        now, then = found.metrics[metric], compared.get(metric)
        effect = _effect(metric, now, then)
        verdict = _verdict(metric, now, then, effect, settings) if enough else PerformanceVerdict.TOO_FEW
        yield {
            "metric": metric,
            "value": _finite(now.value),
            "lower": _finite(now.low),
            "upper": _finite(now.high),
            "rows": found.rows,
            "entities": found.entities,
            "test_value": _finite(then.value) if then is not None else None,
            "test_lower": _finite(then.low) if then is not None else None,
            "test_upper": _finite(then.high) if then is not None else None,
            "effect": effect,
            "baselines": baselines.get(metric),
            "verdict": str(verdict) if verdict is not None else None,
            "concept_drift": _concept_drift(verdict, inputs.drift),
        }


def _evaluation(
    model: ModelDeclaration,
    rows: LabelledScores,
    scores: FloatArray,
    threshold: float | None,
    replicates: int,
) -> Evaluation:
    if model.problem is ProblemKind.REGRESSION:
        return regression(rows.labels, scores, rows.entities, replicates=replicates, seed=model.seed)
    return classification(
        rows.labels.astype(np.bool_),
        scores,
        rows.entities,
        threshold=0.5 if threshold is None else threshold,
        costs=model.costs or Costs(0.0, 0.0),
        replicates=replicates,
        seed=model.seed,
    )


def _both_classes(model: ModelDeclaration, rows: LabelledScores) -> bool:
    positives = int(np.count_nonzero(rows.labels))
    rarer = min(positives, len(rows) - positives)
    return model.problem is ProblemKind.REGRESSION or rarer >= _LEAST_OF_A_CLASS


def _baselines(
    model: ModelDeclaration, rows: LabelledScores, test: TestFigures | None, threshold: float | None
) -> dict[str, list[dict[str, Any]]]:
    """Each metric's baselines: what they were on the test, and, of one without features, what it is on these rows."""
    if test is None:
        return {}
    now: dict[str, Mapping[str, Interval]] = {}
    for baseline in model.baselines:
        if not baseline.features and test.train_mean is not None:
            constant = np.full(len(rows), test.train_mean)
            now[baseline.name] = _evaluation(model, rows, constant, threshold, 0).metrics
    return {
        metric: [
            {
                "name": name,
                "value": _finite(now[name][metric].value) if name in now else None,
                "test_value": _finite(then[metric]),
            }
            for name, then in test.baselines.items()
        ]
        for metric in METRICS[model.problem]
    }


def _verdict(
    metric: str, now: Interval, then: Interval | None, effect: float | None, settings: PerformanceSettings
) -> PerformanceVerdict | None:
    if then is None or math.isnan(then.value):
        return None
    ours, theirs = (_size(each) if metric == "bias" else each for each in (now, then))
    if any(math.isnan(each) for each in (ours.low, ours.high, theirs.low, theirs.high)):
        return PerformanceVerdict.TOO_FEW
    beyond = ours.low > theirs.high if metric in LESS_IS_BETTER else ours.high < theirs.low
    matters = effect is None or effect >= settings.effect
    return PerformanceVerdict.WORSE if beyond and matters else PerformanceVerdict.STABLE


def _effect(metric: str, now: Interval, then: Interval | None) -> float | None:
    """By which part of the test's figure a metric is worse, below 0 where it is better; None of a test's 0."""
    if then is None:
        return None
    ours, theirs = (abs(each.value) if metric == "bias" else each.value for each in (now, then))
    worse = ours - theirs if metric in LESS_IS_BETTER else theirs - ours
    return _finite(worse / abs(theirs)) if theirs else None


def _size(bias: Interval) -> Interval:
    """The interval of a bias' absolute value."""
    ends = sorted((abs(bias.low), abs(bias.high)))
    return Interval(abs(bias.value), 0.0 if bias.low < 0 < bias.high else ends[0], ends[1])


def _concept_drift(verdict: PerformanceVerdict | None, inputs: InputDrift) -> bool | None:
    if verdict is PerformanceVerdict.STABLE or (
        verdict is PerformanceVerdict.WORSE and inputs is InputDrift.DRIFTED
    ):
        return False
    return True if verdict is PerformanceVerdict.WORSE and inputs is InputDrift.STABLE else None


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _plain(metrics: Mapping[str, Interval]) -> dict[str, list[float | None]]:
    return {name: [_finite(each) for each in (i.value, i.low, i.high)] for name, i in metrics.items()}


def _intervals(stored: Mapping[str, Sequence[float | None]]) -> dict[str, Interval]:
    return {name: Interval(*(_number(each) for each in ends)) for name, ends in stored.items()}
