"""What maintenance must not remove: which versions of which table are still needed, and by whom.

Owns that answer, as a pure function of records. A night is needed as long as `--as-of` can name it and it is young enough, a
version of a model as long as nobody rejected it, since it must be reproducible; the present is needed always.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from lakesmith.ledger.model_events import ModelEvent, ModelEventKind
from lakesmith.ledger.records import NightRecord

__all__ = ["ModelPin", "kept_models", "kept_nights", "needed_versions"]


@dataclass(frozen=True)
class ModelPin:
    """What one version of a model was trained on.

    Args:
        tables: table -> version.
    """

    model: str
    version: int
    tables: Mapping[str, int]

    @property
    def name(self) -> str:
        """The version as people call it."""
        return f"{self.model} {self.version}"


def kept_nights(records: Iterable[NightRecord], since: datetime) -> tuple[NightRecord, ...]:
    """The records that a reader may still ask for, oldest night first.

    Of the records of one night only the one that `--as-of` takes counts: the newest complete one, else the newest. The newest
    complete record of all is kept whatever its age, since readers get it by default.

    Args:
        since: nights recorded earlier are not kept.
    """
    by_night: dict[date, NightRecord] = {}
    last: NightRecord | None = None
    for record in sorted(records, key=lambda r: (r.complete, r.recorded_at)):
        by_night[record.last] = record
        last = record if record.complete else last
    return tuple(r for _, r in sorted(by_night.items()) if r.recorded_at >= since or r is last)


def kept_models(events: Iterable[ModelEvent]) -> tuple[ModelEvent, ...]:
    """The registrations of the versions of all models that nobody rejected."""
    first: dict[tuple[str, int], ModelEvent] = {}
    newest: dict[tuple[str, int], ModelEvent] = {}
    for event in sorted(events, key=lambda e: e.recorded_at):
        first.setdefault((event.model, event.version), event)
        newest[event.model, event.version] = event
    return tuple(
        first[key] for key, event in sorted(newest.items()) if event.event is not ModelEventKind.REJECTED
    )


def needed_versions(
    nights: Iterable[NightRecord], models: Iterable[ModelPin]
) -> dict[str, dict[int, tuple[str, ...]]]:
    """Table -> version -> who needs it: `night 2011-03-01`, `repurchase 3`."""
    needed: dict[str, dict[int, tuple[str, ...]]] = {}

    def note(table: str, version: int, who: str) -> None:
        versions = needed.setdefault(table, {})
        versions[version] = (*versions.get(version, ()), who)

    for night in nights:
        for table, version in night.versions.items():
            note(table, version, f"night {night.last}")
    for pin in models:
        for table, version in pin.tables.items():
            note(table, version, pin.name)
    return needed
