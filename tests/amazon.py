"""Amazon's services on this machine: moto over real sockets, and a server that answers what moto cannot."""

from __future__ import annotations

import json
import socket
import struct
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

__all__ = ["ACCOUNT", "REGION", "Answer", "Asked", "answering", "emulator", "forwarded", "set_credentials"]

ACCOUNT = "123456789012"
"""The one that moto plays."""

REGION = "eu-west-2"


def set_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Credentials that emulators take, and no look for others on the network."""
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")


@contextmanager
def emulator() -> Iterator[str]:
    """The address of moto's server, until the end of the block."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        # What moto knows belongs to the process, not to its server.
        urllib.request.urlopen(
            urllib.request.Request(f"http://{host}:{port}/moto-api/reset", method="POST")
        ).close()
        server.stop()


@dataclass(frozen=True)
class Answer:
    """What a service answers.

    Args:
        body: as JSON.
        code: of an error.
        lost: the request is taken in, and its connection then reset.
    """

    body: Any = field(default_factory=dict)
    status: int = 200
    code: str = ""
    lost: bool = False


@dataclass(frozen=True)
class Asked:
    """One request that arrived.

    Args:
        operation: `POST /applications/x/jobruns`; for services of one address, what they call `X-Amz-Target`.
        body: of JSON.
    """

    operation: str
    body: Any
    path: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    sent: bytes = b""


@contextmanager
def answering(answer: Callable[[Asked], Answer]) -> Iterator[tuple[str, list[Asked]]]:
    """A service whose every answer a function gives: its address, and what arrived so far."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _take(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            operation = self.headers.get("X-Amz-Target") or f"{self.command} {self.path.partition('?')[0]}"
            is_json = sent.startswith((b"{", b"["))
            body = json.loads(sent) if is_json else None
            request = Asked(operation, body, self.path, dict(self.headers), sent)
            asked.append(request)
            given = answer(request)
            if given.lost:
                # Nothing of an answer, and the peer is told at once.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.close_connection = True
                return
            # One protocol names an error's code in a header, another in the body.
            body = json.dumps({"__type": given.code, **given.body} if given.code else given.body).encode()
            self.send_response(given.status)
            if given.code:
                self.send_header("x-amzn-ErrorType", given.code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _take

        def log_message(self, *_: object) -> None: ...

    class Server(ThreadingHTTPServer):
        daemon_threads = True  # of clients that keep their connections

        def shutdown_request(self, request: Any) -> None:
            # `shutdown` would say an orderly goodbye where a connection is to be lost.
            self.close_request(request)

    with Server(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}", asked
        finally:
            http.shutdown()
            thread.join()


def forwarded(request: Asked, address: str) -> Answer:
    """What the emulator answers to a request of JSON."""
    method = request.operation.partition(" ")[0]
    headers = {k: v for k, v in request.headers.items() if k.lower() not in ("host", "expect")}
    asked = urllib.request.Request(
        f"{address}{request.path}", request.sent or None, {**headers, "Connection": "close"}, method=method
    )
    try:
        with urllib.request.urlopen(asked, timeout=10) as answered:
            return Answer(json.loads(answered.read() or b"{}"), answered.status)
    except urllib.error.HTTPError as error:
        with error:
            body = json.loads(error.read() or b"{}")
            return Answer(body, error.code, error.headers.get("x-amzn-ErrorType") or body.get("__type", ""))
