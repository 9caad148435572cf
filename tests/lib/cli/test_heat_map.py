"""The heat map: what stands where, for any width."""

from __future__ import annotations

from datetime import date, timedelta

from lakesmith.cli.heat_map import HeatMap, legend
from lakesmith.cli.options import Unit
from lakesmith.contracts.days import BatchRange
from lakesmith.ledger.state import BatchState, State


def _map(
    first: date, days: int, states: dict[str, list[State]], lags: dict[str, int] | None = None
) -> HeatMap:
    lags = lags or {}
    found = {
        table: {
            (batch := first + timedelta(n)): BatchState(table, batch, state) for n, state in enumerate(given)
        }
        for table, given in states.items()
    }
    return HeatMap(BatchRange(first, first + timedelta(days - 1)), found, lags)


def _text(heat: HeatMap, width: int, unit: Unit | None = None) -> list[str]:
    return [line.plain.rstrip() for line in heat.render(width, unit)]


def test_days_stand_under_their_month() -> None:
    states = [State.FRESH] * 2 + [
        State.CLOSED,
        State.STALE,
        State.MISSING,
        State.FAILED,
        State.BLOCKED,
        State.FOREIGN,
    ]
    heat = _map(date(2024, 1, 28), 8, {"a.b": states, "silver.long": [State.FRESH] * 8})
    assert _text(heat, 80) == [
        "             Jan Feb 2024",
        "                 1",
        "a.b          ..-SMFBX",
        "silver.long  ........",
    ]


def test_what_does_not_fit_goes_on_below() -> None:
    heat = _map(date(2024, 1, 1), 30, {"a.b": [State.FRESH] * 15 + [State.FAILED] * 15})
    assert _text(heat, 5 + 20) == [
        "     Jan 2024",
        "     1        10",
        "a.b  ...............FFFFF",
        "",
        "     Jan 2024",
        "",
        "a.b  FFFFFFFFFF",
    ]


def test_a_table_with_a_lag_stands_under_the_night_that_owns_its_batch() -> None:
    heat = _map(
        date(2024, 1, 1), 5, {"a.b": [State.FRESH] * 5, "c.d": [State.STALE, State.MISSING]}, {"c.d": 3}
    )
    assert _text(heat, 80)[2:] == ["a.b        .....", "c.d (-3d)     SM"]


def test_a_year_becomes_weeks_and_a_week_shows_its_worst_day() -> None:
    states = [State.FRESH] * 366
    states[10], states[11] = State.STALE, State.FAILED
    heat = _map(date(2024, 1, 1), 366, {f"silver.t{n:02}": states for n in range(12)})
    lines = _text(heat, 80)
    assert lines[0].startswith("            Jan Feb Mar  Apr")
    assert lines[1] == f"silver.t00  .F{'.' * 51}"
    assert len(lines) == 13


def test_weeks_begin_on_mondays() -> None:
    states = [State.FRESH, State.FRESH, State.MISSING, State.FRESH]
    heat = _map(date(2024, 1, 6), 4, {"a.b": states})
    assert _text(heat, 80, Unit.WEEK)[1:] == ["a.b  .M"]


def test_ten_years_become_months_under_their_years() -> None:
    heat = _map(date(2014, 1, 1), 3652, {"a.b": [State.FRESH] * 3652})
    lines = _text(heat, 130, Unit.MONTH)
    assert lines[0].split() == [str(year) for year in range(2014, 2024)]
    assert lines[1] == f"     {'JFMAMJJASOND' * 10}"
    assert lines[2] == f"a.b  {'.' * 120}"


def test_a_narrow_terminal_cuts_names_before_days() -> None:
    heat = _map(date(2024, 1, 1), 12, {"silver.a_very_long_name": [State.FRESH] * 12})
    lines = _text(heat, 24)
    assert lines[-1] == "silver.a_~  ............"
    assert max(map(len, lines)) <= 24


def test_no_line_is_wider_than_the_terminal() -> None:
    heat = _map(
        date(2023, 11, 20), 400, {"silver.sales_lines": [State.FRESH] * 400, "gold.x": [State.STALE] * 400}
    )
    for width in (40, 60, 80, 120, 200):
        for unit in (None, *Unit):
            assert max(len(line) for line in _text(heat, width, unit)) <= width


def test_the_legend_holds_what_is_there() -> None:
    assert legend([State.FRESH, State.FAILED]).plain == ". fresh   F failed"
