"""What tests of the DAGs share: the platform's command, a receiver of alerts, and as much of a context as operators use."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "airflow" / "dags"


class Context(dict[str, Any]):
    """A context as a task gets it, as far as operators look into it."""

    def __init__(self, **values: Any) -> None:
        task = SimpleNamespace(dag_id="dag", run_id="run", task_id="task", map_index=-1, try_number=1)
        super().__init__(ti=task, **values)


def lakesmith(*arguments: str) -> str:
    """What the platform's command answers."""
    submit = shutil.which("spark-submit")
    assert submit is not None, "spark-submit is not on PATH: run `make test-airflow`"
    command = [str(Path(submit).with_name("lakesmith")), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def states_of(answer: Any) -> Iterator[str]:
    """Every state in what `lakesmith status --json` answers."""
    if isinstance(answer, dict):
        if isinstance(answer.get("state"), str):
            yield answer["state"]
        for inner in answer.values():
            yield from states_of(inner)
    elif isinstance(answer, list):
        for inner in answer:
            yield from states_of(inner)


@dataclass
class Webhook:
    """What was posted to it."""

    url: str = ""
    posted: list[str] = field(default_factory=list)
