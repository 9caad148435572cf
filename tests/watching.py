"""What tests of alerts and metrics share: records as nights leave them, and a check of a night of the meters project."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from deltalake import write_deltalake

from command_lines import THREE_TABLES, publish
from lakesmith.alerts.channels.channel import Undelivered
from lakesmith.alerts.check import Checked, check_night
from lakesmith.alerts.facts import Watched
from lakesmith.alerts.messages import Message
from lakesmith.contracts.model import BATCH_DATE
from lakesmith.engine.alerting import watched
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import BatchOutcome, NightRecord, QualityRecord
from workspaces import Workspace, day

MORNING = datetime(2024, 2, 1, 6, tzinfo=UTC)
"""When the tests' checks are made: after all of the days."""


class Listener:
    """A channel that keeps what it is sent.

    Args:
        broken: why it takes nothing; empty while it works.
    """

    def __init__(self, name: str = "ear", least: str = "warning") -> None:
        self.name = name
        self.least = least
        self.broken = ""
        self.messages: list[Message] = []

    def send(self, message: Message) -> None:
        if self.broken:
            raise Undelivered(self.name, self.broken)
        self.messages.append(message)

    @property
    def heard(self) -> list[list[str]]:
        """The messages: of each alert its label, rule and subject."""
        return [[f"{line.label}: {line.rule}, {line.subject}" for line in m.lines] for m in self.messages]


DERIVED = ("gold.usage_3d", "gold.running")
ALL = (*THREE_TABLES, *DERIVED)
"""Every table without a lag."""


def nights(workspace: Workspace, first: int, last: int, **changes: Any) -> None:
    """Days of which every table is published, in one commit a table."""
    publish(workspace, range(first, last + 1), ALL, **changes)
    publish(workspace, range(max(1, first - 1), last), ["gold.next_day"], **changes)


def look(workspace: Workspace) -> Watched:
    """The project as a new process would find it."""
    return watched(workspace.context())


def check(
    workspace: Workspace, number: int, *channels: Listener, hours: float = 0, record: bool = True
) -> Checked:
    """Checks the night of a day.

    Args:
        hours: after six in the morning of the day after.
    """
    moment = datetime.combine(day(number), datetime.min.time(), UTC) + timedelta(hours=30 + hours)
    return check_night(look(workspace), day(number), record=record, channels=channels, moment=moment)


def said(checked: Checked, rule: str) -> dict[str, str]:
    """Subject -> text of the open alerts of a rule."""
    return {alert.subject: alert.text for alert in checked.standing if alert.rule == rule}


def reject(
    workspace: Workspace, number: int, table: str, *, rules: Iterable[str] = (), **changes: Any
) -> None:
    """Records a batch as rejected, by critical expectations where some are named."""
    told = {
        "outcome": BatchOutcome.REJECTED,
        "run_id": f"reject-{number}",
        "reason": "2 of 3 rows are wrong.",
    }
    publish(workspace, [number], [table], **{**told, **changes})
    audit(workspace, number, table, f"reject-{number}", dict.fromkeys(rules, "critical"))


def audit(workspace: Workspace, number: int, table: str, run_id: str, broken: dict[str, str]) -> None:
    """Records the audit of a batch: rules that failed, each with its severity, beside one that passed."""
    graded = {"all_is_well": "critical", **broken}
    workspace.context().ledger.ops.append(
        [
            QualityRecord(
                run_id,
                table,
                day(number),
                now(),
                rule,
                "expect_x",
                severity,
                rule not in broken,
                None,
                None,
                {},
            )
            for rule, severity in graded.items()
        ]
    )


def end_night(workspace: Workspace, number: int, *, complete: bool = True, hours: float = 3) -> NightRecord:
    """Records a night as ended some hours after its day."""
    ended = datetime.combine(day(number), datetime.min.time(), UTC) + timedelta(hours=24 + hours)
    record = NightRecord(day(number), day(number), ended, complete, {})
    workspace.context().ledger.ops.append([record])
    return record


def metric_rows(workspace: Workspace, table: str, rows: Sequence[dict[str, Any]]) -> None:
    """Appends rows to a monitoring table, each with the number of its day as `day`."""
    filled = [{BATCH_DATE: day(row["day"]), **{k: v for k, v in row.items() if k != "day"}} for row in rows]
    write_deltalake(workspace.context().lake.path(table), pa.Table.from_pylist(filled), mode="append")
