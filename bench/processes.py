"""Commands as processes of their own: what they take, and which programs they start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import lakesmith

__all__ = ["LAKESMITH", "SPARK_SUBMIT", "check_no_jvm", "finish"]

_BIN = Path(sys.executable).parent
LAKESMITH = str(_BIN / "lakesmith")
SPARK_SUBMIT = str(_BIN / "spark-submit")

_JVMS = ("java", "spark-class", "spark-submit")
_WATCH = """\
import os
import sys


def note(event, arguments):
    if event in ("subprocess.Popen", "os.posix_spawn", "os.exec", "os.spawn"):
        program = arguments[1] if event == "os.spawn" else arguments[0]
        with open(os.environ["BENCH_STARTED"], "a") as started:
            started.write(f"{os.fsdecode(program)}\\n")


sys.addaudithook(note)
"""


def finish(command: Sequence[str], environ: Mapping[str, str] | None = None) -> None:
    """Runs a command to its end, with the lakesmith of this process.

    Args:
        environ: on top of this process's.

    Raises:
        AssertionError: it failed: there is nothing to measure then.
    """
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": _library(), **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stdout + done.stderr)[-2000:]
        raise AssertionError(f"{' '.join(command)}: exit code {done.returncode}: {said}")


def check_no_jvm(command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None) -> int:
    """Runs a Python command once more, with a note of each program that it starts; gives their number.

    Args:
        folder: for the note; made here.

    Raises:
        AssertionError: one of them was a JVM.
    """
    folder.mkdir(parents=True)
    # Python imports this module by itself when it starts.
    (folder / "sitecustomize.py").write_text(_WATCH)
    started = folder / "started"
    started.touch()
    path = os.pathsep.join([str(folder), _library()])
    finish(command, {**(environ or {}), "PYTHONPATH": path, "BENCH_STARTED": str(started)})
    programs = started.read_text().splitlines()
    jvms = [program for program in programs if Path(program).name in _JVMS]
    if jvms:
        raise AssertionError(f"{' '.join(command)} started {', '.join(jvms)}; it must start no JVM")
    return len(programs)


def _library() -> str:
    return str(Path(lakesmith.__file__).parents[1])
