"""What can be wrong with a landing file as a whole; records that do not parse are no errors.

    DataRejected
      FileRejected        the file can't be read as its source contract says
        ColumnsMissing    required columns are not there
        ColumnsDoubled    one name stands twice in the header
        FileBroken        truncated, damaged, in another encoding or of another format

None of them is helped by a retry: the file must be delivered again, or the contract changed.
"""

from __future__ import annotations

from collections.abc import Sequence

from lakesmith.errors import DataRejected
from lakesmith.ledger.landing_store import shown

__all__ = ["ColumnsDoubled", "ColumnsMissing", "FileBroken", "FileRejected"]

_SHOWN = 40


class FileRejected(DataRejected):
    """A landing file can't be read as its source contract says; its batch is rejected.

    Args:
        file: `<source>/<path>`.
        reason: what is wrong with it, and the next step.
    """

    def __init__(self, file: str, reason: str) -> None:
        self.file = file
        super().__init__(f"{shown(file)}: {reason}")


class ColumnsMissing(FileRejected):
    """Required columns are not in the file."""

    def __init__(self, file: str, missing: Sequence[str], found: Sequence[str], contract: str) -> None:
        self.missing = list(missing)
        self.found = list(found)
        hint = ""
        if len(found) == 1:
            other = next((mark for mark in (";", "\t", "|", ",") if mark in found[0]), None)
            hint = f" Is the delimiter {other!r}?" if other else ""
        what = "the column" if len(missing) == 1 else "the columns"
        super().__init__(
            file,
            f"{what} {_listed(missing)} {'is' if len(missing) == 1 else 'are'} missing; the file has "
            f"{_listed(found) or 'no columns'}.{hint} "
            f"Deliver the file with all required columns, or mend {contract}.",
        )


class ColumnsDoubled(FileRejected):
    """A column name stands more than once, so that nobody can say which values are meant."""

    def __init__(self, file: str, doubled: Sequence[str]) -> None:
        self.doubled = list(doubled)
        super().__init__(
            file,
            f"{_listed(doubled)} stands more than once among the columns. "
            f"Deliver the file with one column of each name.",
        )


class FileBroken(FileRejected):
    """The file is truncated, damaged, in another encoding or of another format."""


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(repr(name[:200]) for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
