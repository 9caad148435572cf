"""A webhook in Slack's format, which Mattermost, Rocket.Chat and others take, too."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from lakesmith.alerts.channels.channel import Undelivered
from lakesmith.alerts.messages import Line, Message
from lakesmith.config.sections.alerts import WebhookSettings
from lakesmith.errors import LakesmithError

__all__ = ["WebhookChannel"]

_ATTEMPTS = 2


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirected POST would arrive as a GET without its message, and count as delivered."""

    def redirect_request(self, *_: Any) -> None:
        return None


class WebhookChannel:
    """Posts a message as JSON.

    Args:
        settings: with a URL.
        timeout: seconds for each try; a connection that fails and an answer of 500 and above are tried twice.
    """

    name = "webhook"

    def __init__(self, settings: WebhookSettings, timeout: float) -> None:
        assert settings.url is not None
        self._secret = settings.url
        self._timeout = timeout
        self.least: str = settings.least

    def send(self, message: Message) -> None:
        """Posts it.

        Raises:
            Undelivered: there was no answer, or another than 2xx.
        """
        try:
            self._url = self._secret.get_secret_value()
        except LakesmithError as error:
            # The URL stands elsewhere and is not to be had.
            raise Undelivered(self.name, str(error)) from None
        if not self._url.startswith(("https://", "http://")):
            raise Undelivered(self.name, "its URL begins with neither https:// nor http://")
        body = json.dumps(payload(message)).encode()
        for left in reversed(range(_ATTEMPTS)):
            try:
                self._post(body)
            except urllib.error.HTTPError as error:
                with error:
                    if not left or error.code < 500:
                        raise self._undelivered(f"it answered {error.code}") from None
            # A URL that cannot be one is a ValueError of http.client's, or InvalidURL, with the URL in its text.
            except (OSError, HTTPException, ValueError) as error:
                if not left:
                    raise self._undelivered(_said(error)) from None
            else:
                return

    def _post(self, body: bytes) -> None:
        request = urllib.request.Request(
            self._url, data=body, headers={"Content-Type": "application/json; charset=utf-8"}, method="POST"
        )
        opener = urllib.request.build_opener(_NoRedirects)
        with opener.open(request, timeout=self._timeout) as answer:
            answer.read(1024)

    def _undelivered(self, reason: str) -> Undelivered:
        # The path of such a URL is its secret.
        try:
            host = urlsplit(self._url).hostname or "its host"
        except ValueError:
            host = "its host"
        return Undelivered(self.name, f"{host}: {reason}")


def _said(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror.lower()
    return type(cause).__name__


def payload(message: Message) -> dict[str, Any]:
    """The message as Slack takes it: a text for notifications, and blocks that are shown."""
    blocks = [_section(f"*{_escaped(message.title)}*"), *(_section(_block(line)) for line in message.lines)]
    if message.more:
        blocks.append(_section(f"... and {message.more:,} more: `lakesmith alerts list --open`"))
    return {"text": _escaped(message.title), "blocks": blocks}


def _block(line: Line) -> str:
    page = f" (<{line.link}|what to do>)" if line.link.startswith("http") else ""
    page = page or f" (what to do: {_escaped(line.link)})"
    return f"*{_escaped(line.label)}*: {_escaped(line.rule)}, {_escaped(line.subject)}{page}\n{_escaped(line.text)}"


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _escaped(text: str) -> str:
    """Slack's three control characters; without that `<!channel>` in a table's name would wake everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
