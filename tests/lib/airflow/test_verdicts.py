"""What a scheduler does after a process has ended."""

from __future__ import annotations

from typing import Any

import pytest

from lakesmith.airflow.verdicts import Action, Trouble, Verdict, judge


def outcome(code: int, *, retryable: bool = False, **table: Any) -> dict[str, Any]:
    found = {"table": "silver.lines", "rejected": {}, "waiting": [], "error": None, **table}
    return {"exit_code": code, "retryable": retryable, "tables": [found]}


def waiting(*states: str) -> list[dict[str, str]]:
    return [{"batch_date": "2011-03-01", "state": state, "reason": "no file"} for state in states]


@pytest.mark.parametrize(
    ("code", "record", "action"),
    [
        pytest.param(0, None, Action.DONE, id="done"),
        pytest.param(0, outcome(0), Action.DONE, id="done, recorded"),
        pytest.param(1, outcome(1), Action.FAIL, id="1"),
        pytest.param(1, outcome(1, retryable=True), Action.RETRY, id="1, retryable"),
        pytest.param(1, None, Action.FAIL, id="1, nothing recorded"),
        pytest.param(2, outcome(2), Action.FAIL, id="2"),
        pytest.param(2, None, Action.FAIL, id="2, nothing recorded"),
        pytest.param(3, outcome(3, retryable=True), Action.FAIL, id="3"),
        pytest.param(6, outcome(6), Action.FAIL, id="6"),
        pytest.param(4, outcome(4, waiting=waiting("missing")), Action.RETRY, id="4"),
        pytest.param(
            4, outcome(4, waiting=waiting("blocked", "missing")), Action.RETRY, id="4, in part blocked"
        ),
        pytest.param(4, outcome(4, waiting=waiting("blocked")), Action.WAIT, id="4, all of it blocked"),
        pytest.param(4, None, Action.RETRY, id="4, nothing recorded"),
        pytest.param(5, outcome(5), Action.RETRY, id="5"),
        pytest.param(143, outcome(143), Action.FAIL, id="told to stop, and the record knows of no retry"),
        pytest.param(143, outcome(143, retryable=True), Action.RETRY, id="told to stop"),
        pytest.param(143, None, Action.RETRY, id="killed"),
        pytest.param(137, None, Action.RETRY, id="out of memory"),
        pytest.param(None, None, Action.RETRY, id="nobody knows"),
        pytest.param(1, outcome(3), Action.FAIL, id="the record knows better than the process"),
    ],
)
def test_the_exit_code_and_the_record_decide(code: int | None, record: Any, action: Action) -> None:
    assert judge(code, record).action is action


def test_a_verdict_names_table_batch_reason_and_the_next_command() -> None:
    found = judge(
        3, outcome(3, rejected={"2011-03-01": "2 of 3 rows are wrong"}), "lakesmith status --env prod"
    )

    assert found == Verdict(
        Action.FAIL,
        (Trouble("silver.lines", "2011-03-01", "2 of 3 rows are wrong"),),
        "exit code 3 (rejected). silver.lines 2011-03-01: 2 of 3 rows are wrong. See: lakesmith status --env prod",
    )


def test_an_error_before_any_table_is_told_too() -> None:
    found = judge(2, {"exit_code": 2, "retryable": False, "tables": [], "error": "UsageError: no table 'x'."})

    assert found.troubles == (Trouble("", "", "UsageError: no table 'x'."),)
    assert found.text == "exit code 2 (usage). UsageError: no table 'x'. See: lakesmith status"


def test_what_only_needs_another_batch_is_marked() -> None:
    found = judge(4, outcome(4, waiting=waiting("blocked", "missing")))

    assert [(trouble.reason.split(":")[0], trouble.blocked) for trouble in found.troubles] == [
        ("is blocked", True),
        ("is missing", False),
    ]
