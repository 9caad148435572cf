"""The grammar of conf/models/<name>.yml.

Owns what a model's declaration may say and every message about one file of them. How it fits the tables is
`lakesmith.contracts.model_links`; which parameters an algorithm has, `lakesmith.contracts.estimators`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from lakesmith.contracts.declaration import (
    METRICS,
    Algorithm,
    Baseline,
    Calibration,
    Candidate,
    Costs,
    Floors,
    Gates,
    Label,
    ModelDeclaration,
    Preparation,
    ProblemKind,
    Rollout,
    Scalar,
    Split,
)
from lakesmith.contracts.estimators import SEARCHABLE, SearchParameter
from lakesmith.contracts.problems import Document, Entry, nearest
from lakesmith.contracts.windows import parse_days

__all__ = ["check_model_name", "read_model"]

_T = TypeVar("_T")

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_NAME_GRAMMAR = "a letter, then letters, digits and _, all lower-case"
_MOST_SEED = 2**31 - 1  # numpy, MLflow and Spark take any seed up to here
_HUGE = 1e15

_REQUIRED = (
    *("model", "description", "owner", "problem", "entity", "features", "label", "split", "candidates"),
    *("budget", "metric", "baselines", "gates", "seed", "intended_use"),
)
_OPTIONAL = ("calibration", "costs", "rollout", "floors", "segments", "bootstrap", "limits")

_AT_A_THRESHOLD = frozenset({"profit", "accuracy", "precision", "recall", "f1"})
_SHARES = frozenset({"roc_auc", "pr_auc", "brier", "ece", "accuracy", "precision", "recall", "f1"})


def check_model_name(document: Document, name: str) -> None:
    """Reports a file whose name cannot be a model's."""
    if not _NAME.fullmatch(name):
        document.report((), f"the file's name must be {_NAME_GRAMMAR}, found {name!r}")


def read_model(document: Document, name: str) -> ModelDeclaration:
    """The declaration of a file; defaults stand in for mistakes, which are in `document.problems`.

    Args:
        document: the file.
        name: the file's name without its ending, which is the model's name.

    Returns:
        The declaration, without features where the file leaves them to the features table's contract.
    """
    fields = document.top.fields(_REQUIRED, _OPTIONAL)
    fields.read("model", lambda entry: _same_name(entry, name), None)
    problem = fields.read("problem", lambda entry: entry.member(ProblemKind), None)
    no_features: tuple[str, tuple[str, ...], tuple[str, ...]] = ("", (), ())
    table, columns, categorical = fields.read("features", _features, no_features)
    label = fields.read("label", _label, Label("", "", 0))
    split = fields.read("split", _split, Split(0, 0, 0, 0, 0, 0, 0))
    no_candidates: tuple[Candidate, ...] = ()
    candidates = fields.read("candidates", partial(_candidates, problem=problem), no_candidates)
    _check_split(document, split, label)
    for key in ("calibration", "costs"):
        if problem is ProblemKind.REGRESSION and key in fields.entries:
            fields.entries[key].report(f"only a classification has {key}; leave it out")
    if problem is ProblemKind.CLASSIFICATION and "costs" not in fields.entries:
        document.report((), "a classification needs the key 'costs', like costs: {contact: 1.0, gain: 4.0}")
    return ModelDeclaration(
        name=name,
        description=fields.read("description", Entry.text, ""),
        owner=fields.read("owner", Entry.text, ""),
        problem=problem or ProblemKind.CLASSIFICATION,
        entity=fields.read("entity", lambda entry: entry.text("the name of a column"), ""),
        features_table=table,
        features=columns,
        categorical=categorical,
        label=label,
        split=split,
        candidates=candidates,
        trials=fields.read("budget", partial(_trials, candidates=len(candidates)), 0),
        metric=fields.read("metric", partial(_metric, problem=problem), ""),
        calibration=fields.read("calibration", lambda entry: entry.member(Calibration), Calibration.NONE),
        baselines=fields.read("baselines", _baselines, ()),
        gates=fields.read("gates", partial(_gates, problem=problem), Gates({}, (), "", 0.0)),
        costs=fields.read("costs", _costs, None),
        rollout=fields.read("rollout", _rollout, None),
        floors=fields.read("floors", partial(_floors, problem=problem), None),
        segments=fields.read("segments", _segments, {}),
        bootstrap=fields.read("bootstrap", lambda entry: entry.whole(1), 500),
        seed=fields.read("seed", lambda entry: entry.whole(0, _MOST_SEED), 0),
        intended_use=fields.read("intended_use", Entry.text, ""),
        limits=fields.read("limits", partial(_texts, what="a list of sentences"), ()),
        file=document.file,
    )


