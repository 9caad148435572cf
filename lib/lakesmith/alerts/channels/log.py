"""The log as a channel: a line for each alert, where whatever collects logs finds it."""

from __future__ import annotations

import logging

from lakesmith.alerts.messages import Message

__all__ = ["LogChannel"]

log = logging.getLogger("lakesmith.alerts")


class LogChannel:
    """Writes to the logger `lakesmith.alerts`: resolved ones as information, others as warnings."""

    name = "log"
    least = "warning"

    def send(self, message: Message) -> None:
        """Logs every line, or the title of a message without any; that cannot fail."""
        if not message.lines:
            log.warning("%s", message.title)
        for line in message.lines:
            level = logging.INFO if line.label == "resolved" else logging.WARNING
            log.log(level, "alert %s: %s, %s: %s", line.label, line.rule, line.subject, line.text)
        if message.more:
            log.warning("... and %d more alerts: lakesmith alerts list --open", message.more)
