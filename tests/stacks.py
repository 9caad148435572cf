"""A stack of a test or a drill: a folder of its own, ports that nobody listens on, and the command line that drives it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil

from lakesmith.config.sections.servers import StackPorts
from lakesmith.stack.supervisor import MARK

__all__ = ["Machine", "environment", "free_ports", "stack_project", "until"]

ROOT = Path(__file__).parents[1]
RUN = "import sys; sys.argv[0] = 'lakesmith'; from lakesmith.cli.main import main; sys.exit(main())"


class Machine:
    """One stack on this machine, driven by the command line in processes of their own.

    Args:
        project: the folder that holds conf/.
        home: all that the stack writes is below it.
        variables: settings beside the ports.
    """

    def __init__(self, project: Path, home: Path, **variables: str) -> None:
        self.project = project
        self.home = home
        self.ports = free_ports()
        self.environ = {
            **os.environ,
            **environment(self.ports),
            "LAKESMITH_PROJECT": str(project),
            "LAKESMITH_ENV": "stack",
            "COLUMNS": "200",
            "LAKESMITH__STACK__AIRFLOW": str(ROOT / ".venv-airflow"),
            **variables,
        }

    def lakesmith(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", RUN, *arguments]
        environ = {**self.environ, **variables}
        return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)

    def stack(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.lakesmith("stack", *arguments, **variables)

    def status(self) -> dict[str, dict[str, Any]]:
        answer = json.loads(self.stack("status", "--json").stdout)
        return {service["service"]: service for service in answer["services"]}

    def url(self, name: str, path: str) -> Any:
        with urlopen(f"http://127.0.0.1:{self.ports[name]}{path}", timeout=20) as answer:
            return json.load(answer)

    def processes(self) -> list[psutil.Process]:
        """By what they were started with, and PostgreSQL's by the folder that they work in."""
        return [p for p in psutil.process_iter() if self._is_own(p)]

    def _is_own(self, process: psutil.Process) -> bool:
        try:
            mine = str(self.home)
            marked = process.environ().get(MARK, "").startswith(mine) or process.cwd().startswith(mine)
            return marked and process.status() != psutil.STATUS_ZOMBIE
        except psutil.Error:
            return False

    def listening(self) -> list[str]:
        return [name for name, port in self.ports.items() if _answers(port)]


def _answers(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def until(holds: Callable[[], bool], seconds: float = 120.0) -> None:
    """Waits for a condition, with a limit."""
    pause, limit = threading.Event(), time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < limit, f"not so after {seconds:.0f} s"
        pause.wait(0.5)


@contextmanager
def stack_project() -> Iterator[Path]:
    """A project with this one's settings, in a folder that PostgreSQL's account can enter (pytest's own it cannot)."""
    with tempfile.TemporaryDirectory(prefix="stack-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "conf").mkdir()
        for file in ("base.yml", "stack.yml"):
            shutil.copy2(ROOT / "conf" / file, root / "conf" / file)
        yield root


def free_ports() -> dict[str, int]:
    """A free port for each service, and one for the page of a second worker behind the first one's."""
    with ExitStack() as held:
        ports = {}
        for name in StackPorts.model_fields:
            while True:
                ports[name] = _bound(held, 0)
                if name != "spark_worker_ui" or _bound(held, ports[name] + 1):
                    break
        return ports


def _bound(held: ExitStack, port: int) -> int:
    """The port, held; 0 where somebody else has it."""
    trial = held.enter_context(socket.socket())
    try:
        trial.bind(("127.0.0.1", port))
    except OSError:
        return 0
    return int(trial.getsockname()[1])


def environment(ports: dict[str, int]) -> dict[str, str]:
    """The variables that say these ports, and one small worker."""
    said = {f"LAKESMITH__STACK__PORTS__{name.upper()}": str(port) for name, port in ports.items()}
    return {**said, "LAKESMITH__STACK__WORKERS__COUNT": "1", "LAKESMITH__STACK__WORKERS__MEMORY": "1g"}
