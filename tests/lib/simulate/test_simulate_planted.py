"""What the summary says was planted is what an independent reader finds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakesmith.simulate import Defect, Planted, SimulationSpec, SimulationSummary, simulate

Reader = Callable[[Path], Any]
KINDS = [kind for kind in Planted if kind is not Planted.DUPLICATES]
EXCLUSIVE = (
    Planted.SALES,
    Planted.CANCELLATIONS,
    Planted.WRITE_OFFS,
    Planted.ADJUSTMENTS,
    Planted.DUPLICATES,
)


@pytest.fixture(scope="module")
def dirty(tmp_path_factory: pytest.TempPathFactory, read: Reader) -> tuple[SimulationSummary, Any]:
    out = tmp_path_factory.mktemp("dirty")
    return simulate(SimulationSpec(date(2011, 3, 1), 26, 2_000, 11, defects=0.04), out), read(out)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, read: Reader) -> tuple[SimulationSummary, Any]:
    out = tmp_path_factory.mktemp("clean")
    return simulate(SimulationSpec(date(2011, 3, 1), 60, 1_000, 11), out), read(out)


def test_every_kind_of_defect_is_found_exactly_as_often_as_planted(
    dirty: tuple[SimulationSummary, Any],
) -> None:
    summary, landed = dirty
    assert set(summary.defects) == set(Defect)
    assert min(summary.defects.values()) > 50
    assert landed.defects == Counter({defect.value: count for defect, count in summary.defects.items()})


def test_the_share_of_defects_is_the_one_asked_for(dirty: tuple[SimulationSummary, Any]) -> None:
    summary, _ = dirty
    assert summary.defective / summary.rows == pytest.approx(0.04, rel=0.08)


@pytest.mark.parametrize("files", ["dirty", "clean"])
def test_every_kind_of_line_is_found_exactly_as_often_as_planted(
    files: str, request: pytest.FixtureRequest
) -> None:
    summary, landed = request.getfixturevalue(files)
    found = landed.kinds()
    assert {kind.value: summary.planted[kind] for kind in KINDS} == {
        kind.value: found[kind.value] for kind in KINDS
    }
    assert landed.duplicates == summary.planted[Planted.DUPLICATES]


def test_every_kind_of_line_occurs(clean: tuple[SimulationSummary, Any]) -> None:
    summary, _ = clean
    assert [kind for kind in Planted if summary.planted[kind] == 0] == []


@pytest.mark.parametrize("files", ["dirty", "clean"])
def test_rows_are_accounted_for(files: str, request: pytest.FixtureRequest) -> None:
    summary, landed = request.getfixturevalue(files)
    assert summary.rows == sum(summary.planted[kind] for kind in EXCLUSIVE) + summary.defective == landed.rows


def test_without_defects_every_line_is_sound(clean: tuple[SimulationSummary, Any]) -> None:
    summary, landed = clean
    assert landed.defects == Counter()
    assert summary.defective == 0


def test_defects_change_only_the_lines_that_they_spoil(tmp_path: Path) -> None:
    spec = SimulationSpec(date(2011, 3, 1), 3, 1_000, 4)
    simulate(spec, tmp_path / "sound")
    summary = simulate(SimulationSpec(**vars(spec) | {"defects": 0.1}), tmp_path / "spoiled")
    changed = 0
    for path in (tmp_path / "sound").iterdir():
        sound = path.read_text().splitlines()
        spoiled = (tmp_path / "spoiled" / path.name).read_text().splitlines()
        changed += sum(one != other for one, other in zip(sound, spoiled, strict=True))
    assert changed == summary.defective > 100


def test_adjustments_alone_may_have_a_negative_price_and_are_never_spoiled(tmp_path: Path) -> None:
    adjustments = []
    for defects in (0.0, 1.0):
        out = tmp_path / str(defects)
        summary = simulate(SimulationSpec(date(2011, 3, 1), 1, 100_000, 6, defects=defects), out)
        text = (out / "2011-03-01.csv").read_text()
        adjustments.append([line for line in text.splitlines() if line.startswith("A")])
        assert len(adjustments[-1]) == summary.planted[Planted.ADJUSTMENTS] > 3
    assert adjustments[0] == adjustments[1]
    assert summary.defective == summary.rows - len(adjustments[1])
    signs = {line.split(",")[5].startswith("-") for line in adjustments[0]}
    assert signs == {True, False}


def test_a_cancellation_takes_back_lines_of_an_earlier_invoice_once(
    clean: tuple[SimulationSummary, Any],
) -> None:
    _, landed = clean
    sold: dict[tuple[str, ...], list[tuple[date, int]]] = defaultdict(list)
    cancelled: Counter[tuple[str, ...]] = Counter()
    certain = date(2011, 3, 1) + timedelta(28)  # what is cancelled from here on was sold within the files
    checked = 0
    for day, (invoice, code, description, quantity, _, price, customer, country) in landed.lines:
        line = (code, description, price, customer, country)
        if not invoice.startswith("C"):
            sold[line].append((day, int(quantity)))
        elif code[:5].isdigit() and day >= certain:
            assert int(quantity) < 0
            assert customer
            assert any(then < day and units >= -int(quantity) for then, units in sold[line])
            cancelled[line] += 1
            assert cancelled[line] <= len(sold[line])
            checked += 1
    assert checked > 200


def test_write_offs_have_no_price_and_no_customer_and_mostly_no_description(
    clean: tuple[SimulationSummary, Any],
) -> None:
    _, landed = clean
    lines = [record for _, record in landed.lines if record[5] == "0.0"]
    assert all(record[6] == "" for record in lines)
    assert sum(int(record[3]) < 0 for record in lines) > len(lines) / 2
    assert sum(record[2] == "" for record in lines) > len(lines) / 2


def test_the_shares_are_close_to_those_of_the_real_files(clean: tuple[SimulationSummary, Any]) -> None:
    summary, landed = clean
    share = {kind: summary.planted[kind] / summary.rows for kind in Planted}
    assert share[Planted.ANONYMOUS] == pytest.approx(0.281, abs=0.05)
    assert share[Planted.CANCELLATIONS] == pytest.approx(0.0183, abs=0.004)
    assert share[Planted.DUPLICATES] == pytest.approx(0.0082, abs=0.002)
    assert share[Planted.WRITE_OFFS] == pytest.approx(0.006, abs=0.002)
    assert share[Planted.NON_PRODUCTS] == pytest.approx(0.0062, abs=0.003)
    assert share[Planted.ABROAD] == pytest.approx(0.082, abs=0.05)
    codes = {record[1] for _, record in landed.lines if not record[1].startswith("gift")}
    assert {"POST", "DOT", "M", "D", "S", "B"} <= codes
    assert len({record[7] for _, record in landed.lines}) > 10


def test_awkward_texts_of_the_source_occur(clean: tuple[SimulationSummary, Any]) -> None:
    _, landed = clean
    descriptions = [record[2] for _, record in landed.lines]
    assert 0.001 < sum('"' in text for text in descriptions) / len(descriptions) < 0.006
    assert 0.004 < sum("," in text for text in descriptions) / len(descriptions) < 0.02
    assert sum(text != text.strip() for text in descriptions) > 0.1 * len(descriptions)
    assert any("£" in text for text in descriptions)
    assert any(record[1] != record[1].upper() for _, record in landed.lines)
    named = defaultdict(set)
    for _, record in landed.lines:
        if record[6] and record[1][:5].isdigit():
            named[record[1].upper()].add(record[2].strip())
    assert sum(len(texts) > 1 for texts in named.values()) > 20
