"""Checks of nights of the meters project: what rules say, whom it is told, and what is kept of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_lines import publish
from lakesmith.alerts import rules
from lakesmith.alerts.check import newest_night
from lakesmith.ledger.alerts import AlertEvent, AlertRecord, alerts_of
from lakesmith.ledger.ops import Ops
from lakesmith.ledger.records import BatchOutcome
from watching import ALL, Listener, audit, check, end_night, look, metric_rows, nights, reject, said
from workspaces import Workspace, day

COST = {
    "table_name": "gold.usage",
    "log_type": "INPUT",
    "granularity": "1 day",
    "slice_key": None,
    "column_name": "cost",
    "count": 100,
    "num_nulls": 0,
    "num_nan": 0,
    "percent_null": 0.0,
}
"""A profile of that column, of a hundred rows."""

# Rules about batches.


def test_a_night_without_trouble_opens_nothing_and_writes_nothing(meters: Workspace) -> None:
    nights(meters, 6, 6)
    ear = Listener()

    found = check(meters, 6, ear)

    assert (found.standing, found.unasked, ear.messages) == ((), {}, [])
    assert not Path(meters.context().lake.path("ops.alerts")).exists()


def test_a_rejected_batch_is_one_alert_and_all_that_waits_for_it_another(meters: Workspace) -> None:
    publish(meters, [6], ["bronze.readings"])
    reject(meters, 6, "silver.readings")

    found = check(meters, 6)

    assert said(found, "batch_rejected") == {"silver.readings": "2024-01-06 rejected: 2 of 3 rows are wrong"}
    waiting = "gold.next_day, gold.running, gold.usage, gold.usage_3d"
    assert said(found, "batch_blocked") == {
        "silver.readings": f"keeps {waiting} waiting: 2024-01-05 .. 2024-01-06"
    }
    assert said(found, "critical_expectations") == {}


def test_a_batch_that_critical_expectations_rejected_is_told_by_their_names(meters: Workspace) -> None:
    publish(meters, [6], ["bronze.readings"])
    reject(meters, 6, "silver.readings", rules=["kwh_sane", "meter_known"])

    found = check(meters, 6)

    assert said(found, "batch_rejected") == {}
    assert said(found, "critical_expectations") == {
        "silver.readings": "2024-01-06 rejected: kwh_sane, meter_known failed; readers keep what was there before"
    }


def test_a_failed_batch_stays_an_alert_until_it_is_mended(meters: Workspace) -> None:
    publish(meters, [5], ["bronze.readings"], outcome=BatchOutcome.FAILED, reason="OSError: no space")
    text = {"bronze.readings": "2024-01-05 failed: OSError: no space"}

    assert said(check(meters, 5), "batch_failed") == text
    nights(meters, 6, 6)
    assert said(check(meters, 6), "batch_failed") == text
    nights(meters, 5, 6)
    assert said(check(meters, 6), "batch_failed") == {}


def test_a_file_that_did_not_come_is_a_table_that_was_not_updated(meters: Workspace) -> None:
    nights(meters, 6, 6)
    (meters.root / "landing" / "readings" / "2024-01-08.csv").unlink()
    nights(meters, 7, 7)

    found = check(meters, 8)

    assert list(said(found, "table_not_updated")) == ["bronze.readings"]
    assert "2024-01-08 missing" in said(found, "table_not_updated")["bronze.readings"]
    assert list(said(found, "batch_blocked")) == ["bronze.readings"]


def test_a_lake_that_began_yesterday_lacks_nothing_of_last_week(empty: Workspace) -> None:
    publish(empty, [6], ["bronze.readings"])

    assert said(check(empty, 6), "table_not_updated").keys() == {"silver.readings"}


def test_a_table_that_somebody_else_wrote_to_is_told(meters: Workspace) -> None:
    nights(meters, 1, 6, files="somebody's")

    found = said(check(meters, 6), "batch_foreign")

    assert found["silver.readings"] == "2024-01-01 .. 2024-01-06 holds files that Lakesmith did not publish"


def test_expectations_of_severity_warning_are_told_by_name(meters: Workspace) -> None:
    nights(meters, 6, 6)
    audit(meters, 6, "silver.readings", "20240201T000000-00000001", {"kwh_usual": "warning"})

    assert said(check(meters, 6), "warning_expectations") == {
        "silver.readings": "2024-01-06: kwh_usual failed"
    }


@pytest.mark.parametrize(("quarantined", "told"), [(19, False), (20, True), (25, True)])
def test_a_quarantine_near_its_limit_is_told(meters: Workspace, quarantined: int, told: bool) -> None:
    publish(meters, [6], ALL)
    publish(meters, [6], ["silver.readings"], read=100, rows=100 - quarantined, quarantined=quarantined)

    found = said(check(meters, 6), "quarantine_share")

    share = f"{quarantined} of 100 rows in quarantine ({quarantined}.00 %; limit 25 %)"
    assert found == ({"silver.readings": f"2024-01-06: {share}"} if told else {})


def test_a_night_unlike_those_of_its_weekday_is_told(empty: Workspace) -> None:
    empty.edit("conf/dev.yml", "{}", "alerts: {history: {least: 4}}")
    for number in (1, 8, 15, 22):
        publish(empty, [number], ["gold.usage"], rows=1000 + number)
    publish(empty, [29], ["gold.usage"], rows=90)

    assert said(check(empty, 22), "history_deviation") == {}
    assert said(check(empty, 29), "history_deviation") == {
        "gold.usage": "2024-01-29, by its weekday: rows 90, usually 1,012 (506 .. 1,517)"
    }


def test_null_rates_and_sums_are_compared_too(empty: Workspace) -> None:
    empty.edit("conf/dev.yml", "{}", "alerts: {history: {least: 4}}")
    usual = [{**COST, "day": n, "avg": 5.0} for n in (1, 8, 15, 22)]
    odd = {**COST, "day": 29, "avg": 1.0, "percent_null": 30.0, "num_nulls": 30}
    metric_rows(empty, "monitoring.profile_metrics", [*usual, odd])

    assert said(check(empty, 29), "history_deviation") == {
        "gold.usage": "2024-01-29, by its weekday: nulls of cost 30.0 %, usually 0.0 % (0.0 % .. 2.5 %); "
        "sum of cost 14 % of the usual (50 % .. 150 %)"
    }


@pytest.mark.parametrize(
    ("that_day", "told"),
    [
        ({"avg": 34.95, "stddev": 299.5}, {}),
        (
            {"avg": 35.0, "stddev": 7.0},
            {"gold.usage": "2024-01-29, by its weekday: sum of cost 700 % of the usual (-257 % .. 457 %)"},
        ),
    ],
    ids=["one row of 100 costs 3,000, the others 5 each", "all rows cost 35"],
)
def test_a_sum_that_hangs_on_one_row_is_not_odd(
    empty: Workspace, that_day: dict[str, float], told: dict[str, str]
) -> None:
    empty.edit("conf/dev.yml", "{}", "alerts: {history: {least: 4}}")
    usual = [{**COST, "day": n, "avg": 5.0, "stddev": 1.0} for n in (1, 8, 15, 22)]
    metric_rows(empty, "monitoring.profile_metrics", [*usual, {**COST, "day": 29, **that_day}])

    assert said(check(empty, 29), "history_deviation") == told


# Monitoring tables that others write.


def test_drift_is_told_by_table_and_stays_open_while_nothing_is_measured(meters: Workspace) -> None:
    nights(meters, 6, 6)
    columns = {"kwh": "drifted", "cost": "stable", "meter": "drifted"}
    metric_rows(
        meters,
        "monitoring.drift_metrics",
        [
            {"day": 5, "table_name": "gold.usage", "column_name": name, "verdict": verdict}
            for name, verdict in columns.items()
        ],
    )

    text = {"gold.usage": "2024-01-05: 2 of 3 columns drifted: kwh, meter"}
    assert said(check(meters, 5), "drift") == text
    assert said(check(meters, 6), "drift") == text


def test_a_monitoring_table_of_another_shape_is_no_reason_to_fail(meters: Workspace) -> None:
    nights(meters, 6, 6)
    metric_rows(meters, "monitoring.drift_metrics", [{"day": 6, "who": "knows"}])

    found = check(meters, 6)
    assert (found.standing, found.unasked) == ((), {})


# Channels.


def troubled(workspace: Workspace) -> None:
    publish(workspace, [6], ["bronze.readings"], outcome=BatchOutcome.FAILED, reason="OSError")


def test_channels_are_told_once_of_all_and_of_the_end(meters: Workspace) -> None:
    troubled(meters)
    ear, only_critical = Listener(), Listener("pager", "critical")

    check(meters, 6, ear, only_critical)
    check(meters, 6, ear, only_critical, hours=2)
    nights(meters, 6, 6)
    check(meters, 6, ear, only_critical, hours=4)
    check(meters, 6, ear, only_critical, hours=30)

    failed, blocked = "batch_failed, bronze.readings", "batch_blocked, bronze.readings"
    assert ear.heard == [
        [f"critical: {failed}", f"warning: {blocked}"],
        [f"resolved: {failed}", f"resolved: {blocked}"],
    ]
    assert only_critical.heard == [[f"critical: {failed}"], [f"resolved: {failed}"]]


def test_a_channel_that_fails_fails_nothing_and_the_others_are_told_of_it(meters: Workspace) -> None:
    troubled(meters)
    ear, deaf = Listener(), Listener("deaf")
    deaf.broken = "connection refused"

    found = check(meters, 6, ear, deaf)

    assert (found.told, found.undelivered) == ({"ear": 3}, {"deaf": "connection refused"})
    assert said(found, "channel_failed") == {"channels.deaf": "took no message: connection refused"}
    assert ear.heard[1:] == [["critical: channel_failed, channels.deaf"]]
    kept = alerts_of(meters.context().ledger.ops.records(AlertRecord))
    assert {a.rule: dict(a.undelivered) for a in kept} == {
        "batch_failed": {"deaf": "connection refused"},
        "batch_blocked": {"deaf": "connection refused"},
        "channel_failed": {},
    }


def test_a_channel_that_works_again_gets_what_it_missed(meters: Workspace) -> None:
    troubled(meters)
    ear, deaf = Listener(), Listener("deaf")
    deaf.broken = "connection refused"
    check(meters, 6, ear, deaf)

    deaf.broken = ""
    found = check(meters, 6, ear, deaf, hours=1)

    assert deaf.heard == [
        ["critical: batch_failed, bronze.readings", "warning: batch_blocked, bronze.readings"]
    ]
    assert said(found, "channel_failed") == {}
    assert ear.heard[-1] == ["resolved: channel_failed, channels.deaf"]


def test_a_channel_that_breaks_in_an_unheard_of_way_is_no_reason_to_fail(meters: Workspace) -> None:
    troubled(meters)
    ear = Listener()
    ear.messages = None  # type: ignore[assignment]  # what a bug looks like

    assert check(meters, 6, ear).undelivered == {"ear": "AttributeError"}


def test_a_channel_that_was_switched_off_has_its_alert_resolved(meters: Workspace) -> None:
    troubled(meters)
    deaf = Listener("deaf")
    deaf.broken = "no"
    check(meters, 6, deaf)

    assert said(check(meters, 6, Listener(), hours=1), "channel_failed") == {}


# What is kept.


def test_a_rule_that_breaks_leaves_the_others_and_its_own_alerts(
    meters: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    troubled(meters)
    check(meters, 6)

    def broken(_: object) -> None:
        raise RuntimeError("secret value 42")

    monkeypatch.setitem(rules.RULES, "batch_failed", broken)  # type: ignore[arg-type]
    found = check(meters, 6, hours=1)

    assert found.unasked == {"batch_failed": "RuntimeError"}
    assert {alert.rule for alert in found.standing} == {"batch_failed", "batch_blocked"}
    assert "42" not in json.dumps(found.to_json())


def test_a_silent_rule_says_nothing_and_severities_are_settings(meters: Workspace) -> None:
    meters.edit("conf/dev.yml", "{}", "alerts: {rules: {batch_blocked: silent, batch_failed: warning}}")
    troubled(meters)

    found = check(meters, 6)

    assert [(a.rule, a.severity) for a in found.standing] == [("batch_failed", "warning")]


def test_a_night_of_the_past_is_only_looked_at(meters: Workspace) -> None:
    troubled(meters)
    ear = Listener()
    check(meters, 6, ear)
    before = len(meters.context().ledger.ops.records(AlertRecord))

    found = check(meters, 5, ear, hours=100, record=False)

    assert (found.opened, found.standing, found.resolved) == ((), (), ())
    assert len(meters.context().ledger.ops.records(AlertRecord)) == before
    assert len(ear.messages) == 1


def test_records_of_one_check_are_read_in_the_order_in_which_they_were_made(meters: Workspace) -> None:
    troubled(meters)
    check(meters, 6, Listener())

    records = meters.context().ledger.ops.records(AlertRecord)
    assert [record.event for record in records] == [AlertEvent.OPENED] * 2 + [AlertEvent.NOTIFIED] * 2
    moments = [record.recorded_at for record in records]
    assert moments == sorted(set(moments))


def test_an_alert_as_it_is_kept_comes_back_whole(meters: Workspace) -> None:
    record = AlertRecord(
        recorded_at=end_night(meters, 6).recorded_at,
        night=day(6),
        event=AlertEvent.SEEN,
        rule="drift",
        subject="gold.usage",
        severity="warning",
        text="2 columns",
        names=("cost", "kwh"),
        channel="ear",
        reason="no answer",
    )
    Ops(meters.context().lake).append([record])

    assert meters.context().ledger.ops.records(AlertRecord) == [record]
    assert newest_night(look(meters)) == day(6)
