"""Asking a service whether it is well, by a real request."""

from __future__ import annotations

import json
from http.client import HTTPException
from urllib.request import ProxyHandler, Request, build_opener

from lakesmith.extras import needs_extra
from lakesmith.stack.service import Http, Login, Probe

__all__ = ["complaint"]

_SECONDS = 5.0
# The stack is on this machine: no proxy is in between, whatever the variables say.
_OPENER = build_opener(ProxyHandler({}))


def complaint(probe: Probe) -> str | None:
    """Why a service is not well; None when it is."""
    return _http(probe) if isinstance(probe, Http) else _login(probe)


def _http(probe: Http) -> str | None:
    try:
        with _OPENER.open(Request(probe.url, method=probe.method), timeout=_SECONDS) as answer:
            said = answer.read()
    except (OSError, HTTPException) as error:
        return f"{probe.url}: {error}"
    if not probe.member:
        return None
    try:
        value = json.loads(said)
        for step in probe.member:
            value = value[step]
    except (ValueError, KeyError, TypeError):
        return f"{probe.url} says nothing of {'.'.join(probe.member)}"
    return None if value == probe.expected else f"{'.'.join(probe.member)} is {value}"


def _login(probe: Login) -> str | None:
    with needs_extra("stack"):
        import psycopg2
    try:
        connection = psycopg2.connect(
            host=probe.host,
            port=probe.port,
            user=probe.user,
            dbname=probe.database,
            passfile=str(probe.passfile),
            connect_timeout=int(_SECONDS),
        )
    except psycopg2.OperationalError as error:
        return " ".join(str(error).split())
    connection.close()
    return None
