"""Bytes: the same for the same specification, one file for each open day, whole or not at all."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from lakesmith.errors import ConfigurationError
from lakesmith.simulate import Event, EventKind, SimulationSpec, simulate
from lakesmith.simulate.landing import write_file

DRIFTS = tuple(
    Event(kind, date(2011, 3, 7)) for kind in (EventKind.MIX, EventKind.PRICES, EventKind.REPURCHASES)
)
SMALL = SimulationSpec(date(2011, 3, 1), 10, 200, 42, defects=0.05, events=DRIFTS)
GOLDEN = "d2b838f50d985f16ecde2aa6f972fc056561786a75fec1482743e7aac9d4d1bd"


def digest(folder: Path) -> str:
    content = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        content.update(path.name.encode() + b"\0" + path.read_bytes())
    return content.hexdigest()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_bytes_of_a_seed_never_change(tmp_path: Path) -> None:
    """A new digest here means that everybody's simulated data changes: say so in CHANGELOG.md."""
    simulate(SMALL, tmp_path)
    assert digest(tmp_path) == GOLDEN


def test_another_seed_gives_another_trade(tmp_path: Path) -> None:
    """Other times, other products, other customers: not one of them alone."""
    columns: list[list[set[str]]] = []
    for seed in (1, 2):
        simulate(SimulationSpec(date(2011, 3, 1), 1, 50, seed), tmp_path / str(seed))
        lines = (tmp_path / str(seed) / "2011-03-01.csv").read_text().splitlines()[1:]
        columns.append([set(column) for column in zip(*csv.reader(lines), strict=True)])
    for column, most in ((1, 0.2), (4, 0.5), (6, 0.2)):
        one, other = columns[0][column], columns[1][column]
        assert len(one & other) <= most * len(one)


def test_an_invoice_number_is_given_once_and_numbers_rise(tmp_path: Path) -> None:
    """Also on the busiest days, although each day computes its first number alone."""
    for lines_per_day in (10, 2_000):
        simulate(SimulationSpec(date(2011, 11, 6), 24, lines_per_day, 2), tmp_path / str(lines_per_day))
        numbers = [
            int(line.split(",", 1)[0].lstrip("CA"))
            for path in sorted((tmp_path / str(lines_per_day)).iterdir())
            for line in path.read_text().splitlines()[1:]
        ]
        assert numbers == sorted(numbers)
        days = [
            {line.split(",", 1)[0] for line in path.read_text().splitlines()[1:]}
            for path in sorted((tmp_path / str(lines_per_day)).iterdir())
        ]
        assert sum(map(len, days)) == len(set().union(*days)) == len(set(numbers))


@pytest.mark.parametrize("hash_seed", ["0", "1", "4711"])
def test_the_hash_seed_of_python_does_not_matter(tmp_path: Path, hash_seed: str) -> None:
    program = (
        "import sys; from datetime import date; from pathlib import Path; "
        "from lakesmith.simulate import SimulationSpec, parse_event, simulate; "
        "drifts = tuple(parse_event(f'{kind}@2011-03-07') for kind in ('mix', 'prices', 'repurchases')); "
        "simulate(SimulationSpec(date(2011, 3, 1), 10, 200, 42, 0.05, drifts), Path(sys.argv[1]))"
    )
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "out")], env=environment, check=True)
    assert digest(tmp_path / "out") == GOLDEN


def test_asking_for_more_days_leaves_the_earlier_files_as_they_were(tmp_path: Path) -> None:
    few, many = tmp_path / "few", tmp_path / "many"
    simulate(SimulationSpec(date(2011, 3, 1), 10, 300, 5, defects=0.02), few)
    simulate(SimulationSpec(date(2011, 3, 1), 45, 300, 5, defects=0.02), many)
    assert len(contents(few)) == 9
    assert contents(few).items() <= contents(many).items()


