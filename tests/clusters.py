"""A standalone cluster of Spark on this machine, and Pythons that know no Lakesmith: what a shipped job meets."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Queue

SPARK_CLASS = Path(sys.executable).parent / "spark-class"
LOG = """\
rootLogger.level = info
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %p %c: %m%n
"""
LIMIT_SECONDS = 60


def python_with(folder: Path, packages: Sequence[Path]) -> Path:
    """A Python of its own that finds some folders of packages, and nothing that is installed beside them as editable.

    The files `.pth` of a folder that a `.pth` names are not read; an editable install is one of those.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    purelib = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (purelib / "packages.pth").write_text("".join(f"{path}\n" for path in packages))
    return folder / "bin" / "python"


def site_packages() -> Path:
    return Path(sysconfig.get_paths()["purelib"])


def only(names: Sequence[str], folder: Path) -> Path:
    """A folder with some of the installed packages, and no others."""
    folder.mkdir(parents=True)
    for name in names:
        for path in site_packages().glob(f"{name}*"):
            (folder / path.name).symlink_to(path)
    return folder


@contextmanager
def standalone(folder: Path, *, cores: int = 2, memory: str = "2g") -> Iterator[str]:
    """The URL of a master with one worker; both end with the block."""
    conf = folder / "conf"
    conf.mkdir(parents=True)
    (conf / "log4j2.properties").write_text(LOG)
    deploy = "org.apache.spark.deploy"
    with _daemon(
        conf, f"{deploy}.master.Master", "--host", "127.0.0.1", "--port", "0", "--webui-port", "0"
    ) as lines:
        url = next(line for line in lines if "Starting Spark master at" in line).split()[-1]
        options = [
            "--cores",
            str(cores),
            "--memory",
            memory,
            "--webui-port",
            "0",
            "--work-dir",
            str(folder / "work"),
        ]
        with _daemon(conf, f"{deploy}.worker.Worker", "--host", "127.0.0.1", *options, url) as worker:
            next(line for line in worker if "Successfully registered with master" in line)
            yield url


@contextmanager
def _daemon(conf: Path, *arguments: str) -> Iterator[Iterator[str]]:
    """A process of Spark's, by the lines of its log."""
    environ = {"PATH": "/usr/bin:/bin", "SPARK_CONF_DIR": str(conf), "SPARK_LOCAL_IP": "127.0.0.1"}
    process = subprocess.Popen(
        [SPARK_CLASS, *arguments],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    said: Queue[str | None] = Queue()

    def read() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            said.put(line)
        said.put(None)

    def lines() -> Iterator[str]:
        while (line := said.get(timeout=LIMIT_SECONDS)) is not None:
            yield line
        raise AssertionError(f"{arguments[0]} ended with {process.wait()}")

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield lines()
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(LIMIT_SECONDS)
        reader.join(LIMIT_SECONDS)
        if process.stderr is not None:
            process.stderr.close()
