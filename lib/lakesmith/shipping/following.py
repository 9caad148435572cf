"""Running spark-submit: its log is let through, the job's exit code comes back, and no job outlives the command that sent it.

Owns what spark-submit says of a job on a cluster, and how a job is told to stop. A driver here gives its exit code to
spark-submit; of one on YARN or Kubernetes the code is read off what Spark's client logs.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lakesmith.errors import ExitCode, LakesmithError, Stopped
from lakesmith.shipping.command import Cluster, Command, DeployMode

__all__ = ["ClusterSaid", "SubmitFailed", "follow"]

log = logging.getLogger(__name__)

_GRACE_SECONDS = 30.0
"""A driver that is told to stop has 20 seconds to write down what it must (`lakesmith.engine.stopping`)."""

_YARN_ID = re.compile(r"Submitted application (application_\d+_\d+)")
_YARN_STATUS = re.compile(r"final status: (SUCCEEDED|FAILED|KILLED|UNDEFINED)")
_YARN_CODE = re.compile(r"User application exited with status (\d+)")
_KUBERNETES_ID = re.compile(r"submission ID (\S+:\S+)")
_KUBERNETES_PHASE = re.compile(r"\bphase: (Succeeded|Failed)\b")
_KUBERNETES_CODE = re.compile(r"\bexit code: (\d+)")


class SubmitFailed(LakesmithError):
    """spark-submit could not be started."""

    def __init__(self, program: str, detail: str) -> None:
        self.program = program
        super().__init__(
            f"{program} cannot be run: {detail}. Install Spark (make env), or set SPARK_HOME to where it is"
        )


@dataclass
class ClusterSaid:
    """What Spark's client has logged of a driver on a cluster so far.

    Args:
        name: under which the cluster knows the job; None until it was taken.
        code: the exit code of the driver, as far as it was said.
        succeeded: how the job ended, as far as that was said.
    """

    cluster: Cluster
    name: str | None = None
    code: int | None = None
    succeeded: bool | None = None

    def read(self, line: str) -> None:
        """Takes a line of the log in."""
        on_yarn = self.cluster is Cluster.YARN
        if found := (_YARN_ID if on_yarn else _KUBERNETES_ID).search(line):
            self.name = found[1]
        if (found := (_YARN_STATUS if on_yarn else _KUBERNETES_PHASE).search(line)) and found[
            1
        ] != "UNDEFINED":
            self.succeeded = found[1].upper() == "SUCCEEDED"
        if found := (_YARN_CODE if on_yarn else _KUBERNETES_CODE).search(line):
            # Containers beside the driver's are told of, too, and end well.
            self.code = self.code or int(found[1])

    def exit_code(self, answered: int) -> int:
        """The job's exit code.

        Args:
            answered: by spark-submit, which on Kubernetes answers 0 for a job that failed, too.
        """
        if self.code:
            return self.code
        if self.succeeded:
            return int(ExitCode.DONE)
        return answered or int(ExitCode.FAILED)

    def kill_command(self, command: Command) -> list[str]:
        """What ends the job on its cluster; empty while it has no name there."""
        if self.name is None:
            return []
        if self.cluster is Cluster.YARN:
            return ["yarn", "application", "-kill", self.name]
        master = command.arguments[command.arguments.index("--master") + 1]
        return [command.arguments[0], "--kill", self.name, "--master", master]


def follow(command: Command, environ: Mapping[str, str]) -> int:
    """Runs a command to its end.

    Args:
        environ: the variables of this process; the command's own are added.

    Returns:
        The job's exit code.

    Raises:
        SubmitFailed: there is no such program.
        Stopped: this process was told to stop; the job is ended, too.
    """
    on_cluster = command.deploy_mode is DeployMode.CLUSTER
    said = ClusterSaid(command.cluster)
    if (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    ):
        # A terminal that goes away takes its own group along, and the job is in another.
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    # `Stopped` is raised in the main thread. Amid the start of a process it would leave one that nobody knows.
    with ThreadPoolExecutor(max_workers=1) as starter:
        started = starter.submit(_start, command, environ)
        try:
            process = started.result()
            if process.stdout is not None:
                with process.stdout as lines:
                    for line in lines:
                        sys.stderr.write(line)
                        said.read(line)
            answered = process.wait()
        except Stopped:
            process = started.result()
            # The time that this process has itself: as long as the driver's, and what it takes to see that it is gone.
            signal.setitimer(signal.ITIMER_REAL, 0)
            if on_cluster:
                _kill_on_cluster(said, command, environ)
            else:
                _stop_driver(process, command)
            _end_group(process)
            raise
    if answered < 0:
        return 128 - answered
    return said.exit_code(answered) if on_cluster else answered


def _start(command: Command, environ: Mapping[str, str]) -> subprocess.Popen[str]:
    on_cluster = command.deploy_mode is DeployMode.CLUSTER
    try:
        # A group of its own: Ctrl-C in a terminal reaches whole groups, and the JVM would be gone before its driver
        # had written down that it was stopped.
        return subprocess.Popen(
            command.arguments,
            env={**environ, **command.variables},
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if on_cluster else None,
            stderr=subprocess.STDOUT if on_cluster else None,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise SubmitFailed(command.arguments[0], error.strerror or str(error)) from error


def _kill_on_cluster(said: ClusterSaid, command: Command, environ: Mapping[str, str]) -> None:
    kill = said.kill_command(command)
    if not kill:
        log.warning("the cluster had not taken the job yet; look whether it is there")
        return
    if shutil.which(kill[0]) is None:
        log.error("the job goes on: %s is not on PATH. End it with: %s", kill[0], " ".join(kill))
        return
    done = subprocess.run(kill, env={**environ}, capture_output=True, text=True, check=False)
    if done.returncode:
        log.error(
            "the job may go on: `%s` answered %d: %s", " ".join(kill), done.returncode, done.stderr[-500:]
        )


def _stop_driver(process: subprocess.Popen[str], command: Command) -> None:
    """Tells the Python driver to stop, as long as it is there; its spark-submit ends with it."""
    drivers = [pid for pid in _children(process.pid) if _runs(pid, command)]
    for pid in drivers:
        os.kill(pid, signal.SIGTERM)
    if not drivers:
        # There is only a JVM that starts or ends.
        process.terminate()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        log.error("the driver did not end in %.0f seconds and is killed", _GRACE_SECONDS)


def _end_group(process: subprocess.Popen[str]) -> None:
    """Whatever is left of spark-submit's group is killed."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _children(parent: int) -> list[int]:
    """The processes that a process started, through whatever shell scripts."""
    try:
        direct = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    except OSError:
        return []
    found = [int(pid) for pid in direct]
    # A JVM starts children from any of its threads.
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        try:
            found += [int(pid) for pid in task.read_text().split() if int(pid) not in found]
        except OSError:
            continue
    return [*found, *(grandchild for child in found for grandchild in _children(child))]


def _runs(pid: int, command: Command) -> bool:
    """Whether a process is the driver of the job: a Python, not a JVM, that was given the job's file."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    files = {argument.encode() for argument in command.arguments if argument.endswith(".py")}
    return b"java" not in Path(words[0].decode()).name.encode() and bool(files & set(words[1:3]))