def _same_name(entry: Entry, name: str) -> None:
    if entry.text() not in (None, name):
        entry.report(f"must equal the file's name, {name!r}, found {entry.value!r}")


def _days(entry: Entry) -> int | None:
    return entry.parsed(parse_days, "a number of days like 30d")


def _texts(entry: Entry, what: str) -> tuple[str, ...]:
    """A list of texts of which none stands twice."""
    texts: list[str] = []
    for element in entry.items(what):
        text = element.text()
        if text is None:
            continue
        if text in texts:
            element.report(f"{text!r} stands twice")
        else:
            texts.append(text)
    return tuple(texts)


def _named(
    entry: Entry, what: str, read: Callable[[str, Entry], _T | None], *, of: str = ""
) -> dict[str, _T]:
    """What stands under names of the file's own, which are in snake_case; `of` names one that there must be."""
    found: dict[str, _T] = {}
    for name, element in entry.entries(what).items():
        if not _NAME.fullmatch(name):
            element.report(f"{name!r} is no name: write {_NAME_GRAMMAR}")
        value = read(name, element)
        if value is not None:
            found[name] = value
    if of and entry.value == {}:
        entry.expected(f"at least one {of}")
    return found


def _number(entry: Entry, expected: str, is_valid: Callable[[float], bool]) -> float | None:
    value = entry.value
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _HUGE
    if not is_number or not isinstance(value, int | float) or not is_valid(value):
        entry.expected(expected)
        return None
    return float(value)


def _features(entry: Entry) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    fields = entry.fields(("table",), ("columns", "categorical"))
    none: tuple[str, ...] = ()
    columns = fields.read("columns", partial(_texts, what="a list of columns"), none)
    if "columns" in fields.entries and fields.entries["columns"].value == []:
        fields.entries["columns"].expected("at least one column")
    categorical = fields.read("categorical", partial(_texts, what="a list of columns"), none)
    return fields.read("table", Entry.text, ""), columns, categorical


def _label(entry: Entry) -> Label:
    fields = entry.fields(("table", "column", "horizon"))
    return Label(
        table=fields.read("table", Entry.text, ""),
        column=fields.read("column", Entry.text, ""),
        horizon_days=fields.read("horizon", _days, 0),
    )


def _split(entry: Entry) -> Split:
    fields = entry.fields(("warm_up", "step", "gap", "validation", "test"), ("at_most",))
    cutoffs, dates = fields.read("validation", _validation, (0, 0))
    span, step = fields.read("test", _test, (0, 0))
    return Split(
        warm_up_days=fields.read("warm_up", _days, 0),
        step_days=fields.read("step", _days, 0),
        gap_days=fields.read("gap", _days, 0),
        cutoffs=cutoffs,
        dates_per_cutoff=dates,
        test_days=span,
        test_step_days=step,
        at_most=fields.read("at_most", lambda e: e.whole(1), Split.at_most),
    )


def _validation(entry: Entry) -> tuple[int, int]:
    fields = entry.fields(("cutoffs", "dates"))
    return fields.read("cutoffs", lambda e: e.whole(1), 0), fields.read("dates", lambda e: e.whole(1), 0)


def _test(entry: Entry) -> tuple[int, int]:
    fields = entry.fields(("span", "step"))
    return fields.read("span", _days, 0), fields.read("step", _days, 0)


