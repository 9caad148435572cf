"""`config show`: what is in force, from where, and never a secret."""

from __future__ import annotations

import pytest

from command_lines import Ask
from workspaces import Workspace


def test_every_setting_has_its_origin(ask: Ask, meters: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    (meters.root / "conf" / "dev.yml").write_text("publish:\n  attempts: 9\n")
    monkeypatch.setenv("LAKESMITH__LEASE__WAIT", "5m")
    found = {s["key"]: (s["value"], s["origin"]) for s in ask("config", "show", "--json").json}
    assert found["environment"] == ("dev", "default")
    assert found["lake_root"] == (str(meters.root / "lake"), "conf/base.yml:2")
    assert found["publish.attempts"] == (9, "conf/dev.yml:2")
    assert found["lease.wait"] == (300, "variable LAKESMITH__LEASE__WAIT")
    assert found["spark.driver_memory"] == ("2g", "default")


def test_secrets_are_masked_for_people_and_for_programs(
    ask: Ask, meters: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKESMITH__STORAGE_OPTIONS__AWS_SECRET_ACCESS_KEY", "hunter2-key")
    monkeypatch.setenv("LAKESMITH__MLFLOW__TRACKING_URI", "https://ann:hunter2-pass@mlflow.example")
    for arguments in (["config", "show"], ["config", "show", "--json"]):
        answer = ask(*arguments)
        assert answer.code == 0
        assert "hunter2" not in answer.out + answer.err
        assert "********@mlflow.example" in answer.out
        assert "variable LAKESMITH__STORAGE_OPTIONS__AWS_SECRET_ACCESS_KEY" in answer.out


def test_mistakes_are_listed_all_at_once(
    ask: Ask, meters: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    (meters.root / "conf" / "dev.yml").write_text("lease:\n  wiat: 5m\npublish:\n  attempts: many\n")
    answer = ask("config", "show")
    assert (answer.code, answer.out) == (2, "")
    assert "conf/dev.yml:2" in answer.err
    assert "Did you mean 'wait'?" in answer.err
    assert "conf/dev.yml:4" in answer.err
    assert "Traceback" not in answer.err
