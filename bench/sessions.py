"""What a process of its own costs: a session, `spark-submit` of one job, and a night that has nothing to do."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from bench.lakes import ROOT, START, lake_in, land
from bench.lakes import run as run_tables
from bench.measure import Measured, Side, in_turns
from bench.plain_night import TABLES
from bench.processes import LAKESMITH, SPARK_SUBMIT, check_no_jvm, finish
from bench.report import Figure, Report
from bench.size import Size
from lakesmith.engine.context import Context

_TABLE = "silver.customer_days"
_BEFORE = ("bronze.sales_lines", "silver.sales_lines")
_LINES = 100
_SESSION = f"""\
from pathlib import Path

from lakesmith.config.load import load_settings
from lakesmith.lake.session import session

session(load_settings("dev", Path({str(ROOT)!r})), by_name=False).stop()
"""


def run(size: Size) -> Report:
    """All of them in turns, with the same run inside a session that is warm."""
    rounds = size.rounds_or(5 if size.full else 2)
    landing = size.folder / "landing"
    lines = land(landing, START, 1, size.rows_or(_LINES))
    before = _Lake(size.folder / "before", landing)
    run_tables(before.context(), START, START, _BEFORE)
    done = _Lake(size.folder / "done", landing)
    run_tables(done.context(), START, START, TABLES)
    submitted, warm = (_Lake(size.folder / name, landing) for name in ("submitted", "warm"))
    nothing_to_do = [LAKESMITH, "run", "--date", str(START), "--project", str(ROOT), "--env", "dev"]
    nothing_to_do += [word for table in TABLES for word in ("--table", table)]
    check_no_jvm(nothing_to_do, size.folder / "watched", done.environ)
    job = ROOT / before.context().project.graph.contracts[_TABLE].job
    submit = [SPARK_SUBMIT, str(job), "--date", str(START), "--env", "dev"]
    sides = {
        "session": Side(
            "a process that starts a session and stops it", lambda _: finish([sys.executable, "-c", _SESSION])
        ),
        "submit": Side(
            "spark-submit of one job, one batch",
            lambda _: finish(submit, submitted.environ),
            _fresh(submitted, before),
        ),
        "warm": Side(
            "the same run in a warm session",
            lambda _: run_tables(warm.context(), START, START, [_TABLE]),
            _fresh(warm, before),
        ),
        "nothing": Side(
            "`lakesmith run`, everything fresh, no JVM", lambda _: finish(nothing_to_do, done.environ)
        ),
    }
    measured = in_turns(list(sides.values()), rounds)
    found = {key: measured[side.name] for key, side in sides.items()}
    _check_equal(submitted, warm)
    return Report(
        name="sessions",
        title="Processes of their own",
        command=size.command("sessions"),
        size={"lines": lines, "rounds": rounds},
        measured=list(measured.values()),
        figures=[
            Figure(
                "`spark-submit` of one job, over the same run in a warm session",
                _overhead(found["submit"], found["warm"]),
                "s",
            )
        ],
    )


def _overhead(whole: Measured, part: Measured) -> float:
    return whole.median - part.median


class _Lake:
    """A lake in a folder, for this process and for others."""

    def __init__(self, folder: Path, landing: Path) -> None:
        self.folder = folder
        self.landing = landing

    @property
    def environ(self) -> dict[str, str]:
        """What tells another process of it."""
        return {
            "LAKESMITH__LAKE_ROOT": str(self.folder / "lake"),
            "LAKESMITH__LANDING_ROOT": str(self.landing),
        }

    def context(self) -> Context:
        """The project over it, with nothing of the ledger in memory."""
        return lake_in(self.folder, self.landing)


def _fresh(lake: _Lake, before: _Lake) -> Callable[[int], None]:
    """Puts a copy of another lake into this one's place, so that each round has a batch to compute."""

    def copied(number: int) -> None:
        shutil.rmtree(lake.folder, ignore_errors=True)
        shutil.copytree(before.folder, lake.folder)

    return copied


def _check_equal(one: _Lake, other: _Lake) -> None:
    """Raises where the last round of both did not publish the same batch.

    Raises:
        AssertionError: nothing was measured then.
    """
    standing = [lake.context().ledger.history(_TABLE).standing(START) for lake in (one, other)]
    digests = [record.digest if record is not None else None for record in standing]
    if digests[0] is None or digests[0] != digests[1]:
        raise AssertionError(f"{_TABLE} {START}: {digests} from spark-submit and from a warm session")
