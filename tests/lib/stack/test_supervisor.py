"""What the supervisor is told, read back by its own parser; and what it says in its log."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from supervisor.options import ServerOptions

from lakesmith.errors import ConfigurationError
from lakesmith.stack.places import Places
from lakesmith.stack.service import Http, Service
from lakesmith.stack.supervisor import MARK, Supervisor, configuration, inherited

AWKWARD = "cat 'a b' \"c\" 100% d;e#f ${F} %(here)s"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "s")
    places.make()
    return places


def test_the_supervisor_reads_what_was_declared(places: Places, tmp_path: Path) -> None:
    server = Service(
        "server",
        ("/bin/serve", "--note", AWKWARD),
        tmp_path,
        Http("http://127.0.0.1:1/"),
        environment={"PLAIN": "x", "ODD": AWKWARD},
        stop_signal="INT",
        stops_alone=True,
    )
    task = Service("task", ("/bin/prepare",), tmp_path, None)
    places.configuration.write_text(configuration([server, task], places), encoding="utf-8")
    options = ServerOptions()
    options.realize(["--configuration", str(places.configuration)])
    programs = {group.name: group.process_configs[0] for group in options.process_group_configs}
    words = ["env", f"ODD={AWKWARD}", "PLAIN=x", "/bin/serve", "--note", AWKWARD]
    assert shlex.split(programs["server"].command) == words
    assert {
        name: (
            p.directory,
            p.stdout_logfile,
            p.autostart,
            bool(p.autorestart),
            p.stopasgroup,
            p.killasgroup,
            p.stopsignal.name,
        )
        for name, p in programs.items()
    } == {
        "server": (str(tmp_path), str(places.log("server")), False, True, False, True, "SIGINT"),
        "task": (str(tmp_path), str(places.log("task")), False, False, True, True, "SIGTERM"),
    }
    assert options.configroot.supervisord.logfile == str(places.supervisor_log)
    assert [server["file"] for server in options.configroot.supervisord.server_configs] == [
        str(places.socket)
    ]


@pytest.mark.parametrize("value", ["x\nuser = root", "a ;b", "a #b"])
def test_what_the_supervisor_would_read_as_something_else_is_refused(places: Places, value: str) -> None:
    service = Service("server", ("/bin/serve",), places.folder, None, environment={"A": value})
    with pytest.raises(ConfigurationError, match="supervisor cannot be told"):
        configuration([service], places)


def test_services_have_the_callers_variables_but_not_its_servers(places: Places) -> None:
    environ = {
        "HOME": "/h",
        "PGPASSWORD": "p",
        "SPARK_HOME": "/s",
        "AIRFLOW_HOME": "/a",
        "MLFLOW_TRACKING_URI": "m",
    }
    assert inherited(environ, places) == {"HOME": "/h", MARK: str(places.folder)}


def test_endings_are_those_since_the_last_start_that_nobody_asked_for(places: Places) -> None:
    assert Supervisor(places).endings() == {}
    places.supervisor_log.write_text(
        "1 WARN exited: s3 (exit status 1; not expected)\n"
        "2 INFO supervisord started with pid 7\n"
        "3 WARN exited: spark-worker-1 (terminated by SIGKILL; not expected)\n"
        "4 INFO stopped: mlflow (terminated by SIGTERM)\n"
        "5 INFO exited: spark-worker-1 (exit status 0; expected)\n",
        encoding="utf-8",
    )
    assert Supervisor(places).endings() == {"spark-worker-1": ["terminated by SIGKILL", "exit status 0"]}


def test_where_no_supervisor_is_nothing_runs(places: Places) -> None:
    supervisor = Supervisor(places)
    assert (supervisor.is_running, supervisor.pid, supervisor.processes()) == (False, 0, {})
