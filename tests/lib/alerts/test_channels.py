"""Channels against servers on this machine: what arrives, and what is said when it does not."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from lakesmith.alerts.channels.channel import Undelivered
from lakesmith.alerts.channels.chosen import chosen_channels
from lakesmith.alerts.channels.email import EmailChannel
from lakesmith.alerts.channels.log import LogChannel
from lakesmith.alerts.channels.sns import SnsChannel
from lakesmith.alerts.channels.webhook import WebhookChannel
from lakesmith.alerts.decisions import Notice, NoticeKind
from lakesmith.alerts.messages import Message, message
from lakesmith.config.sections.alerts import AlertSettings, EmailSettings, SnsSettings, WebhookSettings
from lakesmith.ledger.alerts import Alert
from receivers import MailServer, WebhookServer, free_port, mail_server, silent_server, webhook_server

NIGHT = date(2024, 1, 5)
MOMENT = datetime(2024, 1, 6, 3, tzinfo=UTC)
PAGES = "https://docs.example/runbooks/"


def alert(rule: str = "drift", subject: str = "gold.usage", text: str = "2 columns drifted") -> Alert:
    severity = "critical" if rule == "batch_failed" else "warning"
    return Alert(rule, subject, severity, text, (), NIGHT, MOMENT, NIGHT)


def told(*notices: Notice) -> Message:
    return message(notices, "prod", NIGHT, PAGES)


ONE = told(Notice(NoticeKind.OPENED, alert()))


# The text.


def test_a_message_counts_what_it_tells_and_links_each_rule() -> None:
    found = told(
        Notice(NoticeKind.OPENED, alert("batch_failed", "silver.readings", "2024-01-05 failed: no space")),
        Notice(NoticeKind.STILL, alert()),
        Notice(NoticeKind.RESOLVED, alert("zero_scores", "gold.scores", "no score")),
    )

    assert found.text == (
        "[lakesmith prod] night 2024-01-05: 1 critical, 1 warning, 1 resolved\n"
        "\n"
        "critical: batch_failed, silver.readings\n"
        "  2024-01-05 failed: no space\n"
        "  https://docs.example/runbooks/batch_failed.md\n"
        "warning, since 2024-01-05: drift, gold.usage\n"
        "  2 columns drifted\n"
        "  https://docs.example/runbooks/drift.md\n"
        "resolved: zero_scores, gold.scores\n"
        "  no score\n"
        "  https://docs.example/runbooks/zero_scores.md\n"
        "\n"
        "All that are open: lakesmith alerts list --open"
    )
    assert found.gravest == "critical"


def test_a_message_does_not_grow_with_the_alerts() -> None:
    found = told(
        *(Notice(NoticeKind.OPENED, alert(subject=f"gold.t{n}", text="x" * 5000)) for n in range(90))
    )

    assert (len(found.lines), found.more) == (20, 70)
    assert len(found.text) < 20_000


def test_a_line_break_in_a_text_does_not_make_another_alert() -> None:
    found = told(Notice(NoticeKind.OPENED, alert(text="failed\n\ncritical: all is well")))

    assert found.lines[0].text == "failed critical: all is well"


# Webhooks.


@pytest.fixture
def webhook() -> Iterator[WebhookServer]:
    with webhook_server() as server:
        yield server


def to_webhook(url: str, timeout: float = 5) -> WebhookChannel:
    return WebhookChannel(WebhookSettings(url=SecretStr(url)), timeout)


def test_a_webhook_gets_slacks_format(webhook: WebhookServer) -> None:
    to_webhook(webhook.url).send(ONE)

    assert webhook.posted == [
        {
            "text": "[lakesmith prod] night 2024-01-05: 1 warning",
            "blocks": [
                section("*[lakesmith prod] night 2024-01-05: 1 warning*"),
                section(
                    "*warning*: drift, gold.usage (<https://docs.example/runbooks/drift.md|what to do>)\n"
                    "2 columns drifted"
                ),
            ],
        }
    ]


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def test_names_cannot_call_a_whole_channel(webhook: WebhookServer) -> None:
    to_webhook(webhook.url).send(told(Notice(NoticeKind.OPENED, alert(text="<!channel> & <b>"))))

    assert "&lt;!channel&gt; &amp; &lt;b&gt;" in json.dumps(webhook.posted)
    assert "<!channel>" not in json.dumps(webhook.posted)


def test_a_server_that_stumbles_once_is_asked_again(webhook: WebhookServer) -> None:
    webhook.statuses = [503, 200]

    to_webhook(webhook.url).send(ONE)

    assert len(webhook.posted) == 1


@pytest.mark.parametrize(("status", "asked"), [(500, 2), (404, 1), (302, 1)])
def test_an_answer_that_is_no_success_is_not_taken_for_one(
    webhook: WebhookServer, status: int, asked: int
) -> None:
    webhook.statuses = [status]

    with pytest.raises(Undelivered) as error:
        to_webhook(webhook.url).send(ONE)

    assert (error.value.reason, len(webhook.paths)) == (f"127.0.0.1: it answered {status}", asked)


def test_a_webhook_that_refuses_or_says_nothing_is_undelivered_and_its_path_stays_secret() -> None:
    with pytest.raises(Undelivered) as refused:
        to_webhook(f"http://127.0.0.1:{free_port()}/secret-path").send(ONE)
    with silent_server() as port, pytest.raises(Undelivered) as silent:
        to_webhook(f"http://127.0.0.1:{port}/secret-path", timeout=0.2).send(ONE)
    with pytest.raises(Undelivered) as nonsense:
        to_webhook("http://127.0.0.1:port/secret path").send(ONE)

    assert refused.value.reason == "127.0.0.1: connection refused"
    assert silent.value.reason == "127.0.0.1: no answer in time"
    assert nonsense.value.reason == "127.0.0.1: InvalidURL"
    for error in (refused, silent, nonsense):
        assert "secret" not in str(error.value)
        assert "secret" not in repr(error.value.__cause__)


# E-mail.


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


def to_mail(port: int, timeout: float = 5, **more: Any) -> EmailChannel:
    given: dict[str, Any] = {"security": "none", "sender": "lake@example.org", "to": ("a@b.org", "c@d.org")}
    return EmailChannel(EmailSettings(host="127.0.0.1", port=port, **{**given, **more}), timeout)


def test_a_mail_arrives_whole(mail: MailServer) -> None:
    to_mail(mail.port).send(ONE)

    [(addresses, found)] = mail.delivered
    assert addresses == ("a@b.org", "c@d.org")
    assert (found["Subject"], found["From"], found["To"]) == (
        "[lakesmith prod] night 2024-01-05: 1 warning",
        "lake@example.org",
        "a@b.org, c@d.org",
    )
    assert found["Auto-Submitted"] == "auto-generated"
    payload = found.get_payload(decode=True)
    assert isinstance(payload, bytes)
    assert payload.decode().replace("\r\n", "\n").strip() == ONE.text


def test_addresses_that_are_refused_are_counted_not_named(mail: MailServer) -> None:
    mail.refused = {"c@d.org"}
    with pytest.raises(Undelivered, match="refused 1 of 2 addresses") as one:
        to_mail(mail.port).send(ONE)
    mail.refused = {"a@b.org", "c@d.org"}
    with pytest.raises(Undelivered, match="refused all 2 addresses"):
        to_mail(mail.port).send(ONE)

    assert "c@d.org" not in str(one.value)
    assert [addresses for addresses, _ in mail.delivered] == [("a@b.org",)]


def test_a_mail_server_that_cannot_be_had_is_undelivered(mail: MailServer) -> None:
    port = free_port()
    with pytest.raises(Undelivered) as refused:
        to_mail(port).send(ONE)
    with silent_server() as silent_port, pytest.raises(Undelivered) as silent:
        to_mail(silent_port, timeout=0.2).send(ONE)
    # This server has no TLS to offer; a password must not go on without it.
    with pytest.raises(Undelivered) as plain:
        to_mail(mail.port, security="starttls", username="u", password=SecretStr("hush")).send(ONE)

    assert refused.value.reason == f"127.0.0.1:{port}: Connection refused"
    assert silent.value.reason == f"127.0.0.1:{silent_port} closed the connection, or said nothing in time"
    assert plain.value.reason == f"127.0.0.1:{mail.port}: SMTPNotSupportedError"
    assert mail.delivered == []


# SNS.


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """The emulator's address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def to_sns(topic: str, endpoint: str, timeout: float = 5) -> SnsChannel:
    return SnsChannel(SnsSettings(topic=topic, endpoint=endpoint), timeout)


