"""What can be wrong with profiles: errors that name the two things that do not fit."""

from __future__ import annotations

from lakesmith.errors import LakesmithError

__all__ = ["ProfileUnreadable", "ProfilesDiffer"]


class ProfilesDiffer(LakesmithError):
    """Two profiles were measured in ways that can't be added up or compared."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"two profiles don't go together: {reason}. Profile the batches again on one baseline's bins."
        )


class ProfileUnreadable(LakesmithError):
    """A stored profile is not in the form that this version reads."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"a stored profile can't be read: {reason}. Profile the batch again with this version."
        )
