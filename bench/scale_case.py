"""One case of `bench.scale`: a backfill of what is landed, in a process whose memory is watched. Prints its seconds as JSON."""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from pathlib import Path

from bench.lakes import START, lake_in
from bench.lakes import run as run_tables
from bench.plain_night import TABLES


def main() -> None:
    """Runs the reference pipeline's batch tables."""
    context = lake_in(Path(sys.argv[1]))
    _ = context.spark
    began = time.perf_counter()
    run_tables(context, START, START + timedelta(int(sys.argv[2]) - 1), TABLES)
    print(json.dumps({"seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
