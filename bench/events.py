"""Which night notices what is planted in the lines of invoices, over several seeds, without Spark.

Simulates a calm year and one with events for each seed, types the lines with pandas as `silver.sales_lines` does, profiles and
judges every night as its contract says. `bench/year.py` does the same with one seed through the whole graph. Takes about a
minute a year at 1,500 lines a day and six at 10,000.

    python bench/events.py --lines-per-day 10000 --seeds 7 8 9
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.load import load_project
from lakesmith.contracts.model import BATCH_DATE
from lakesmith.monitoring.baseline import TableBaseline, baseline_of
from lakesmith.monitoring.decision import DriftSettings
from lakesmith.monitoring.drift import drift_rows
from lakesmith.monitoring.metric_rows import RowKey, profile_row
from lakesmith.monitoring.profile import ColumnLayout, ColumnProfile, Lengths, Measure
from lakesmith.monitoring.sample import layout_of_numbers, profile_of_categories, profile_of_numbers
from lakesmith.monitoring.stored import DRIFTED
from lakesmith.simulate import Event, EventKind, SimulationSpec, simulate

ROOT = Path(__file__).parents[1]
TABLE = "silver.sales_lines"
CONTRACT = load_project(ROOT).graph.contracts[TABLE]
PROFILE = CONTRACT.profile
START, FIRST, LAST = date(2010, 12, 1), date(2011, 5, 1), date(2011, 12, 31)
EVENTS = (
    Event(EventKind.ANONYMOUS, date(2011, 6, 6), date(2011, 6, 19)),
    Event(EventKind.MIX, date(2011, 7, 4), date(2011, 7, 17)),
    Event(EventKind.PRICES, date(2011, 8, 29), date(2011, 9, 11)),
)
MEASURES = {
    **dict.fromkeys(("quantity", "unit_price", "amount"), Measure.NUMBER),
    **dict.fromkeys(("country", "line_type", "is_product"), Measure.CATEGORY),
    **dict.fromkeys(("stock_code", "description"), Measure.TEXT),
    "customer_id": Measure.COUNTS,
}
GROUPS = 512

Profiles = Mapping[date, list[ColumnProfile]]
Found = Mapping[date, list[str]]


def main() -> None:
    """Prints a table of when each event was noticed, and how many calm nights were not left in peace."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--lines-per-day", type=int, nargs="+", default=[1500])
    parser.add_argument("--seeds", type=int, nargs="+", default=[7])
    options = parser.parse_args()
    kinds = " | ".join(event.kind for event in EVENTS)
    print(
        f"| lines a day | seed | {kinds} | calm nights with drift |\n| --- | --- |{' --- |' * len(EVENTS)} --- |"
    )
    for lines in options.lines_per_day:
        for seed in options.seeds:
            calm, planted = (a_year(lines, seed, events) for events in ((), EVENTS))
            nights = [noticed(event, planted, calm) for event in EVENTS]
            false = f"{len(calm)} of {len(BatchRange(FIRST, LAST))}"
            print(f"| {lines:,} | {seed} | {' | '.join(nights)} | {false} |", flush=True)
            for night, columns in calm.items():
                print(f"{lines}, seed {seed}, calm: {night} {', '.join(columns)}", file=sys.stderr)


def a_year(lines_per_day: int, seed: int, events: tuple[Event, ...]) -> Found:
    """The columns that drifted, by night."""
    with tempfile.TemporaryDirectory() as folder:
        spec = SimulationSpec(START, (LAST - START).days + 1, lines_per_day, seed, events=events)
        simulate(spec, Path(folder))
        lines = {date.fromisoformat(file.stem): typed(file) for file in sorted(Path(folder).glob("*.csv"))}
    profiles = profiled({day: of_day for day, of_day in lines.items() if len(of_day)})
    assert PROFILE is not None
    assert PROFILE.baseline.days is not None
    baseline = baseline_of(
        (day, (None, None), profiles[day]) for day in PROFILE.baseline.days if day in profiles
    )
    assert baseline is not None
    found: dict[date, list[str]] = {}
    for row in drift_rows(rows_of(profiles, baseline), list(BatchRange(FIRST, LAST)), DriftSettings()):
        if row["verdict"] == DRIFTED:
            found.setdefault(row[BATCH_DATE], []).append(row["column_name"])
    return found


