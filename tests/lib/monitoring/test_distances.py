"""Distances and tests beside scipy's on the same cells or samples, and where there is little or nothing to compare."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.spatial import distance

from lakesmith.monitoring.cells import Cells, cells_of
from lakesmith.monitoring.comparison import Comparison, compare
from lakesmith.monitoring.distances import (
    chi_squared,
    jensen_shannon,
    kolmogorov_smirnov,
    l_infinity,
    more_of_the_rare,
    population_stability,
    stability_of_chance,
    total_variation,
    wasserstein,
)
from lakesmith.monitoring.numbers import NumberCounts
from lakesmith.monitoring.problems import ProfilesDiffer
from lakesmith.monitoring.profile import ColumnLayout, ColumnProfile, Measure, merge_profiles
from lakesmith.monitoring.sample import layout_of_numbers, profile_of_categories, profile_of_numbers

DRAW = np.random.default_rng(11)
BASE = np.array([120.0, 300.0, 80.0, 200.0, 60.0])
NOW = np.array([30.0, 50.0, 40.0, 70.0, 5.0])
EMPTY = np.zeros(5)


def numbers(values: list[float], *, baseline: list[float] | None = None, nulls: int = 0) -> ColumnProfile:
    layout = layout_of_numbers("x", np.array(values if baseline is None else baseline, float))
    return profile_of_numbers(layout, np.array(values, float), nulls=nulls)


def categories(*values: str | None, known: tuple[str, ...] = ("a", "b")) -> ColumnProfile:
    return profile_of_categories(ColumnLayout("c", "string", Measure.CATEGORY, categories=known), values)


def test_distances_are_those_of_scipy_on_the_same_cells() -> None:
    p, q = BASE / BASE.sum(), NOW / NOW.sum()

    assert population_stability(BASE, NOW) == pytest.approx(stats.entropy(p, q) + stats.entropy(q, p))
    assert jensen_shannon(BASE, NOW) == pytest.approx(distance.jensenshannon(p, q, base=2))
    assert total_variation(BASE, NOW) == pytest.approx(distance.cityblock(p, q) / 2)
    assert l_infinity(BASE, NOW) == pytest.approx(distance.chebyshev(p, q))


def test_chi_squared_is_that_of_scipy_on_the_same_cells() -> None:
    found = chi_squared(BASE, NOW)

    expected = stats.chi2_contingency([BASE, NOW], correction=False)
    assert found is not None
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.pvalue == pytest.approx(expected.pvalue)


def test_rare_cells_are_put_together_for_chi_squared() -> None:
    before, now = np.array([500.0, 400, 6, 8, 7]), np.array([100.0, 90, 9, 8, 10])

    found = chi_squared(before, now)

    expected = stats.chi2_contingency([[500, 400, 21], [100, 90, 27]], correction=False)
    assert found is not None
    assert (found.statistic, found.pvalue) == (
        pytest.approx(expected.statistic),
        pytest.approx(expected.pvalue),
    )
    assert more_of_the_rare(before, now) is None


def test_what_is_too_rare_for_chi_squared_is_left_to_fishers_test() -> None:
    before, now = np.array([50_000.0, 40_000, 0]), np.array([500.0, 400, 20])

    found, rare = chi_squared(before, now), more_of_the_rare(before, now)

    expected = stats.chi2_contingency([[50_000, 40_000], [500, 400]], correction=False)
    assert found is not None
    assert found.pvalue == pytest.approx(expected.pvalue)
    fisher = stats.fisher_exact([[20, 0], [900, 90_000]], alternative="greater")
    assert 0 < fisher.pvalue < 1e-30
    assert rare == pytest.approx(fisher.pvalue, rel=1e-6, abs=0)


@pytest.mark.parametrize("sizes", [(400, 300), (5000, 90), (30, 30)])
def test_kolmogorov_smirnov_is_that_of_scipy_where_values_are_edges(sizes: tuple[int, int]) -> None:
    edges = tuple(float(n) for n in range(12))
    one, two = DRAW.integers(0, 12, sizes[0]), DRAW.binomial(11, 0.5, sizes[1])

    found = kolmogorov_smirnov(NumberCounts.of(edges, one), NumberCounts.of(edges, two))

    expected = stats.ks_2samp(one, two, method="asymp")
    assert found is not None
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.pvalue == pytest.approx(expected.pvalue)


@pytest.mark.parametrize("shift", [0.0, 0.2, 1.0])
def test_on_bins_kolmogorov_smirnov_is_at_most_a_bin_less(shift: float) -> None:
    one, two = DRAW.normal(0, 1, 4000), DRAW.normal(shift, 1, 1500)
    layout = layout_of_numbers("x", one)
    before, now = profile_of_numbers(layout, one), profile_of_numbers(layout, two)

    found = compare(before, now).ks

    expected = stats.ks_2samp(one, two, method="asymp")
    assert found is not None
    assert expected.statistic - 1 / 40 <= found.statistic <= expected.statistic + 1e-12
    assert found.pvalue >= expected.pvalue * (1 - 1e-9)


def test_wasserstein_is_that_of_scipy_with_rows_at_the_middles() -> None:
    edges = (0.0, 1.0, 3.0, 6.0)
    one, two = NumberCounts(edges, (2, 5, 9, 4, 0)), NumberCounts(edges, (0, 3, 1, 8, 6))

    found = wasserstein(one, two, baseline_range=(-2.0, 6.0), current_range=(0.5, 10.0))

    middles = [-1.0, 0.5, 2.0, 4.5], [0.5, 2.0, 4.5, 8.0]
    assert found == pytest.approx(stats.wasserstein_distance(*middles, [2, 5, 9, 4], [3, 1, 8, 6]))


@pytest.mark.parametrize("shift", [0.1, 0.5, 3.0])
def test_wasserstein_is_near_that_of_the_samples(shift: float) -> None:
    one, two = DRAW.normal(0, 1, 4000), DRAW.normal(shift, 1, 3000)
    layout = layout_of_numbers("x", one)

    found = compare(profile_of_numbers(layout, one), profile_of_numbers(layout, two)).wasserstein_distance

    assert found == pytest.approx(stats.wasserstein_distance(one, two), abs=0.12, rel=0.25)


def test_an_index_by_chance_has_the_mean_that_is_taken_off() -> None:
    draw = np.random.default_rng(2)
    shares = np.full(10, 0.1)
    pairs = [(draw.multinomial(5000, shares) * 1.0, draw.multinomial(800, shares) * 1.0) for _ in range(400)]

    indices = [population_stability(before, now) for before, now in pairs]

    assert np.mean([index for index in indices if index is not None]) == pytest.approx(
        stability_of_chance(*pairs[0]), rel=0.08
    )


def test_without_rows_nothing_is_said() -> None:
    for before, now in ((EMPTY, NOW), (BASE, EMPTY), (EMPTY, EMPTY)):
        for figure in (population_stability, jensen_shannon, total_variation, l_infinity, chi_squared):
            assert figure(before, now) is None
        assert more_of_the_rare(before, now) is None
        assert stability_of_chance(before, now) == 0


def figures(found: Comparison) -> tuple[float | None, ...]:
    tests = [None if test is None else test.pvalue for test in (found.chi_squared, found.ks)]
    return (
        found.population_stability_index,
        found.js_distance,
        found.tv_distance,
        found.l_infinity_distance,
        *tests,
        found.wasserstein_distance,
    )


NONE = (None,) * 7
SAME = (0.0, 0.0, 0.0, 0.0, 1.0)

TENS = [10.0] * 600
MANY = [float(n) for n in range(600)]


@pytest.mark.parametrize(
    ("baseline", "current", "expected"),
    [
        (numbers(MANY), numbers([], baseline=MANY), NONE),
        (numbers([]), numbers(MANY, baseline=[]), NONE),
        (numbers(TENS), numbers(TENS), (*SAME, 1.0, 0.0)),
        (numbers(MANY), numbers(MANY), (*SAME, 1.0, 0.0)),
        (numbers([], nulls=600), numbers([], nulls=90), (*SAME, None, None)),
        (numbers([math.nan] * 600), numbers([math.nan] * 90), (*SAME, None, None)),
        (categories(*"a" * 600), categories(*"a" * 70), (*SAME, None, None)),
        (categories(), categories(*"ab" * 300), NONE),
        (categories(*[None] * 600), categories(*[None] * 70), (*SAME, None, None)),
    ],
    ids=[
        "empty now",
        "empty baseline",
        "constant",
        "equal",
        "all null",
        "all NaN",
        "one category",
        "no rows",
        "null",
    ],
)
def test_little_or_nothing_to_compare_has_defined_figures(
    baseline: ColumnProfile, current: ColumnProfile, expected: tuple[float | None, ...]
) -> None:
    assert figures(compare(baseline, current)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("baseline", "current", "ks"),
    [
        (numbers(MANY), numbers([], baseline=MANY, nulls=600), None),
        (numbers(MANY), numbers([math.nan] * 600, baseline=MANY), None),
        (numbers([], nulls=600), numbers(MANY, baseline=[]), None),
        (numbers(TENS), numbers([11.0] * 600, baseline=TENS), 1.0),
        (numbers(TENS), numbers([9.0] * 600, baseline=TENS), 1.0),
        (numbers(MANY), numbers([math.inf] * 600, baseline=MANY), 1.0),
        (categories(*"a" * 600), categories(*"z" * 600), None),
        (categories(*"a" * 600), categories(*[None] * 600), None),
    ],
    ids=[
        "all null now",
        "all NaN now",
        "all null before",
        "above",
        "below",
        "infinite",
        "new",
        "category null",
    ],
)
def test_nothing_in_common_is_as_far_as_it_gets(
    baseline: ColumnProfile, current: ColumnProfile, ks: float | None
) -> None:
    found = compare(baseline, current)

    assert (found.js_distance, found.tv_distance, found.l_infinity_distance) == pytest.approx(
        (1, 1, 1), abs=0.1
    )
    assert found.population_stability_index is not None
    assert found.population_stability_index > 2
    assert (None if found.ks is None else found.ks.statistic) == ks
    assert found.distribution is not None
    assert found.distribution.pvalue < 1e-100


def test_one_nan_hides_nothing() -> None:
    """scipy's p-value is NaN then, and the drift passes silently."""
    base = DRAW.normal(0, 1, 3000)
    layout = layout_of_numbers("x", np.append(base, math.nan))
    shifted = np.append(DRAW.normal(1, 1, 1000), math.nan)

    found = compare(
        profile_of_numbers(layout, np.append(base, math.nan)), profile_of_numbers(layout, shifted)
    )

    assert math.isnan(stats.ks_2samp(base, shifted).pvalue)
    assert found.ks is not None
    assert found.ks.pvalue < 1e-50
    assert found.distribution is not None
    assert found.distribution.pvalue < 1e-50


