"""Alerts that a scheduler opens: told once, worse with another batch, over when the batch or the night is there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from command_lines import Ask
from lakesmith.alerts.check import Checked, report
from lakesmith.alerts.decisions import Violation
from watching import Listener, check, end_night, look, nights, said
from workspaces import Workspace, day

SIX = "2024-01-06"


def reported(
    workspace: Workspace,
    ear: Listener,
    *,
    rule: str = "task_failed",
    subject: str = "bronze.readings",
    batches: tuple[str, ...] = (SIX,),
) -> Checked:
    moment = datetime.combine(day(7), datetime.min.time(), UTC) + timedelta(hours=3)
    violation = Violation(subject, "no memory, see http://log", batches)
    return report(look(workspace), rule, violation, day(6), channels=[ear], moment=moment)


def test_what_is_reported_is_told_once_and_again_with_another_batch(meters: Workspace) -> None:
    ear = Listener()

    for batches in ((SIX,), (SIX,), ("2024-01-05",)):
        found = reported(meters, ear, batches=batches)

    assert ear.heard == [
        ["critical: task_failed, bronze.readings"],
        ["critical, worse: task_failed, bronze.readings"],
    ]
    assert [alert.names for alert in found.standing] == [(SIX, "2024-01-05")]
    assert ear.messages[0].lines[0].text == "no memory, see http://log"


def test_two_tables_are_two_alerts_and_the_first_stays(meters: Workspace) -> None:
    ear = Listener()
    reported(meters, ear)

    found = reported(meters, ear, subject="silver.readings")

    assert {alert.subject for alert in found.standing} == {"bronze.readings", "silver.readings"}
    assert ear.heard[1:] == [["critical: task_failed, silver.readings"]]


def test_a_check_resolves_a_failed_task_when_its_batch_is_there(meters: Workspace) -> None:
    ear = Listener()
    reported(meters, ear)

    assert said(check(meters, 6, ear), "task_failed") == {"bronze.readings": "no memory, see http://log"}
    nights(meters, 6, 6)
    assert said(check(meters, 6, ear), "task_failed") == {}
    assert "resolved: task_failed, bronze.readings" in ear.heard[-1]


def test_a_late_night_is_over_when_it_is_on_record_as_complete(meters: Workspace) -> None:
    ear = Listener()
    reported(meters, ear, rule="night_late", subject="dags.lakesmith_nightly", batches=())
    nights(meters, 6, 6)

    end_night(meters, 6, complete=False)
    assert list(said(check(meters, 6, ear), "night_late")) == ["dags.lakesmith_nightly"]
    end_night(meters, 6)
    assert said(check(meters, 6, ear), "night_late") == {}


def test_a_silent_rule_is_told_nobody(meters: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAKESMITH__ALERTS__RULES__TASK_FAILED", "silent")
    ear = Listener()

    assert (reported(meters, ear).standing, ear.messages) == ((), [])


def test_the_command_says_whether_it_was_news(
    meters: Workspace, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(meters.root)
    line = [
        "alerts",
        "report",
        "--rule",
        "task_failed",
        "--subject",
        "bronze.readings",
        "--date",
        SIX,
        "--batch",
        SIX,
    ]

    first = ask(*line, "--text", "no memory")
    again = ask(*line, "--text", "no memory", "--json")

    assert (first.code, first.out.splitlines()) == (
        0,
        ["log was told of 1 alert", "task_failed, bronze.readings: opened."],
    )
    assert (again.json["opened"], [alert["text"] for alert in again.json["open"]]) == ([], ["no memory"])


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"--rule": "drift"}, "'drift' is no rule that can be reported. Rules: night_late, task_failed"),
        ({"--subject": "bronze.reading"}, "there is no table 'bronze.reading'"),
        ({"--batch": "6 January"}, "'6 January' is not a day"),
    ],
)
def test_what_nobody_could_act_on_is_refused(
    meters: Workspace, ask: Ask, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], problem: str
) -> None:
    monkeypatch.chdir(meters.root)
    given = {
        "--rule": "task_failed",
        "--subject": "bronze.readings",
        "--date": SIX,
        "--batch": SIX,
        "--text": "x",
    }

    answer = ask("alerts", "report", *(word for pair in (given | changed).items() for word in pair))

    assert answer.code == 2
    assert problem in " ".join(answer.err.split())
