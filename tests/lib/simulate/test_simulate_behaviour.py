"""What can be learned from simulated data: seasons, habits, repurchase, and how events change them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from lakesmith.simulate import Event, EventKind, SimulationSpec, simulate

Reader = Callable[[Path], Any]
Visits = dict[str, list[date]]
DRIFT = date(2011, 5, 2)
DRIFTS = tuple(Event(kind, DRIFT) for kind in (EventKind.MIX, EventKind.PRICES, EventKind.REPURCHASES))
SPEC = SimulationSpec(date(2011, 1, 2), 210, 700, 21)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, read: Reader) -> Any:
    out = tmp_path_factory.mktemp("calm")
    simulate(SPEC, out)
    return read(out)


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory, read: Reader) -> Any:
    out = tmp_path_factory.mktemp("drifted")
    simulate(replace(SPEC, events=DRIFTS), out)
    return read(out)


def sales_of_known(landed: Any) -> Iterable[tuple[date, list[str]]]:
    return ((day, line) for day, line in landed.lines if line[6] and line[0][0].isdigit())


def visits(landed: Any) -> Visits:
    days: dict[str, set[date]] = defaultdict(set)
    for day, line in sales_of_known(landed):
        days[line[6]].add(day)
    return {customer: sorted(bought) for customer, bought in days.items()}


def repurchase(history: Visits, as_of: Iterable[date]) -> list[tuple[int, int, bool]]:
    """Recency, frequency over 90 days, and whether the customer came back within 30 days."""
    rows = []
    for day in as_of:
        for days in history.values():
            recent = [then for then in days if day - timedelta(90) < then <= day]
            if recent:
                again = any(day < then <= day + timedelta(30) for then in days)
                rows.append(((day - recent[-1]).days, len(recent), again))
    return rows


def auc(scored: Iterable[tuple[float, bool]]) -> float:
    """Probability that a customer who came back is scored above one who did not; ties count half."""
    yes: Counter[float] = Counter()
    no: Counter[float] = Counter()
    for score, again in scored:
        (yes if again else no)[score] += 1
    better = below = 0.0
    for score in sorted(yes.keys() | no.keys()):
        better += yes[score] * (below + no[score] / 2)
        below += no[score]
    return better / (yes.total() * no.total())


def base_rate(landed: Any, as_of: Iterable[date]) -> float:
    rows = repurchase(visits(landed), as_of)
    return sum(again for *_, again in rows) / len(rows)


@pytest.mark.parametrize("lines_per_day", [10, 100, 900])
def test_the_mean_open_day_of_a_year_has_the_lines_asked_for(tmp_path: Path, lines_per_day: int) -> None:
    summary = simulate(SimulationSpec(date(2011, 1, 1), 365, lines_per_day, 8), tmp_path)
    assert summary.rows / summary.files == pytest.approx(lines_per_day, rel=0.05)


def test_weekdays_and_months_have_their_seasons(tmp_path: Path) -> None:
    simulate(SimulationSpec(date(2010, 1, 1), 730, 200, 8), tmp_path)
    weekday: dict[int, list[int]] = defaultdict(list)
    month: dict[int, list[int]] = defaultdict(list)
    for path in tmp_path.iterdir():
        day = date.fromisoformat(path.stem)
        lines = path.read_bytes().count(b"\n")
        weekday[day.isoweekday()].append(lines)
        month[day.month].append(lines)
    mean = {name: sum(lines) / len(lines) for name, lines in weekday.items()}
    assert min(mean, key=lambda name: mean[name]) == 7
    assert mean[1] > 1.4 * mean[7]
    assert sum(month[11]) / len(month[11]) > 1.3 * sum(month[2]) / len(month[2])


def test_customers_return_at_the_rate_of_the_real_files(calm: Any) -> None:
    as_of = [date(2011, 4, 3) + timedelta(n) for n in range(0, 80, 10)]
    assert base_rate(calm, as_of) == pytest.approx(0.31, abs=0.04)


def test_frequency_and_recency_tell_who_comes_back(calm: Any) -> None:
    rows = repurchase(visits(calm), [date(2011, 4, 3) + timedelta(n) for n in range(0, 80, 10)])
    assert 0.62 < auc((frequency, again) for _, frequency, again in rows) < 0.75
    assert 0.56 < auc((-recency, again) for recency, _, again in rows) < 0.70


def test_customers_keep_country_favourites_and_size(calm: Any) -> None:
    countries: dict[str, list[str]] = defaultdict(list)
    bought: dict[str, list[str]] = defaultdict(list)
    for _, line in sales_of_known(calm):
        countries[line[6]].append(line[7])
        bought[line[6]].append(line[1])
    moves = [sum(one != other for one, other in pairwise(names)) for names in countries.values()]
    assert 0 < sum(count > 0 for count in moves) < 0.02 * len(countries)
    assert max(moves) <= 2  # a customer who moves stays for 150 days
    again = sum(len(codes) - len(set(codes)) for codes in bought.values())
    assert again / sum(map(len, bought.values())) == pytest.approx(0.24, abs=0.06)  # 0.24 in the real files


def test_regular_customers_leave_and_others_take_their_place(calm: Any) -> None:
    quarter = timedelta(70)
    first, last = SPEC.first + quarter, SPEC.first + 2 * quarter
    history = visits(calm)
    early = {who for who, days in history.items() if sum(day < first for day in days) >= 4}
    late = {who for who, days in history.items() if sum(day >= last for day in days) >= 4}
    gone = {who for who in early if history[who][-1] < last}
    new = {who for who in late if history[who][0] >= first}
    assert len(early) > 50
    assert 0.1 < len(gone) / len(early) < 0.5
    assert 0.1 < len(new) / len(late) < 0.5


def test_nothing_differs_before_the_drift(calm: Any, drifted: Any) -> None:
    for day, path in calm.files.items():
        same = path.read_bytes() == drifted.files[day].read_bytes()
        assert same == (day < DRIFT), day


def test_the_drift_raises_prices(calm: Any, drifted: Any) -> None:
    def price(landed: Any) -> dict[str, float]:
        return {
            line[1]: max(float(line[5]), 0.0)
            for day, line in sales_of_known(landed)
            if day >= DRIFT and line[1][:5].isdigit() and int(line[3]) < 36
        }

    before, after = price(calm), price(drifted)
    both = [code for code in before if code in after and before[code] >= 1]
    rises = [after[code] / before[code] for code in both]
    assert len(rises) > 1000
    assert min(rises) > 1.10
    assert max(rises) < 1.14


def test_the_drift_shifts_the_mix(calm: Any, drifted: Any) -> None:
    def mix(landed: Any, first: date, last: date) -> Counter[str]:
        return Counter(line[1].upper() for day, line in sales_of_known(landed) if first <= day <= last)

    def distance(one: Counter[str], other: Counter[str]) -> float:
        return (
            sum(abs(one[c] / one.total() - other[c] / other.total()) for c in one.keys() | other.keys()) / 2
        )

    before = mix(calm, date(2011, 1, 2), DRIFT - timedelta(1))
    chance = distance(before, mix(calm, DRIFT, date.max))
    assert distance(before, mix(drifted, DRIFT, date.max)) > chance + 0.1


def test_the_drift_lowers_the_repurchase_rate_and_keeps_the_volume(calm: Any, drifted: Any) -> None:
    soon = [DRIFT + timedelta(n) for n in (-1, 5)]
    later = [DRIFT + timedelta(n) for n in (45, 55)]
    assert base_rate(drifted, soon) < base_rate(calm, soon) - 0.03
    assert base_rate(drifted, later) < base_rate(calm, later) - 0.08
    rows = [sum(day >= DRIFT for day, _ in landed.lines) for landed in (calm, drifted)]
    assert rows[1] == pytest.approx(rows[0], rel=0.05)


def test_an_event_changes_what_is_sold_on_its_own_days_only(tmp_path: Path, read: Reader) -> None:
    """What was sold on them is taken back later, so that numbers and times of later invoices are others."""
    spec = SimulationSpec(date(2011, 3, 6), 12, 300, 5)
    first, last = date(2011, 3, 8), date(2011, 3, 10)

    def sold(name: str) -> dict[date, set[tuple[str, ...]]]:
        lines: dict[date, set[tuple[str, ...]]] = defaultdict(set)
        for day, line in read(tmp_path / name).lines:
            if line[0][0].isdigit():
                lines[day].add((*line[1:4], *line[5:]))
        return lines

    simulate(spec, tmp_path / "calm")
    calm = sold("calm")
    for kind in set(EventKind) - {EventKind.COLUMNS}:
        simulate(replace(spec, events=(Event(kind, first, last),)), tmp_path / kind)
        otherwise = sold(kind)
        changed = {day for day in calm if calm[day] != otherwise[day]}
        assert changed == {day for day in calm if first <= day <= last}, kind


def test_a_quarter_of_the_known_invoices_lose_their_number_and_nothing_else(
    tmp_path: Path, read: Reader
) -> None:
    spec = SimulationSpec(date(2011, 3, 6), 12, 1_000, 5)
    simulate(spec, tmp_path / "calm")
    simulate(replace(spec, events=(Event(EventKind.ANONYMOUS, spec.first),)), tmp_path / "lost")
    calm, lost = read(tmp_path / "calm").lines, read(tmp_path / "lost").lines
    known = {line[0] for _, line in calm if line[6] and line[0][0].isdigit()}
    gone = known - {line[0] for _, line in lost if line[6]}

    assert len(gone) / len(known) == pytest.approx(0.25, abs=0.02)
    assert [[*line[:6], line[7]] for _, line in calm] == [[*line[:6], line[7]] for _, line in lost]


def test_three_in_ten_invoices_of_a_low_day(tmp_path: Path, read: Reader) -> None:
    spec = SimulationSpec(date(2011, 3, 6), 12, 1_000, 5)
    simulate(spec, tmp_path / "calm")
    simulate(replace(spec, events=(Event(EventKind.VOLUME, spec.first),)), tmp_path / "low")
    calm, low = ({line[0] for _, line in sales_of_known(read(tmp_path / name))} for name in ("calm", "low"))
    assert len(low) / len(calm) == pytest.approx(0.3, abs=0.02)


def test_another_header_and_the_same_lines(tmp_path: Path) -> None:
    spec = SimulationSpec(date(2011, 3, 8), 1, 100, 5)
    simulate(spec, tmp_path / "calm")
    simulate(replace(spec, events=(Event(EventKind.COLUMNS, spec.first),)), tmp_path / "other")
    calm, other = ((tmp_path / name / "2011-03-08.csv").read_text() for name in ("calm", "other"))
    assert other == calm.replace("UnitPrice", "Price", 1)
    assert other != calm
