"""What of Lakesmith is installed only where it is wanted: the extras of the package, and what is said where one is missing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lakesmith.errors import ExtraMissing

__all__ = ["needs_extra"]


@contextmanager
def needs_extra(*extras: str) -> Iterator[None]:
    """Lets imports of an extra's packages fail with the command that installs them.

    Args:
        extras: as setup.cfg names them.

    Raises:
        ExtraMissing: a package that is imported inside is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise ExtraMissing(error.name or "a package", extras) from error