def test_cells_of_numbers_are_tenths_and_what_is_outside_or_missing() -> None:
    base = np.arange(4000.0)
    layout = layout_of_numbers("x", base)
    cells = cells_of(
        profile_of_numbers(layout, base, nulls=5),
        profile_of_numbers(layout, np.array([-1.0, 5000, math.nan]), nulls=2),
    )

    assert len(cells.names) == 14
    assert (cells.names[0], cells.names[-3:]) == ("below 0", ("above 3999", "NaN", "null"))
    assert np.abs(cells.baseline[1:11] - 400).max() <= 8
    assert cells.current.tolist() == [1, *[0] * 10, 1, 1, 2]


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        ({0: 920, 1: 80}, ["to 0", "to 1"]),
        ({0: 995, 1: 5}, ["to 1"]),
        ({-1: 50, 0: 600, 1: 350}, ["to -1", "to 0", "to 1"]),
        ({-1: 5, 0: 600, 1: 395}, ["to 0", "to 1"]),
        ({0: 1000}, ["to 0"]),
    ],
    ids=["a rate", "a rare one", "before a heavy value", "next to nothing before it", "constant"],
)
def test_a_value_that_repeats_has_a_cell_of_its_own(parts: dict[int, int], names: list[str]) -> None:
    values = [float(value) for value, rows in parts.items() for _ in range(rows)]

    cells = cells_of(numbers(values), numbers(values))

    assert list(cells.names[1:-3]) == names
    assert cells.baseline.sum() == 1000


