"""`lakesmith alerts list | check | report | test`: what is wrong after a night, and whom that was told. Starts no JVM."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from lakesmith.cli.options import AsJson, AsOf, Env, Invocation, Project
from lakesmith.cli.output import answer, answer_json, say_error
from lakesmith.cli.wording import count, grid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import RenderableType

    from lakesmith.alerts.check import Checked
    from lakesmith.ledger.alerts import Alert

__all__ = ["check", "list_alerts", "report", "send_test"]

_STYLES = {"critical": "bold red", "warning": "yellow"}


def list_alerts(
    only_open: Annotated[bool, typer.Option("--open", help="Only those that are not resolved.")] = False,
    last: Annotated[int, typer.Option("--last", min=1, help="How many to show, the newest.")] = 20,
    as_of: AsOf = None,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """List alerts, open ones and the newest first: since when, what is wrong, who was told, and the page that says what to do.

    With --json all of them.

    For example:

        lakesmith alerts list --open

        lakesmith alerts list --as-of 2011-03-01 --json
    """
    from lakesmith.alerts.messages import runbook
    from lakesmith.contracts.days import parse_night
    from lakesmith.ledger.alerts import AlertRecord, alerts_of
    from lakesmith.ledger.alerts import as_of as known_after

    context = Invocation(env, project).open()
    records = context.ledger.ops.records(AlertRecord)
    if as_of is not None:
        records = known_after(records, parse_night(as_of))
    found = _gravest_first(alert for alert in alerts_of(records) if alert.is_open or not only_open)
    base = context.settings.alerts.runbooks
    if as_json:
        answer_json([_json(alert, runbook(base, alert.rule)) for alert in found])
        return
    if not found:
        answer(f"no alert {'is open' if only_open else 'was ever opened'}.")
        return
    answer(*_table(found[:last]), *_pages(found[:last], base))
    if len(found) > last:
        answer("", f"... and {count(len(found) - last, 'older one')}: --last {len(found)}")


def _gravest_first(alerts: Iterable[Alert]) -> list[Alert]:
    """Open ones before others, of these the newest night, and of a night the gravest first."""
    return sorted(
        alerts,
        key=lambda a: (
            not a.is_open,
            -a.opened_night.toordinal(),
            a.severity != "critical",
            a.rule,
            a.subject,
        ),
    )


def _json(alert: Alert, page: str) -> dict[str, object]:
    return {
        "rule": alert.rule,
        "subject": alert.subject,
        "severity": alert.severity,
        "open": alert.is_open,
        "text": alert.text,
        "names": list(alert.names),
        "since": alert.opened_night.isoformat(),
        "night": alert.night.isoformat(),
        "opened_at": alert.opened_at.isoformat(),
        "resolved_at": alert.resolved_at.isoformat() if alert.resolved_at is not None else None,
        "told": {channel: moment.isoformat() for channel, moment in sorted(alert.told.items())},
        "undelivered": dict(sorted(alert.undelivered.items())),
        "runbook": page,
    }


def _table(alerts: Sequence[Alert], *, with_told: bool = True) -> list[RenderableType]:
    found = grid("since", "state", "rule and subject", "what is wrong", wrap=["what is wrong"])
    for alert in alerts:
        state = (
            Text(alert.severity, style=_STYLES[alert.severity]) if alert.is_open else Text("resolved", "dim")
        )
        found.add_row(
            str(alert.opened_night),
            state,
            f"{alert.rule}\n{alert.subject}",
            _said(alert) if with_told else alert.text,
        )
    return [found]


def _said(alert: Alert) -> str:
    failed = [f"{channel} was not told: {why}" for channel, why in sorted(alert.undelivered.items())]
    told = f"told: {', '.join(sorted(alert.told))}" if alert.told else "nobody was told"
    return "; ".join([alert.text, told, *failed])


def _pages(alerts: Sequence[Alert], base: str) -> list[str]:
    from lakesmith.alerts.messages import runbook

    rules = sorted({alert.rule for alert in alerts if alert.is_open})
    return ["", "what to do:", *(f"  {runbook(base, rule)}" for rule in rules)] if rules else []


def check(
    night: Annotated[
        str | None,
        typer.Option("--date", metavar="DAY", help="The night (default: the newest on record)."),
    ] = None,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> int:
    """Ask the rules about a night, as its end does: record what changed and tell the channels.

    A night before the newest one on record is only looked at. Where each table is run by a process of its own, run this after
    the last.

    For example:

        lakesmith alerts check

        lakesmith alerts check --date 2011-03-01 --json
    """
    from lakesmith.alerts.check import check_night, newest_night
    from lakesmith.contracts.days import parse_night
    from lakesmith.engine.alerting import watched
    from lakesmith.errors import InputMissing

    invocation = Invocation(env, project)
    context = invocation.open()
    about = watched(context)
    newest = newest_night(about)
    day = parse_night(night) if night is not None else newest
    if day is None:
        raise InputMissing(
            f"no night is on record yet: that takes a run of all tables. Run one, or name a night: "
            f"{invocation.command('alerts check --date DAY')}"
        )
    found = check_night(about, day, record=newest is None or day >= newest)
    if as_json:
        answer_json(found.to_json())
    else:
        answer(*_checked(found, invocation))
    return 1 if found.undelivered or found.unasked else 0


def _checked(found: Checked, invocation: Invocation) -> list[RenderableType]:
    lines: list[RenderableType] = []
    shown = found.standing if found.recorded else found.opened
    if shown:
        lines += _table(_gravest_first(shown), with_told=found.recorded)
        lines.append("")
    for alert in found.resolved:
        lines.append(f"resolved: {alert.rule}, {alert.subject}")
    for channel, number in found.told.items():
        lines.append(f"{channel} was told of {count(number, 'alert')}")
    for channel, reason in found.undelivered.items():
        lines.append(Text.assemble((f"{channel} took no message", "bold red"), f": {reason}"))
    for rule, error in found.unasked.items():
        lines.append(Text.assemble((f"{rule} could not be asked", "bold red"), f": {error}"))
    lines += [f"a retraining of {model} was requested" for model in found.requested]
    if not found.recorded:
        lines.append(
            f"night {found.night}: {count(len(shown), 'alert')}. Later nights are on record, so nothing was written down."
        )
    else:
        opened = (
            f"{len(found.opened):,} opened, {len(found.resolved):,} resolved, {len(found.standing):,} open"
        )
        lines.append(f"night {found.night}: {opened}.")
        if found.standing:
            lines.append(f"what to do: {invocation.command('alerts list --open')}")
    return lines


def report(
    rule: Annotated[str, typer.Option("--rule", metavar="RULE", help="task_failed or night_late.")],
    subject: Annotated[
        str, typer.Option("--subject", metavar="NAME", help="The table, LAYER.NAME; or dags.NAME.")
    ],
    night: Annotated[str, typer.Option("--date", metavar="DAY", help="The night.")],
    text: Annotated[
        str, typer.Option("--text", metavar="TEXT", help="What is wrong, with a link to the log.")
    ],
    batches: Annotated[
        list[str] | None, typer.Option("--batch", metavar="DAY", help="A batch it is about; may be repeated.")
    ] = None,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> int:
    """Open an alert that only a scheduler can know of, and tell the channels.

    What is open already is told again only when it got worse. The next check after the batches are there resolves it.

    For example:

        lakesmith alerts report --rule task_failed --subject silver.sales_lines --date 2011-03-01
        --batch 2011-03-01 --text "no memory, see https://airflow/log"
    """
    from lakesmith.alerts.check import report as tell
    from lakesmith.alerts.decisions import Violation
    from lakesmith.alerts.rules import REPORTED
    from lakesmith.contracts.days import parse_night
    from lakesmith.engine.alerting import watched
    from lakesmith.errors import UsageError

    if rule not in REPORTED:
        raise UsageError(f"{rule!r} is no rule that can be reported. Rules: {', '.join(sorted(REPORTED))}")
    context = Invocation(env, project).open()
    if not subject.startswith("dags."):
        context.project.graph.contract(subject)
    names = tuple(parse_night(batch).isoformat() for batch in batches or ())
    found = tell(
        watched(context), rule, Violation(subject, " ".join(text.split()), names), parse_night(night)
    )
    if as_json:
        answer_json(found.to_json())
    else:
        for channel, number in found.told.items():
            answer(f"{channel} was told of {count(number, 'alert')}")
        for channel, reason in found.undelivered.items():
            say_error(f"the channel {channel} took no message: {reason}")
        answer(f"{rule}, {subject}: {'opened' if found.opened else 'known already'}.")
    return 1 if found.undelivered else 0


def send_test(env: Env = None, project: Project = None) -> int:
    """Send a message to every channel that is on, and say which took it.

    For example:

        lakesmith alerts test --env prod
    """
    from lakesmith.alerts.channels.channel import Undelivered
    from lakesmith.alerts.channels.chosen import chosen_channels
    from lakesmith.alerts.messages import Message

    context = Invocation(env, project).open()
    channels = chosen_channels(context.settings.alerts)
    text = f"[lakesmith {context.settings.environment}] a test: alerts arrive here"
    failed = 0
    for channel in channels:
        try:
            channel.send(Message(text, (), 0, ""))
        except Undelivered as error:
            failed += 1
            say_error(str(error))
        else:
            answer(f"{channel.name}: took the message")
    if not channels:
        answer("no channel is on. Settings: alerts.log, alerts.webhook, alerts.email, alerts.sns")
    return 1 if failed else 0