def _check_split(document: Document, split: Split, label: Label) -> None:
    """Reports a gap that lets the future in, and dates so few that nothing is left to train on."""
    if 0 < split.gap_days < label.horizon_days:
        message = (
            f"a gap of {split.gap_days}d lets training labels see the test dates; "
            f"write at least {label.horizon_days}d"
        )
        document.report(("split", "gap"), message)
    validated = split.cutoffs * split.dates_per_cutoff
    if validated and split.step_days and split.gap_days:
        # The first block is trained on dates that lie the whole gap before it.
        needed = validated + -(-split.gap_days // split.step_days)
        if split.at_most < needed:
            message = (
                f"of {split.at_most} dates {validated} are validated on and the others are less than the gap of "
                f"{split.gap_days}d before them, so that none is left to train on; write at least {needed}"
            )
            document.report(("split", "at_most"), message)


def _candidates(entry: Entry, problem: ProblemKind | None) -> tuple[Candidate, ...]:
    read = partial(_candidate, problem=problem)
    found = _named(entry, "candidate names, each with an algorithm and a search", read, of="candidate")
    return tuple(found.values())


def _candidate(name: str, entry: Entry, problem: ProblemKind | None) -> Candidate:
    fields = entry.fields(("algorithm", "search"), ("prepare",))
    algorithm = fields.read("algorithm", lambda e: e.member(Algorithm), None)
    fitting = [pair for pair in SEARCHABLE if pair[0] is algorithm]
    if algorithm and problem and (algorithm, problem) not in SEARCHABLE:
        others = ", ".join(a for a, p in SEARCHABLE if p is problem)
        message = f"{algorithm} is for {fitting[0][1]}, and the problem is {problem}; for that: {others}"
        fields.entries["algorithm"].report(message)
    elif algorithm and problem:
        fitting = [(algorithm, problem)]
    known = {name: parameter for pair in fitting for name, parameter in SEARCHABLE[pair].items()}
    nothing: Mapping[str, tuple[Scalar, ...]] = {}
    return Candidate(
        name=name,
        algorithm=algorithm or Algorithm.RANDOM_FOREST,
        preparation=fields.read("prepare", _preparation, Preparation()),
        search=fields.read("search", partial(_search, algorithm=algorithm, known=known), nothing),
    )


def _preparation(entry: Entry) -> Preparation:
    fields = entry.fields((), ("log", "scale", "missing_flags"))
    return Preparation(
        log=fields.read("log", Entry.flag, False),
        scale=fields.read("scale", Entry.flag, False),
        missing_flags=fields.read("missing_flags", Entry.flag, False),
    )


def _search(
    entry: Entry, algorithm: Algorithm | None, known: Mapping[str, SearchParameter]
) -> Mapping[str, tuple[Scalar, ...]]:
    search: dict[str, tuple[Scalar, ...]] = {}
    for name, element in entry.entries("parameters, each with a list of values").items():
        if algorithm is not None and name not in known:
            message = f"{algorithm} has no parameter {name!r} to search; it has: {', '.join(known)}"
            element.report(message, nearest(name, known))
        search[name] = _values(element, known.get(name))
    return search


def _values(entry: Entry, parameter: SearchParameter | None) -> tuple[Scalar, ...]:
    values: list[Scalar] = []
    for element in entry.items("a list of values"):
        value = parameter.read(element.value) if parameter else None
        if parameter and value is None:
            element.expected(parameter.expected)
        elif value in values and value is not None:
            element.report(f"{value} stands twice")
        elif value is not None:
            values.append(value)
    if entry.value == []:
        entry.expected("at least one value")
    return tuple(values)


def _trials(entry: Entry, candidates: int) -> int:
    fields = entry.fields(("trials",))
    trials = fields.read("trials", lambda e: e.whole(1), 0)
    if 0 < trials < candidates:
        message = f"{trials} trials are too few for {candidates} candidates; write at least {candidates}"
        fields.entries["trials"].report(message)
    return trials


def _metric(entry: Entry, problem: ProblemKind | None) -> str | None:
    """A metric of the problem; of any where the problem itself is not known."""
    kinds = [problem] if problem else list(ProblemKind)
    other = next((kind for kind in ProblemKind if kind not in kinds and entry.value in METRICS[kind]), None)
    if other is not None:
        listed = ", ".join(METRICS[kinds[0]])
        entry.report(
            f"{entry.value} is a metric of {other}, and the problem is {kinds[0]}; metrics: {listed}"
        )
        return None
    return entry.choice([metric for kind in kinds for metric in METRICS[kind]])


def _baselines(entry: Entry) -> tuple[Baseline, ...]:
    def read(name: str, element: Entry) -> Baseline:
        fields = element.fields(("features",))
        return Baseline(name, fields.read("features", partial(_texts, what="a list of columns"), ()))

    return tuple(_named(entry, "baseline names, each with its features", read, of="baseline").values())


def _gates(entry: Entry, problem: ProblemKind | None) -> Gates:
    fields = entry.fields(("minimum", "baselines", "champion"), ("calibration", "fresh"))
    champion, tolerance = fields.read("champion", partial(_champion, problem=problem), ("", 0.0))
    if problem is ProblemKind.REGRESSION and "calibration" in fields.entries:
        fields.entries["calibration"].report("only a classification has calibration; leave it out")
    return Gates(
        minimum=fields.read("minimum", partial(_minimum, problem=problem), {}),
        baselines=fields.read("baselines", partial(_metrics, problem=problem), ()),
        champion_metric=champion,
        champion_tolerance=tolerance,
        calibration=fields.read("calibration", lambda e: e.number(0, 1), None),
        fresh=fields.read("fresh", lambda e: e.flag() is True, True),
    )


def _champion(entry: Entry, problem: ProblemKind | None) -> tuple[str, float]:
    fields = entry.fields(("metric", "tolerance"))
    metric = fields.read("metric", partial(_metric, problem=problem), "")
    return metric, fields.read("tolerance", _at_least_0, 0.0)


def _at_least_0(entry: Entry) -> float | None:
    return _number(entry, "a number of at least 0", lambda value: value >= 0)


def _minimum(entry: Entry, problem: ProblemKind | None) -> Mapping[str, float]:
    bounds: dict[str, float] = {}
    for metric, element in entry.entries("metrics, each with a bound").items():
        # The metric is the key here; a mistake in it stands where its bound does.
        known = _metric(Entry(element.document, element.path, metric), problem)
        bound = _bound(element, metric) if known else None
        if bound is not None:
            bounds[metric] = bound
    if entry.value == {}:
        entry.expected("at least one metric with its bound")
    return bounds


def _bound(entry: Entry, metric: str) -> float | None:
    match metric:
        case _ if metric in _SHARES:
            return entry.number(0, 1)
        case "spearman":
            return entry.number(-1, 1)
        case "r2":
            return _number(entry, "a number of at most 1", lambda value: value <= 1)
        case "profit":
            return _number(entry, "a number", lambda _: True)
        case _:
            return _at_least_0(entry)


def _metrics(entry: Entry, problem: ProblemKind | None) -> tuple[str, ...]:
    metrics: list[str] = []
    for element in entry.items("a list of metrics"):
        metric = _metric(element, problem)
        if metric in metrics:
            element.report(f"{metric!r} stands twice")
        elif metric is not None:
            metrics.append(metric)
    if entry.value == []:
        entry.expected("at least one metric")
    return tuple(metrics)


def _costs(entry: Entry) -> Costs:
    def positive(element: Entry) -> float | None:
        return _number(element, "a number above 0", lambda value: value > 0)

    fields = entry.fields(("contact", "gain"))
    return Costs(fields.read("contact", positive, 0.0), fields.read("gain", positive, 0.0))


def _rollout(entry: Entry) -> Rollout:
    fields = entry.fields(("shadow", "shares", "checks"))
    shift, psi = fields.read("checks", _checks, (0.0, 0.0))
    no_shares: tuple[int, ...] = ()
    return Rollout(
        shadow_nights=fields.read("shadow", lambda e: e.whole(0), 0),
        shares=fields.read("shares", _growing_shares, no_shares),
        mean_shift=shift,
        psi=psi,
    )


def _checks(entry: Entry) -> tuple[float, float]:
    fields = entry.fields(("mean_shift", "psi"))
    return fields.read("mean_shift", _at_least_0, 0.0), fields.read("psi", _at_least_0, 0.0)


def _growing_shares(entry: Entry) -> tuple[int, ...]:
    shares = tuple(
        e.whole(1, 100) or 0 for e in entry.items("a list of shares in percent, like [5, 25, 100]")
    )
    if all(shares) and (list(shares) != sorted(set(shares)) or shares[-1:] != (100,)):
        entry.report(f"shares grow from night to night and end with 100, found {list(shares)}")
    return shares


def _floors(entry: Entry, problem: ProblemKind | None) -> Floors:
    fields = entry.fields(("rollback",), ("mean_score", "metrics", "nights", "psi"))
    if not fields.entries.keys() & {"mean_score", "metrics", "psi"}:
        entry.report(
            "sets no floor: write mean_score: [0.05, 0.8], metrics: {...}, psi: 0.25 or several of them"
        )
    no_metrics: Mapping[str, float] = {}
    for metric, element in (
        fields.entries["metrics"].entries() if "metrics" in fields.entries else {}
    ).items():
        if metric in _AT_A_THRESHOLD:
            element.report(
                f"{metric} depends on a threshold, which a floor does not know; take another metric"
            )
    return Floors(
        mean_score=fields.read("mean_score", _bounds, None),
        metrics=fields.read("metrics", partial(_minimum, problem=problem), no_metrics),
        nights=fields.read("nights", lambda e: e.whole(1), 7),
        psi=fields.read("psi", _at_least_0, None),
        rollback=fields.read("rollback", lambda e: e.flag() is True, False),
    )


def _bounds(entry: Entry) -> tuple[float, float] | None:
    expected = "two numbers, the lower first, like [0.05, 0.8]"
    values = [_number(e, "a number", lambda _: True) for e in entry.items(expected)]
    numbers = [value for value in values if value is not None]
    if len(numbers) != len(values) or not isinstance(entry.value, list):
        return None
    if len(numbers) != 2 or numbers[0] >= numbers[1]:
        entry.expected(expected)
        return None
    return numbers[0], numbers[1]


def _segments(entry: Entry) -> Mapping[str, str]:
    def read(_: str, element: Entry) -> str | None:
        return element.text("an SQL expression that gives a text")

    return _named(entry, "names, each with an SQL expression", read)
