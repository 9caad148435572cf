"""The decorator that makes a function the transform of a table.

Owns what a job file sees of Lakesmith. Importing it costs nothing: the engine, and Spark with it, comes only
when `main` is called.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["Job", "job"]


@dataclass(frozen=True)
class Job:
    """A table's transform.

    Args:
        table: `layer.name`.
        transform: a pure function from DataFrames, named as the contract names its inputs, to one DataFrame.
    """

    table: str
    transform: Callable[..., DataFrame]

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names that the transform asks for."""
        return tuple(inspect.signature(self.transform).parameters)

    def main(self, arguments: Sequence[str] | None = None) -> NoReturn:
        """Runs the job as `spark-submit jobs/<layer>/<name>.py --from D --to D --env dev` does, and exits.

        The exit code says what happened: see `lakesmith.errors.ExitCode`.
        """
        from lakesmith.engine.submit import submit_one

        file = Path(inspect.getfile(self.transform)).resolve()
        sys.exit(int(submit_one(self, file, sys.argv[1:] if arguments is None else list(arguments))))


def job(table: str) -> Callable[[Callable[..., DataFrame]], Job]:
    """Makes a function the transform of a table.

    Args:
        table: `layer.name`, as in the contract that names this file.
    """

    def decorate(transform: Callable[..., DataFrame]) -> Job:
        return Job(table, transform)

    return decorate
