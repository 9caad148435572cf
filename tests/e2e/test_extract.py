"""`lakesmith extract` in processes of its own, from PostgreSQL to stdout, exit codes and files; and by spark-submit."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakesmith.lake.jars import jar_paths
from postgres import PASSWORD, USER, Database
from tills import ROOT, Tills

pytestmark = pytest.mark.e2e

SUBMIT = Path(sys.executable).parent / "spark-submit"

# Rows that wait for whoever holds the lock, so that a read is under way for as long as the test likes.
GATE = """
CREATE FUNCTION gate(n bigint) RETURNS bigint VOLATILE LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN n; END $$;
"""


@pytest.fixture
def tills(tmp_path: Path, database: Database) -> Tills:
    return Tills.made_in(tmp_path / "tills", database)


@contextmanager
def closed_gate(database: Database) -> Iterator[None]:
    """Holds the lock for which rows wait."""
    server = database.server
    command = [str(server.bin / "psql"), "-qAtX", "-h", "127.0.0.1", "-p", str(server.port), "-U", USER]
    with subprocess.Popen(
        [*command, "-d", database.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PGPASSWORD": PASSWORD},
    ) as psql:
        assert psql.stdin is not None
        assert psql.stdout is not None
        psql.stdin.write("SELECT pg_advisory_lock(1);\n\\echo held\n")
        psql.stdin.flush()
        while psql.stdout.readline().strip() != "held":
            assert psql.poll() is None
        try:
            yield
        finally:
            psql.stdin.close()


def wait_for(condition: Callable[[], bool], seconds: float) -> None:
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"
        pause.wait(0.1)


def test_killed_while_it_reads_nothing_is_seen_and_the_same_command_lands_the_day(tills: Tills) -> None:
    tills.database.run(GATE)
    tills.edit("conf/sources/sales.yml", "SELECT s.id,", "SELECT gate(s.id) AS id,")
    command = [sys.executable, "-c", "from lakesmith.cli.main import main; main()"]
    reading = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    with closed_gate(tills.database):
        with subprocess.Popen(
            [*command, "extract", "sales", "--date", "2024-01-02"],
            cwd=tills.root,
            env={**os.environ, **tills.database.variables()},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as extracting:
            wait_for(lambda: tills.database.run(reading) != "0", 300)
            os.killpg(extracting.pid, signal.SIGKILL)
        assert [path for path in tills.landed() if not path.startswith(".extracting/")] == []
        asked = tills.ask("status", "--from", "2024-01-02", "--to", "2024-01-02", "--json")
        assert "lakesmith extract sales --date 2024-01-02" in asked.stdout

    done = tills.ask("extract", "sales", "--date", "2024-01-02", "--outcome", "outcome.json")
    assert (done.returncode, done.stdout.split(" (run ")[0]) == (0, "sales 2024-01-02: 10 rows of erp landed")
    assert tills.landed() == ["2024-01-02.manifest.json", "2024-01-02.parquet"]
    outcome = json.loads((tills.root / "outcome.json").read_text())
    assert (outcome["exit_code"], outcome["complete"], outcome["days"][0]["rows"]) == (0, True, 10)
    assert PASSWORD not in done.stdout + done.stderr

    # Left alone without a database, and without Spark.
    told = tills.ask(
        "extract",
        "sales",
        "--date",
        "2024-01-02",
        LAKESMITH__CONNECTIONS__ERP__URL="jdbc:postgresql://nowhere/x",
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("sales 2024-01-02: 10 rows, extracted already at ")


def test_spark_submit_lands_what_the_command_lands(tills: Tills) -> None:
    shutil.copy(ROOT / "jobs" / "extract.py", tills.root / "jobs")
    jars = ",".join(str(path) for path in jar_paths(ROOT / ".jars"))
    done = subprocess.run(
        [
            *(str(SUBMIT), "--conf", f"spark.jars={jars}", "jobs/extract.py", "sales"),
            *("--from", "2024-01-01", "--to", "2024-01-04", "--env", "dev", "--outcome", "outcome.json"),
        ],
        env={**os.environ, **tills.database.variables(), "TZ": "America/New_York"},
        cwd=tills.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done.stderr
    outcome = json.loads((tills.root / "outcome.json").read_text())
    assert [(day["outcome"], day["rows"]) for day in outcome["days"]] == [("landed", 10)] * 3 + [
        ("failed", None)
    ]
    assert outcome["retryable"] is True
    # Under spark-submit what Python writes to stderr comes out of stdout.
    assert "the query has no row for an open day" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr + (tills.root / "outcome.json").read_text()
