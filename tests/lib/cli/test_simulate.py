"""`simulate`: files, and what was put into them."""

from __future__ import annotations

from pathlib import Path

from command_lines import Ask

ARGUMENTS = ["--from", "2011-03-04", "--days", "3", "--lines-per-day", "100", "--seed", "1"]


def test_one_file_for_each_open_day(ask: Ask, tmp_path: Path) -> None:
    answer = ask("simulate", "--out", str(tmp_path / "files"), *ARGUMENTS)
    assert (answer.code, answer.err) == (0, "")
    assert sorted(path.name for path in (tmp_path / "files").iterdir()) == [
        "2011-03-04.csv",
        "2011-03-06.csv",
    ]
    assert answer.out.startswith("2 files with ")


def test_defects_are_counted(ask: Ask, tmp_path: Path) -> None:
    found = ask("simulate", "--out", str(tmp_path), *ARGUMENTS, "--defects", "0.2", "--json").json
    assert found["files"] == 2
    assert 0 < sum(found["defects"].values()) < found["rows"]


def test_limits_are_explained(ask: Ask, tmp_path: Path) -> None:
    answer = ask("simulate", "--out", str(tmp_path), *ARGUMENTS, "--defects", "2")
    assert (answer.code, answer.out) == (2, "")
    assert "defects must be a share from 0 to 1" in answer.err
