"""The summary of a night: what was done, what was not and why, and what to type next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from lakesmith.cli import night_text, plan_text
from lakesmith.cli.night_text import night_lines
from lakesmith.cli.options import Invocation
from lakesmith.contracts.days import BatchRange
from lakesmith.engine.outcome import NightResult, TableResult
from lakesmith.errors import LeaseHeld
from lakesmith.ledger.records import BatchOutcome, RunOutcome, RunRecord
from lakesmith.ledger.state import BatchState, State
from workspaces import Workspace

FIRST = date(2024, 1, 1)
NOON = datetime(2024, 1, 9, 12, tzinfo=UTC)
RUN = RunRecord(
    run_id="r1",
    table="silver.readings",
    first=FIRST,
    last=FIRST,
    started_at=NOON,
    finished_at=NOON + timedelta(seconds=4),
    outcome=RunOutcome.PUBLISHED,
    exit_code=0,
    retryable=False,
    error="",
    batches=1,
    batches_published=1,
    batches_rejected=0,
    rows_read=1200,
    rows_published=1100,
    rows_quarantined=70,
    rows_dropped=30,
    version=1,
    job="jobs/silver/readings.py",
    code_version="unknown",
    lakesmith_version="0",
    environment="dev",
    spark_application="",
    spark_jobs=5,
)


def _day(number: int) -> date:
    return FIRST + timedelta(number - 1)


def _said(
    meters: Workspace, *results: TableResult, wide: int = 160, days: int = 6, env: str | None = None
) -> str:
    night = NightResult(BatchRange(FIRST, _day(days)), {r.table: r for r in results}, 12.34)
    out = StringIO()
    console = Console(file=out, width=wide)
    for line in night_lines(night, meters.context().project.graph, Invocation(env, None)):
        console.print(line, soft_wrap=isinstance(line, str), markup=False, highlight=False)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(night_text, "width", lambda: 160)
    monkeypatch.setattr(plan_text, "width", lambda: 160)


def test_a_good_night(meters: Workspace) -> None:
    silver = TableResult("silver.readings", {FIRST: BatchOutcome.PUBLISHED}, runs=[RUN])
    gold = TableResult("gold.usage", unchanged=6)
    assert _said(meters, silver, gold) == (
        "\n"
        "table            published  unchanged   read   rows  quarantined  dropped  seconds\n"
        "silver.readings          1             1,200  1,100           70       30      4.0\n"
        "gold.usage               0          6             0\n"
        "\n"
        "done (exit code 0): 12.3 s, 5 Spark jobs"
    )


def test_a_narrow_terminal_gets_two_tables(meters: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(night_text, "width", lambda: 60)
    silver = TableResult("silver.readings", {FIRST: BatchOutcome.PUBLISHED}, runs=[RUN])
    assert _said(meters, silver, TableResult("gold.usage", unchanged=6), wide=60).splitlines()[:8] == [
        "",
        "table            published  unchanged  seconds",
        "silver.readings          1                 4.0",
        "gold.usage               0          6",
        "",
        "table             read   rows  quarantined  dropped",
        "silver.readings  1,200  1,100           70       30",
        "gold.usage                  0",
    ]


def test_rejected_batches_come_with_their_reason_and_the_command(meters: Workspace) -> None:
    days = [_day(2), _day(3), _day(5)]
    silver = TableResult(
        "silver.readings",
        {FIRST: BatchOutcome.PUBLISHED, **dict.fromkeys(days, BatchOutcome.REJECTED)},
        reasons={day: f"kwh_sane: {n} of 9 rows" for n, day in enumerate(days, start=1)},
        runs=[replace(RUN, outcome=RunOutcome.PARTIAL)],
    )
    said = _said(meters, silver, env="prod")
    assert (
        "not published; readers keep what was there before:\n"
        "silver.readings rejected 2024-01-02 .. 2024-01-03, 2024-01-05 (3 batches): "
        "e.g. kwh_sane: 1 of 9 rows\n"
        "    lakesmith quality silver.readings --date 2024-01-02 --env prod\n"
    ) in said
    assert said.endswith("partial (exit code 6): 12.3 s, 5 Spark jobs")


def test_the_command_names_the_night_of_a_table_with_a_lag(meters: Workspace) -> None:
    late = TableResult(
        "gold.next_day", {FIRST: BatchOutcome.REJECTED}, reasons={FIRST: "meter_known: 2 unexpected"}
    )
    said = _said(meters, late, days=1)
    assert "gold.next_day rejected 2024-01-01: meter_known: 2 unexpected" in said
    assert "    lakesmith quality gold.next_day --date 2024-01-02\n" in said
    assert "rejected (exit code 3)" in said


def test_what_was_not_run_is_grouped_by_name(meters: Workspace) -> None:
    waiting = [
        BatchState("gold.usage", _day(n), State.BLOCKED, f"needs silver.readings {_day(n)}, which is failed",
                   blockers=(("silver.readings", _day(n)),))
        for n in (2, 3, 5)
    ]  # fmt: skip
    said = _said(meters, TableResult("gold.usage", waiting=waiting))
    assert (
        "not run: 3 batches\n"
        "  gold.usage blocked 2024-01-02 .. 2024-01-03, 2024-01-05 (3 batches): "
        "needs silver.readings of the same days\n"
    ) in said


def test_a_thousand_kinds_of_trouble_are_a_screenful(meters: Workspace) -> None:
    words = [f"{chr(97 + n % 26)}{chr(97 + n // 26)}_rule" for n in range(300)]
    days = [_day(n + 1) for n in range(300)]
    silver = TableResult(
        "silver.readings",
        dict.fromkeys(days, BatchOutcome.REJECTED),
        reasons=dict(zip(days, words, strict=True)),
        waiting=[
            BatchState("silver.readings", day, State.MISSING, word)
            for day, word in zip(days, words, strict=True)
        ],
        warnings={day: (f"{word}: 1 of 2 rows",) for day, word in zip(days, words, strict=True)},
    )
    said = _said(meters, silver, days=300)
    assert len(said.splitlines()) < 60
    assert "... and 290 more such groups: --json lists every batch" in said


def test_an_error_without_a_batch_is_told(meters: Workspace) -> None:
    held = TableResult(
        "silver.readings", error=LeaseHeld("silver.readings is being worked on by run r0. Run again.")
    )
    said = _said(meters, held)
    assert "silver.readings: silver.readings is being worked on by run r0. Run again." in said
    assert said.endswith("busy (exit code 5): 12.3 s, 0 Spark jobs; the same command can go better later")


def test_a_foreign_error_says_its_kind_only(meters: Workspace) -> None:
    broken = TableResult("silver.readings", error=ValueError("customer 17850 is odd"))
    said = _said(meters, broken)
    assert "17850" not in said
    assert "silver.readings: ValueError; the log above has the rest" in said


def test_warnings_are_counted_by_rule(meters: Workspace) -> None:
    silver = TableResult(
        "silver.readings",
        {_day(n): BatchOutcome.PUBLISHED for n in (1, 2)},
        runs=[RUN],
        warnings={_day(1): ("not_crowded: observed 9",), _day(2): ("not_crowded: observed 12",)},
    )
    assert (
        "warnings, which stopped nothing:\n"
        "  silver.readings 2024-01-01 .. 2024-01-02 (2 batches): e.g. not_crowded: observed 9\n"
    ) in _said(meters, silver)
