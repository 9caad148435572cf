"""The platform's environment, as a worker or the triggerer reaches it: the `lakesmith` that stands beside `spark-submit`.

Owns how it is found and how its answers are read. It is another environment than Airflow's, so everything goes by processes.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakesmith.config.settings import Settings
from lakesmith.errors import ConfigurationError

__all__ = ["Answer", "Following", "ask", "ask_async", "command_line"]

_SAID = 2000


@dataclass(frozen=True)
class Answer:
    """What a command came to.

    Args:
        code: its exit code.
        json: what it answered; None where that is no JSON.
        said: the end of what it wrote to stderr.
    """

    code: int
    json: Any
    said: str


def command_line(settings: Settings, *arguments: str) -> list[str]:
    """`lakesmith <arguments>` for this project and environment.

    Raises:
        ConfigurationError: there is no such program.
    """
    return [
        _program(settings.airflow.command),
        *arguments,
        "--env",
        settings.environment,
        "--project",
        str(settings.project_root),
    ]


def _program(command: str) -> str:
    if os.sep in command and Path(command).is_file():
        return command
    submit = shutil.which("spark-submit")
    # Airflow's environment has a `lakesmith` of its own, with the light core only; the platform's stands beside spark-submit.
    beside = shutil.which(command, path=str(Path(submit).parent)) if submit is not None else None
    found = beside or shutil.which(command)
    if found is None:
        raise ConfigurationError(
            f"there is no program {command!r} beside spark-submit nor on PATH. Put the platform's environment on the PATH of "
            f"Airflow's workers and of the triggerer, or name the program: airflow.command in conf/base.yml."
        )
    return found


def ask(command: Sequence[str], timeout: float | None = None) -> Answer:
    """Runs a command and reads its answer.

    Args:
        timeout: seconds; None waits for as long as it takes.
    """
    done = subprocess.run(
        list(command), stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=timeout
    )
    return Answer(done.returncode, _json(done.stdout), done.stderr[-_SAID:].strip())


async def ask_async(command: Sequence[str]) -> Answer:
    """The same without holding the event loop; a command is ended with the task that waits for it."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe
    )
    try:
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Answer(process.returncode or 0, _json(out.decode()), err.decode()[-_SAID:].strip())


class Following:
    """A command whose lines are told while it runs, and which can be told to stop by another thread or a signal's handler.

    Args:
        tell: is given each line, of stderr and stdout.
    """

    def __init__(self, command: Sequence[str], tell: Callable[[str], None]) -> None:
        self._command = list(command)
        self._tell = tell
        self._process: subprocess.Popen[str] | None = None

    def run(self) -> int:
        """Runs it to its end; its exit code. Whatever interrupts this stops the command, too."""
        with subprocess.Popen(
            self._command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            self._process = process
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    self._tell(line.rstrip("\n"))
                return process.wait()
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """Tells it to end what it started, and then itself."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