def test_cells_of_categories_put_the_rare_together() -> None:
    known = ("a", "b", "r1", "r2")
    base = categories(*"a" * 600, *"b" * 390, *["r1"] * 4, *["r2"] * 6, known=known)
    now = categories(*"a" * 50, *["r1"] * 2, "z", "y", None, known=known)

    cells = cells_of(base, now)

    assert cells.names == ("= a", "= b", "rarer", "new", "null")
    assert (cells.baseline.tolist(), cells.current.tolist()) == ([600, 390, 10, 0, 0], [50, 0, 2, 2, 1])
    found = compare(base, now)
    assert (found.new, found.vanished) == (("y", "z"), ("b",))


def test_columns_without_bins_or_categories_are_compared_by_what_is_missing() -> None:
    before = ColumnProfile("note", "string", Measure.TEXT, count=100, nulls=10)

    found = compare(before, ColumnProfile("note", "string", Measure.TEXT, count=50, nulls=25))

    assert (found.cells.names, found.tv_distance) == (("value", "NaN", "null"), pytest.approx(0.4))


def hashed(*groups: int, nulls: int = 0) -> ColumnProfile:
    rows = sum(groups) + nulls
    return ColumnProfile("note", "string", Measure.TEXT, count=rows, nulls=nulls, hashed=groups)


