"""Commits to tables in a store that does not always say what became of a request.

Owns what is asked of a table when no answer came: whether the commit is there all the same, known by a mark in it. A disk always
answers; what it refuses is raised as it is.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable
from typing import TypeVar

from deltalake import CommitProperties, DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from lakesmith.errors import LakesmithError

__all__ = ["StoreUnanswered", "commit_once", "is_unanswered", "persist", "unanswered"]

log = logging.getLogger(__name__)

_TRIES = 5
_MARK = "lakesmith.commit"
_DRAWN = re.compile(r"\x1b\[[0-9;]*m|\u21b3")
_UNANSWERED = ("Generic S3 error", "HTTP error")
# What S3A makes of a store that throttles, fails, or is not reached, after it has tried often enough.
_UNANSWERED_SPARK = re.compile(
    r"org\.apache\.hadoop\.fs\.s3a\.AWS(ServiceThrottled|Status500|ClientIO|ServiceIO|NoResponse|ApiCallTimeout)Exception"
)

Made = TypeVar("Made")


class StoreUnanswered(LakesmithError):
    """The store that holds the lake gave no answer, or an error of its own, each time it was asked."""

    retryable = True

    def __init__(self, doing: str, done: str, reason: str) -> None:
        self.doing, self.done, self.reason = doing, done, reason
        super().__init__(
            f"{doing}: the store gave no answer, however often it was asked ({reason}). {done} "
            f"Run again when it answers; see whether it does: lakesmith doctor"
        )


def is_unanswered(error: BaseException) -> bool:
    """Whether deltalake tells of a store that did not answer, and not of what it answered."""
    return isinstance(error, OSError | DeltaError) and any(said in str(error) for said in _UNANSWERED)


def unanswered(error: BaseException, doing: str, done: str) -> StoreUnanswered | None:
    """The typed error for a store that did not answer deltalake or Spark; None for any other."""
    found = _UNANSWERED_SPARK.search(str(error))
    if found is None and not is_unanswered(error):
        return None
    return StoreUnanswered(doing, done, found.group(0).rpartition(".")[2] if found else _reason(error))


def _reason(error: BaseException) -> str:
    """In one line; deltalake draws the chain of causes, with arrows and colours."""
    return " ".join(_DRAWN.sub(" ", str(error).split(" - ", 1)[0]).split())


def persist(doing: str, done: str, act: Callable[[], Made], settled: Callable[[], Made | None]) -> Made:
    """Does something to a table that may be tried again, asking first whether the try before was carried out.

    Args:
        doing: as a message begins: `make silver.x`.
        done: what was and was not done when the store never answers, as a sentence.
        act: does it.
        settled: what is there already; None when it must be done.

    Raises:
        StoreUnanswered: the store never answered.
    """
    reason = ""
    for _ in range(_TRIES):
        try:
            if reason and (found := settled()) is not None:
                return found
            return act()
        except (OSError, DeltaError) as error:
            if not is_unanswered(error):
                raise
            reason = _reason(error)
            log.info("%s: no answer: %s", doing, reason)
    raise StoreUnanswered(doing, done, reason)


def commit_once(
    opened: DeltaTable,
    table: str,
    act: Callable[[DeltaTable, CommitProperties], None],
    newest: Callable[[], DeltaTable | None],
    *,
    retries: int | None = None,
) -> None:
    """One commit to a table that others may commit to meanwhile, made once although its answer may be lost.

    Args:
        opened: the table as the commit follows from it. It stays that: what is tried again must still be refused where others
            wrote what it did not see.
        act: commits with these properties.
        newest: opens the table anew, to look whether the commit is there.
        retries: how often deltalake may try again by itself when others commit first; None leaves it to deltalake.

    Raises:
        CommitFailedError: others committed first, too often.
        StoreUnanswered: the store never answered; the commit may be there or not.
    """
    mark, since = uuid.uuid4().hex, opened.version()
    properties = CommitProperties(custom_metadata={_MARK: mark}, max_commit_retries=retries)

    def is_there() -> bool | None:
        found = newest() or opened
        new = max(1, found.version() - since)
        return any(commit.get(_MARK) == mark for commit in found.history(new)) or None

    def commit() -> bool:
        try:
            act(opened, properties)
        except CommitFailedError:
            # Perhaps by one's own commit, whose answer was lost and which was then asked for again.
            if not is_there():
                raise
        return True

    persist(f"commit to {table}", "It may be there or not; a run finds out.", commit, is_there)