@pytest.mark.usefixtures("credentials")
def test_a_topic_hands_on_what_it_was_given(aws: str) -> None:
    region = {"region_name": "eu-west-2", "endpoint_url": aws}
    sns, sqs = boto3.client("sns", **region), boto3.client("sqs", **region)
    topic = sns.create_topic(Name="alerts")["TopicArn"]
    queue = sqs.create_queue(QueueName="alerts")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    to_sns(topic, aws).send(ONE)

    [received] = sqs.receive_message(QueueUrl=queue)["Messages"]
    body = json.loads(received["Body"])
    assert (body["Subject"], body["Message"]) == (ONE.title, ONE.text)
    assert body["MessageAttributes"] == {"severity": {"Type": "String", "Value": "warning"}}


@pytest.mark.usefixtures("credentials")
def test_a_topic_that_is_not_there_is_undelivered(aws: str) -> None:
    port = free_port()
    arn = "arn:aws:sns:eu-west-2:123456789012:nobody"

    with pytest.raises(Undelivered) as unknown:
        to_sns(arn, aws).send(ONE)
    with pytest.raises(Undelivered) as refused:
        to_sns(arn, f"http://127.0.0.1:{port}", timeout=0.5).send(ONE)
    with pytest.raises(Undelivered) as nonsense:
        to_sns("no-arn", aws).send(ONE)

    assert unknown.value.reason == "NotFound"
    assert refused.value.reason == "EndpointConnectionError"
    assert nonsense.value.reason == "NoRegionError"


# The log, and which are on.


def test_the_log_has_a_line_for_each(caplog: pytest.LogCaptureFixture) -> None:
    resolved = Notice(NoticeKind.RESOLVED, alert("zero_scores", "gold.scores", "no score"))
    with caplog.at_level(logging.INFO, "lakesmith.alerts"):
        LogChannel().send(told(Notice(NoticeKind.OPENED, alert()), resolved))

    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "alert warning: drift, gold.usage: 2 columns drifted"),
        ("INFO", "alert resolved: zero_scores, gold.scores: no score"),
    ]


def test_channels_are_on_by_their_settings() -> None:
    everything = AlertSettings(
        webhook=WebhookSettings(url=SecretStr("https://x/y"), least="critical"),
        email=EmailSettings(host="h", sender="a@b", to=("c@d",)),
        sns=SnsSettings(topic="arn:aws:sns:eu-west-2:1:t"),
    )

    assert [(c.name, c.least) for c in chosen_channels(everything)] == [
        ("log", "warning"),
        ("webhook", "critical"),
        ("email", "warning"),
        ("sns", "warning"),
    ]
    assert chosen_channels(AlertSettings(log=False)) == []
