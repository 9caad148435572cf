"""Profiles: their figures beside numpy's and scipy's, that they add up, and their JSON."""

from __future__ import annotations

import json
import math
from collections import Counter
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lakesmith.monitoring.categories import CategoryCounts
from lakesmith.monitoring.distinct import DistinctSketch, SketchUnreadable
from lakesmith.monitoring.moments import Moments
from lakesmith.monitoring.numbers import NumberCounts, edges_of_sample
from lakesmith.monitoring.problems import ProfilesDiffer, ProfileUnreadable
from lakesmith.monitoring.profile import ColumnLayout, ColumnProfile, Measure, merge_profiles
from lakesmith.monitoring.sample import layout_of_numbers, profile_of_categories, profile_of_numbers

NUMBERS = layout_of_numbers("amount", np.random.default_rng(1).gamma(2.0, 30.0, 2000))
COUNTRIES = ColumnLayout("country", "string", Measure.CATEGORY, categories=("DE", "FR", "UK"))

numbers = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.sampled_from([0.0, -0.0, math.nan, math.inf, -math.inf]))
)
texts = st.lists(st.one_of(st.none(), st.sampled_from(["UK", "DE", "FR", "ES", "", "Österreich"])))


def without_moments(profile: ColumnProfile) -> dict[str, object]:
    return {name: value for name, value in profile.to_dict().items() if name not in ("moments", "batches")}


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([1, 7, 28]).flatmap(lambda n: st.lists(numbers, min_size=n, max_size=n)),
    st.integers(0, 3),
)
def test_profiles_of_numbers_add_up_to_that_of_the_union(batches: list[list[float]], nulls: int) -> None:
    parts = [profile_of_numbers(NUMBERS, np.array(batch, float), nulls=nulls) for batch in batches]
    whole = profile_of_numbers(NUMBERS, np.array(list(chain(*batches)), float), nulls=nulls * len(batches))

    merged = merge_profiles(parts)

    assert without_moments(merged) == without_moments(whole)
    assert merged.batches == len(batches)
    assert without_moments(merge_profiles(reversed(parts))) == without_moments(whole)
    found, expected = merged.moments, whole.moments
    assert found is not None
    assert expected is not None
    size = max((abs(x) for batch in batches for x in batch if math.isfinite(x)), default=0.0)
    assert found.count == expected.count
    assert found.mean == pytest.approx(expected.mean, abs=1e-9 * size)
    for power, name in ((2, "m2"), (3, "m3"), (4, "m4")):
        bound = 1e-9 * max(found.count, 1) * size**power
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=bound, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([1, 7, 28]).flatmap(lambda n: st.lists(texts, min_size=n, max_size=n)))
def test_profiles_of_categories_add_up_to_that_of_the_union(batches: list[list[str | None]]) -> None:
    whole = profile_of_categories(COUNTRIES, list(chain(*batches)))

    merged = merge_profiles([profile_of_categories(COUNTRIES, batch) for batch in batches])

    assert merged.to_dict() | {"batches": 1} == whole.to_dict()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.binary(min_size=16, max_size=16)), min_size=1, max_size=5))
def test_sketches_add_up_exactly(batches: list[list[bytes]]) -> None:
    parts = [
        DistinctSketch(np.array([list(r) for r in batch] or [[0] * 16], np.uint8).max(axis=0).tobytes())
        for batch in batches
    ]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merged(part)

    assert list(merged.registers) == [max(part.registers[at] for part in parts) for at in range(16)]


def sketch_of(values: int, seed: int) -> DistinctSketch:
    """The registers after so many distinct values, by the definition of the sketch."""
    draw = np.random.default_rng(seed)
    registers = np.zeros(2048, np.uint8)
    ranks = np.minimum(draw.geometric(0.5, values), 54).astype(np.uint8)
    np.maximum.at(registers, draw.integers(0, 2048, values), ranks)
    return DistinctSketch(registers.tobytes())


@pytest.mark.parametrize("values", [0, 1, 10, 500, 2_000, 5_000, 20_000, 300_000])
def test_the_estimate_is_within_its_error_at_every_size(values: int) -> None:
    ratios = [sketch_of(values, seed).estimate() / max(values, 1) for seed in range(40)]

    if values == 0:
        assert ratios == [0.0] * 40
        return
    assert np.mean(ratios) == pytest.approx(1, abs=0.012)
    assert np.std(ratios) < 0.03


def test_sketches_of_other_sizes_and_other_bytes_are_refused() -> None:
    with pytest.raises(SketchUnreadable, match="don't add up"):
        DistinctSketch(bytes(16)).merged(DistinctSketch(bytes(32)))
    with pytest.raises(SketchUnreadable):
        DistinctSketch.from_json("no base64!")


