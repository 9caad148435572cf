"""`lakesmith extract` where it needs neither Spark nor a database."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from command_lines import Ask
from lakesmith.ledger.extracts import Extract, Snapshot, extract_path, manifest_path
from tills import ROOT

DAY = date(2024, 1, 2)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The project `tills`, with one day that was extracted."""
    import hashlib

    root = tmp_path / "tills"
    shutil.copytree(ROOT / "tests" / "projects" / "tills", root)
    landing = root / "landing" / "sales"
    landing.mkdir(parents=True)
    file = landing / extract_path(DAY)
    file.write_bytes(b"PAR1")
    found = file.stat()
    sha256 = hashlib.sha256(b"PAR1").hexdigest()
    moment = datetime(2024, 1, 3, 1, 2, 3, tzinfo=UTC)
    extract = Extract(
        source="sales",
        batch_date=DAY,
        run_id="20240103T010203-00000001",
        connection="erp",
        database="PostgreSQL 15",
        query="SELECT 1",
        query_digest="0",
        snapshot="one statement over one connection",
        database_time=moment,
        extracted_at=moment,
        columns=(("id", "bigint"),),
        file=Snapshot(file.name, found.st_size, found.st_mtime_ns, sha256, 1234),
    )
    (landing / manifest_path(DAY)).write_text(extract.to_text())
    assert Extract.from_text(extract.to_text()) == extract
    return root


def test_a_day_that_was_extracted_is_left_alone_without_spark(project: Path) -> None:
    program = (
        "import sys; from lakesmith.cli.main import main; code = main(); "
        "sys.exit(code or ('pyspark' in sys.modules) or ('pandas' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "extract", "sales", "--date", str(DAY)],
        cwd=project,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=False,
    )
    said = "sales 2024-01-02: 1,234 rows, extracted already at 2024-01-03 01:02:03 UTC; left alone\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, said, "")


def test_what_cannot_be_meant_is_refused(ask: Ask, project: Path) -> None:
    ahead = datetime.now(UTC).date() + timedelta(2)
    for arguments, words in [
        (("--date", "2024-01-02", "--from", "2024-01-01"), "Which days?"),
        (("--from", "2024-01-01"), "Which days?"),
        (("--date", "2024-01-02", "--again"), "so it wants a reason"),
        (("--date", "2024-01-02", "--why", "because"), "so it wants a reason"),
        (("--date", str(ahead)), f"{ahead} has not begun yet"),
        (("sale", "--date", "2024-01-02"), "'sale' is no source of kind jdbc; there are: sales"),
    ]:
        answer = ask("extract", *arguments, "--project", str(project))
        assert (answer.code, words in answer.err) == (2, True), answer.err


def test_the_outcome_of_days_that_need_no_database(ask: Ask, project: Path) -> None:
    closed = ["extract", "--from", "2024-01-06", "--to", "2024-01-07", "--project", str(project), "--json"]
    answer = ask(*closed)
    assert answer.code == 2
    assert [(d["batch_date"], d["outcome"]) for d in answer.json["days"]] == [
        ("2024-01-06", "failed"),
        ("2024-01-07", "not_tried"),
    ]
    assert answer.json["days"][0]["error"].startswith(
        "ConfigurationError: conf/sources/sales.yml: the settings have no connection 'erp'; there are: none. Set "
        "LAKESMITH__CONNECTIONS__ERP__URL, __USER and __PASSWORD"
    )
    assert ask("extract", "--date", "2024-01-07", "--project", str(project)).out == (
        "sales 2024-01-07: closed; nothing is due\n"
    )


def test_an_altered_file_and_a_broken_manifest_say_what_to_do(ask: Ask, project: Path) -> None:
    landing = project / "landing" / "sales"
    (landing / extract_path(DAY)).write_bytes(b"PAR2")
    answer = ask("extract", "--date", str(DAY), "--project", str(project))
    assert answer.code == 3
    assert "it was altered after its extraction" in answer.err
    status = ask("status", "--from", str(DAY), "--to", str(DAY), "--project", str(project), "--json")
    assert "it was altered after its extraction" in status.out
    (landing / manifest_path(DAY)).write_text(json.dumps({"format": 2}))
    answer = ask("extract", "--date", str(DAY), "--project", str(project))
    assert answer.code == 4
    assert "is no manifest of an extract (format 2, expected 1)" in answer.err
    assert "--again --why TEXT" in answer.err
