"""Nights on S3 while the network fails, each held against an undisturbed twin on a disk.

Every night a file lands, now and then an older one is corrected; the tables that hang on it are run, through a proxy that answers
with errors, hangs up, or forgets to say that a commit was carried out. A night that fails all the same is run again. After each
night rows and versions of every table must be those of the twin: a row that is lost or there twice shows in the rows, a commit
that was made twice, since nobody knew it for one's own, in the version.

    python -m drills.store_nights --nights 100 --seed 1      (`make s3-drill`)
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from drills.publications import PROJECT
from drills.store_proxy import StoreProxy, store_proxy
from lakesmith.contracts.days import BatchRange
from lakesmith.engine.context import Context
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.submit import open_context
from lakesmith.errors import ExitCode, is_retryable
from lakesmith.lake.tables import quarantine_contract
from lakesmith.ledger.location import LakeLocation
from object_store import CREDENTIALS, ObjectStore, object_store

__all__ = ["Seen", "nights"]

TABLES = ("bronze.readings", "silver.readings", "gold.usage")
_START = date(2024, 1, 1)
_MOST_TRIES = 10

# As often as ever, with shorter pauses: this store needs no rest.
_IMPATIENT = {
    "spark": {
        "conf": {
            "spark.hadoop.fs.s3a.retry.interval": "50ms",
            "spark.hadoop.fs.s3a.retry.throttle.interval": "50ms",
        }
    },
    "storage_options": {"backoff_config.init_backoff": "20ms", "backoff_config.max_backoff": "500ms"},
}


@dataclass
class Seen:
    """What a drill saw.

    Args:
        again: nights that had to be run again, by the error that ended them.
        differences: from the twin; the whole point is that there are none.
    """

    nights: int = 0
    again: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)


def _project(root: Path, settings: dict[str, object]) -> Path:
    shutil.copytree(PROJECT, root)
    (root / "conf" / "dev.yml").write_text(
        json.dumps({"jars_dir": str(Path(__file__).parents[2] / ".jars"), **settings})
    )
    return root


def _file(rng: random.Random) -> bytes:
    """Readings of a day; one in ten breaks a rule and is quarantined."""
    lines = ["Meter,kWh,Street"]
    for number in range(rng.randint(1, 12)):
        kwh = -rng.randint(1, 9) if rng.random() < 0.1 else rng.randint(0, 99)
        lines.append(f"m{number},{kwh},High St")
    return ("\n".join(lines) + "\n").encode()


def _files(seed: int, count: int) -> Iterator[tuple[date, dict[date, bytes]]]:
    """Each night, and what lands for it; the same for the same seed."""
    rng, known = random.Random(seed), list[date]()
    day = _START
    while len(known) < count:
        if day.isoweekday() != 7:
            landed = {day: _file(rng)}
            if known and rng.random() < 0.2:
                landed[rng.choice(known[-5:])] = _file(rng)
            known.append(day)
            yield day, landed
        day += timedelta(1)


def nights(folder: Path, store: ObjectStore, proxy: StoreProxy, count: int, seen: Seen) -> Iterator[date]:
    """Runs nights on both lakes; yields each when it is over."""
    bucket = store.bucket()
    twin = _project(folder / "twin", {})
    behind = ObjectStore(proxy.endpoint)
    settings = json.loads(behind.settings(f"{bucket.uri}/lake"))
    faulted = _project(
        folder / "faulted", {**settings, **_IMPATIENT, "landing_root": f"{bucket.uri}/landing"}
    )
    lake = LakeLocation(f"{bucket.uri}/lake", store.s3.deltalake_options(), store.s3)
    (twin / "landing" / "readings").mkdir(parents=True)
    # First, so that the session has what S3 needs.
    _ = open_context("dev", faulted).spark
    for day, landed in _files(proxy.seed, count):
        for of, content in landed.items():
            bucket.write(f"landing/readings/{of}.csv", content)
            (twin / "landing" / "readings" / f"{of}.csv").write_bytes(content)
        first = min(landed)
        undisturbed = open_context("dev", twin)
        expected, _ = _run(undisturbed, first, day)
        _until(expected, faulted, first, day, seen)
        seen.nights += 1
        seen.differences += [f"{day}: {found}" for found in _differences(undisturbed, lake)]
        yield day


def _run(context: Context, first: date, last: date) -> tuple[ExitCode, list[Exception]]:
    result = execute(context, plan_nights(context, BatchRange(first, last), TABLES))
    return result.exit_code, [table.error for table in result.tables.values() if table.error is not None]


def _until(expected: ExitCode, root: Path, first: date, last: date, seen: Seen) -> None:
    """As an operator does: what may be run again is, until it ends as the twin did: done, or rejected for what its files hold."""
    for _ in range(_MOST_TRIES):
        try:
            code, errors = _run(open_context("dev", root), first, last)
        except Exception as error:
            code, errors = ExitCode.FAILED, [error]
        if code is expected:
            return
        for error in errors:
            print(f"         {last}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr, flush=True)
            seen.again[
                f"{type(error).__name__}{'' if is_retryable(error) else ' (not said to be retryable)'}"
            ] += 1
    seen.differences.append(
        f"{last}: {code.name} after {_MOST_TRIES} tries, expected {expected.name}: {errors}"
    )


def _differences(twin: Context, lake: LakeLocation) -> list[str]:
    found = []
    contracts = twin.project.graph.contracts
    for name in [*TABLES, *(quarantine_contract(contracts[table]).table for table in TABLES)]:
        expected, got = (_content(place, name) for place in (twin.lake, lake))
        if expected != got:
            found.append(f"{name}: expected version {expected[0]}, {expected[1]}; got {got[0]}, {got[1]}")
    return found


def _content(lake: LakeLocation, table: str) -> tuple[int, Counter[str]]:
    opened = lake.open(table)
    if opened is None:
        return -1, Counter()
    rows = opened.to_pyarrow_table().to_pylist()
    return opened.version(), Counter(
        repr(sorted((name, value) for name, value in row.items() if name != "run_id")) for row in rows
    )


def main() -> int:
    """Runs the nights and prints what happened."""
    parser = argparse.ArgumentParser(prog="store_nights", description="Nights on S3 while the network fails.")
    parser.add_argument("--nights", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    os.environ.update(CREDENTIALS)
    seen, began = Seen(), time.monotonic()
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(object_store())
        proxy = stack.enter_context(store_proxy(store.endpoint, options.seed))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lakesmith-store-nights-"))
        for day in nights(Path(folder), store, proxy, options.nights, seen):
            requests, done = proxy.happened()
            print(
                f"{time.monotonic() - began:6.0f} s  {day}: {sum(done.values())} of {requests} requests struck, "
                f"{seen.again.total()} nights run again, {len(seen.differences)} differences",
                file=sys.stderr,
                flush=True,
            )
        requests, done = proxy.happened()
    print(f"{seen.nights} nights, {requests:,} requests, {time.monotonic() - began:.0f} s")
    for happened, times in sorted(done.items()):
        print(f"  {happened:32}{times:6,}")
    print(f"run again: {dict(seen.again)}")
    print(f"{len(seen.differences)} differences", *seen.differences, sep="\n")
    return 1 if seen.differences else 0


if __name__ == "__main__":
    sys.exit(main())
