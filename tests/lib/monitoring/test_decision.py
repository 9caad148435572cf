"""When drift is said: nights without drift, planted shifts, large samples, many columns, windows, trends."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pytest
from scipy import stats

from lakesmith.errors import UsageError
from lakesmith.monitoring.comparison import compare, usual_effect
from lakesmith.monitoring.decision import (
    DriftSettings,
    Reason,
    Subject,
    Verdict,
    VerdictKind,
    judge_night,
    judged_windows,
)
from lakesmith.monitoring.profile import ColumnLayout, ColumnProfile, Measure, merge_profiles
from lakesmith.monitoring.sample import layout_of_numbers, profile_of_categories, profile_of_numbers
from lakesmith.monitoring.trend import Trend

FIRST = date(2024, 1, 1)
Floats = npt.NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]

NUMBERS: dict[str, Draw] = {
    "normal": lambda draw, n: draw.normal(0, 1, n),
    "price": lambda draw, n: draw.lognormal(1.0, 0.9, n).round(2),
    "amount": lambda draw, n: draw.gamma(1.5, 40.0, n),
    "orders": lambda draw, n: draw.poisson(0.6, n).astype(float),
    "flag": lambda draw, n: draw.binomial(1, 0.08, n).astype(float),
    "share": lambda draw, n: draw.beta(2, 5, n),
    "score": lambda draw, n: draw.beta(0.8, 2.5, n),
    "days": lambda draw, n: draw.integers(0, 90, n).astype(float),
    "heavy": lambda draw, n: draw.standard_t(2, n),
    "gap": lambda draw, n: np.where(draw.random(n) < 0.3, math.nan, draw.exponential(9, n)),
    "zeros": lambda draw, n: np.where(draw.random(n) < 0.95, 0.0, draw.exponential(9, n)),
    "constant": lambda draw, n: np.full(n, 4.0),
}
SHARES = {"country": [0.9, 0.04, 0.03, 0.02, 0.01], "kind": [0.5, 0.3, 0.15, 0.05], "many": [1 / 60] * 60}


class Lake:
    """A baseline of 20 columns and nights that are drawn like it, unless something is planted."""

    def __init__(self, seed: int, rows: int = 20_000) -> None:
        self.draw = np.random.default_rng(seed)
        self.baseline = {name: self.numbers(name, rows) for name in self.names()}
        self.baseline |= {name: self.categories(name, rows) for name in SHARES}

    def names(self) -> list[str]:
        again = ["normal", "price", "amount", "orders", "score"]
        return [*NUMBERS, *(f"{name}_2" for name in again)]

    def night(
        self, rows: int, planted: dict[str, Callable[[Floats], Floats]] | None = None
    ) -> dict[str, ColumnProfile]:
        planted = planted or {}
        found = {name: self.numbers(name, rows, planted.get(name)) for name in self.names()}
        return found | {name: self.categories(name, rows) for name in SHARES}

    def numbers(self, name: str, rows: int, plant: Callable[[Floats], Floats] | None = None) -> ColumnProfile:
        values = NUMBERS[name.removesuffix("_2")](self.draw, rows)
        values = values if plant is None else plant(values)
        known = getattr(self, "baseline", {}).get(name)
        layout = layout_of_numbers(name, values) if known is None else known.layout()
        missing = np.isinf(values)  # what a plant makes null
        return profile_of_numbers(layout, values[~missing], nulls=int(missing.sum()))

    def categories(self, name: str, rows: int, shares: Sequence[float] | None = None) -> ColumnProfile:
        shares = shares or SHARES[name]
        counts = self.draw.multinomial(rows, np.array(shares) / sum(shares))
        values = [f"v{at}" for at, count in enumerate(counts) for _ in range(count)]
        layout = ColumnLayout(
            name, "string", Measure.CATEGORY, categories=tuple(f"v{at}" for at in range(len(SHARES[name])))
        )
        return profile_of_categories(layout, values)

    def judged(
        self, night: dict[str, ColumnProfile], settings: DriftSettings | None = None
    ) -> dict[str, Verdict]:
        subjects = [Subject(name, compare(self.baseline[name], profile)) for name, profile in night.items()]
        return {verdict.name: verdict for verdict in judge_night(subjects, settings)}

    def drifted(self, night: dict[str, ColumnProfile], settings: DriftSettings | None = None) -> set[str]:
        verdicts = self.judged(night, settings).values()
        return {verdict.name for verdict in verdicts if verdict.kind is VerdictKind.DRIFTED}


@pytest.fixture(scope="module")
def lake() -> Lake:
    return Lake(7)


@pytest.mark.parametrize("rows", [500, 2000])
def test_of_200_nights_without_drift_at_most_one_percent_raise(lake: Lake, rows: int) -> None:
    raised = sum(bool(lake.drifted(lake.night(rows))) for _ in range(200))

    assert raised <= 2


def test_p_values_alone_would_raise_on_most_nights(lake: Lake) -> None:
    """Why there is a correction and an effect: twenty columns at p < 0.05 (EVIDENCE: 66 % of nights)."""
    nights = [
        [compare(lake.baseline[name], profile) for name, profile in lake.night(2000).items()]
        for _ in range(100)
    ]

    raised = sum(
        any(c.distribution is not None and c.distribution.pvalue < 0.05 for c in night) for night in nights
    )

    assert raised > 35


def test_the_correction_alone_keeps_its_promise(lake: Lake) -> None:
    """Without an effect to reach, of nights on which nothing drifts about the share of `false_discovery` raise."""
    settings = DriftSettings(effect=1e-9, usual_factor=1, false_discovery=0.05)

    raised = sum(bool(lake.drifted(lake.night(2000), settings)) for _ in range(200))

    assert raised <= 24


def nulls(share: float) -> Callable[[Floats], Floats]:
    def plant(values: Floats) -> Floats:
        planted = values.copy()
        planted[: round(share * len(values))] = math.inf
        return planted

    return plant


PLANTED: dict[str, tuple[str, Callable[[Floats], Floats]]] = {
    "0.5 standard deviations": ("normal", lambda values: values + 0.5),
    "twice the spread": ("normal", lambda values: values * 2),
    "prices up by half": ("price", lambda values: values * 1.5),
    "another unit": ("amount", lambda values: values / 100),
    "a null in 25 rows": ("share", nulls(0.04)),
    "a NaN in 25 rows": ("days", lambda values: np.where(np.arange(len(values)) % 25 == 0, math.nan, values)),
    "all null": ("amount", nulls(1.0)),
    "the constant is another": ("constant", lambda values: values + 1),
    "one of 30 beyond the range": (
        "days",
        lambda values: np.where(np.arange(len(values)) % 30 == 0, 900.0, values),
    ),
    "a rate of 0.08 is 0.2": ("flag", lambda values: np.where(np.arange(len(values)) % 8 == 0, 1.0, values)),
    "scores up by 0.15": ("score", lambda values: np.clip(values + 0.15, 0, 1)),
    "orders half as many again": ("orders", lambda values: values + (np.arange(len(values)) % 3 == 0)),
}


@pytest.mark.parametrize("rows", [500, 5000])
@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_drift_is_found_within_three_nights(lake: Lake, what: str, rows: int) -> None:
    column, plant = PLANTED[what]

    nights = [lake.drifted(lake.night(rows, {column: plant})) for _ in range(3)]

    assert {column} in nights
    assert set().union(*nights) == {column}


@pytest.mark.parametrize(
    ("name", "shares"),
    [
        ("country", [0.7, 0.15, 0.08, 0.05, 0.02]),
        ("kind", [0.3, 0.5, 0.15, 0.05]),
        ("kind", [0.55, 0.3, 0.15, 0]),
    ],
    ids=["mix", "swapped", "vanished"],
)
def test_another_mix_is_found(lake: Lake, name: str, shares: list[float]) -> None:
    nights = [lake.drifted(lake.night(2000) | {name: lake.categories(name, 2000, shares)}) for _ in range(3)]

    assert nights == [{name}] * 3


def test_a_new_category_is_found_and_named(lake: Lake) -> None:
    values = ["v0"] * 960 + ["v9"] * 40
    night = profile_of_categories(lake.baseline["country"].layout(), values)

    assert lake.drifted(lake.night(1000) | {"country": night}) == {"country"}
    assert compare(lake.baseline["country"], night).new == ("v9",)


def test_large_samples_do_not_cry_wolf() -> None:
    """A shift of a hundredth of a standard deviation over millions of rows is certain, and no drift."""
    draw = np.random.default_rng(5)
    base = draw.normal(0, 1, 1_000_000)
    layout = layout_of_numbers("x", base)
    now = profile_of_numbers(layout, draw.normal(0.01, 1, 1_000_000))
    subject = Subject("x", compare(profile_of_numbers(layout, base), now))

    [verdict] = judge_night([subject])

    assert verdict.kind is VerdictKind.STABLE
    assert verdict.adjusted is not None
    assert verdict.adjusted < 1e-4
    assert verdict.effect is not None
    assert verdict.effect < 0.001


def test_too_few_rows_say_nothing_and_take_no_part_in_the_correction(lake: Lake) -> None:
    night = lake.night(2000, {"normal": lambda values: values + 3})
    few = lake.numbers("price", 499, lambda values: values * 50)

    verdicts = lake.judged(night | {"price": few})

    assert (verdicts["price"].kind, verdicts["price"].pvalue, verdicts["price"].rows) == (
        VerdictKind.TOO_FEW,
        None,
        499,
    )
    without = lake.judged({name: profile for name, profile in night.items() if name != "price"})
    assert {name: v for name, v in verdicts.items() if name != "price"} == without
    assert judge_night([]) == []


def test_the_correction_is_that_of_benjamini_and_hochberg(lake: Lake) -> None:
    verdicts = lake.judged(lake.night(2000, {"normal": lambda values: values + 0.1}))

    pvalues = [verdict.pvalue for verdict in verdicts.values()]
    ordered = sorted(range(len(pvalues)), key=lambda at: pvalues[at] or 0)
    adjusted, least = [0.0] * len(pvalues), 1.0
    for rank in range(len(pvalues), 0, -1):
        least = min(least, (pvalues[ordered[rank - 1]] or 0) * len(pvalues) / rank)
        adjusted[ordered[rank - 1]] = least
    assert [verdict.adjusted for verdict in verdicts.values()] == pytest.approx(adjusted)
    assert np.allclose(adjusted, stats.false_discovery_control([p or 0 for p in pvalues]))


def test_what_the_baselines_own_nights_do_is_no_drift() -> None:
    """Weekends are another world, and were in the baseline."""
    draw = np.random.default_rng(3)
    days = [draw.normal(1.2 if n % 7 > 4 else 0.0, 1, 2000) for n in range(56)]
    layout = layout_of_numbers("x", np.concatenate(days))
    profiles = [profile_of_numbers(layout, values) for values in days]
    baseline = merge_profiles(profiles)
    saturday = profile_of_numbers(layout, draw.normal(1.2, 1, 2000))
    broken = profile_of_numbers(layout, draw.normal(3.2, 1, 2000))

    usual = usual_effect(baseline, profiles)

    assert usual > 0.3
    subjects = [
        Subject("naive", compare(baseline, saturday)),
        Subject("saturday", compare(baseline, saturday), usual=usual),
        Subject("broken", compare(baseline, broken), usual=usual),
    ]
    kinds = [verdict.kind for verdict in judge_night(subjects)]
    assert kinds == [VerdictKind.DRIFTED, VerdictKind.STABLE, VerdictKind.DRIFTED]
    assert usual_effect(baseline, []) == 0


def test_every_window_with_enough_rows_is_judged() -> None:
    layout = layout_of_numbers("x", np.arange(100.0))
    settings = DriftSettings(least_rows=500, windows=(1, 7, 28))
    last = FIRST + timedelta(27)

    def lengths(profiles: dict[date, ColumnProfile], *, once: bool = False) -> list[tuple[int, int]]:
        found = judged_windows(profiles, last, settings, once=once)
        return [(length, window.batches) for length, window in found]

    def days(rows: int, *numbers: int) -> dict[date, ColumnProfile]:
        every = numbers or range(28)
        return {FIRST + timedelta(n): profile_of_numbers(layout, np.full(rows, 5.0)) for n in every}

    assert lengths(days(500)) == [(1, 1), (7, 7), (28, 28)]
    assert lengths(days(80)) == [(7, 7), (28, 28)]
    assert lengths(days(20)) == lengths(days(3)) == [(28, 28)]
    assert lengths({}) == []
    assert lengths(days(80, *range(1, 28, 2))) == [(28, 14)]
    # What holds no other batches is no other window.
    assert lengths(days(500, 5, 27)) == [(1, 1), (28, 2)]
    assert lengths(days(500, 27)) == [(1, 1)]
    assert lengths(days(80), once=True) == [(1, 1)]


def tenure(
    nights: int, *, step_at: int | None = None, nulls_at: int | None = None
) -> tuple[dict[date, ColumnProfile], ColumnProfile]:
    """Customers whose tenure grows each night, as EVIDENCE has it: drift by construction."""
    draw = np.random.default_rng(9)
    start = draw.gamma(2, 25, 2500)
    layout = layout_of_numbers("tenure", np.concatenate([start, start + 28]))
    found = {}
    for n in range(nights):
        values = np.append(start, draw.uniform(0, max(n, 1), 12 * n)) + np.append(
            np.full(2500, float(n)), np.zeros(12 * n)
        )
        values = values + draw.normal(0, 1) + (25 if step_at is not None and n >= step_at else 0)
        gone = len(values) // 10 if nulls_at == n else 0
        found[FIRST + timedelta(n)] = profile_of_numbers(layout, values[gone:], nulls=gone)
    return found, merge_profiles([found[FIRST + timedelta(n)] for n in range(28)])


def judged_by_trend(
    profiles: dict[date, ColumnProfile], baseline: ColumnProfile, night: int, *, trends: bool = True
) -> Verdict:
    day = FIRST + timedelta(night)
    means = {
        each: profile.moments.mean for each, profile in profiles.items() if profile.moments and each < day
    }
    trend = Trend.fit({each: mean for each, mean in means.items() if day - each <= timedelta(28)})
    comparison = compare(baseline, profiles[day], repeated=True)
    [verdict] = judge_night([Subject("tenure", comparison, trends=trends, trend=trend, day=day)])
    return verdict


def test_a_column_that_drifts_by_construction_is_judged_by_its_trend() -> None:
    profiles, baseline = tenure(120)

    plain = {judged_by_trend(profiles, baseline, night, trends=False).kind for night in range(90, 120)}
    by_trend = [judged_by_trend(profiles, baseline, night) for night in range(60, 120)]

    assert plain == {VerdictKind.DRIFTED}
    assert {(verdict.kind, verdict.reason is Reason.TREND) for verdict in by_trend} <= {
        (VerdictKind.STABLE, True),
        (VerdictKind.STABLE, False),
    }


def test_a_step_in_a_trending_column_is_drift_and_so_are_its_nulls() -> None:
    profiles, baseline = tenure(90, step_at=80)
    assert judged_by_trend(profiles, baseline, 79).kind is VerdictKind.STABLE
    found = judged_by_trend(profiles, baseline, 80)
    assert (found.kind, found.reason) == (VerdictKind.DRIFTED, Reason.TREND)

    profiles, baseline = tenure(90, nulls_at=85)
    found = judged_by_trend(profiles, baseline, 85)
    assert (found.kind, found.reason) == (VerdictKind.DRIFTED, Reason.MISSING)


def test_a_trending_column_without_a_known_trend_says_so() -> None:
    profiles, baseline = tenure(40)
    assert judged_by_trend(profiles, baseline, 10).kind is VerdictKind.NO_TREND


def test_a_constant_that_trends_is_off_by_any_step() -> None:
    layout = layout_of_numbers("x", np.full(600, 4.0))
    base = profile_of_numbers(layout, np.full(600, 4.0))
    trend = Trend.fit({FIRST + timedelta(n): 4.0 for n in range(30)})
    day = FIRST + timedelta(30)

    kinds = [
        judge_night(
            [
                Subject(
                    "x",
                    compare(base, profile_of_numbers(layout, np.full(600, value))),
                    trends=True,
                    trend=trend,
                    day=day,
                )
            ]
        )[0].kind
        for value in (4.0, 5.0)
    ]

    assert kinds == [VerdictKind.STABLE, VerdictKind.DRIFTED]


def test_thresholds_that_make_no_sense_are_refused() -> None:
    with pytest.raises(UsageError, match="effect must be above 0; windows must ascend"):
        DriftSettings(effect=0, windows=(7, 1))
    with pytest.raises(UsageError, match="false_discovery must lie"):
        DriftSettings(false_discovery=1.0)
    with pytest.raises(UsageError, match="least_rows"):
        DriftSettings(least_rows=0)
