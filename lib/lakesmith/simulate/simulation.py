"""Simulating: a landing file for every open day of a specification."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

from lakesmith.errors import ConfigurationError
from lakesmith.simulate.batch import Batches
from lakesmith.simulate.landing import write_file
from lakesmith.simulate.seasons import is_open
from lakesmith.simulate.spec import SimulationSpec
from lakesmith.simulate.summary import SimulationSummary, Tally

__all__ = ["simulate"]


def simulate(
    spec: SimulationSpec, out: Path, *, progress: Callable[[date], None] | None = None
) -> SimulationSummary:
    """Write `YYYY-MM-DD.csv` into `out` for each open day, in constant memory.

    A file's bytes follow from the seed, the size, the defects, the events and its day alone: another range of
    days writes the same files where the two overlap.

    Args:
        spec: what to simulate.
        out: the folder to write to, made when missing; files of the same days are replaced.
        progress: called after each calendar day, closed ones included.

    Raises:
        ConfigurationError: `out` is no folder and cannot be made one.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"{out} cannot be made a folder for simulated files ({error.strerror}). Name another folder."
        ) from error
    batches = Batches(spec)
    tally = Tally()
    for day in spec.calendar_days():
        if is_open(day):
            tally.bytes += write_file(out / f"{day.isoformat()}.csv", batches.texts(day, tally))
            tally.files += 1
        if progress is not None:
            progress(day)
    return tally.summary()
