"""Row accounting: every row that was read is published, quarantined or dropped, each with its reason.

Owns the sum and the quarantine limit, and how they read in a message: counts and names only, of bounded
length. Pure; who counts and who acts on the reasons is the engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lakesmith.contracts.model import QuarantineLimit

__all__ = ["Accounting"]

_SHOWN_REASONS = 5


@dataclass(frozen=True)
class Accounting:
    """Where the rows of one batch went.

    Args:
        read: rows of the inputs.
        published: rows that go into the table.
        quarantined: rows that broke a row rule.
        dropped: rows that the transform left out on purpose, by reason.

    Raises:
        ValueError: a count is negative.
    """

    read: int
    published: int
    quarantined: int = 0
    dropped: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if min(self.read, self.published, self.quarantined, *self.dropped.values(), 0) < 0:
            raise ValueError(f"a number of rows is negative: {self}")

    @property
    def accounted(self) -> int:
        """Rows whose whereabouts are known."""
        return self.published + self.quarantined + sum(self.dropped.values())

    @property
    def balances(self) -> bool:
        """True when read = published + quarantined + dropped."""
        return self.read == self.accounted

    def discrepancies(self) -> list[str]:
        """Why the rows do not add up, as reasons to refuse the batch; empty when they do."""
        if self.balances:
            return []
        difference = self.accounted - self.read
        rows = "1 row" if abs(difference) == 1 else f"{abs(difference):,} rows"
        verb = "are" if abs(difference) != 1 else "is"
        what = "without an origin" if difference > 0 else "unaccounted for"
        return [f"{rows} {verb} {what}: read {self.read:,}, but {self._split()}."]

    def over_limit(self, limit: QuarantineLimit) -> list[str]:
        """Why too many rows are in quarantine, as reasons to refuse the batch; empty when few enough."""
        if not limit.exceeded_by(self.quarantined, self.read):
            return []
        share = f" ({self.quarantined / self.read:.2%})" if self.read else ""
        rows = "" if limit.rows is None else f" and {limit.rows:,} rows"
        return [
            f"{self.quarantined:,} of {self.read:,} rows{share} are quarantined; the contract allows "
            f"{limit.share:.2%}{rows}."
        ]

    def _split(self) -> str:
        parts = [f"published {self.published:,}", f"quarantined {self.quarantined:,}"]
        dropped = sorted(self.dropped.items(), key=lambda item: (-item[1], item[0]))
        parts += [f"dropped {count:,} ({reason[:60]})" for reason, count in dropped[:_SHOWN_REASONS]]
        if others := sum(count for _, count in dropped[_SHOWN_REASONS:]):
            parts.append(f"dropped {others:,} for {len(dropped) - _SHOWN_REASONS} other reasons")
        return ", ".join(parts)
