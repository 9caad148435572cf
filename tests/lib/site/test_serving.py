"""`lakesmith site serve`: on this machine only, quiet, and ended by Ctrl-C without a trace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from lakesmith.errors import UsageError
from lakesmith.site.serving import open_server
from workspaces import METERS

_LIB = Path(__file__).parents[3] / "lib"


def test_it_serves_what_it_built_until_it_is_interrupted(tmp_path: Path) -> None:
    shutil.copytree(METERS, tmp_path / "meters")
    code = "import sys; from lakesmith.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [
        sys.executable,
        "-c",
        code,
        "site",
        "serve",
        "--port",
        "0",
        "--project",
        str(tmp_path / "meters"),
    ]
    environment = {**os.environ, "PYTHONPATH": str(_LIB)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(f"{address}index.html", timeout=20) as answer:
            assert answer.status == 200
            assert answer.headers["Cache-Control"] == "no-cache"
            assert "Nothing is there yet" in answer.read().decode()
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=30)
    assert (server.returncode, out) == (0, "")
    assert err.splitlines()[-1] == "stopped"
    assert "Traceback" not in err
    assert "GET" not in err


def test_a_port_that_is_taken_is_an_error_that_says_so(tmp_path: Path) -> None:
    with (
        open_server(tmp_path, 0) as first,
        pytest.raises(UsageError, match=r"nothing can listen on port .* Choose another: --port 0"),
    ):
        open_server(tmp_path, first.server_port)
