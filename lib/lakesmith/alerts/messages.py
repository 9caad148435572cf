"""The text of a message: one for all that a channel is to be told after a night.

Owns what is said and how much of it: a message does not grow with the number of alerts. It holds counts and the names of tables,
columns and rules only, as the alerts do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lakesmith.alerts.decisions import Notice, NoticeKind

__all__ = ["Line", "Message", "message", "runbook"]

_SHOWN = 20
_LONGEST = 600


@dataclass(frozen=True)
class Line:
    """One alert of a message.

    Args:
        label: `critical`, `warning (worse)`, `resolved`.
        link: of the rule's page.
    """

    label: str
    rule: str
    subject: str
    text: str
    link: str


@dataclass(frozen=True)
class Message:
    """What a channel sends.

    Args:
        title: one line.
        lines: the alerts, the gravest first.
        more: how many there are beside them.
        gravest: the highest severity of what is not resolved; empty when all is.
    """

    title: str
    lines: tuple[Line, ...]
    more: int
    gravest: str

    @property
    def text(self) -> str:
        """The whole message as plain text."""
        parts = [self.title, ""]
        for line in self.lines:
            parts += [f"{line.label}: {line.rule}, {line.subject}", f"  {line.text}"]
            parts += [f"  {line.link}"] if line.link else []
        if self.more:
            parts.append(f"... and {self.more:,} more.")
        return "\n".join([*parts, "", "All that are open: lakesmith alerts list --open"])


def message(notices: Sequence[Notice], environment: str, night: date, runbooks: str) -> Message:
    """The message for some notices.

    Args:
        notices: at least one, in the order in which they are told.
        runbooks: where the rules' pages are.
    """
    open_ones = [notice for notice in notices if notice.kind is not NoticeKind.RESOLVED]
    counts = [
        (sum(n.alert.severity == severity for n in open_ones), severity)
        for severity in ("critical", "warning")
    ]
    counts.append((len(notices) - len(open_ones), "resolved"))
    said = ", ".join(f"{count} {word}" for count, word in counts if count)
    return Message(
        title=f"[lakesmith {environment}] night {night}: {said}",
        lines=tuple(_line(notice, runbooks) for notice in notices[:_SHOWN]),
        more=max(0, len(notices) - _SHOWN),
        gravest=next((severity for count, severity in counts[:2] if count), ""),
    )


def _line(notice: Notice, runbooks: str) -> Line:
    alert = notice.alert
    labels = {
        NoticeKind.OPENED: alert.severity,
        NoticeKind.WORSE: f"{alert.severity}, worse",
        NoticeKind.STILL: f"{alert.severity}, since {alert.opened_night}",
        NoticeKind.RESOLVED: "resolved",
    }
    text = alert.text if len(alert.text) <= _LONGEST else f"{alert.text[:_LONGEST]}..."
    # A name of a table or a column holds no line break; a text of somebody else's error may.
    return Line(
        labels[notice.kind], alert.rule, alert.subject, " ".join(text.split()), runbook(runbooks, alert.rule)
    )


def runbook(base: str, rule: str) -> str:
    """The page of a rule.

    Args:
        base: a URL or a folder.
    """
    return f"{base.rstrip('/')}/{rule}.md"
