"""Prints what jobs print in prod, as a process of its own: alerts of every kind, then the ends of four jobs. One line each."""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from pathlib import Path

from lakesmith.alerts.channels.log import LogChannel
from lakesmith.alerts.decisions import Notice, NoticeKind
from lakesmith.alerts.messages import message
from lakesmith.config.load import load_settings
from lakesmith.engine.logs import log_to_stderr
from lakesmith.ledger.alerts import Alert

NIGHT = date(2011, 3, 1)
ALERTS = [
    ("batch_failed", "critical"),
    ("batch_rejected", "critical"),
    ("batch_blocked", "warning"),
    ("table_not_updated", "critical"),
    ("night_late", "critical"),
    ("night_late", "warning"),
    ("zero_scores", "critical"),
    ("drift", "warning"),
]
JOBS = [
    ("gold.customer_scores", 1, 4213, 0),
    ("gold.customer_scores", 0, 0, 1),
    ("gold.customer_scores_shadow", 1, 4213, 0),
]
SAID = "%s: %d batches published (%d rows), %d unchanged"
"""As lakesmith.engine.submit says it at a job's end."""


def alert(rule: str, severity: str) -> Alert:
    return Alert(
        rule=rule,
        subject="gold.customer_scores",
        severity=severity,
        text="what is wrong",
        names=("2011-03-01",),
        night=NIGHT,
        opened_at=datetime(2011, 3, 2, 4, tzinfo=UTC),
        opened_night=NIGHT,
    )


if __name__ == "__main__":
    log_to_stderr(load_settings("prod", Path(__file__).parents[1], {}))
    for rule, severity in ALERTS:
        for kind in NoticeKind:
            LogChannel().send(message([Notice(kind, alert(rule, severity))], "prod", NIGHT, "pages"))
    log = logging.getLogger("lakesmith")
    for job in JOBS:
        log.info(SAID, *job)
    log.error("%s: %s: %s", "gold.customer_scores", "DataRejected", "a batch was refused")
