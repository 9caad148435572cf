"""The log of a job's program: JSON with the run it is about, and a file of its own."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from lakesmith.config.load import load_settings
from lakesmith.config.settings import Settings
from lakesmith.engine.logs import about_run, log_to_file, log_to_stderr
from lakesmith.errors import ConfigurationError

log = logging.getLogger("lakesmith.of.a.test")


@pytest.fixture(autouse=True)
def levels() -> Iterator[None]:
    """The levels of a new process; those that other tests left are put back."""
    loggers = [logging.getLogger(), logging.getLogger("lakesmith")]
    before = [logger.level for logger in loggers]
    for logger, level in zip(loggers, (logging.WARNING, logging.NOTSET), strict=True):
        logger.setLevel(level)
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@contextmanager
def no_handlers() -> Iterator[None]:
    """The root logger as a new process has it; pytest puts handlers of its own there around each test."""
    root = logging.getLogger()
    before, root.handlers = root.handlers, []
    try:
        yield
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers = before


def settings(folder: Path, text: str) -> Settings:
    (folder / "conf").mkdir()
    (folder / "conf" / "base.yml").write_text(text)
    (folder / "conf" / "dev.yml").write_text("{}\n")
    return load_settings("dev", folder, {})


def test_a_line_of_a_run_says_which(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with no_handlers():
        log_to_stderr(settings(tmp_path, "log: {format: json}\n"))
        log.info("%d rows", 3)
        with about_run("r1", "gold.usage", [date(2024, 1, 1)], 2):
            log.warning("late")
        with about_run("r2", "gold.usage", [date(2024, 1, 1), date(2024, 1, 3)], 1):
            try:
                raise ValueError("odd")
            except ValueError:
                log.exception("failed")
    plain, late, failed = map(json.loads, capsys.readouterr().err.splitlines())
    assert plain.pop("time").endswith("+00:00")
    assert plain == {"level": "info", "logger": "lakesmith.of.a.test", "message": "3 rows"}
    late.pop("time")
    assert late == {
        "level": "warning",
        "logger": "lakesmith.of.a.test",
        "message": "late",
        "run_id": "r1",
        "table": "gold.usage",
        "batches": "2024-01-01",
        "attempt": 2,
    }
    assert failed["batches"] == "2024-01-01..2024-01-03"
    assert failed["error"].endswith("ValueError: odd")


def test_text_stays_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with no_handlers():
        log_to_stderr(settings(tmp_path, "{}\n"))
        log.info("so")
    assert capsys.readouterr().err.endswith(" INFO lakesmith.of.a.test: so\n")


def test_a_process_has_one_file_below_the_lake(tmp_path: Path) -> None:
    given = settings(tmp_path, "lake_root: lake\nlog: {format: json, folder: logs}\n")
    with no_handlers():
        file = log_to_file(given)
        assert Path(file).parent == tmp_path / "lake" / "logs"
        assert not Path(file).exists()
        log.info("so")
        assert log_to_file(given) == file
        log.info("and so")
    assert [json.loads(line)["message"] for line in Path(file).read_text().splitlines()] == ["so", "and so"]


@pytest.mark.parametrize(
    "text", ["lake_root: lake", "log: {folder: logs}", "lake_root: s3://bucket/lake\nlog: {folder: logs}"]
)
def test_without_a_place_there_is_no_file(tmp_path: Path, text: str) -> None:
    assert log_to_file(settings(tmp_path, f"{text}\n")) == ""


def test_a_folder_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="Set LAKESMITH__LOG__FOLDER to another"):
        log_to_file(settings(tmp_path, f"log: {{folder: {tmp_path / 'file' / 'logs'}}}\n"))
