"""When a difference is called drift: large enough to matter, and larger than chance makes it, over all columns of a night.

Owns the thresholds and the decision. Effect size alone raises on small samples, p-values alone on large ones and on many
columns; both together are asked. No Spark.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

import numpy as np

from lakesmith.errors import UsageError
from lakesmith.extras import needs_extra
from lakesmith.monitoring.comparison import Comparison, Evidence
from lakesmith.monitoring.profile import ColumnProfile, merge_profiles
from lakesmith.monitoring.trend import LEAST_DAYS, Trend

with needs_extra("monitoring"):
    from scipy import stats

__all__ = [
    "DriftSettings",
    "Reason",
    "Subject",
    "Verdict",
    "VerdictKind",
    "judge_night",
    "judged_windows",
    "window_days",
]


@dataclass(frozen=True)
class DriftSettings:
    """When drift is said.

    Args:
        effect: the least population stability index, less what chance gives.
        false_discovery: the share of false alarms among the alarms of a night (Benjamini and Hochberg 1995); of nights on
            which nothing drifts, at most this share raises one.
        least_rows: fewer rows in a window are too few to say anything.
        windows: lengths in batches, ascending; each one with enough rows is judged.
        usual_factor: how many times the usual effect of the baseline's own windows the effect must reach besides.
        trend_effect: how far the mean of a trending column must be off its trend, in standard deviations of the values.
        trend_days: of so many days before the night the trend is taken.

    Raises:
        UsageError: a threshold that makes no sense.
    """

    effect: float = 0.1
    false_discovery: float = 0.01
    least_rows: int = 500
    windows: tuple[int, ...] = (1, 7, 28)
    usual_factor: float = 3.0
    trend_effect: float = 0.1
    trend_days: int = 28

    def __post_init__(self) -> None:
        rules = {
            "effect must be above 0": self.effect > 0,
            "false_discovery must lie between 0 and 1": 0 < self.false_discovery < 1,
            "least_rows must be at least 1": self.least_rows >= 1,
            "windows must ascend from 1 or more": bool(self.windows)
            and self.windows[0] >= 1
            and list(self.windows) == sorted(set(self.windows)),
            "usual_factor must be at least 1": self.usual_factor >= 1,
            "trend_effect must be above 0": self.trend_effect > 0,
            f"trend_days must be at least {LEAST_DAYS}": self.trend_days >= LEAST_DAYS,
        }
        if broken := [rule for rule, kept in rules.items() if not kept]:
            raise UsageError(f"drift can't be judged so: {'; '.join(broken)}. Change the settings of drift.")


class VerdictKind(StrEnum):
    """What is said of a column's window."""

    STABLE = "stable"
    DRIFTED = "drifted"
    TOO_FEW = "too few"
    """The window, or the baseline, has fewer rows than are needed, or none."""
    NO_TREND = "no trend"
    """The column trends, and fewer days than a trend needs are known; what is missing was judged, the values were not."""


class Reason(StrEnum):
    """Which of a column's figures was judged."""

    DISTRIBUTION = "distribution"
    MISSING = "missing"
    TREND = "trend"


@dataclass(frozen=True)
class Subject:
    """A column's window that is to be judged.

    Args:
        name: of the column with its table and slice; unique in the night.
        comparison: of the window with the baseline.
        usual: the usual effect of the baseline's own windows of that length.
        effect: the least that counts; None takes that of the settings.
        trends: the column drifts by construction.
        trend: of its mean over earlier days; None where there are too few.
        lately: of a column that has no mean: the window compared with the days before it; None where there are too few.
        day: the last batch of the window; its mean is compared with the trend.
        mean: of that batch; None takes the mean of the window.
    """

    name: str
    comparison: Comparison
    usual: float = 0.0
    effect: float | None = None
    trends: bool = False
    trend: Trend | None = None
    lately: Comparison | None = None
    day: date | None = None
    mean: float | None = None


@dataclass(frozen=True)
class Verdict:
    """What is said of a column's window, and by which figures.

    Args:
        name: the subject's.
        kind: what is said.
        reason: the figure that decided: of several that say drift the least likely by chance; None with too few rows.
        effect: of that figure.
        limit: what the effect had to reach.
        pvalue: of that figure.
        adjusted: the p-value after the correction over all columns of the night.
        rows: how many independent rows there were.
    """

    name: str
    kind: VerdictKind
    reason: Reason | None
    effect: float | None
    limit: float | None
    pvalue: float | None
    adjusted: float | None
    rows: float


@dataclass(frozen=True)
class _Hypothesis:
    reason: Reason
    effect: float
    limit: float
    pvalue: float


@dataclass
class _Case:
    subject: Subject
    hypotheses: list[_Hypothesis] = field(default_factory=list)


