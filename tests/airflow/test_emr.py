"""Tasks where the settings name an application of EMR Serverless: `lakesmith submit` in place of spark-submit.

The command is a stand-in that writes down what it was given: that the command itself starts, follows and cancels job runs is
tested in tests/lib/cli/test_submit_emr.py, in the platform's environment.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections import defaultdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow_tests import ROOT, Context

from lakesmith.airflow.operators import FailedForGood, FailedForNow

PROGRAM = """#!{python}
import json, pathlib, signal, sys, time
given = sys.argv[1:]
pathlib.Path({asked!r}).write_text(json.dumps(given))
print("job run 00f1 is running", flush=True)
if {waits}:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    pathlib.Path({asked!r} + ".ready").touch()
    signal.pause()
outcome = {outcome!r}
if outcome:
    pathlib.Path(given[given.index("--outcome") + 1]).write_text(outcome)
sys.exit({code})
"""


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a `lakesmith` that ends as it is told; what it was asked is in the file that comes back."""
    for key, value in {
        "APPLICATION": "00f1",
        "ROLE": "arn:aws:iam::123456789012:role/pipeline",
        "CODE": "s3://code",
        "OUTCOMES": "s3://logs/outcomes",
    }.items():
        monkeypatch.setenv(f"LAKESMITH__EMR__{key}", value)

    def made(code: int, outcome: dict[str, Any] | None = None, *, waits: bool = False) -> Path:
        asked, program = tmp_path / "asked.json", tmp_path / "lakesmith"
        text = json.dumps(outcome) if outcome is not None else ""
        program.write_text(
            PROGRAM.format(python=sys.executable, asked=str(asked), outcome=text, code=code, waits=waits)
        )
        program.chmod(0o755)
        monkeypatch.setenv("LAKESMITH__AIRFLOW__COMMAND", str(program))
        return asked

    return made


def nightly(load: Any, name: str) -> Any:
    task = load("lakesmith_nightly").task_dict[name]
    task.night = "2011-03-01"
    task.application_args = ["--date", "2011-03-01", "--table", "gold.daily_sales"]
    return task


def test_a_task_is_a_job_run_of_its_size(load: Any, platform: Any) -> None:
    asked = platform(0, {"exit_code": 0, "tables": []})
    task = nightly(load, "features")

    events = defaultdict(SimpleNamespace)
    assert task.execute(Context(outlet_events=events)) == {"exit_code": 0, "tables": []}
    given = json.loads(asked.read_text())
    record = given.pop(given.index("--outcome") + 1)
    assert not Path(record).exists()
    assert given == [
        "submit",
        "night",
        "--size",
        task.size,
        "--outcome",
        "--env",
        "dev",
        "--project",
        str(ROOT),
        "--",
        "--date",
        "2011-03-01",
        "--table",
        "gold.daily_sales",
    ]


@pytest.mark.parametrize(
    ("code", "outcome", "error"),
    [
        (3, {"exit_code": 3, "tables": []}, FailedForGood),
        (1, {"exit_code": 1, "retryable": True, "error": "AwsThrottled: no", "tables": []}, FailedForNow),
        (1, {"exit_code": 1, "retryable": False, "error": "JobRunRefused: no", "tables": []}, FailedForGood),
        (137, None, FailedForNow),
        (143, None, FailedForNow),
    ],
)
def test_its_exit_code_and_record_decide_what_comes_next(
    load: Any, platform: Any, code: int, outcome: dict[str, Any] | None, error: type[Exception]
) -> None:
    platform(code, outcome)
    with pytest.raises(error):
        nightly(load, "features").execute(Context())


def test_a_task_that_is_killed_takes_its_command_along(load: Any, platform: Any, tmp_path: Path) -> None:
    asked = platform(0, waits=True)
    task = nightly(load, "features")
    ready = Path(f"{asked}.ready")

    def kill() -> None:
        while not ready.exists():
            os.sched_yield()
        task.on_kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(FailedForNow, match="exit code 143"):
        task.execute(Context())
    killer.join()
