"""What scores a batch: one version, or two while a rollout is under way, or nothing but the scores of an earlier day.

Owns how that is chosen from a model's events, and how it is written into the record of what a batch read and found there again: a
batch that was scored stays with what scored it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from lakesmith.contracts.model import Input, ModelRole
from lakesmith.ledger.model_events import ModelEvent, ModelTimeline
from lakesmith.ledger.records import EMPTY_DIGEST, InputRead

__all__ = ["Arm", "ServedBy", "arms_on", "recorded_arms", "repeated", "repeated_read", "served_read"]


class ServedBy(StrEnum):
    """What gave a score; the values of the column `served_by`.

    `asked` is a version that somebody named for the batch, `degraded` the score of an earlier day.
    """

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    PREVIOUS_CHAMPION = "previous_champion"
    ASKED = "asked"
    DEGRADED = "degraded"


@dataclass(frozen=True)
class Arm:
    """A version and whom it scores.

    Args:
        event: with which the version began.
        share: percent of the entities; of two arms the second has the entities of the lowest hashes.
    """

    event: ModelEvent
    served_by: ServedBy
    share: int = 100

    @property
    def version(self) -> int:
        """The version's number."""
        return self.event.version


def arms_on(timeline: ModelTimeline, day: date, role: ModelRole) -> tuple[Arm, ...]:
    """What scores the batch of a day that never was scored, as the events have it; nothing where nobody holds the role."""
    if role is ModelRole.CHALLENGER:
        challenger = timeline.challenger_on(day)
        return (Arm(challenger, ServedBy.CHALLENGER),) if challenger is not None else ()
    crowned = timeline.champion_on(day)
    champion = timeline.registered(crowned.version) if crowned is not None else None
    if champion is None:
        return ()
    step = timeline.rollout_on(day)
    share = (step.share or 0) if step is not None else 0
    challenger = timeline.registered(step.version) if step is not None and share else None
    if challenger is None:
        return (Arm(champion, ServedBy.CHAMPION),)
    return (
        Arm(champion, ServedBy.CHAMPION, 100 - share),
        Arm(challenger, ServedBy.CHALLENGER, share),
    )


def recorded_arms(timeline: ModelTimeline, read: InputRead) -> tuple[Arm, ...] | None:
    """What scored a batch according to its record; None when that is to be chosen anew.

    Args:
        read: the model as the batch's record has it.
    """
    if repeated(read) is not None:
        return None
    if not read.files:
        # A challenger's table on a day without one; or a record from before there were arms.
        event = timeline.registered(read.version)
        return (Arm(event, ServedBy.CHAMPION),) if event is not None else ()
    found = [(timeline.registered(arm["version"]), arm) for arm in read.files]
    return tuple(
        Arm(event, ServedBy(arm["served_by"]), arm["share"]) for event, arm in found if event is not None
    )


def served_read(entry: Input, arms: Sequence[Arm]) -> InputRead:
    """What a batch that was scored read of its model."""
    digests = [arm.event.digest for arm in arms]
    if len(arms) > 1:
        text = "\0".join(f"{arm.event.digest} {arm.share}" for arm in arms)
        digests = [hashlib.sha256(text.encode()).hexdigest()]
    return InputRead(
        entry.name,
        entry.target,
        arms[0].version if arms else None,
        digests[0] if digests else EMPTY_DIGEST,
        files=tuple(
            {"version": arm.version, "served_by": str(arm.served_by), "share": arm.share} for arm in arms
        ),
    )


def repeated_read(entry: Input, batch: date, reason: str) -> InputRead:
    """What a batch that repeats the scores of an earlier one read of its model: nothing, for a reason."""
    said = {"served_by": str(ServedBy.DEGRADED), "batch": batch.isoformat(), "reason": reason}
    return InputRead(entry.name, entry.target, None, EMPTY_DIGEST, files=(said,))


def repeated(read: InputRead) -> Mapping[str, Any] | None:
    """The `batch` that was repeated and the `reason`, where a batch holds no scores of its own."""
    return next((said for said in read.files if said.get("served_by") == ServedBy.DEGRADED), None)
