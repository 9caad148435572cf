"""A stack of a test: its own project and folder, and ports that nobody listens on."""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lakesmith.config.settings import StackPorts

__all__ = ["environment", "free_ports", "stack_project"]

ROOT = Path(__file__).parents[1]


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
    """A free port for each service."""
    with ExitStack() as held:
        ports = {}
        for name in StackPorts.model_fields:
            trial = held.enter_context(socket.socket())
            trial.bind(("127.0.0.1", 0))
            ports[name] = trial.getsockname()[1]
        return ports


def environment(ports: dict[str, int]) -> dict[str, str]:
    """The variables that say these ports, and one small worker."""
    said = {f"LAKESMITH__STACK__PORTS__{name.upper()}": str(port) for name, port in ports.items()}
    return {**said, "LAKESMITH__STACK__WORKERS__COUNT": "1", "LAKESMITH__STACK__WORKERS__MEMORY": "1g"}
