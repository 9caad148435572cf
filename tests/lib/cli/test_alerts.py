"""`lakesmith alerts`, `slo` and `metrics` as they are typed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import yaml

from command_lines import Ask, publish
from lakesmith.ledger.records import BatchOutcome
from receivers import free_port, webhook_server
from watching import end_night, nights
from workspaces import Workspace


@pytest.fixture
def troubled(meters: Workspace) -> Workspace:
    """Five nights, and a sixth on which a table failed."""
    nights(meters, 1, 5)
    publish(meters, [6], ["bronze.readings"], outcome=BatchOutcome.FAILED, reason="OSError: no space")
    end_night(meters, 6, complete=False)
    return meters


@pytest.mark.usefixtures("troubled")
def test_a_check_says_what_is_wrong_and_the_list_keeps_it(ask: Ask) -> None:
    answer = ask("alerts", "check")
    assert answer.code == 0
    assert [line.rstrip() for line in answer.out.splitlines()] == [
        "since       state     rule and subject  what is wrong",
        "2024-01-06  critical  batch_failed      2024-01-06 failed: OSError: no space;",
        "                      bronze.readings   told: log",
        "2024-01-06  warning   batch_blocked     keeps gold.next_day, gold.running,",
        "                      bronze.readings   gold.usage, gold.usage_3d,",
        "                                        silver.readings waiting: 2024-01-05 ..",
        "                                        2024-01-06; told: log",
        "",
        "log was told of 2 alerts",
        "night 2024-01-06: 2 opened, 0 resolved, 2 open.",
        "what to do: lakesmith alerts list --open",
    ]
    assert answer.err == (
        "warning: alert critical: batch_failed, bronze.readings: 2024-01-06 failed: OSError: no space\n"
        "warning: alert warning: batch_blocked, bronze.readings: keeps gold.next_day, gold.running, gold.usage, "
        "gold.usage_3d, silver.readings waiting: 2024-01-05 .. 2024-01-06\n"
    )

    listed = ask("alerts", "list", "--open")
    assert listed.out.splitlines()[-3:] == [
        "what to do:",
        "  docs/runbooks/batch_blocked.md",
        "  docs/runbooks/batch_failed.md",
    ]
    found = ask("alerts", "list", "--json").json
    assert [(a["rule"], a["subject"], a["open"], a["severity"]) for a in found] == [
        ("batch_failed", "bronze.readings", True, "critical"),
        ("batch_blocked", "bronze.readings", True, "warning"),
    ]
    assert found[0]["runbook"] == "docs/runbooks/batch_failed.md"


def test_what_is_over_is_listed_as_resolved_and_as_open_as_of_its_night(
    troubled: Workspace, ask: Ask
) -> None:
    ask("alerts", "check")
    nights(troubled, 6, 6)
    end_night(troubled, 7)

    assert "resolved: batch_failed, bronze.readings" in ask("alerts", "check", "--date", "2024-01-07").out
    assert [a["open"] for a in ask("alerts", "list", "--json").json if a["rule"] == "batch_failed"] == [False]
    before = ask("alerts", "list", "--open", "--as-of", "2024-01-06", "--json").json
    assert [a["rule"] for a in before] == ["batch_failed", "batch_blocked"]


@pytest.mark.usefixtures("troubled")
def test_an_earlier_night_is_only_looked_at(ask: Ask) -> None:
    answer = ask("alerts", "check", "--date", "2024-01-05")
    assert (answer.code, answer.out, answer.err) == (
        0,
        "night 2024-01-05: 0 alerts. Later nights are on record, so nothing was written down.\n",
        "",
    )
    assert ask("alerts", "list").out == "no alert was ever opened.\n"


@pytest.mark.usefixtures("meters")
def test_without_a_night_there_is_nothing_to_check(ask: Ask) -> None:
    answer = ask("alerts", "check")
    assert (answer.code, answer.out) == (4, "")
    assert "no night is on record yet" in answer.err


def test_a_channel_that_fails_is_told_and_tried_again(
    troubled: Workspace, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKESMITH__ALERTS__WEBHOOK__URL", f"http://127.0.0.1:{free_port()}/hush-hush")
    answer = ask("alerts", "check")
    assert answer.code == 1
    assert "webhook took no message: 127.0.0.1: connection refused" in answer.out
    assert "channel_failed, channels.webhook" in answer.err
    assert "hush-hush" not in answer.out + answer.err
    assert "webhook was not told" in ask("alerts", "list", "--open").out.replace("\n", " ")

    with webhook_server() as server:
        monkeypatch.setenv("LAKESMITH__ALERTS__WEBHOOK__URL", server.url)
        tested = ask("alerts", "test")
        again = ask("alerts", "check")
    assert (tested.code, tested.out) == (0, "log: took the message\nwebhook: took the message\n")
    assert "resolved: channel_failed, channels.webhook" in again.out
    assert [posted["text"] for posted in server.posted] == [
        "[lakesmith dev] a test: alerts arrive here",
        "[lakesmith dev] night 2024-01-06: 1 critical, 1 warning",
    ]
    assert "docs/runbooks/batch_failed.md" in str(server.posted[1])


def test_a_channel_that_does_not_work_fails_its_test(
    meters: Workspace, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LAKESMITH__ALERTS__WEBHOOK__URL", f"http://127.0.0.1:{free_port()}/hush")
    answer = ask("alerts", "test")
    assert (answer.code, answer.out) == (1, "log: took the message\n")
    assert "error: the channel webhook did not take a message (127.0.0.1: connection refused)" in answer.err


def test_a_night_that_lacks_its_file_ends_with_an_alert(meters: Workspace, ask: Ask) -> None:
    """Nothing can be run, so no night is recorded and no Spark started; all the more somebody must hear of it."""
    publish(meters, [1], ["bronze.readings"])
    (meters.root / "landing" / "readings" / "2024-01-02.csv").unlink()

    answer = ask("run", "--date", "2024-01-02", "--table", "bronze.readings")
    assert "alerts:" not in answer.out
    answer = ask("backfill", "--from", "2024-01-02", "--to", "2024-01-02", "--json")
    assert answer.code == 4
    opened = {(a["rule"], a["subject"]) for a in answer.json["alerts"]["opened"]}
    assert ("table_not_updated", "bronze.readings") in opened

    answer = ask("run", "--date", "2024-01-02")
    assert "open: lakesmith alerts list --open" in answer.out


def test_alerts_that_cannot_be_checked_fail_no_night(
    meters: Workspace, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("of no help")

    publish(meters, [1], ["bronze.readings"])
    (meters.root / "landing" / "readings" / "2024-01-02.csv").unlink()
    monkeypatch.setattr("lakesmith.alerts.check.check_night", broken)

    answer = ask("backfill", "--from", "2024-01-02", "--to", "2024-01-02")
    assert answer.code == 4
    assert "warning: alerts were not checked (RuntimeError). See why: lakesmith alerts check\n" in answer.err


# Service levels.


def test_service_levels_are_shown_with_their_budget(troubled: Workspace, ask: Ask) -> None:
    assert ask("slo").out == "no service level is promised: there is no conf/slo.yml, or nothing is in it.\n"
    (troubled.root / "conf" / "slo.yml").write_text(
        "whole: {measure: quarantined_share, table: silver.readings, at_most: 0.1, target: 0.9, window: 14d}\n"
        'on_time: {measure: nights_on_time, by: "07:00", target: 0.9}\n'
    )
    publish(troubled, [5], ["silver.readings"], read=4, rows=2, quarantined=2)

    lines = [line.rstrip() for line in ask("slo").out.splitlines()]
    assert lines == [
        "service level  promise                           kept  target  budget left  weeks",
        "whole          at most 10 % of              80 % of 5    90 %       -100 %  .▇",
        "               silver.readings",
        "               quarantined, 14 days",
        "on_time        night complete by 07:00   no night yet    90 %               ....",
        "               UTC, 28 days",
        "",
        "whole was broken on 2024-01-05",
    ]
    found = {level["name"]: level for level in ask("slo", "--json").json}
    assert (found["whole"]["share"], found["whole"]["met"]) == (0.8, False)


# Metrics.


@pytest.mark.usefixtures("troubled")
def test_metrics_are_written_to_a_file(ask: Ask, tmp_path: Path) -> None:
    file = tmp_path / "lakesmith.prom"
    answer = ask("metrics", "write", str(file))
    assert answer.code == 0
    assert answer.out.startswith(f"{file}: ")
    assert "lakesmith_night_complete 0.0" in file.read_text().splitlines()


@pytest.mark.usefixtures("meters")
def test_rules_for_prometheus_are_yaml(ask: Ask, tmp_path: Path) -> None:
    file = tmp_path / "new" / "rules.yml"
    assert ask("metrics", "rules", str(file)).out == f"{file}: 6 rules\n"
    assert yaml.safe_load(file.read_text()) == yaml.safe_load(ask("metrics", "rules").out)


@pytest.mark.e2e
def test_metrics_are_served_until_the_process_is_told_to_end(troubled: Workspace) -> None:
    command = [sys.executable, "-m", "lakesmith.cli.main", "metrics", "serve", "--port", "0"]
    start = "import sys; from lakesmith.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", start, *command[3:]]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"}
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        address = line.split()[2].rstrip(";")
        with urllib.request.urlopen(address, timeout=60) as answer:
            text = answer.read().decode()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 143
    assert 'lakesmith_batches{state="failed",table="bronze.readings"} 1.0' in text