def test_moments_are_those_of_scipy() -> None:
    values = np.random.default_rng(3).lognormal(3, 1, 5000)

    moments = profile_of_numbers(NUMBERS, values).moments

    assert moments is not None
    assert moments.mean == pytest.approx(values.mean())
    assert moments.stddev == pytest.approx(values.std(ddof=1))
    assert moments.skewness == pytest.approx(stats.skew(values))
    assert moments.kurtosis == pytest.approx(stats.kurtosis(values))


@pytest.mark.parametrize("pivot", [0.0, 990.0, 1003.0])
def test_moments_about_a_pivot_are_those_about_the_mean(pivot: float) -> None:
    values = np.random.default_rng(3).normal(1000, 5, 800)
    away = values - pivot

    moments = Moments.about(pivot, len(values), *(float((away**power).sum()) for power in (1, 2, 3, 4)))

    assert moments.mean == pytest.approx(values.mean())
    assert moments.stddev == pytest.approx(values.std(ddof=1), rel=1e-6)
    assert moments.skewness == pytest.approx(stats.skew(values), abs=1e-3)
    assert moments.kurtosis == pytest.approx(stats.kurtosis(values), abs=1e-2 if pivot else 0.1)


def test_a_constant_has_no_spread_and_no_shape() -> None:
    moments = Moments.about(0.1, 3, *(3 * (0.3 - 0.1) ** power for power in (1, 2, 3, 4)))

    assert (moments.count, moments.m2, moments.m3, moments.m4) == (3, 0, 0, 0)
    assert moments.mean == pytest.approx(0.3)
    assert moments.stddev == 0
    assert math.isnan(moments.skewness)
    assert math.isnan(moments.kurtosis)
    assert math.isnan(Moments().stddev)


def test_rounding_takes_what_the_order_of_sums_leaves() -> None:
    values = np.random.default_rng(3).lognormal(3, 1, 5000)
    layout = layout_of_numbers("x", values)
    pieces = np.array_split(values, 7)
    forwards, backwards = (
        merge_profiles(profile_of_numbers(layout, piece) for piece in order).moments
        for order in (pieces, pieces[::-1])
    )

    assert forwards is not None
    assert backwards is not None
    assert forwards != backwards
    assert forwards.rounded() == backwards.rounded()


def test_bins_hold_equal_parts_and_a_repeated_least_value_has_its_own() -> None:
    even = np.arange(1.0, 401.0)
    below, *bins, above = NumberCounts.of(edges_of_sample(even), even).counts
    assert (below, len(bins), above) == (0, 40, 0)
    assert set(bins) <= {9, 10, 11}

    orders = np.array([0.0] * 300 + [1.0] * 60 + [2.0] * 40)
    counted = NumberCounts.of(edges_of_sample(orders), np.append(orders, [-1, 0.5, 3]))
    assert (counted.edges, counted.counts) == ((0.0, 0.0, 1.0, 2.0), (1, 300, 61, 40, 1))
    assert edges_of_sample(np.array([5.0, 5.0])) == (5.0, 5.0)
    assert edges_of_sample(np.array([math.nan, math.inf])) == ()


def test_numbers_outside_and_infinities_have_cells() -> None:
    counts = NumberCounts.of((1.0, 2.0, 3.0), np.array([-math.inf, 0.9, 1, 2, 2.1, 3, 3.1, math.inf]))

    assert (counts.below, counts.counts, counts.above) == (2, (2, 2, 2, 2), 2)
    assert NumberCounts.of((), np.array([4.0, 5.0])).counts == (2,)


@pytest.mark.parametrize("edges", [(1.0,), (1.0, 1.0, 1.0), (2.0, 1.0)])
def test_edges_that_do_not_ascend_are_refused(edges: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="must ascend"):
        NumberCounts(edges, (0,) * (len(edges) + 1))
    with pytest.raises(ValueError, match="need 3 counts"):
        NumberCounts((1.0, 2.0), (0,))


def test_ranks_of_quantiles_are_off_by_a_bin_at_most() -> None:
    values = np.random.default_rng(5).lognormal(3, 1, 4000)
    profile = profile_of_numbers(layout_of_numbers("x", values), values)
    levels = np.linspace(0, 1, 101)

    found = profile.quantiles(levels)

    assert found is not None
    ranks = np.searchsorted(np.sort(values), found) / len(values)
    assert np.abs(ranks - levels).max() <= 1 / 40 + 1e-9
    assert found[0] == values.min()
    assert found[-1] == values.max()
    assert found == sorted(found)


