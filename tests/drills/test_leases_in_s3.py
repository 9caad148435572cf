"""A writer that is paused past its lease in S3, and goes on when another has long been at work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from drills.faults import Fault, Kind
from drills.publications import PYTHONPATH, TABLE, Content, Operation, copied_to, perform
from lakesmith.engine.submit import open_context
from lakesmith.errors import ExitCode
from lakesmith.faults import FaultPoint, Side, Step
from lakesmith.ledger.records import RunRecord
from object_store import ObjectStore

DAY = date(2024, 1, 1)


def publication(root: Path, kwh: int, fault: Fault) -> subprocess.Popen[str]:
    """In a process of its own."""
    order = {
        "do": "publication",
        "root": str(root),
        "operation": Operation({DAY: Content((kwh,))}).to_json(),
        "fault": fault.to_json(),
    }
    return subprocess.Popen(
        [sys.executable, "-m", "drills.child", json.dumps(order)],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.e2e
@pytest.mark.parametrize("at", [Step.PUBLISH, Step.PUT], ids=str)
def test_a_writer_that_was_paused_past_its_lease_damages_nothing(
    at: Step, tmp_path: Path, store: ObjectStore
) -> None:
    settings = json.loads(store.settings(f"{store.bucket().uri}/lake"))
    settings["lease"] = {"wait": "60s", "expiry": "2s"}
    root = copied_to(tmp_path / "project", json.dumps(settings))
    perform(root, Operation({DAY: Content((1,))}))
    paused = publication(root, 2, Fault(Kind.SIGSTOP, FaultPoint(Side.BEFORE, at, TABLE)))
    assert os.WIFSTOPPED(os.waitpid(paused.pid, os.WUNTRACED)[1])

    # It waits until the other one has been silent for too long.
    result = perform(root, Operation({DAY: Content((3, 3))}))
    assert result.error is None

    paused.send_signal(signal.SIGCONT)
    said = paused.communicate(timeout=60)[1]
    assert (paused.returncode, said) == (ExitCode.BUSY, said)
    context = open_context("dev", root)
    table = context.lake.open(TABLE)
    assert table is not None
    assert table.to_pyarrow_table().column("kwh").to_pylist() == [3, 3]
    assert table.version() == result.runs[-1].version
    history = context.ledger.history(TABLE)
    standing, last = history.standing(DAY), history.last(DAY)
    assert standing is not None
    assert (standing.rows, standing.run_id) == (2, result.runs[-1].run_id)
    assert standing == last
    runs = context.ledger.ops.read(RunRecord, columns=["outcome", "error"]).to_pylist()
    assert sorted((run["outcome"], run["error"].partition(" this")[0]) for run in runs) == [
        ("failed", "LeaseLost: silver.readings:"),
        ("published", ""),
        ("published", ""),
    ]
