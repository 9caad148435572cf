"""What is compared with what on a night, from made-up rows of profiles, without Spark."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from lakesmith.contracts.model import BATCH_DATE
from lakesmith.monitoring.baseline import TableBaseline, baseline_of
from lakesmith.monitoring.decision import DriftSettings, Reason, VerdictKind
from lakesmith.monitoring.drift import PROFILE_INPUT, drift_rows, drift_settings
from lakesmith.monitoring.metric_rows import DRIFT_COLUMNS, RowKey, profile_row
from lakesmith.monitoring.profile import ColumnLayout, ColumnProfile, Measure
from lakesmith.monitoring.sample import layout_of_numbers, profile_of_numbers
from lakesmith.monitoring.stored import DRIFTED, TREND

FIRST = date(2024, 1, 1)
DAYS = 40
SETTINGS = DriftSettings(least_rows=100, windows=(1, 7))


def day(number: int) -> date:
    return FIRST + timedelta(number)


def sample(number: int, rows: int = 400, *, shift: float = 0.0) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.random.default_rng(number).normal(shift, 1, rows)


LAYOUT = layout_of_numbers("x", sample(1000, 4000))


def profiled(
    number: int, rows: int = 400, *, shift: float = 0.0, layout: ColumnLayout = LAYOUT
) -> ColumnProfile:
    return profile_of_numbers(layout, sample(number, rows, shift=shift))


def row(number: int, profile: ColumnProfile, **more: Any) -> dict[str, Any]:
    """A row of profiles of a day, with what drift reads of it."""
    log_type = more.pop("log_type", "INPUT")
    made = profile_row(RowKey("gold.features", day(number)), profile, log_type=log_type)
    facts = {
        "repeated": False,
        "trends": False,
        "baseline": "m version 1",
        "windows": None,
        "least_effect": None,
    }
    facts |= more
    return {**{name: made[name] for name in PROFILE_INPUT}, **facts, BATCH_DATE: day(number)}


def baseline_row(
    number: int, profile: ColumnProfile, *usual: tuple[int, float], **more: Any
) -> dict[str, Any]:
    effects = [{"days": days, "effect": effect} for days, effect in usual]
    return row(number, profile, log_type="BASELINE", usual_effects=effects, **more)


def verdicts(rows: list[dict[str, Any]]) -> dict[date, str]:
    return {found[BATCH_DATE]: found["verdict"] for found in rows if found["verdict"]}


BASE = profile_of_numbers(LAYOUT, sample(1000, 4000))


def test_a_night_is_compared_with_its_baseline_and_with_the_period_before() -> None:
    rows = [row(n, profiled(n, shift=2.0 if n == 3 else 0.0)) for n in range(4)]
    rows += [baseline_row(n, BASE) for n in range(4)]

    found = drift_rows(rows, [day(2), day(3)], SETTINGS)

    assert all(set(made) == {*DRIFT_COLUMNS, BATCH_DATE} for made in found)
    kinds = [(made[BATCH_DATE], made["column_name"], made["drift_type"], made["verdict"]) for made in found]
    assert kinds == [
        (day(2), "x", "BASELINE", "stable"),
        (day(2), "x", "CONSECUTIVE", None),
        (day(2), ":table", "BASELINE", None),
        (day(2), ":table", "CONSECUTIVE", None),
        (day(3), "x", "BASELINE", "drifted"),
        (day(3), "x", "CONSECUTIVE", None),
        (day(3), ":table", "BASELINE", None),
        (day(3), ":table", "CONSECUTIVE", None),
    ]
    consecutive = found[5]
    assert consecutive["window_cmp"]["end"] == consecutive["window"]["start"]
    assert consecutive["avg_delta"] == pytest.approx(sample(3, shift=2.0).mean() - sample(2).mean(), abs=1e-9)
    assert consecutive["baseline"] is None
    assert found[4]["baseline"] == "m version 1"


def test_a_batch_that_is_too_small_is_judged_with_those_before_it() -> None:
    rows = [row(n, profiled(n, 30)) for n in range(DAYS)] + [baseline_row(DAYS - 1, BASE)]

    [judged, before, *_] = drift_rows(rows, [day(DAYS - 1)], SETTINGS)

    assert (judged["rows_judged"], judged["granularity"], judged["verdict"]) == (210, "7 days", "stable")
    assert (before["count_delta"], before["window_cmp"]["end"].date()) == (0, day(DAYS - 7))


def test_a_contract_may_ask_for_longer_windows() -> None:
    rows = [row(n, profiled(n, shift=2.0 if n == 9 else 0.0), windows=[7]) for n in range(10)]
    rows += [baseline_row(9, BASE, windows=[7])]

    [judged, *_] = drift_rows(rows, [day(9)], SETTINGS)

    assert (judged["granularity"], judged["rows_judged"]) == ("7 days", 2800)


def test_what_is_usual_is_that_of_windows_as_long() -> None:
    rows = [row(n, profiled(n, 30, shift=0.5)) for n in range(7)]
    far, near = ((1, 0.0), (7, 5.0)), ((1, 0.1), (7, 0.0))
    # A week of independent days is off by a seventh of what one is.
    days = ((1, 5.0), (7, 0.0))

    for usual, verdict in ((far, "stable"), (near, "drifted"), (days, "stable")):
        [judged, *_] = drift_rows([*rows, baseline_row(6, BASE, *usual)], [day(6)], SETTINGS)
        assert judged["verdict"] == verdict


def test_what_is_too_small_for_a_day_shows_in_a_week() -> None:
    """A quarter of a deviation: index 0.06 a day; a day of the baseline is off by 0.03, and ten times that is asked for."""
    rows = [row(n, profiled(n, shift=0.25 if n >= 13 else 0.0), windows=[1, 7]) for n in range(20)]
    rows += [baseline_row(n, BASE, (1, 0.03), (7, 0.0)) for n in range(20)]
    strict = replace(SETTINGS, effect=0.04, usual_factor=10)

    found = drift_rows(rows, [day(n) for n in (12, 13, 19)], strict)

    judged = [(made["granularity"], made["verdict"]) for made in found if made["verdict"]]
    assert judged == [("1 day", "stable"), ("1 day", "stable"), ("7 days", "drifted")]


def test_a_contract_may_say_which_effect_counts() -> None:
    rows = [row(n, profiled(n, shift=0.35)) for n in range(2)]

    for effect, verdict in ((0.5, "stable"), (0.05, "drifted"), (None, "drifted")):
        asked = [{**each, "least_effect": effect} for each in [*rows, baseline_row(1, BASE)]]
        [judged, *_] = drift_rows(asked, [day(1)], SETTINGS)
        assert (judged["verdict"], judged["effect_limit"]) == (verdict, effect or SETTINGS.effect)


def test_the_first_days_of_a_lake_are_judged_as_days() -> None:
    """Two batches are no week: what is usual of a week says nothing of them."""
    rows = [row(n, profiled(n, shift=0.5), windows=[7]) for n in range(2)]

    [judged, *_] = drift_rows([*rows, baseline_row(1, BASE, (1, 0.5), (7, 0.0))], [day(1)], SETTINGS)

    assert (judged["granularity"], judged["verdict"], judged["effect_limit"]) == ("2 days", "stable", 0.75)


def test_a_new_baseline_begins_windows_anew() -> None:
    """Of profiles on other bins neither sums nor distances are made; the next nights fill the window again."""
    other = layout_of_numbers("x", sample(2000, 4000))
    second = profile_of_numbers(other, sample(2000, 4000))
    rows = [row(n, profiled(n, 30)) for n in range(20)] + [baseline_row(n, BASE) for n in range(20)]
    rows += [row(n, profiled(n, 30, layout=other), baseline="m version 2") for n in range(20, 30)]
    rows += [baseline_row(n, second, baseline="m version 2") for n in range(20, 30)]

    found = drift_rows(rows, [day(n) for n in (19, 20, 26, 27)], SETTINGS)

    judged = {made[BATCH_DATE]: made for made in found if made["verdict"]}
    assert [(each["rows_judged"], each["verdict"]) for each in judged.values()] == [
        (210, "stable"),
        (30, "too few"),
        (210, "stable"),
        (210, "stable"),
    ]
    compared = [m[BATCH_DATE] for m in found if m["drift_type"] == "CONSECUTIVE" and m["column_name"] == "x"]
    assert compared == [day(19), day(27)]


def test_a_trending_column_is_judged_by_its_trend_over_a_new_baseline_too() -> None:
    other = layout_of_numbers("x", sample(2000, 4000))
    rows = [
        row(n, profiled(n, shift=0.1 * n, layout=LAYOUT if n < 30 else other), trends=True)
        for n in range(DAYS)
    ]
    rows += [baseline_row(DAYS - 1, profile_of_numbers(other, sample(2000, 4000)))]
    last = rows[DAYS - 1]

    [stable, *_] = drift_rows(rows, [day(DAYS - 1)], SETTINGS)
    assert (stable["verdict"], stable["reason"]) == ("stable", "trend")

    far = row(DAYS - 1, profiled(DAYS, shift=0.1 * DAYS + 2, layout=other), trends=True)
    [drifted, *_] = drift_rows([far if each is last else each for each in rows], [day(DAYS - 1)], SETTINGS)
    assert (drifted["verdict"], drifted["reason"]) == ("drifted", "trend")


def texts(*groups: int) -> ColumnProfile:
    return ColumnProfile("x", "string", Measure.TEXT, count=sum(groups), hashed=groups)


def test_a_text_that_trends_is_judged_by_the_weeks_before() -> None:
    """A hundred rows a day move from the first group to the others in a month; on the last day they are where they were."""
    days = [texts(400 - 5 * n, 300, 200, 100 + 5 * n) for n in range(DAYS)]
    rows = [row(n, profile, trends=True) for n, profile in enumerate(days)]
    rows += [baseline_row(n, days[0], (1, 0.01), trends=True) for n in range(DAYS)]
    back = [*rows[: DAYS - 1], row(DAYS - 1, texts(600, 200, 100, 100), trends=True), *rows[DAYS:]]

    def said(rows: list[dict[str, Any]], number: int) -> tuple[str, str, float]:
        [judged, *_] = drift_rows(rows, [day(number)], SETTINGS)
        return judged["verdict"], judged["reason"], judged["population_stability_index"]

    verdict, reason, index = said(rows, DAYS - 1)
    assert (verdict, reason) == ("stable", "trend")
    assert index > 0.2  # of the baseline, which would have been called drift
    assert said(back, DAYS - 1)[:2] == ("drifted", "trend")
    assert said(rows, 13)[:2] == ("no trend", "missing")


def test_the_same_entities_every_night_are_no_more_rows() -> None:
    rows = [row(n, profiled(n, 30), repeated=True) for n in range(7)]
    rows.append(baseline_row(6, BASE, repeated=True))

    [judged, *_] = drift_rows(rows, [day(6)], SETTINGS)

    assert (judged["granularity"], judged["verdict"]) == ("1 day", "too few")


def test_without_a_baseline_nothing_is_said_and_without_a_day_before_nothing_compared() -> None:
    rows = [row(n, profiled(n), baseline=None) for n in (1, 2)]

    found = drift_rows(rows, [day(1), day(2), day(3)], SETTINGS)

    assert {(made[BATCH_DATE], made["drift_type"]) for made in found} == {(day(2), "CONSECUTIVE")}
    assert verdicts(found) == {}


def test_settings_come_by_their_full_names() -> None:
    plain = DriftSettings()
    read = {f"monitoring.drift.{name}": getattr(plain, name) for name in plain.__dataclass_fields__}

    found = drift_settings({**read, "monitoring.drift.windows": [1, 14], "tariff": 2})

    assert found == replace(plain, windows=(1, 14))


def test_a_baseline_reads_back_as_it_was_written_and_knows_what_is_usual() -> None:
    batches = [(day(n), (None, None), [profiled(n, shift=0.5 * (n % 2))]) for n in range(20)]

    made = baseline_of(batches)

    assert made is not None
    assert TableBaseline.from_dict(made.to_dict()) == made
    [column] = made.columns.values()
    assert (made.first, made.last, column.profile.count, column.profile.batches) == (
        day(0),
        day(19),
        8000,
        20,
    )
    usual = dict(column.usual)
    # Of single days every other one is off, of weeks nearly none is.
    assert usual.keys() == {1, 3, 7}
    assert usual[1] > 5 * usual[7]
    layout = made.layout("x", "double")
    assert layout is not None
    assert layout.edges == LAYOUT.edges
    assert made.layout("x", "int") is None
    assert made.layout("y", "double") is None
    assert made.renamed({"x": "probability"}).layout("probability", "double") == replace(
        layout, column="probability"
    )
    assert baseline_of([]) is None


def test_the_stored_verdict_is_the_one_that_is_decided() -> None:
    assert (str(VerdictKind.DRIFTED), str(Reason.TREND)) == (DRIFTED, TREND)
