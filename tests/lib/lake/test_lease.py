from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lakesmith.config.sections.jobs import LeaseSettings
from lakesmith.errors import ExitCode, LeaseHeld
from lakesmith.lake.lease import hold
from lakesmith.ledger.location import LakeLocation

AT_ONCE = LeaseSettings(wait="0s")
HOLDER = """
import sys
from lakesmith.config.sections.jobs import LeaseSettings
from lakesmith.lake.lease import hold
from lakesmith.ledger.location import LakeLocation
with hold(LakeLocation(sys.argv[1]), "gold.t", "the-other-run", LeaseSettings(wait="0s")):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lease_is_free_again_after_the_body(tmp_path: Path) -> None:
    lake = LakeLocation(str(tmp_path))
    for run in ("r1", "r2"):
        with hold(lake, "gold.t", run, AT_ONCE):
            pass


def test_another_table_is_another_lease(tmp_path: Path) -> None:
    lake = LakeLocation(str(tmp_path))
    with hold(lake, "gold.t", "r1", AT_ONCE), hold(lake, "gold.u", "r1", AT_ONCE):
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
            hold(lake, "gold.t", "mine", AT_ONCE),
        ):
            pass
        assert (raised.value.exit_code, raised.value.retryable) == (ExitCode.BUSY, True)
        holder.kill()
    with hold(lake, "gold.t", "mine", AT_ONCE):
        said = (tmp_path / ".leases" / "gold.t.lock").read_text()
    assert f'"pid": {os.getpid()}' in said
