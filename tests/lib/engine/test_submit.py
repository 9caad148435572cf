"""Where the programs of jobs leave what came of them: a file, or an object on S3 where nobody sees the driver's files."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from amazon import Answer, answering, emulator, set_credentials
from lakesmith.engine.submit import outcome_in_any_case, submit_night
from lakesmith.errors import ExitCode, UsageError
from workspaces import METERS

URI = "s3://logs/outcomes/0123.json"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The emulator as a driver finds it: by the machine's own variables."""
    set_credentials(monkeypatch)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with emulator() as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        boto3.client("s3", "us-east-1").create_bucket(Bucket="logs")
        yield address


def left() -> dict[str, object]:
    found = boto3.client("s3", "us-east-1").get_object(Bucket="logs", Key="outcomes/0123.json")
    record: dict[str, object] = json.loads(found["Body"].read())
    return record


def test_a_program_leaves_its_record_on_s3(bucket: str) -> None:
    code = submit_night(METERS / "jobs" / "night.py", ["--env", "dev", f"--outcome={URI}"])

    assert (code, left()["exit_code"], left()["retryable"]) == (ExitCode.USAGE, 2, False)
    assert left()["error"] == "UsageError: Which nights? Give --date D, or --from A --to B."


def test_a_file_is_a_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError), outcome_in_any_case(tmp_path / "new" / "outcome.json"):
        raise UsageError("no such table")
    assert json.loads((tmp_path / "new" / "outcome.json").read_text())["error"] == "UsageError: no such table"


def test_a_record_that_cannot_be_left_changes_nothing_else(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    set_credentials(monkeypatch)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with answering(lambda _: Answer(status=403)) as (address, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with (
            caplog.at_level(logging.ERROR, "lakesmith"),
            pytest.raises(UsageError, match="no such table"),
            outcome_in_any_case(URI),
        ):
            raise UsageError("no such table")
    [record] = caplog.records
    assert record.getMessage().startswith(f"write {URI}: s3 does not allow it (403")
