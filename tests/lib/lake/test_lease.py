from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from lakesmith.errors import ConfigurationError, ExitCode, LeaseHeld
from lakesmith.lake.lease import hold
from lakesmith.ledger.location import LakeLocation

HOLDER = """
import sys
from datetime import timedelta
from lakesmith.lake.lease import hold
from lakesmith.ledger.location import LakeLocation
with hold(LakeLocation(sys.argv[1]), "gold.t", "the-other-run", timedelta(0)):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lease_is_free_again_after_the_body(tmp_path: Path) -> None:
    lake = LakeLocation(str(tmp_path))
    for run in ("r1", "r2"):
        with hold(lake, "gold.t", run, timedelta(0)):
            pass


def test_another_table_is_another_lease(tmp_path: Path) -> None:
    lake = LakeLocation(str(tmp_path))
    with hold(lake, "gold.t", "r1", timedelta(0)), hold(lake, "gold.u", "r1", timedelta(0)):
        pass


def test_the_holder_is_named_and_its_death_frees_the_lease(tmp_path: Path) -> None:
    lake = LakeLocation(str(tmp_path))
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(LeaseHeld, match=rf"run the-other-run \(process {holder.pid} on") as raised,
            hold(lake, "gold.t", "mine", timedelta(seconds=0.1)),
        ):
            pass
        assert (raised.value.exit_code, raised.value.retryable) == (ExitCode.BUSY, True)
        holder.kill()
    with hold(lake, "gold.t", "mine", timedelta(0)):
        said = (tmp_path / ".leases" / "gold.t.lock").read_text()
    assert f'"pid": {os.getpid()}' in said


def test_a_root_that_cannot_be_locked_is_refused() -> None:
    with (
        pytest.raises(ConfigurationError, match="leases on s3"),
        hold(LakeLocation("s3://bucket/lake"), "gold.t", "r", timedelta(0)),
    ):
        pass
