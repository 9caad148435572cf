"""The rows of `monitoring.drift_metrics`: how far each night is off its baseline and off the period before, and what is said.

Owns which profiles are compared. It reads rows of `monitoring.profile_metrics` and no row of a watched table. Profiles on other
bins neither add up nor compare: where a new model brings a new baseline, windows begin anew with its first night. No Spark.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from typing import Any

from lakesmith.contracts.model import BATCH_DATE
from lakesmith.monitoring.comparison import Comparison, compare
from lakesmith.monitoring.decision import (
    DriftSettings,
    Subject,
    Verdict,
    VerdictKind,
    judge_night,
    judged_windows,
    window_days,
)
from lakesmith.monitoring.metric_rows import (
    TABLE,
    DriftType,
    RowKey,
    drift_row,
    stored_profile,
    table_drift_row,
)
from lakesmith.monitoring.profile import ColumnProfile, merge_profiles
from lakesmith.monitoring.trend import LEAST_DAYS, Trend

__all__ = ["DRIFT_SETTINGS", "PROFILE_INPUT", "drift_rows", "drift_settings"]

DRIFT_SETTINGS = "monitoring.drift."
"""What the names of these settings begin with, as a transform reads them."""

PROFILE_INPUT = (
    *("table_name", "log_type", "slice_key", "slice_value", "slice", "column_name", "avg", "profile"),
    *("baseline", "usual_effects", "trends", "repeated", "windows", "least_effect"),
)
"""The columns of `monitoring.profile_metrics` that drift is made of, beside the day."""

_Slice = tuple[str, str | None, str | None]


@dataclass(frozen=True)
class _Series:
    """What is known of a column of a slice, day by day."""

    rows: dict[date, Mapping[str, Any]] = field(default_factory=dict)
    baselines: dict[date, Mapping[str, Any]] = field(default_factory=dict)
    _read: dict[tuple[date, bool], ColumnProfile] = field(default_factory=dict)

    def profile(self, day: date, *, baseline: bool = False) -> ColumnProfile:
        """The profile of a day, or of its baseline; parsed once."""
        key = (day, baseline)
        if key not in self._read:
            self._read[key] = stored_profile((self.baselines if baseline else self.rows)[day])
        return self._read[key]

    def like(self, day: date, days: int, wanted: ColumnProfile) -> dict[date, ColumnProfile]:
        """The profiles of some days up to a day, of those that were measured as another profile was."""
        near = [day - timedelta(back) for back in range(days)]
        known = {each: self.profile(each) for each in near if each in self.rows}
        return {each: profile for each, profile in known.items() if _alike(profile, wanted)}

    def trend(self, day: date, days: int) -> Trend | None:
        """The trend of the means of the days before; on whichever bins they were counted."""
        near = [day - timedelta(back) for back in range(1, days + 1)]
        means = {each: self.rows[each]["avg"] for each in near if each in self.rows}
        return Trend.fit({each: mean for each, mean in means.items() if mean is not None})

    def before(self, day: date, days: int) -> ColumnProfile | None:
        """The sum of the days before that were measured as that day was; None of fewer than a trend needs."""
        known = self.like(day - timedelta(1), days, wanted=self.profile(day))
        return merge_profiles(known.values()) if len(known) >= LEAST_DAYS else None


@dataclass
class _Judged:
    """A column of a night on its way to its rows."""

    key: RowKey
    row: Mapping[str, Any]
    before: Comparison | None
    before_last: date | None
    subjects: list[Subject]
    window: ColumnProfile
    baseline: ColumnProfile | None
    previous: ColumnProfile | None


def drift_settings(read: Mapping[str, Any]) -> DriftSettings:
    """The thresholds, from the settings that a transform may read.

    Args:
        read: with the names `monitoring.drift.<setting>`.
    """
    values = {each.name: read[f"{DRIFT_SETTINGS}{each.name}"] for each in fields(DriftSettings)}
    return DriftSettings(**{**values, "windows": tuple(values["windows"])})


def drift_rows(
    profiles: Iterable[Mapping[str, Any]], batches: Sequence[date], settings: DriftSettings
) -> list[dict[str, Any]]:
    """The rows of some nights.

    Args:
        profiles: rows of `monitoring.profile_metrics` with `PROFILE_INPUT` and the day as `batch_date`; none of them after a
            night is looked at for it.
        batches: the nights.
        settings: the thresholds, the windows among them.

    Returns:
        Rows with `DRIFT_COLUMNS` and `batch_date`.
    """
    series: dict[tuple[_Slice, str], _Series] = defaultdict(_Series)
    by_day: dict[date, list[tuple[_Slice, str]]] = defaultdict(list)
    for row in profiles:
        if row["column_name"] == TABLE:
            continue
        key = ((row["table_name"], row["slice_key"], row["slice_value"]), row["column_name"])
        if row["log_type"] == "BASELINE":
            series[key].baselines[row[BATCH_DATE]] = row
        else:
            series[key].rows[row[BATCH_DATE]] = row
            by_day[row[BATCH_DATE]].append(key)
    return [row for day in batches for row in _night(day, by_day[day], series, settings)]


def _night(
    day: date,
    keys: Sequence[tuple[_Slice, str]],
    series: Mapping[tuple[_Slice, str], _Series],
    settings: DriftSettings,
) -> Iterator[dict[str, Any]]:
    judged = [_judged(day, of, series[of, column], settings) for of, column in sorted(keys, key=_ordered)]
    subjects = [subject for each in judged for subject in each.subjects]
    verdicts = iter(judge_night(subjects, settings))
    by_slice: dict[tuple[str, str], list[_Judged]] = defaultdict(list)
    for each in judged:
        by_slice[each.key.table, each.key.slice].append(each)
        facts = {BATCH_DATE: day, "baseline": each.row["baseline"]}
        if each.subjects:
            said = [(subject, next(verdicts)) for subject in each.subjects]
            subject, verdict = min(said, key=_weight)
            yield {**drift_row(each.key, subject.comparison, verdict, "BASELINE"), **facts}
        if each.before is not None:
            row = drift_row(each.key, each.before, None, "CONSECUTIVE", compared_with=each.before_last)
            yield {**row, **facts, "baseline": None}
    for found in by_slice.values():
        yield from _of_table(day, found)


def _weight(said: tuple[Subject, Verdict]) -> tuple[bool, float]:
    """What is told of a column's windows: of those that drifted the least likely by chance, else the shortest."""
    drifted = said[1].kind is VerdictKind.DRIFTED
    return not drifted, said[1].adjusted or 0.0 if drifted else 0.0


