"""`doctor` as a command: its exit code and its JSON."""

from __future__ import annotations

from command_lines import Ask
from workspaces import Workspace


def test_a_problem_exits_2_and_says_what_to_do(ask: Ask, meters: Workspace) -> None:
    answer = ask("doctor")
    assert (answer.code, answer.err) == (2, "")
    assert "problem  jars " in answer.out
    assert "next: make env" in answer.out
    assert "1 problem, " in answer.out


def test_json_holds_every_check(ask: Ask, meters: Workspace) -> None:
    answer = ask("doctor", "--json")
    found = answer.json
    assert (answer.code, found["exit_code"]) == (2, 2)
    assert set(found["checks"][0]) == {"subject", "verdict", "found", "next"}
    assert [c["subject"] for c in found["checks"] if c["verdict"] == "problem"] == ["jars"]