def noticed(event: Event, planted: Found, calm: Found) -> str:
    """The night of an event on which it is noticed first, and by which columns."""
    for at, night in enumerate(BatchRange(event.first, event.last or LAST), start=1):
        if columns := [c for c in planted.get(night, []) if c not in calm.get(night, [])]:
            return f"night {at}: {', '.join(columns)}"
    return "not noticed"


def typed(file: Path) -> pd.DataFrame:
    """The lines of a day."""
    text = pd.read_csv(file, dtype=str, keep_default_na=False).drop_duplicates()
    stripped = text.apply(lambda column: column.str.strip())
    invoice, code = stripped.iloc[:, 0], stripped["StockCode"].str.upper()
    quantity, price = (pd.to_numeric(stripped[name], errors="coerce") for name in ("Quantity", "UnitPrice"))
    kinds = [invoice.str.startswith("C"), invoice.str.startswith("A"), (price == 0) | (quantity < 0)]
    found = pd.DataFrame(
        {
            "quantity": quantity,
            "unit_price": price,
            "amount": quantity * price,
            "customer_id": stripped["CustomerID"].replace("", None),
            "country": stripped["Country"].replace("", "Unspecified"),
            "line_type": np.select(kinds, ["cancellation", "adjustment", "write_off"], "sale"),
            "is_product": code.str.fullmatch(r"\d{5}[A-Z]{0,2}").map({True: "true", False: "false"}),
            "stock_code": code,
            "description": stripped["Description"].replace("", None),
        }
    )
    return found[quantity.notna() & price.notna()]


def profiled(lines: Mapping[date, pd.DataFrame]) -> Profiles:
    """The profiles of each day on the bins of the baseline."""
    assert PROFILE is not None
    assert PROFILE.baseline.days is not None
    base = pd.concat([lines[day] for day in PROFILE.baseline.days if day in lines])
    layouts = [layout(base[column], MEASURES[column]) for column in PROFILE.columns]
    return {day: [profile(of_day[each.column], each) for each in layouts] for day, of_day in lines.items()}


def layout(values: pd.Series[Any], measure: Measure) -> ColumnLayout:
    """How a column is measured."""
    name = str(values.name)
    if measure is Measure.NUMBER:
        return layout_of_numbers(name, values.to_numpy(float))
    known = tuple(sorted(values.dropna().unique())) if measure is Measure.CATEGORY else ()
    return ColumnLayout(name, "string", measure, categories=known)


def profile(values: pd.Series[Any], how: ColumnLayout) -> ColumnProfile:
    """The profile of a day's column."""
    there = values.dropna()
    nulls = len(values) - len(there)
    match how.measure:
        case Measure.NUMBER:
            return profile_of_numbers(how, there.to_numpy(float), nulls=nulls)
        case Measure.CATEGORY:
            return profile_of_categories(how, [None if pd.isna(value) else str(value) for value in values])
    counts = ColumnProfile(how.column, how.data_type, how.measure, count=len(values), nulls=nulls)
    if how.measure is not Measure.TEXT:
        return counts
    # Another hash than Spark's: the groups hold other values, and tell as much.
    groups = pd.util.hash_array(there.to_numpy(object)) % GROUPS
    hashed = tuple(np.bincount(groups.astype(np.int64), minlength=GROUPS).tolist())
    return replace(counts, lengths=Lengths(), hashed=hashed)


def rows_of(profiles: Profiles, baseline: TableBaseline) -> Iterator[dict[str, Any]]:
    """The rows of `monitoring.profile_metrics` that drift is made of."""
    assert PROFILE is not None
    trends = {column.name: column.trends for column in CONTRACT.columns}
    facts = {"repeated": PROFILE.repeated, "windows": list(PROFILE.windows), "least_effect": PROFILE.effect}
    for day, of_day in profiles.items():
        for each in of_day:
            base = baseline.columns[None, None, each.column]
            key = {**facts, BATCH_DATE: day, "baseline": "days", "trends": trends[each.column]}
            usual = [{"days": days, "effect": effect} for days, effect in base.usual]
            yield {**profile_row(RowKey(TABLE, day), each), **key}
            if day >= FIRST - timedelta(1):
                row = profile_row(RowKey(TABLE, day), base.profile, log_type="BASELINE")
                yield {**row, **key, "usual_effects": usual}


if __name__ == "__main__":
    main()
