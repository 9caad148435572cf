"""The grammar of conf/slo.yml: what the platform promises its users.

Owns what a service level may say, and every message about the file. Whether promises were kept is `lakesmith.service_levels`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from enum import StrEnum
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from lakesmith.config.durations import parse_seconds
from lakesmith.config.yaml_text import read_yaml
from lakesmith.contracts.graph import TableGraph
from lakesmith.contracts.problems import Document, Entry, nearest
from lakesmith.contracts.windows import parse_days
from lakesmith.errors import InvalidProject

__all__ = ["FILE", "Measure", "ServiceLevel", "load_service_levels"]

FILE = "conf/slo.yml"

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


class Measure(StrEnum):
    """What is measured of each night.

    `published_by`: the night's batch of a table was published at a time of the day after.
    `landing_to_published`: it was so long after the last of the landing files that it comes from.
    `nights_on_time`: the night of all tables was complete at a time of the day after.
    `quarantined_share`: no more than a share of a batch's rows went to quarantine.
    `time_to_recover`: a batch that failed or was rejected was published so soon after.
    """

    PUBLISHED_BY = "published_by"
    LANDING_TO_PUBLISHED = "landing_to_published"
    NIGHTS_ON_TIME = "nights_on_time"
    QUARANTINED_SHARE = "quarantined_share"
    TIME_TO_RECOVER = "time_to_recover"


_KEYS: dict[str | None, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Measure.PUBLISHED_BY: (("table", "by"), ("timezone",)),
    Measure.LANDING_TO_PUBLISHED: (("table", "within"), ()),
    Measure.NIGHTS_ON_TIME: (("by",), ("timezone",)),
    Measure.QUARANTINED_SHARE: (("table", "at_most"), ()),
    Measure.TIME_TO_RECOVER: (("within",), ("table",)),
}


@dataclass(frozen=True)
class ServiceLevel:
    """One promise.

    Args:
        target: the share of nights (of incidents, for `time_to_recover`) that must keep it.
        window_days: over how many days that share is taken.
        table: the table that is looked at; empty where it is all of them.
        by, timezone: of `published_by` and `nights_on_time`: the time on the day after the night.
        within: seconds.
        at_most: a share, 0 to 1.
    """

    name: str
    description: str
    measure: Measure
    target: float
    window_days: int
    table: str = ""
    by: time = time(6)
    timezone: str = "UTC"
    within: int = 0
    at_most: float = 0.0

    @property
    def promise(self) -> str:
        """The promise in words."""
        what = {
            Measure.PUBLISHED_BY: f"{self.table} by {self.by:%H:%M} {self.timezone}",
            Measure.LANDING_TO_PUBLISHED: f"{self.table} within {_duration(self.within)} of landing",
            Measure.NIGHTS_ON_TIME: f"night complete by {self.by:%H:%M} {self.timezone}",
            Measure.QUARANTINED_SHARE: f"at most {100 * self.at_most:g} % of {self.table} quarantined",
            Measure.TIME_TO_RECOVER: f"{self.table or 'any table'} mended within {_duration(self.within)}",
        }
        return what[self.measure]


def load_service_levels(root: Path, graph: TableGraph) -> tuple[ServiceLevel, ...]:
    """The service levels of a project, in the order of the file; none without one.

    Args:
        root: the folder that holds conf/.
        graph: whose tables they may name.

    Raises:
        InvalidProject: the file holds mistakes; it lists all of them.
    """
    try:
        text = (root / FILE).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return ()
    document = Document(read_yaml(text, FILE))
    document.problems.extend(document.text.problems)
    found = []
    if document.text.value is not None:
        for name, entry in document.top.entries("service levels by name").items():
            if not _NAME.fullmatch(name):
                entry.report(f"{name!r} is no name; write it in lower-case letters, digits and _")
            found.append(_level(entry, name, graph))
    if document.problems:
        raise InvalidProject(document.problems)
    return tuple(found)


def _level(entry: Entry, name: str, graph: TableGraph) -> ServiceLevel:
    given = entry.value if isinstance(entry.value, dict) else {}
    measure = given.get("measure")
    required, optional = _KEYS.get(measure if isinstance(measure, str) else None, ((), ()))
    if not required:
        # Without a measure nobody knows which other keys belong.
        optional = ("table", "by", "timezone", "within", "at_most")
    fields = entry.fields(("measure", "target", *required), ("description", "window", *optional))
    return ServiceLevel(
        name=name,
        description=fields.read("description", Entry.text, ""),
        measure=fields.read("measure", lambda e: e.member(Measure), Measure.NIGHTS_ON_TIME),
        target=fields.read("target", _target, 1.0),
        window_days=fields.read("window", lambda e: e.parsed(parse_days, "days, like 28d"), 28),
        table=fields.read("table", lambda e: _table(e, graph), ""),
        by=fields.read("by", _time, time(6)),
        timezone=fields.read("timezone", lambda e: e.parsed(_zone, "a time zone, like Europe/London"), "UTC"),
        within=fields.read("within", lambda e: e.parsed(parse_seconds, "a duration, like 4h"), 0),
        at_most=fields.read("at_most", lambda e: e.number(0, 1), 0.0),
    )


def _target(entry: Entry) -> float | None:
    value = entry.number(0.0, 1.0)
    if value == 0:
        entry.report("a promise that is never kept promises nothing; write a share like 0.95")
    return value


def _table(entry: Entry, graph: TableGraph) -> str | None:
    table = entry.text("a table, layer.name")
    if table is not None and table not in graph.contracts:
        entry.report(f"there is no table {table!r}", nearest(table, graph.contracts))
    return table


def _time(entry: Entry) -> time | None:
    text = entry.value
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        entry.expected("a time of the day with two digits each, like 06:00")
        return None
    return time(int(found[1]), int(found[2]))


def _zone(text: str) -> str:
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{text!r} is no time zone; write it like Europe/London or UTC") from None
    return text


def _duration(seconds: int) -> str:
    for unit, size in (("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
