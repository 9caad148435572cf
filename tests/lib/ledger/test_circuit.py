"""A breaker counts failures in a row, lets one probe a night through once open, and closes with the first that goes well."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from lakesmith.ledger.circuit import Circuit, CircuitRecord

MOMENT = datetime(2024, 1, 1, tzinfo=UTC)
SERVER = "http://mlflow"


def night(number: int) -> date:
    return date(2024, 1, 1) + timedelta(number - 1)


def tried(
    at: int, number: int, *, failed: bool = True, model: str = "m", server: str = SERVER
) -> CircuitRecord:
    moment = MOMENT + timedelta(seconds=at)
    return CircuitRecord(model, server, night(number), moment, failed, 1, f"r{at}", "it is gone")


def circuit(*records: CircuitRecord, limit: int = 2) -> Circuit:
    return Circuit.of(reversed(records), "m", SERVER, limit)


def test_failures_in_a_row_open_it() -> None:
    assert not circuit().is_open
    assert not circuit(tried(1, 1)).is_open
    assert circuit(tried(1, 1), tried(2, 1)).is_open
    assert not circuit(tried(1, 1), tried(2, 2, failed=False), tried(3, 3)).is_open
    # Those of other models and servers are none of its own.
    assert not circuit(tried(1, 1), tried(2, 1, model="n"), tried(3, 1, server="http://other")).is_open


def test_a_closed_one_lets_every_run_try() -> None:
    assert circuit(tried(1, 1)).lets_try(night(1))


def test_an_open_one_lets_one_probe_a_night_through() -> None:
    found = circuit(tried(1, 1), tried(2, 2))
    # The failure that opened it was the second night's try.
    assert [found.lets_try(night(n)) for n in (1, 2, 3)] == [True, False, True]
    found = circuit(tried(1, 1), tried(2, 2), tried(3, 3))
    assert [found.lets_try(night(n)) for n in (2, 3, 4)] == [False, False, True]
    assert found.reason == f"not tried after 3 failures in a row, the last on {night(3)}: it is gone"


@given(st.lists(st.tuples(st.integers(1, 4), st.booleans()), max_size=12), st.integers(1, 4))
def test_it_is_open_when_the_last_tries_failed_as_often_as_the_limit_says(
    tries: list[tuple[int, bool]], limit: int
) -> None:
    records = [tried(at, number, failed=failed) for at, (number, failed) in enumerate(tries)]
    last = [failed for _, failed in tries[-limit:]]
    assert circuit(*records, limit=limit).is_open == (len(last) == limit and all(last))
