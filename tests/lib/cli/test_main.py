"""The seam: help, usage, errors and exit codes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from command_lines import Ask, publish
from lakesmith import __version__
from lakesmith.errors import ExitCode, LeaseHeld
from workspaces import Workspace

COMMANDS = [
    "doctor",
    "demo",
    "run",
    "backfill",
    "status",
    "quality",
    "sql",
    "train",
    "score",
    "models",
    "simulate",
    "config",
    "catalog",
]


def test_help_names_every_command(ask: Ask) -> None:
    answer = ask("--help")
    assert answer.code == 0
    assert [command for command in COMMANDS if f"│ {command}" not in answer.out] == []


@pytest.mark.parametrize("command", [[name] for name in COMMANDS] + [["config", "show"], ["catalog", "sync"]])
def test_every_command_has_help(ask: Ask, command: list[str]) -> None:
    answer = ask(*command, "--help")
    assert answer.code == 0
    assert "Usage: lakesmith " + " ".join(command) in answer.out


def test_version(ask: Ask) -> None:
    answer = ask("--version")
    assert (answer.code, answer.out) == (0, f"lakesmith {__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["runn"],
            "error: No such command 'runn'. Did you mean 'run'? See what it takes: lakesmith --help\n",
        ),
        (["run"], "error: Missing option '--date'. See what it takes: lakesmith run --help\n"),
        (
            ["run", "--date"],
            "error: Option '--date' requires an argument. See what it takes: lakesmith --help\n",
        ),
    ],
)
def test_a_mistake_of_usage_is_one_line_with_the_next_step(
    ask: Ask, arguments: list[str], message: str
) -> None:
    answer = ask(*arguments)
    assert (answer.code, answer.out, answer.err) == (2, "", message)


def test_an_error_of_ours_is_one_line_and_its_own_exit_code(
    ask: Ask, meters: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(*_: object, **__: object) -> None:
        raise LeaseHeld("silver.readings is being worked on by [run 1]. Run again when it is done.")

    monkeypatch.setattr("lakesmith.config.load.load_settings", held)
    answer = ask("config", "show")
    assert (answer.code, answer.out) == (5, "")
    assert answer.err == "error: silver.readings is being worked on by [run 1]. Run again when it is done.\n"


def test_a_defect_of_ours_keeps_its_traceback(
    ask: Ask, meters: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a defect")

    monkeypatch.setattr("lakesmith.config.load.load_settings", broken)
    with pytest.raises(KeyError, match="a defect"):
        ask("config", "show")


def test_ctrl_c_says_that_nothing_is_half_done(
    ask: Ask, meters: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lakesmith.config.load.load_settings", interrupted)
    answer = ask("config", "show")
    assert (answer.code, answer.out) == (ExitCode.INTERRUPTED, "")
    assert answer.err.startswith("interrupted: ")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, ExitCode.TERMINATED), (signal.SIGINT, ExitCode.INTERRUPTED)]
)
def test_a_signal_has_its_own_exit_code(
    ask: Ask, meters: Workspace, monkeypatch: pytest.MonkeyPatch, number: signal.Signals, code: ExitCode
) -> None:
    def told(*_: object, **__: object) -> None:
        os.kill(os.getpid(), number)

    monkeypatch.setattr("lakesmith.config.load.load_settings", told)
    answer = ask("config", "show")
    assert (answer.code, answer.out) == (code, "")
    assert answer.err == (
        "interrupted: nothing half-done is visible; the same command goes on where this one stopped.\n"
    )


def test_no_project_says_where_it_looked(ask: Ask, tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(str(tmp_path))
    answer = ask("status")
    assert answer.code == 2
    assert answer.err.startswith("error: no project: there is no conf/base.yml in ")


def test_another_folder_can_be_named(ask: Ask, meters: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    answer = ask("config", "show", "--json", "--project", str(meters.root))
    assert answer.code == 0
    assert {s["key"]: s["value"] for s in answer.json}["project_root"] == str(meters.root)


@pytest.mark.parametrize(
    ("arguments", "modules"),
    [
        (["--help"], ["pyspark", "pandas", "pyarrow", "deltalake", "pydantic", "great_expectations"]),
        (["run", "--help"], ["pyspark", "pandas", "pyarrow", "deltalake", "great_expectations"]),
        (["status"], ["pyspark", "pandas", "great_expectations", "mlflow"]),
        (["plan"], ["pyspark", "pandas", "great_expectations", "mlflow"]),
        (
            ["backfill", "--from", "2024-01-01", "--to", "2024-01-06", "--dry-run"],
            ["pyspark", "pandas", "great_expectations"],
        ),
    ],
)
def test_what_is_not_needed_is_not_imported(
    meters: Workspace, arguments: list[str], modules: list[str]
) -> None:
    publish(meters, range(1, 4))
    code = (
        "import sys; from lakesmith.cli.main import main; code = main(sys.argv[2:]); "
        "print([name for name in sys.argv[1].split() if name in sys.modules], file=sys.stderr); "
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, " ".join(modules), *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=meters.root,
    )
    assert done.stderr == "[]\n"
