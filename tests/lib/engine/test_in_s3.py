"""Real files on S3: what a lake there holds, says and forgets is what one on a disk does.

The days are the first of test_real_data.py's, as many as LAKESMITH_S3_NIGHTS says. The store is moto, over sockets.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from command_lines import Ask
from drills.differences import compare
from lakesmith.aws.s3 import S3Folder
from lakesmith.contracts.days import BatchRange
from lakesmith.engine.context import Context
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.submit import open_context
from lakesmith.errors import ExitCode
from object_store import ObjectStore, add_s3a
from workspaces import digests

ROOT = Path(__file__).parents[3]
DATA = Path(os.environ.get("LAKESMITH_REAL_DATA", ROOT.parent / "shared" / "data"))
START = date(2010, 12, 1)
LAST = START + timedelta(int(os.environ.get("LAKESMITH_S3_NIGHTS", "3")) - 1)
NIGHTS = BatchRange(START, LAST)
CUSTOMER = "17850"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason="the real files are not part of the project; set LAKESMITH_REAL_DATA"
)

Opened = Callable[[], Context]


def files() -> list[Path]:
    return [f for f in sorted((DATA / "online-retail").glob("*.csv")) if date.fromisoformat(f.stem) in NIGHTS]


@pytest.fixture
def on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Opened:
    for file in files():
        (tmp_path / "landing" / "online-retail").mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / "landing" / "online-retail")

    def opened() -> Context:
        monkeypatch.setenv("LAKESMITH__LANDING_ROOT", str(tmp_path / "landing"))
        monkeypatch.setenv("LAKESMITH__LAKE_ROOT", str(tmp_path / "lake"))
        return open_context("dev", ROOT)

    return opened


@pytest.fixture
def bucket(store: ObjectStore) -> S3Folder:
    found = store.bucket()
    found.client.put_bucket_versioning(Bucket=found.bucket, VersioningConfiguration={"Status": "Enabled"})
    for file in files():
        found.write(f"landing/online-retail/{file.name}", file.read_bytes())
    return found


@pytest.fixture
def in_s3(
    bucket: S3Folder, store: ObjectStore, spark_session: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> Opened:
    add_s3a(spark_session)

    def opened() -> Context:
        for name, value in store.variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("LAKESMITH__LANDING_ROOT", f"{bucket.uri}/landing")
        monkeypatch.setenv("LAKESMITH__LAKE_ROOT", f"{bucket.uri}/lake")
        return open_context("dev", ROOT)

    return opened


def run(context: Context) -> int:
    """How many batches the nights still needed."""
    plan = plan_nights(context, NIGHTS)
    assert execute(context, plan).exit_code is ExitCode.DONE
    return sum(len(step.batches) for step in plan.steps)


def test_a_lake_in_s3_is_the_one_on_a_disk(
    on_disk: Opened, in_s3: Opened, bucket: S3Folder, ask: Ask, tmp_path: Path
) -> None:
    local, lake = on_disk(), in_s3()
    assert run(on_disk()) == run(in_s3()) > 0
    tables, rows = compare(local.lake, lake.lake)
    assert tables >= 9
    assert rows > 5_000
    assert digests(in_s3()) == digests(on_disk())

    # A rerun is a no-op there, too.
    before = {found.path: found.etag for found in bucket.below("lake")}
    assert run(in_s3()) == 0
    changed = {found.path for found in bucket.below("lake") if before.get(found.path) != found.etag}
    assert {path.split("/")[1] for path in changed} <= {"ops"}

    answered = {}
    for name, opened in {"local": on_disk, "s3": in_s3}.items():
        opened()
        answered[name] = {**ask("status", "--json").json, "lake_root": "", "landing_root": ""}
    assert answered["s3"] == answered["local"]
    assert ask("plan", "--from", str(START), "--to", str(LAST)).out.startswith("nothing to do")

    pages = {}
    for name, opened in {"local": on_disk, "s3": in_s3}.items():
        opened()
        assert ask("site", "build", "--out", str(tmp_path / name)).code == 0
        pages[name] = {
            path.relative_to(tmp_path / name).as_posix() for path in (tmp_path / name).rglob("*.html")
        }
    # Pages of runs are named by the runs.
    assert {page for page in pages["s3"] if "run" not in page} == {
        page for page in pages["local"] if "run" not in page
    }

    # A corrected file repairs what it touched: here as there.
    corrected = files()[0].read_bytes().replace(b",6,", b",7,", 1)
    bucket.write(f"landing/online-retail/{files()[0].name}", corrected)
    (tmp_path / "landing" / "online-retail" / files()[0].name).write_bytes(corrected)
    assert run(on_disk()) == run(in_s3()) > 0
    assert compare(on_disk().lake, in_s3().lake)[0] == tables

    for opened in (on_disk, in_s3):
        opened()
        assert ask("maintain").code == 0
    assert compare(on_disk().lake, in_s3().lake)[0] == tables

    told = {}
    for name, opened in {"local": on_disk, "s3": in_s3}.items():
        opened()
        answer = ask("forget", "--subject", CUSTOMER, "--why", "request 1", "--json")
        assert answer.code == 0
        told[name] = answer.json
    assert told["s3"]["proof"]["holds"]
    assert told["s3"]["proof"]["held"] == {}
    # The bucket keeps old versions of removed files, and none of them names the customer any more.
    kept = [
        pq.read_table(BytesIO(bucket.read_version(version)))
        for version in bucket.old_versions("lake")
        if version.path.endswith(".parquet") and "_delta_log" not in version.path
    ]
    named = [table["customer_id"].to_pylist() for table in kept if "customer_id" in table.column_names]
    assert named
    assert not [ids for ids in named if int(CUSTOMER) in ids]
    found = {
        name: [(t["table"], t["batches"], t["rows"], t["old_files"]) for t in answer["tables"]]
        for name, answer in told.items()
    }
    assert found["s3"] == found["local"]
    assert told["s3"]["landing_files"] == told["local"]["landing_files"] != {}
    compare(on_disk().lake, in_s3().lake)
