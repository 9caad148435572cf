"""What a model must pass to become the champion.

Owns the verdicts, as values: each names the number that was found, the one that was needed, and what it is about. Whoever
promotes decides what to do about them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lakesmith.contracts.declaration import LESS_IS_BETTER, ModelDeclaration

__all__ = ["Verdict", "against", "judge"]


@dataclass(frozen=True)
class Verdict:
    """One gate.

    Args:
        gate: its kind: minimum, baseline, champion, calibration or fresh.
        passed: False keeps the version from being promoted.
        found: the candidate's number, or how many batches are not fresh.
        needed: the number that it is compared with; None where there is none.
        text: the sentence for people.
    """

    gate: str
    passed: bool
    found: float | None
    needed: float | None
    text: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON takes it: a number that is none becomes null."""
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in asdict(self).items()
        }


def judge(
    declaration: ModelDeclaration,
    metrics: Mapping[str, float],
    baselines: Mapping[str, Mapping[str, float]],
    champion: tuple[int, Mapping[str, float]] | None,
    not_fresh: Sequence[str],
) -> tuple[Verdict, ...]:
    """The verdict of every gate that the declaration sets.

    Args:
        metrics: of the candidate on the test rows.
        baselines: theirs, by name, on the same rows.
        champion: its version and its metrics on the same rows; None when there is no champion.
        not_fresh: batches read that are not fresh, in words.
    """
    gates = declaration.gates
    verdicts = [
        against("minimum", metric, metrics[metric], least, "required")
        for metric, least in gates.minimum.items()
    ]
    verdicts += [
        _better(metric, metrics[metric], name, found[metric])
        for metric in gates.baselines
        for name, found in baselines.items()
    ]
    if champion is not None:
        version, theirs = champion
        metric = gates.champion_metric
        slack = gates.champion_tolerance if metric in LESS_IS_BETTER else -gates.champion_tolerance
        needed = theirs[metric] + slack
        verdicts.append(
            against(
                "champion",
                metric,
                metrics[metric],
                needed,
                f"champion, version {version}, with its tolerance",
            )
        )
    if gates.calibration is not None:
        verdicts.append(against("calibration", "ece", metrics["ece"], gates.calibration, "allowed"))
    if gates.fresh:
        count = len(not_fresh)
        text = (
            f"{count} batches read are not fresh: {', '.join(not_fresh[:3])}{' and more' if count > 3 else ''}"
            if count
            else "every batch read is fresh"
        )
        verdicts.append(Verdict("fresh", not count, float(count), 0.0, text))
    return tuple(verdicts)


def against(
    gate: str, metric: str, found: float, needed: float, what: str, *, less: bool | None = None
) -> Verdict:
    """The verdict on one number.

    Args:
        gate: its kind.
        what: where the needed number comes from, in words.
        less: less is better; None takes what holds for the metric.
    """
    less = metric in LESS_IS_BETTER if less is None else less
    size = abs(found) if metric == "bias" else found
    passed = size <= needed if less else size >= needed
    relation = "at most" if less else "at least"
    verb = "is" if passed else "should be"
    return Verdict(
        gate, bool(passed), found, needed, f"{metric} {found:.4f} {verb} {relation} {needed:.4f} ({what})"
    )


def _better(metric: str, found: float, name: str, theirs: float) -> Verdict:
    less = metric in LESS_IS_BETTER
    passed = found < theirs if less else found > theirs
    verb = "is" if passed else "should be"
    return Verdict(
        "baseline",
        bool(passed),
        found,
        theirs,
        f"{metric} {found:.4f} {verb} {'below' if less else 'above'} {theirs:.4f} (baseline {name})",
    )
