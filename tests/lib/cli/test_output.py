"""The log on the terminal, and tables wider than it."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from lakesmith.cli.output import answer, log_to_terminal
from lakesmith.cli.wording import grid


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("lakesmith")
    handlers, level = list(root.handlers), ours.level
    yield
    root.handlers = handlers
    ours.setLevel(level)


def test_ours_is_shown_from_its_level_on_and_others_from_errors_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log_to_terminal(logging.WARNING)
    log_to_terminal(logging.WARNING)
    logging.getLogger("lakesmith.engine").info("quiet")
    logging.getLogger("lakesmith.engine").warning("a [bracket] stays")
    logging.getLogger("somebody").warning("not ours")
    logging.getLogger("somebody").error("broken")
    assert capsys.readouterr() == ("", "warning: a [bracket] stays\nerror: broken\n")


def test_ctrl_c_in_the_midst_of_a_call_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    log_to_terminal(logging.WARNING)
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt:
        logging.getLogger().exception("KeyboardInterrupt while sending command.")
    assert capsys.readouterr().err == ""


def test_no_column_of_a_wide_table_is_left_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    names = [f"column_{n}" if n % 3 else f"c{n}" for n in range(20)]
    table = grid(*names)
    table.add_row(*(f"value of {name}" if n % 4 else "1" for n, name in enumerate(names)))
    answer(table)
    assert capsys.readouterr().out.splitlines()[0].split() == names
