"""`doctor` as a command: its exit code and its JSON."""

from __future__ import annotations

from pathlib import Path

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


def test_it_compares_with_what_terraform_made(ask: Ask, meters: Workspace, tmp_path: Path) -> None:
    file = tmp_path / "outputs.json"
    file.write_text('{"settings": {"value": {"alerts.sns.topic": "arn:aws:sns:eu-west-1:123456789012:x"}}}')
    answer = ask("doctor", "--from-terraform", str(file), "--json")
    assert answer.code == 2
    assert answer.json["checks"][-1] == {
        "subject": "terraform alerts.sns.topic",
        "verdict": "problem",
        "found": "not set, and Terraform made arn:aws:sns:eu-west-1:123456789012:x",
        "next": "export LAKESMITH__ALERTS__SNS__TOPIC=arn:aws:sns:eu-west-1:123456789012:x",
    }


def test_a_file_that_is_not_terraforms_is_refused_at_once(
    ask: Ask, meters: Workspace, tmp_path: Path
) -> None:
    answer = ask("doctor", "--from-terraform", str(tmp_path / "none.json"))
    assert (answer.code, answer.out) == (2, "")
    assert "terraform -chdir=infra/terraform/envs/" in answer.err