def test_texts_are_compared_by_as_many_groups_of_values_as_the_rows_fill() -> None:
    before = hashed(100, 300, 200, 400, nulls=10)

    for groups, cells in (
        ((10, 10, 10, 10), [10, 10, 10, 10]),
        ((10, 10, 10, 9), [20, 19]),
        ((10, 0, 0, 0), [10]),
        ((0, 0, 0, 0), [0]),
    ):
        found = cells_of(before, hashed(*groups, nulls=3))
        assert found.current.tolist() == [*cells, 3]
        assert found.baseline.sum() == 1010
        assert found.names == (*[f"values, group {at}" for at in range(len(cells))], "null")


def test_profiles_from_before_there_were_groups_are_compared_by_what_is_missing() -> None:
    before, now = ColumnProfile("note", "string", Measure.TEXT, count=100), hashed(30, 20)

    assert compare(before, now).cells.names == ("value", "NaN", "null")
    assert merge_profiles([before, now]).hashed is None
    assert merge_profiles([now, hashed(5, 5)]).hashed == (35, 25)


def test_what_was_counted_otherwise_is_not_compared() -> None:
    with pytest.raises(ProfilesDiffer, match="other bins"):
        compare(numbers(MANY), numbers(TENS))
    with pytest.raises(ProfilesDiffer, match="other categories"):
        compare(categories("a"), categories("a", known=("a",)))
    with pytest.raises(ProfilesDiffer, match="x as number, the other of c as category"):
        compare(numbers(MANY), categories("a"))


def test_batches_of_the_same_entities_count_once() -> None:
    cells = Cells(("a", "b"), BASE[:2], NOW[:2])
    assert cells.thinned(2, 10).current.tolist() == [3.0, 5.0]

    layout = layout_of_numbers("x", np.array(MANY))
    base = profile_of_numbers(layout, np.array(MANY))
    night = profile_of_numbers(layout, DRAW.choice(MANY, 700) ** 1.02)

    once = compare(base, night)
    seven = compare(merge_profiles([base] * 28), merge_profiles([night] * 7), repeated=True)
    naive = compare(merge_profiles([base] * 28), merge_profiles([night] * 7))

    assert once.distribution is not None
    assert naive.distribution is not None
    assert seven.distribution == once.distribution
    assert (seven.rows, naive.rows) == (600, 4900)
    assert naive.distribution.pvalue < once.distribution.pvalue / 1000
