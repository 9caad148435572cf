"""A proxy in front of an object store that does what networks and busy stores do: errors, resets, answers that never arrive.

Owns what goes wrong and how often. Whether a request is struck follows from the seed, the request and how often it came, not from
the order in which threads ask. An answer is lost only after the store has carried the request out. The proxy is a process of its
own: some calls of deltalake keep Python's lock while they wait, and nothing else of their process would answer them.

    python -m drills.store_proxy TARGET SEED
"""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import socket
import struct
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from object_store import server

__all__ = ["Happened", "StoreProxy", "store_proxy"]

_ASKED = "/-/happened"

_COMMIT = re.compile(r"/_delta_log/\d{20}\.json$")
_HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect"}
)


class Happened(StrEnum):
    """What becomes of a request."""

    INTERNAL_ERROR = "500 InternalError"
    SLOW_DOWN = "503 SlowDown"
    RESET = "connection reset"
    LOST_ANSWER = "answer lost"
    LOST_COMMIT = "answer to a commit lost"


@dataclass
class _Faults:
    """What goes wrong, and what did.

    Args:
        each: the share of requests that each kind strikes.
        commits: the share of commits that are carried out and not answered.
    """

    seed: int
    each: float = 0.004
    commits: float = 0.3
    done: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    _came: Counter[str] = field(default_factory=Counter)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def befall(self, method: str, path: str) -> Happened | None:
        """What this request meets; counted."""
        with self._lock:
            self.requests += 1
            # The bucket's name is another one each time.
            request = f"{method} {path.partition('/')[2].partition('/')[2]}"
            self._came[request] += 1
            found = self._drawn(method, path, random.Random(f"{self.seed} {request} {self._came[request]}"))
            if found is not None:
                self.done[found] += 1
            return found

    def _drawn(self, method: str, path: str, rng: random.Random) -> Happened | None:
        if method == "PUT" and _COMMIT.search(path) and rng.random() < self.commits:
            return Happened.LOST_COMMIT
        at = rng.random()
        kinds = [kind for kind in Happened if kind is not Happened.LOST_COMMIT]
        return kinds[int(at / self.each)] if at < self.each * len(kinds) else None


@dataclass(frozen=True)
class StoreProxy:
    """A proxy that runs.

    Args:
        endpoint: its URL.
    """

    endpoint: str
    seed: int

    def happened(self) -> tuple[int, dict[str, int]]:
        """How many requests there were, and what befell some of them."""
        connection = http.client.HTTPConnection(urlsplit(self.endpoint).netloc)
        connection.request("GET", _ASKED)
        requests, done = json.loads(connection.getresponse().read())
        connection.close()
        return requests, done


@contextmanager
def store_proxy(target: str, seed: int) -> Iterator[StoreProxy]:
    """Runs the proxy until the end of the block."""
    with server("drills.store_proxy", target, str(seed)) as endpoint:
        yield StoreProxy(endpoint, seed)


def _serve(target: str, seed: int) -> None:
    faults = _Faults(seed)
    where = urlsplit(target).netloc

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # An answer goes out as one piece, and at once.
        wbufsize = -1
        disable_nagle_algorithm = True

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.path == _ASKED:
                self._answer(200, [], json.dumps([faults.requests, faults.done]).encode())
                return
            happened = faults.befall(self.command, self.path.partition("?")[0])
            if happened is Happened.RESET:
                self._hang_up()
            elif happened in (Happened.INTERNAL_ERROR, Happened.SLOW_DOWN):
                status, _, code = str(happened).partition(" ")
                content = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>planted</Message></Error>"
                self._answer(int(status), [("Content-Type", "application/xml")], content.encode())
            else:
                status_, headers, content_ = self._asked(body)
                if happened in (Happened.LOST_ANSWER, Happened.LOST_COMMIT):
                    self._hang_up()
                else:
                    self._answer(status_, headers, content_)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass_on

        def handle_expect_100(self) -> bool:
            # A client that asks first waits for this.
            goes_on = super().handle_expect_100()
            self.wfile.flush()
            return goes_on

        def _asked(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            store = http.client.HTTPConnection(where)
            try:
                # The host as the client signed it.
                store.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in _HOP_BY_HOP:
                        store.putheader(name, value)
                store.endheaders(body)
                answer = store.getresponse()
                kept = [(n, v) for n, v in answer.getheaders() if n.lower() not in _HOP_BY_HOP]
                return answer.status, kept, answer.read()
            finally:
                store.close()

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response_only(status)
            length = [value for name, value in headers if name.lower() == "content-length"]
            for name, value in headers:
                if name.lower() != "content-length":
                    self.send_header(name, value)
            # What a HEAD says of the length is the object's.
            self.send_header(
                "Content-Length", length[0] if self.command == "HEAD" and length else str(len(content))
            )
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
            self.wfile.flush()

        def _hang_up(self) -> None:
            """With a reset, as a machine in between does that forgets a connection."""
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            # Not `close`, which waits for the streams that were made of it.
            os.close(self.connection.detach())

        def log_message(self, *_: object) -> None: ...

        def finish(self) -> None:
            with suppress(OSError, ValueError):
                super().finish()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Clients that hang up are no news."""

    with Server(("127.0.0.1", 0), Handler) as listening:
        print(listening.server_address[1], flush=True)
        listening.serve_forever()


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
