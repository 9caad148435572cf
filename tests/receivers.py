"""Servers on this machine that take what channels send: SMTP, webhooks, and Amazon SNS as moto emulates it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

__all__ = ["MailServer", "WebhookServer", "free_port", "mail_server", "silent_server", "webhook_server"]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class WebhookServer:
    """What was posted, and what is answered.

    Args:
        statuses: the answers in their order; the last one from then on.
    """

    port: int = 0
    statuses: list[int] = field(default_factory=lambda: [200])
    posted: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/T000/secret-path"


@contextmanager
def webhook_server() -> Iterator[WebhookServer]:
    """A receiver of webhooks, until the end of the block."""
    server = WebhookServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = server.statuses.pop(0) if len(server.statuses) > 1 else server.statuses[0]
            server.paths.append(self.path)
            if status == 200:
                server.posted.append(json.loads(body))
            self.send_response(status)
            if status == 302:
                self.send_header("Location", server.url)
            self.end_headers()
            self.wfile.write(b"ok")

        def do_GET(self) -> None:
            raise AssertionError("a message is posted, never asked for")

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        server.port = http.server_address[1]
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


@contextmanager
def silent_server() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


@dataclass
class MailServer:
    """What was delivered, and who is refused.

    Args:
        refused: addresses that the server does not know.
    """

    port: int
    refused: set[str] = field(default_factory=set)
    delivered: list[tuple[tuple[str, ...], Message]] = field(default_factory=list)

    async def handle_RCPT(  # the name that aiosmtpd looks for
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refused:
            return "550 nobody of that name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # as above
        assert isinstance(envelope.content, bytes)
        self.delivered.append((tuple(envelope.rcpt_tos), message_from_bytes(envelope.content)))
        return "250 OK"


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """An SMTP server, until the end of the block."""
    found = MailServer(free_port())
    controller = Controller(found, hostname="127.0.0.1", port=found.port)
    controller.start()
    try:
        yield found
    finally:
        controller.stop()
