"""The stack from a fresh clone, up and down twice: `make fresh-stack`, or `python -m drills.fresh_stack` from tests/.

What is committed is cloned, and nobody's home or cache is there: `make stack` makes its environments by the package index. After
each `make stack-down` no process that has to do with the clone may be left, and no port open. Needs the default ports, and some
minutes.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from lakesmith.config.load import load_settings
from lakesmith.stack.processes import is_free

ROOT = Path(__file__).parents[2]
# What a terminal has; the rest of whoever runs this is not there.
_KEPT = ("PATH", "LANG", "SSL_CERT_FILE")


def main() -> int:
    """Clones, then twice up and down."""
    parser = argparse.ArgumentParser(prog="fresh_stack", description="The stack from a fresh clone, twice.")
    parser.add_argument("--folder", type=Path, help="for the clone (default: one of its own that is removed)")
    options = parser.parse_args()
    if options.folder is not None:
        return _drill(options.folder.resolve())
    with tempfile.TemporaryDirectory(prefix="fresh-stack-", ignore_cleanup_errors=True) as name:
        return _drill(Path(name))


def _drill(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    # PostgreSQL's account walks through it.
    folder.chmod(0o755)
    clone, home = folder / "lakesmith", folder / "home"
    home.mkdir()
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environ |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    settings = load_settings("stack", clone, environ={})
    ports = settings.stack.listening()
    if taken := _open(settings.stack.bind, ports):
        print(f"ports are taken already: {taken}", file=sys.stderr)
        return 1
    bad = 0
    for time_ in ("first", "second"):
        up, seconds = _make("stack", clone, environ)
        print(
            f"{time_} make stack: exit code {up} after {seconds:.0f} s, {_well(clone, environ)} services well"
        )
        opened, processes = _open(settings.stack.bind, ports), len(_processes(clone))
        print(f"  {processes} processes, {len(opened)} of {len(ports)} ports open")
        down, seconds = _make("stack-down", clone, environ)
        left, opened = _processes(clone), _open(settings.stack.bind, ports)
        print(f"{time_} make stack-down: exit code {down} after {seconds:.0f} s")
        print(f"  {len(left)} processes left, {len(opened)} ports open", *left, *opened, flush=True)
        bad += bool(up or down or left or opened)
    return 1 if bad else 0


def _make(target: str, clone: Path, environ: Mapping[str, str]) -> tuple[int, float]:
    began = time.monotonic()
    done = subprocess.run(["make", target], cwd=clone, env=dict(environ), check=False)
    return done.returncode, time.monotonic() - began


def _well(clone: Path, environ: Mapping[str, str]) -> int:
    done = subprocess.run(
        [".venv/bin/lakesmith", "stack", "status", "--env", "stack", "--json"],
        cwd=clone,
        env=dict(environ),
        capture_output=True,
        text=True,
        check=False,
    )
    return len(re.findall(r'"health": "(?:well|done)"', done.stdout))


def _open(address: str, ports: Mapping[str, int]) -> list[str]:
    return [f"{name} {port}" for name, port in ports.items() if not is_free(address, port)]


def _processes(clone: Path) -> list[str]:
    """Whatever runs a program of the clone, works in it, or was told its folder."""
    found = []
    for process in psutil.process_iter():
        try:
            # PostgreSQL's and Airflow's overwrite what they were started with.
            said = [process.cwd(), *process.cmdline(), *process.environ().values()]
            if process.status() != psutil.STATUS_ZOMBIE and any(str(clone) in text for text in said):
                found.append(f"{process.pid} {' '.join(process.cmdline())[:100]}")
        except psutil.Error:
            continue
    return found


if __name__ == "__main__":
    sys.exit(main())
