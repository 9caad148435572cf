"""`stack` where nothing is started: the table of a stack that is down, and what is refused before anything is."""

from __future__ import annotations

import fcntl
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_lines import Ask
from lakesmith.stack.places import Places
from stacks import environment, free_ports, stack_project


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch, ask: Ask) -> Iterator[dict[str, int]]:
    """The ports of a stack of the working folder; what a test started by mistake does not stay."""
    with stack_project() as project:
        ports = free_ports()
        for name, value in environment(ports).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("LAKESMITH__STACK__DATABASE", "sqlite")
        monkeypatch.chdir(project)
        yield ports
        ask("stack", "down", "--env", "stack")


def test_a_stack_that_is_down_is_shown_and_is_no_failure(ask: Ask, stack: dict[str, int]) -> None:
    answer = ask("stack", "status", "--env", "stack")
    assert (answer.code, answer.err) == (0, "")
    lines = [" ".join(line.split()) for line in answer.out.splitlines()]
    assert lines[0] == "service is address since memory note"
    assert f"s3 stopped http://127.0.0.1:{stack['s3']}" in lines
    assert lines[-1] == "the stack is not up. Start it: lakesmith stack up --env stack"
    absent = [line.split()[0] for line in lines if " absent " in line]
    assert absent[0] == "postgres"
    assert len(absent) == 6


def test_json_holds_every_service(ask: Ask, stack: dict[str, int]) -> None:
    found = ask("stack", "status", "--env", "stack", "--json").json
    assert (found["supervisor"], found["database"], found["unsupervised"]) == (None, "sqlite", 0)
    [s3] = [service for service in found["services"] if service["service"] == "s3"]
    assert s3 == {
        "service": "s3",
        "health": "stopped",
        "address": f"http://127.0.0.1:{stack['s3']}",
        "note": "",
        "log": f"{Path.cwd()}/.stack/logs/s3.log",
        "pid": None,
        "seconds": None,
        "memory_bytes": None,
        "restarts": 0,
        "endings": [],
        "log_end": [],
    }


def test_down_where_nothing_is_up_says_so(ask: Ask, stack: dict[str, int]) -> None:
    answer = ask("stack", "down", "--env", "stack")
    assert (answer.code, answer.out, answer.err) == (0, "the stack was not up\n", "")
    assert not (Path.cwd() / ".stack").exists()


def test_a_taken_port_is_refused_before_anything_starts(ask: Ask, stack: dict[str, int]) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", stack["s3"]))
        other.listen()
        answer = ask("stack", "up", "s3", "--env", "stack")
    assert answer.code == 2
    assert answer.err.startswith(f"error: s3: port {stack['s3']} of 127.0.0.1 is taken by process ")
    assert answer.err.endswith(
        "End that, or choose another port: stack.ports.s3 in the settings, or LAKESMITH__STACK__PORTS__S3=<port>\n"
    )
    assert not (Path.cwd() / ".stack" / "supervisor.pid").exists()


def test_a_service_that_is_none_is_refused(ask: Ask, stack: dict[str, int]) -> None:
    answer = ask("stack", "up", "spark", "--env", "stack")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: there is no service 'spark'; services: mlflow, s3, spark-master, ")


def test_two_commands_do_not_start_one_stack(ask: Ask, stack: dict[str, int]) -> None:
    places = Places(Path.cwd() / ".stack")
    places.make()
    with places.lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        answer = ask("stack", "up", "s3", "--env", "stack")
    assert answer.code == 5
    assert answer.err.startswith(f"error: another command starts or ends the stack in {places.folder}. ")
