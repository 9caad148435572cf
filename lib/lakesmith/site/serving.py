"""A site on localhost, for the machine that built it. Anything larger serves the folder by its own web server."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lakesmith.errors import UsageError

__all__ = ["open_server"]


class _Quiet(SimpleHTTPRequestHandler):
    """Says nothing of each request, and keeps browsers from holding on to yesterday's page."""

    def log_message(self, *_: Any) -> None:
        pass

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        # A browser that went away in the middle of an answer is no news.
        pass


def open_server(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of a folder on this machine only; the caller runs and closes it.

    Args:
        port: 0 takes a free one.

    Raises:
        UsageError: the port is taken, or may not be used.
    """
    try:
        return _Server(("127.0.0.1", port), partial(_Quiet, directory=str(folder)))
    except OSError as error:
        raise UsageError(
            f"nothing can listen on port {port} of this machine: {error.strerror}. Choose another: --port 0"
        ) from error