def judge_night(subjects: Sequence[Subject], settings: DriftSettings | None = None) -> list[Verdict]:
    """What is said of every column of a night, the correction taken over all of them.

    A column that does not trend is judged by its distribution, nulls and NaN included. One that trends is judged by what is
    missing, and by how far its mean is off its trend, or, where it has no mean, its distribution off that of the days before.

    Args:
        subjects: all columns and slices that are judged together; one that has too few rows takes no part in the correction.
        settings: the thresholds; None takes their defaults.

    Returns:
        One verdict a subject, in order.
    """
    settings = settings or DriftSettings()
    cases = [_Case(subject, _hypotheses(subject, settings)) for subject in subjects]
    pvalues = [hypothesis.pvalue for case in cases for hypothesis in case.hypotheses]
    adjusted = iter(_adjusted(pvalues))
    return [_verdict(case, [next(adjusted) for _ in case.hypotheses], settings) for case in cases]


def judged_windows(
    profiles: Mapping[date, ColumnProfile], day: date, settings: DriftSettings, *, once: bool = False
) -> list[tuple[int, ColumnProfile]]:
    """The windows up to a day that are judged: those with enough rows, each with more batches than the one before.

    What is sudden shows in short ones, what is small in long ones.

    Args:
        profiles: one a batch; a day without one is a gap that a window spans.
        day: the last day of the windows.
        settings: the lengths, and how many rows are enough.
        once: take the shortest there is, and no other: a longer one of a table that holds the same entities again and again
            has no more independent rows, and a trend is about the last batch.

    Returns:
        Lengths in days with the sums; the longest alone where none has enough rows; nothing where no batch is known.
    """
    found: list[tuple[int, ColumnProfile]] = []
    for length in settings.windows:
        known = window_days(profiles, day, length)
        if known and (not found or len(known) > found[-1][1].batches):
            found.append((length, merge_profiles(known)))
    if once:
        return found[:1]
    return [(length, profile) for length, profile in found if profile.count >= settings.least_rows] or found[
        -1:
    ]


def window_days(profiles: Mapping[date, ColumnProfile], day: date, length: int) -> list[ColumnProfile]:
    """The profiles of the days of a window that ends with a day."""
    days = [day - timedelta(back) for back in range(length)]
    return [profiles[each] for each in days if each in profiles]


def _hypotheses(subject: Subject, settings: DriftSettings) -> list[_Hypothesis]:
    comparison = subject.comparison
    if comparison.rows < settings.least_rows:
        return []
    least = settings.effect if subject.effect is None else subject.effect
    limit = max(least, settings.usual_factor * subject.usual)
    if not subject.trends:
        return _of(Reason.DISTRIBUTION, comparison.distribution, limit)
    found = _of(Reason.MISSING, comparison.missing, least)
    if (off := _off_trend(subject)) is not None:
        found += _of(Reason.TREND, off, settings.trend_effect)
    if subject.lately is not None:
        found += _of(Reason.TREND, subject.lately.distribution, limit)
    return found


def _of(reason: Reason, evidence: Evidence | None, limit: float) -> list[_Hypothesis]:
    return [] if evidence is None else [_Hypothesis(reason, evidence.effect, limit, evidence.pvalue)]


def _off_trend(subject: Subject) -> Evidence | None:
    moments, spread = subject.comparison.current.moments, subject.comparison.baseline.moments
    if subject.trend is None or subject.day is None or moments is None or spread is None:
        return None
    mean = moments.mean if subject.mean is None else subject.mean
    gap = abs(mean - subject.trend.forecast(subject.day))
    deviation = math.sqrt(spread.variance) if spread.count else 0.0
    if not moments.count or not math.isfinite(gap):
        return None
    # Of a constant there is no deviation to measure by; whatever is off at all is off by any number of them.
    effect = gap / deviation if deviation else (math.inf if gap else 0.0)
    return Evidence(effect, subject.trend.off(subject.day, mean).pvalue)


def _adjusted(pvalues: Sequence[float]) -> list[float]:
    if not pvalues:
        return []
    found = stats.false_discovery_control(np.asarray(pvalues), method="bh")
    return [float(value) for value in found]


def _verdict(case: _Case, adjusted: Sequence[float], settings: DriftSettings) -> Verdict:
    name, rows = case.subject.name, case.subject.comparison.rows
    if not case.hypotheses:
        return Verdict(name, VerdictKind.TOO_FEW, None, None, None, None, None, rows)
    judged = list(zip(case.hypotheses, adjusted, strict=True))
    drifts = [(h, q) for h, q in judged if h.effect >= h.limit and q <= settings.false_discovery]
    shown, corrected = min(drifts or judged, key=lambda pair: (pair[1], -pair[0].effect / pair[0].limit))
    kind = VerdictKind.DRIFTED if drifts else VerdictKind.STABLE
    if not drifts and case.subject.trends and not any(h.reason is Reason.TREND for h in case.hypotheses):
        kind = VerdictKind.NO_TREND
    return Verdict(name, kind, shown.reason, shown.effect, shown.limit, shown.pvalue, corrected, rows)