def test_a_later_range_continues_where_an_earlier_one_ended(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    simulate(SimulationSpec(date(2011, 3, 1), 40, 300, 5), whole)
    for first in (date(2011, 3, 1), date(2011, 3, 21)):
        simulate(SimulationSpec(first, 20, 300, 5), parts)
    assert contents(parts) == contents(whole)


def test_saturdays_are_closed_and_every_other_day_has_lines(tmp_path: Path) -> None:
    summary = simulate(SimulationSpec(date(2011, 1, 1), 365, 10, 3), tmp_path)
    year = [date(2011, 1, 1) + timedelta(n) for n in range(365)]
    open_days = [day for day in year if day.isoweekday() != 6]
    assert sorted(contents(tmp_path)) == [f"{day.isoformat()}.csv" for day in open_days]
    assert all(content.count(b"\n") > 1 for content in contents(tmp_path).values())
    assert summary.files == len(open_days) == 312


def test_only_a_closed_day_makes_no_file_and_is_no_error(tmp_path: Path) -> None:
    summary = simulate(SimulationSpec(date(2011, 3, 5), 1, 10, 3), tmp_path / "new" / "folder")
    assert (summary.files, summary.rows, summary.bytes) == (0, 0, 0)
    assert contents(tmp_path / "new" / "folder") == {}


def test_the_summary_counts_files_rows_and_bytes(tmp_path: Path) -> None:
    summary = simulate(SMALL, tmp_path)
    files = contents(tmp_path).values()
    assert summary.files == len(files)
    assert summary.bytes == sum(map(len, files))
    assert summary.rows == sum(content.count(b"\n") - 1 for content in files)


def test_progress_hears_of_every_calendar_day(tmp_path: Path) -> None:
    heard: list[date] = []
    simulate(SMALL, tmp_path, progress=heard.append)
    assert heard == list(SMALL.calendar_days())


def test_the_layout_is_that_of_the_source(tmp_path: Path) -> None:
    """As pandas wrote the real files: quotes where needed, floats by repr, no CR, an ending line break."""
    simulate(SimulationSpec(date(2011, 3, 1), 4, 2_000, 9), tmp_path)
    quotes = commas = 0
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        records = list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))
        copy = io.StringIO(newline="")
        csv.writer(copy, lineterminator="\n").writerows(records)
        assert copy.getvalue().encode() == content
        assert {len(record) for record in records} == {8}
        assert all(repr(float(record[5])) == record[5] for record in records[1:])
        assert all(record[6] == "" or record[6] == f"{int(float(record[6]))}.0" for record in records[1:])
        times = [record[4] for record in records[1:]]
        assert times == sorted(times)
        assert all(time.endswith(":00") and len(time) == 19 for time in times)
        quotes += sum('"' in record[2] for record in records)
        commas += sum("," in record[2] for record in records)
    assert quotes > 0
    assert commas > 0


def test_existing_files_of_the_days_are_replaced_and_others_left_alone(tmp_path: Path) -> None:
    (tmp_path / "2011-03-01.csv").write_text("old")
    (tmp_path / "notes.txt").write_text("mine")
    simulate(SMALL, tmp_path)
    assert (tmp_path / "2011-03-01.csv").read_text().startswith("InvoiceNo,")
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 10


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "2011-03-01.csv"
    target.write_text("old")
    seen: list[list[str]] = []

    def breaks_off() -> Iterator[str]:
        yield "half\n"
        seen.append(sorted(path.name for path in tmp_path.glob("*.csv")))
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_file(target, breaks_off())
    assert seen == [["2011-03-01.csv"]]
    assert contents(tmp_path) == {"2011-03-01.csv": b"old"}


def test_a_folder_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="Name another folder"):
        simulate(SMALL, tmp_path / "file")


def test_memory_does_not_grow_with_lines_or_days(tmp_path: Path) -> None:
    def peak(days: int, lines_per_day: int) -> int:
        tracemalloc.start()
        try:
            simulate(SimulationSpec(date(2011, 3, 1), days, lines_per_day, 1), tmp_path)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    small = peak(1, 2_000)
    assert peak(1, 30_000) < small * 1.15
    assert peak(12, 2_000) < small * 1.15
