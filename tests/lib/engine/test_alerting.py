"""The end of a real night: what went wrong is in its result, in the ledger and on a channel; and it is resolved by the repair."""

from __future__ import annotations

from lakesmith.contracts.days import BatchRange
from lakesmith.engine.night import execute, plan_nights
from lakesmith.errors import ExitCode
from lakesmith.ledger.alerts import AlertRecord, alerts_of
from receivers import webhook_server
from workspaces import Workspace, day


def test_a_rejected_batch_is_told_at_the_end_of_its_night_and_its_repair_too(built: Workspace) -> None:
    with webhook_server() as server:
        (built.root / "conf" / "dev.yml").write_text(f"alerts: {{webhook: {{url: '{server.url}'}}}}\n")
        built.land(4, ("m1", 5000, "High St"))
        context = built.context()

        rejected = execute(context, plan_nights(context, BatchRange(day(4), day(4))))
        assert rejected.exit_code is ExitCode.REJECTED
        assert rejected.alerts is not None
        opened = {(alert.rule, alert.subject) for alert in rejected.alerts.opened}
        assert opened == {("critical_expectations", "silver.readings"), ("batch_blocked", "silver.readings")}
        found = rejected.alerts.to_json()
        assert (found["told"], found["undelivered"]) == ({"log": 2, "webhook": 2}, {})

        built.land(4, ("m1", 5, "High St"))
        repaired = built.run(4)

    assert repaired.exit_code is ExitCode.DONE
    assert repaired.alerts is not None
    assert (len(repaired.alerts.resolved), repaired.alerts.standing) == (2, ())
    assert [posted["text"] for posted in server.posted] == [
        "[lakesmith dev] night 2024-01-04: 1 critical, 1 warning",
        "[lakesmith dev] night 2024-01-04: 2 resolved",
    ]
    assert "5000" not in str(server.posted)
    kept = alerts_of(built.context().ledger.ops.records(AlertRecord))
    assert [alert.is_open for alert in kept] == [False, False]
