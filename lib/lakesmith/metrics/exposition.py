"""The metrics by Prometheus' own client: on a port, and as a file for node_exporter's textfile collector."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lakesmith.alerts.facts import Watched
from lakesmith.errors import UsageError
from lakesmith.extras import needs_extra
from lakesmith.ledger.ops import now
from lakesmith.metrics.catalogue import METRICS
from lakesmith.metrics.readings import Sample, readings

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

__all__ = ["LakeCollector", "registry", "start_server", "write_file"]

_FRESH_SECONDS = 15.0


class LakeCollector:
    """Reads the lake when it is asked, at most once in fifteen seconds, however many ask.

    Args:
        watch: gives the lake as it is now.
    """

    def __init__(self, watch: Callable[[], Watched]) -> None:
        self._watch = watch
        self._lock = threading.Lock()
        self._read: list[Sample] = []
        self._at: float | None = None

    def describe(self) -> Iterator[Metric]:
        """Every metric without its values, so that registering a collector reads nothing."""
        yield from _families([])

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        with self._lock:
            if self._at is None or time.monotonic() - self._at > _FRESH_SECONDS:
                self._read = readings(self._watch(), now())
                self._at = time.monotonic()
            found = self._read
        yield from _families(found)


def _families(samples: Iterable[Sample]) -> Iterator[Metric]:
    with needs_extra("metrics"):
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    by_name: dict[str, list[Sample]] = {}
    for sample in samples:
        by_name.setdefault(sample.metric, []).append(sample)
    for name, known in METRICS.items():
        kind = CounterMetricFamily if known.kind == "counter" else GaugeMetricFamily
        family = kind(name, known.help, labels=known.labels)
        for sample in by_name.get(name, ()):
            family.add_metric(sample.labels, float(sample.value))
        yield family


def registry(watch: Callable[[], Watched]) -> CollectorRegistry:
    """A registry with the metrics of a lake, and nothing of this process.

    Raises:
        ExtraMissing: prometheus-client is not installed.
    """
    with needs_extra("metrics"):
        from prometheus_client import CollectorRegistry
    made = CollectorRegistry(auto_describe=False)
    made.register(LakeCollector(watch))
    return made


def start_server(
    watch: Callable[[], Watched], address: str, port: int
) -> tuple[WSGIServer, threading.Thread]:
    """Serves `/metrics` in a thread until the server is shut down.

    Args:
        port: 0 takes any that is free.

    Raises:
        UsageError: the port is taken, or the address is not this machine's.
    """
    made = registry(watch)
    from prometheus_client import start_http_server

    try:
        return start_http_server(port, address, registry=made)
    except OSError as error:
        raise UsageError(
            f"{address}:{port} cannot be listened on ({error.strerror or error}). Choose others: --port, --address"
        ) from error


def write_file(watch: Callable[[], Watched], path: Path) -> int:
    """Replaces a file by the metrics of now, in one step; returns how many values there are.

    Raises:
        UsageError: it cannot be written.
    """
    made = registry(watch)
    from prometheus_client import write_to_textfile

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(str(path), made)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror or error}). Name another file."
        ) from error
    return sum(
        not line.startswith("#") for line in path.read_text(encoding="utf-8").splitlines() if line.strip()
    )