def test_quantiles_of_what_has_no_numbers_are_none() -> None:
    nothing = profile_of_numbers(NUMBERS, np.array([math.nan]), nulls=2)
    assert nothing.quantiles([0.5]) is None
    assert (nothing.minimum, nothing.maximum, nothing.values) == (None, None, 0)
    constant = profile_of_numbers(layout_of_numbers("x", np.full(9, 4.0)), np.full(9, 4.0))
    assert constant.quantiles([0.0, 0.5, 1.0]) == [4.0, 4.0, 4.0]


def test_only_the_most_frequent_new_values_are_named() -> None:
    counted = Counter({f"v{n:02}": n + 1 for n in range(30)} | {"UK": 7})

    counts = CategoryCounts.of(["UK", "DE"], counted)

    assert counts.known == (("DE", 0), ("UK", 7))
    assert [value for value, _ in counts.new] == [f"v{n:02}" for n in range(10, 30)]
    assert (counts.unnamed, counts.unknown, counts.total) == (55, 465, 472)
    assert counts.frequent(2) == [("v29", 30), ("v28", 29)]
    assert counts.distinct == 22
    twice = counts.merged(counts)
    assert (twice.unnamed, twice.unknown, twice.total, len(twice.new)) == (110, 930, 944, 20)


def test_profiles_that_were_measured_otherwise_do_not_add_up() -> None:
    values = np.arange(50.0)
    here = profile_of_numbers(NUMBERS, values)
    with pytest.raises(ProfilesDiffer, match="bins are not the same"):
        here.merged(profile_of_numbers(layout_of_numbers("amount", values), values))
    with pytest.raises(ProfilesDiffer, match=r"amount \(double, as number\), the other of country"):
        here.merged(profile_of_categories(COUNTRIES, ["UK"]))
    other = ColumnLayout("country", "string", Measure.CATEGORY, categories=("UK",))
    with pytest.raises(ProfilesDiffer, match="other categories"):
        profile_of_categories(COUNTRIES, ["UK"]).merged(profile_of_categories(other, ["UK"]))


@pytest.mark.parametrize(
    "profile",
    [
        profile_of_numbers(NUMBERS, np.array([1.5, math.nan, -math.inf, math.inf, 0.0]), nulls=3),
        profile_of_categories(COUNTRIES, ["UK", None, "ES"]),
        ColumnProfile("note", "string", Measure.TEXT, distinct=sketch_of(100, 1), hashed=(3, 0, 1)),
        ColumnProfile("tags", "array<string>", Measure.COUNTS, count=5, nulls=1),
    ],
    ids=lambda profile: profile.column,
)
def test_the_json_of_a_profile_reads_back(profile: ColumnProfile) -> None:
    text = json.dumps(profile.to_dict(), sort_keys=True, allow_nan=False)

    assert ColumnProfile.from_dict(json.loads(text)) == profile


def test_the_json_of_a_profile_is_what_it_was() -> None:
    """Profiles of years are in tables: what is written here must be read for ever."""
    profile = profile_of_numbers(
        ColumnLayout("n", "int", Measure.NUMBER, edges=(1.0, 2.0, 4.0)), np.array([0.0, 2.0, 4.0]), nulls=1
    )

    assert profile.to_dict() == {
        "format": 1,
        "column": "n",
        "data_type": "int",
        "measure": "number",
        "batches": 1,
        "count": 4,
        "nulls": 1,
        "nans": 0,
        "zeros": 1,
        "minimum": 0.0,
        "maximum": 4.0,
        "moments": {"count": 3, "mean": 2.0, "m2": 8.0, "m3": 0.0, "m4": 32.0},
        "numbers": {"edges": [1.0, 2.0, 4.0], "counts": [1, 1, 1, 0]},
    }


def test_stored_text_of_another_form_is_refused() -> None:
    stored = profile_of_categories(COUNTRIES, ["UK"]).to_dict()
    with pytest.raises(ProfileUnreadable, match="format is 9"):
        ColumnProfile.from_dict(stored | {"format": 9})
    with pytest.raises(ProfileUnreadable, match="KeyError"):
        ColumnProfile.from_dict(stored | {"categories": {}})
    with pytest.raises(ProfileUnreadable, match="weight"):
        ColumnProfile.from_dict(stored | {"measure": "weight"})


def test_a_baseline_says_how_later_batches_are_measured() -> None:
    values = np.array([1.0, 2.0, 3.0])
    layout = layout_of_numbers("x", values)
    again = profile_of_numbers(layout, values).layout()
    assert (again.edges, again.measure, again.pivot) == (layout.edges, Measure.NUMBER, 2.0)
    assert profile_of_categories(COUNTRIES, ["UK", "ES", None]).layout().categories == ("ES", "UK")