def _ordered(key: tuple[_Slice, str]) -> tuple[str, ...]:
    (table, slice_key, slice_value), column = key
    return (table, slice_key or "", str(slice_value is not None), slice_value or "", column)


def _judged(day: date, of: _Slice, column: _Series, settings: DriftSettings) -> _Judged:
    row = column.rows[day]
    if row["windows"]:
        settings = replace(settings, windows=tuple(row["windows"]))
    repeated, trends = bool(row["repeated"]), bool(row["trends"])
    # Twice the longest window: the period before one is as long.
    alike = column.like(day, 2 * settings.windows[-1], column.profile(day))
    windows = judged_windows(alike, day, settings, once=repeated or trends)
    # The shortest: the day itself is one of its batches.
    length, window = windows[0]
    before_last = day - timedelta(length)
    earlier = window_days(alike, before_last, length)
    previous = merge_profiles(earlier) if earlier else None
    baseline = column.profile(day, baseline=True) if day in column.baselines else None
    subjects = []
    if baseline is not None and _alike(baseline, window):
        moments = column.profile(day).moments
        before = column.before(day, settings.trend_days) if trends and moments is None else None
        subjects = [
            Subject(
                " ".join((of[0], str(of[1:]), row["column_name"], f"{days} days")),
                compare(baseline, found, repeated=repeated),
                usual=_usual(column.baselines[day]["usual_effects"], days, found.batches),
                effect=row["least_effect"],
                trends=trends,
                trend=column.trend(day, settings.trend_days) if trends else None,
                lately=compare(before, found, repeated=repeated) if before is not None else None,
                day=day,
                mean=moments.mean if moments is not None and moments.count else None,
            )
            for days, found in windows
        ]
    return _Judged(
        RowKey(of[0], day, of[1], of[2]),
        row,
        compare(previous, window, repeated=repeated) if previous is not None else None,
        before_last,
        subjects,
        window,
        baseline,
        previous,
    )


def _usual(effects: Sequence[Mapping[str, Any]] | None, length: int, batches: int) -> float:
    """The usual effect of windows of a length, or of the longest shorter ones that there were.

    At least what sums of so many independent batches show, the effect of one by their number: a baseline of weeks has few windows
    of a week, and a window with gaps, or at the beginning, holds fewer batches than it has days.
    """
    known = {each["days"]: each["effect"] for each in effects or () if each["days"] <= length}
    return max(known[max(known)], known.get(1, 0.0) / batches) if known else 0.0


def _of_table(day: date, columns: Sequence[_Judged]) -> Iterator[dict[str, Any]]:
    """The rows about a table itself; of columns without a profile on a side nothing can be said."""
    pairs: list[tuple[DriftType, list[tuple[ColumnProfile, ColumnProfile]], date | None]] = [
        ("BASELINE", [(c.baseline, c.window) for c in columns if c.baseline is not None], None),
        (
            "CONSECUTIVE",
            [(c.previous, c.window) for c in columns if c.previous is not None],
            columns[0].before_last,
        ),
    ]
    for drift_type, sides, compared_with in pairs:
        if sides:
            before, now = zip(*sides, strict=True)
            row = table_drift_row(columns[0].key, before, now, drift_type, compared_with=compared_with)
            baseline = columns[0].row["baseline"] if drift_type == "BASELINE" else None
            yield {**row, BATCH_DATE: day, "baseline": baseline}


def _alike(one: ColumnProfile, other: ColumnProfile) -> bool:
    """True when two profiles were measured in one way, and so add up."""
    ways = [
        (
            each.data_type,
            each.measure,
            each.numbers.edges if each.numbers is not None else None,
            [value for value, _ in each.categories.known] if each.categories is not None else None,
        )
        for each in (one, other)
    ]
    return ways[0] == ways[1]
