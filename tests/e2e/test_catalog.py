"""Tables by name in a Hive metastore: one process registers them, another finds them without being told where they are."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakes import write_batch
from shells import bare
from workspaces import METERS, Workspace

ROOT = Path(__file__).parents[2]
LAKESMITH = Path(sys.executable).parent / "lakesmith"


# A session that registers nothing itself, and asks by name.
ASK = """
import json, sys
from pathlib import Path
from lakesmith.config.load import load_settings
from lakesmith.lake.session import session
spark = session(load_settings("dev", Path(sys.argv[1])), by_name=False)
answers = [[list(map(str, row)) for row in spark.sql(sql).collect()] for sql in sys.argv[2:]]
print(json.dumps(answers))
"""

pytestmark = pytest.mark.e2e


@pytest.fixture
def meters(tmp_path: Path) -> Workspace:
    """Two versions of gold.usage, and settings with a metastore of the test's own."""
    shutil.copytree(METERS, tmp_path / "meters")
    conf = {
        "spark.sql.catalogImplementation": "hive",
        "spark.hadoop.javax.jdo.option.ConnectionURL": f"jdbc:derby:;databaseName={tmp_path}/metastore;create=true",
        "spark.sql.warehouse.dir": f"{tmp_path}/warehouse",
    }
    settings = {"jars_dir": str(ROOT / ".jars"), "spark": {"master": "local[1]", "conf": conf}}
    (tmp_path / "meters" / "conf" / "dev.yml").write_text(yaml.safe_dump(settings))
    workspace = Workspace(tmp_path / "meters")
    write_batch(workspace, "gold.usage", 1, [{"meter": "m1", "kwh": 10}])
    write_batch(workspace, "gold.usage", 2, [{"meter": "m2", "kwh": 7}])
    return workspace


def _said(command: list[str | Path], cwd: Path) -> Any:
    done = subprocess.run(command, env=bare(), cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_a_new_process_asks_by_name(meters: Workspace, tmp_path: Path) -> None:
    meters.edit("conf/tables/gold.usage.yml", "description: Energy.", "description: Energy of the day.")
    version = meters.table("gold.usage").version()

    synced = _said([LAKESMITH, "catalog", "sync", "--project", meters.root, "--json"], tmp_path)

    assert synced["catalog"] == "hive"
    entries = {entry["table"]: entry for entry in synced["entries"]}
    assert entries["gold.usage"] == {
        "table": "gold.usage",
        "state": "added",
        "location": f"{meters.root}/lake/gold/usage",
        "described": ["kwh"],
    }
    assert entries["silver.readings"]["state"] == "absent"
    rows, described, earlier, listed = _said(
        [
            sys.executable,
            "-c",
            ASK,
            meters.root,
            "SELECT batch_date, meter, kwh FROM gold.usage ORDER BY batch_date",
            "DESCRIBE gold.usage",
            f"SELECT meter FROM gold.usage VERSION AS OF {version - 1}",
            "SHOW TABLES IN gold",
        ],
        tmp_path,
    )
    assert rows == [["2024-01-01", "m1", "10"], ["2024-01-02", "m2", "7"]]
    assert ["kwh", "bigint", "Energy of the day."] in described
    assert earlier == [["m1"]]
    assert listed == [["gold", "usage", "False"]]
    # The description was ours to commit; Spark has committed nothing.
    assert meters.table("gold.usage").version() == version + 1
