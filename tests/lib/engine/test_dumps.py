"""Full dumps that would delete too much are refused, compared with the dump before them by day, not by arrival."""

from __future__ import annotations

from datetime import UTC, date, datetime

from lakesmith.contracts.model import FullDump
from lakesmith.engine.audit import BatchAudit
from lakesmith.engine.dumps import with_small_dumps_refused
from lakesmith.ledger.history import TableHistory
from lakesmith.ledger.records import BatchOutcome, BatchRecord, Fingerprints
from lakesmith.quality.accounting import Accounting

D = [date(2024, 1, n) for n in range(1, 8)]


def audit(day: date, rows: int, *refusals: str) -> BatchAudit:
    return BatchAudit(day, rows, "d", Accounting(rows, rows), "empty", (), refusals, ())


def standing(sizes: dict[date, int]) -> TableHistory:
    found = TableHistory()
    for day, rows in sizes.items():
        found.add(
            BatchRecord(
                table="changes.silver_t",
                batch_date=day,
                recorded_at=datetime(2024, 2, 1, tzinfo=UTC),
                run_id="r",
                outcome=BatchOutcome.PUBLISHED,
                version=1,
                digest="d",
                rows=rows,
                read=None,
                quarantined=0,
                dropped={},
                fingerprints=Fingerprints(1, "data", "audit", "doc"),
                inputs=(),
                settings={},
                files="files",
            )
        )
    return found


def refused(
    sizes: dict[date, int], audits: list[BatchAudit], *idle: date, share: float = 0.5
) -> dict[date, str]:
    judged = with_small_dumps_refused(
        FullDump(share), {found.batch_date: found for found in audits}, standing(sizes), idle
    )
    return {day: "; ".join(found.refusals) for day, found in judged.items() if not found.passed}


def test_a_dump_much_smaller_than_the_one_before_is_refused() -> None:
    assert refused({D[0]: 1000}, [audit(D[2], 500)]) == {}
    assert refused({D[0]: 1000}, [audit(D[2], 499)]) == {
        D[
            2
        ]: "the dump has 499 rows, fewer than 50% of the 1,000 of 2024-01-01: it would delete every key that it does "
        "not list"
    }
    assert refused({D[0]: 1000}, [audit(D[2], 1)], share=0) == {}


def test_an_empty_dump_is_refused_unless_there_was_none_that_day() -> None:
    assert refused({}, [audit(D[0], 0)]) == {D[0]: "the dump is empty: it would delete every key there is"}
    assert refused({D[0]: 5}, [audit(D[1], 0), audit(D[2], 5)], D[1]) == {}


def test_the_dump_before_is_the_one_before_by_day_that_was_not_refused() -> None:
    sizes = {D[0]: 100, D[5]: 10}
    assert set(refused(sizes, [audit(D[1], 10), audit(D[2], 60)])) == {D[1]}
    assert set(refused(sizes, [audit(D[1], 60), audit(D[2], 29)])) == {D[2]}
    assert set(refused(sizes, [audit(D[1], 400, "other"), audit(D[2], 60)])) == {D[1]}


def test_other_reasons_stay() -> None:
    assert refused({D[0]: 100}, [audit(D[1], 1, "rule")])[D[1]].startswith("rule; the dump has 1 rows")
