"""What comes of a spark-submit: its code, and what Spark's client logs of a driver on a cluster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lakesmith.engine.stopping import stops_on_signals
from lakesmith.errors import Stopped
from lakesmith.shipping.command import Cluster, Command, DeployMode
from lakesmith.shipping.following import ClusterSaid, SubmitFailed, follow

YARN = """\
26/03/01 02:00:01 INFO YarnClientImpl: Submitted application application_1740700000000_0042
26/03/01 02:00:02 INFO Client: Application report for application_1740700000000_0042 (state: ACCEPTED)
\t final status: UNDEFINED
26/03/01 02:00:09 INFO Client: Application report for application_1740700000000_0042 (state: FINISHED)
"""
YARN_DONE = YARN + "\t final status: SUCCEEDED\n"
YARN_REJECTED = (
    YARN
    + "\t final status: FAILED\n"
    + "26/03/01 02:00:09 ERROR Client: Application diagnostics message: User application exited with status 3\n"
)
YARN_KILLED = YARN + "\t final status: KILLED\n"
KUBERNETES = """\
26/03/01 02:00:01 INFO Client: Submitting application lakesmith night with submission ID nights:night-0a1b-driver
26/03/01 02:00:02 INFO LoggingPodStatusWatcherImpl: Application status for spark-0a1b (phase: Running)
"""
KUBERNETES_DONE = (
    KUBERNETES
    + "INFO LoggingPodStatusWatcherImpl: Application status for spark-0a1b (phase: Succeeded)\n\t exit code: 0\n"
)
KUBERNETES_BUSY = (
    KUBERNETES
    + "INFO LoggingPodStatusWatcherImpl: Application status for spark-0a1b (phase: Failed)\n"
    + "\t container name: spark-kubernetes-driver\n\t exit code: 5\n\t container name: proxy\n\t exit code: 0\n"
)


@pytest.mark.parametrize(
    ("cluster", "text", "answered", "code"),
    [
        (Cluster.YARN, YARN_DONE, 0, 0),
        (Cluster.YARN, YARN_REJECTED, 1, 3),
        # Killed by somebody, or a client that went away: nobody knows more than that it failed.
        (Cluster.YARN, YARN_KILLED, 1, 1),
        (Cluster.YARN, YARN, 0, 1),
        (Cluster.KUBERNETES, KUBERNETES_DONE, 0, 0),
        # Spark 4.0 answers 0 for a driver that failed on Kubernetes.
        (Cluster.KUBERNETES, KUBERNETES_BUSY, 0, 5),
        (Cluster.KUBERNETES, KUBERNETES, 0, 1),
    ],
)
def test_the_code_of_a_driver_on_a_cluster(cluster: Cluster, text: str, answered: int, code: int) -> None:
    said = ClusterSaid(cluster)
    for line in text.splitlines():
        said.read(line)
    assert said.exit_code(answered) == code


@pytest.mark.parametrize(
    ("cluster", "text", "kill"),
    [
        (Cluster.YARN, YARN, "yarn application -kill application_1740700000000_0042"),
        (
            Cluster.KUBERNETES,
            KUBERNETES,
            "spark-submit --kill nights:night-0a1b-driver --master k8s://https://host",
        ),
        (Cluster.YARN, "", ""),
    ],
)
def test_what_ends_a_job_on_its_cluster(cluster: Cluster, text: str, kill: str) -> None:
    said = ClusterSaid(cluster)
    for line in text.splitlines():
        said.read(line)
    command = Command(
        ("spark-submit", "--master", "k8s://https://host", "night.py"), cluster, DeployMode.CLUSTER
    )
    assert " ".join(said.kill_command(command)) == kill


def shell(script: str, mode: DeployMode = DeployMode.CLIENT) -> Command:
    return Command(("/bin/sh", "-c", script), Cluster.YARN, mode, {"SAID": "so"})


def test_a_driver_here_gives_its_code() -> None:
    assert follow(shell("test $SAID = so || exit 9; exit 3"), os.environ) == 3
    assert follow(shell("kill -KILL $$"), os.environ) == 137


def test_the_log_of_a_driver_on_a_cluster_is_let_through(capfd: pytest.CaptureFixture[str]) -> None:
    script = f"printf '%s' '{YARN_REJECTED}'; exit 1"
    assert follow(shell(script, DeployMode.CLUSTER), os.environ) == 3
    assert capfd.readouterr().err == YARN_REJECTED


def test_a_program_that_is_not_there() -> None:
    with pytest.raises(SubmitFailed, match="/no/spark-submit cannot be run: No such file or directory"):
        follow(Command(("/no/spark-submit",), Cluster.LOCAL, DeployMode.CLIENT), os.environ)


# A submitter whose driver is this shell's child, as Spark's driver is the JVM's.
SUBMITTER = """
import os, signal, sys
from lakesmith.engine.stopping import stops_on_signals
from lakesmith.errors import Stopped
from lakesmith.engine.stopping import stops_on_signals
from lakesmith.errors import Stopped
from lakesmith.shipping.command import Cluster, Command, DeployMode
from lakesmith.shipping.following import follow

driver, said = sys.argv[1:]
# Whoever runs these tests under nohup has it ignored.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
try:
    with stops_on_signals():
        follow(
            Command(("/bin/sh", "-c", f"{sys.executable} {driver} {said}; exit $?", driver), Cluster.LOCAL, DeployMode.CLIENT),
            os.environ,
        )
except Stopped as told:
    sys.exit(int(told.exit_code))
"""
DRIVER = """
import pathlib, signal, sys

said = pathlib.Path(sys.argv[1])
def stop(number, frame):
    said.write_text("stopped")
    sys.exit(143)
signal.signal(signal.SIGTERM, stop)
print("at work", flush=True)
signal.pause()
"""


@pytest.mark.parametrize(
    ("told", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 143)]
)
def test_a_submitter_that_is_told_to_stop_lets_its_driver_write_that_down(
    tmp_path: Path, told: signal.Signals, code: int
) -> None:
    driver, said = tmp_path / "driver.py", tmp_path / "said"
    driver.write_text(DRIVER)
    with subprocess.Popen(
        [sys.executable, "-c", SUBMITTER, driver, said], stdout=subprocess.PIPE, text=True, env=os.environ
    ) as submitter:
        assert submitter.stdout is not None
        assert submitter.stdout.readline() == "at work\n"
        submitter.send_signal(told)
        try:
            assert submitter.wait(60) == code
        finally:
            submitter.kill()
    assert said.read_text() == "stopped"


def test_a_signal_amid_the_start_leaves_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What raises in the main thread would otherwise be raised before anybody knows the process."""
    pids = []

    class Interrupted(subprocess.Popen[str]):
        def __init__(self, *arguments: Any, **how: Any) -> None:
            super().__init__(*arguments, **how)
            pids.append(self.pid)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(subprocess, "Popen", Interrupted)
    command = Command(("/bin/sleep", "600"), Cluster.LOCAL, DeployMode.CLIENT)

    with pytest.raises(Stopped), stops_on_signals():
        follow(command, {})

    [pid] = pids
    with pytest.raises(ProcessLookupError):
        os.killpg(pid, 0)
