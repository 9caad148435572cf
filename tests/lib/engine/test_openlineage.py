"""OpenLineage events: what is in them, over both transports, and that nothing they do fails a run."""

from __future__ import annotations

import json
import logging
import shutil
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from lakesmith.contracts.days import BatchRange
from lakesmith.engine.context import Context
from lakesmith.engine.openlineage import LineageEvents, event_id
from lakesmith.engine.outcome import NightResult
from lakesmith.engine.recording import RunIdentity
from lakesmith.errors import ExitCode
from lakesmith.ledger.columns import ColumnsRecord
from lakesmith.ledger.fingerprint import SCHEME
from lakesmith.ledger.live import NO_FILES
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import BatchOutcome, BatchRecord, InputRead, RunOutcome, RunRecord
from workspaces import METERS, Workspace, day

Events = list[dict[str, Any]]
RUN = "20240201T000000-00000001"


class Server:
    """An OpenLineage server of one test, which keeps what it is sent."""

    def __init__(self, answer: int = 201) -> None:
        self.events: Events = []
        self.keys: set[str | None] = set()
        kept = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/api/v1/lineage"
                body = self.rfile.read(int(self.headers["Content-Length"]))
                kept.events.append(json.loads(body))
                kept.keys.add(self.headers.get("Authorization"))
                self.send_response(answer)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None: ...

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


@pytest.fixture
def project(tmp_path: Path) -> Workspace:
    shutil.copytree(METERS, tmp_path / "meters")
    return Workspace(tmp_path / "meters")


def switched_on(workspace: Workspace, **settings: object) -> Context:
    lines = "".join(
        f"  {key}: {json.dumps(value)}\n" for key, value in {"namespace": "grid", **settings}.items()
    )
    (workspace.root / "conf" / "dev.yml").write_text(f"openlineage:\n{lines}")
    return workspace.context()


def by_file(workspace: Workspace) -> Events:
    text = (workspace.root / "events" / "all.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def run_of(context: Context, table: str = "gold.usage") -> RunIdentity:
    return RunIdentity(RUN, context.project.graph.contract(table), (day(2), day(3)), now())


def record_of(context: Context, run: RunIdentity, outcome: RunOutcome, **changes: Any) -> RunRecord:
    whole: dict[str, Any] = {
        "run_id": run.run_id,
        "table": run.contract.table,
        "first": day(2),
        "last": day(3),
        "started_at": run.started,
        "finished_at": run.started + timedelta(seconds=3),
        "outcome": outcome,
        "exit_code": 0,
        "retryable": False,
        "error": "",
        "batches": 2,
        "batches_published": 2,
        "batches_rejected": 0,
        "rows_read": 9,
        "rows_published": 7,
        "rows_quarantined": 2,
        "rows_dropped": 0,
        "version": 5,
        "job": run.contract.job,
        "code_version": "abc",
        "lakesmith_version": context.lakesmith_version,
        "environment": "dev",
        "spark_application": "",
        "spark_jobs": 3,
    }
    return RunRecord(**{**whole, **changes})


def batch_of(context: Context, table: str, number: int, reads: tuple[InputRead, ...]) -> BatchRecord:
    return BatchRecord(
        table, day(number), now(), RUN, BatchOutcome.PUBLISHED, 5, f"d{number}", number, 4, 1, {},
        context.fingerprints(table, SCHEME), reads, {}, NO_FILES,
    )  # fmt: skip


def tell_of_a_run(context: Context, kind: RunOutcome = RunOutcome.PUBLISHED, **changes: Any) -> LineageEvents:
    run = run_of(context)
    reads = (InputRead("readings", "silver.readings", 8, "w"),)
    context.events.night_started(BatchRange(day(2), day(3)))
    context.events.run_started(run)
    batches = (
        [batch_of(context, "gold.usage", n, reads) for n in (2, 3)] if kind is RunOutcome.PUBLISHED else []
    )
    context.events.run_ended(run, record_of(context, run, kind, **changes), batches)
    return context.events


def test_a_run_that_published_tells_what_it_read_and_made(project: Workspace) -> None:
    context = switched_on(project, transport="file", path="events/all.jsonl")
    columns = {
        "columns": {
            "meter": {"from": [["silver.readings", "meter"]], "through": []},
            "cost": {"from": [], "through": []},
        },
        "deciding": [["silver.readings", "kwh"]],
        "opaque": [],
    }
    fingerprint = context.fingerprints("gold.usage", SCHEME).data
    context.ledger.ops.append([ColumnsRecord("gold.usage", fingerprint, now(), RUN, columns)])

    tell_of_a_run(context).night_ended(NightResult(BatchRange(day(2), day(3)), {}, 1.0))

    night, start, complete, end = by_file(project)
    assert [e["eventType"] for e in (night, start, complete, end)] == [
        "START",
        "START",
        "COMPLETE",
        "COMPLETE",
    ]
    assert night["job"]["name"] == end["job"]["name"] == "night"
    assert night["run"]["runId"] == end["run"]["runId"]
    for event in (start, complete):
        assert (event["job"]["namespace"], event["job"]["name"]) == ("grid", "gold.usage")
        assert event["run"]["runId"] == event_id(RUN)
        parent = event["run"]["facets"]["parent"]
        assert parent["run"]["runId"] == night["run"]["runId"]
        assert (parent["job"]["namespace"], parent["job"]["name"]) == ("grid", "night")
        assert event["run"]["facets"]["nominalTime"]["nominalStartTime"] == "2024-01-02T00:00:00+00:00"
        assert event["run"]["facets"]["nominalTime"]["nominalEndTime"] == "2024-01-04T00:00:00+00:00"
        assert event["job"]["facets"]["ownership"]["owners"] == [{"name": "grid"}]
    assert start["inputs"][0]["name"] == "silver.readings"
    assert "version" not in start["inputs"][0]["facets"]
    assert complete["inputs"][0]["facets"]["version"]["datasetVersion"] == "8"
    made, quarantine = complete["outputs"]
    assert (made["namespace"], made["name"]) == ("grid", "gold.usage")
    assert made["facets"]["version"]["datasetVersion"] == "5"
    assert made["outputFacets"]["outputStatistics"]["rowCount"] == 5
    fields = made["facets"]["schema"]["fields"]
    assert [(f["name"], f["type"]) for f in fields] == [
        ("meter", "string"), ("kwh", "bigint"), ("cost", "bigint"), ("batch_date", "date"),
    ]  # fmt: skip
    assert made["facets"]["symlinks"]["identifiers"] == [
        {"namespace": "file", "name": context.lake.path("gold.usage"), "type": "LOCATION"}
    ]
    lineage = made["facets"]["columnLineage"]
    assert set(lineage["fields"]) == {"meter"}
    (source,) = lineage["fields"]["meter"]["inputFields"]
    assert (source["namespace"], source["name"], source["field"]) == ("grid", "silver.readings", "meter")
    assert source["transformations"] == [{"type": "DIRECT"}]
    assert [(d["field"], d["transformations"][0]["type"]) for d in lineage["dataset"]] == [
        ("kwh", "INDIRECT")
    ]
    assert (quarantine["name"], quarantine["outputFacets"]["outputStatistics"]["rowCount"]) == (
        "quarantine.gold_usage",
        2,
    )
    tags = {t["key"]: t["value"] for t in complete["run"]["facets"]["tags"]["tags"]}
    assert tags["lakesmith.run_id"] == RUN
    assert tags["lakesmith.outcome"] == "published"


@pytest.mark.parametrize(
    ("outcome", "kind", "error", "message"),
    [
        (RunOutcome.FAILED, "FAIL", "SchemaMismatch: kwh is missing", "SchemaMismatch: kwh is missing"),
        (RunOutcome.REJECTED, "FAIL", "", "2 of 2 batches were refused"),
        (RunOutcome.STOPPED, "ABORT", "Stopped: SIGTERM", None),
        (RunOutcome.PARTIAL, "COMPLETE", "", None),
        (RunOutcome.UNCHANGED, "COMPLETE", "", None),
    ],
)
def test_how_a_run_ended_is_the_kind_of_its_last_event(
    project: Workspace, server: Server, outcome: RunOutcome, kind: str, error: str, message: str | None
) -> None:
    context = switched_on(project, transport="http", url=server.url, api_key="s3cret")

    tell_of_a_run(context, outcome, error=error, batches_rejected=2, version=None)

    last = server.events[-1]
    assert last["eventType"] == kind
    assert last["run"]["facets"].get("errorMessage", {}).get("message") == message
    assert server.keys == {"Bearer s3cret"}
    assert len(server.events) == 3


def test_a_server_that_is_not_there_is_a_warning_and_then_left_alone(
    project: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    gone = Server()
    gone.close()
    context = switched_on(project, transport="http", url=gone.url.replace("//", "//user:hidden@"))

    with caplog.at_level(logging.WARNING, logger="lakesmith"):
        events = tell_of_a_run(context)
        events.run_started(run_of(context))

    said = [r.getMessage() for r in caplog.records if r.name.startswith("lakesmith")]
    assert said == [
        "the OpenLineage event START of night was not sent (ConnectionError)",
        "the OpenLineage event START of gold.usage was not sent (ConnectionError)",
        "the OpenLineage event COMPLETE of gold.usage was not sent (ConnectionError). No more are tried in this process",
    ]


def test_a_server_that_refuses_is_a_warning(project: Workspace, caplog: pytest.LogCaptureFixture) -> None:
    refusing = Server(answer=422)
    try:
        context = switched_on(project, transport="http", url=refusing.url)
        with caplog.at_level(logging.WARNING, logger="lakesmith"):
            context.events.night_started(BatchRange(day(1), day(1)))
    finally:
        refusing.close()
    assert "the OpenLineage event START of night was not sent (HTTPError)" in caplog.text


def test_nothing_is_told_unless_asked_for(project: Workspace) -> None:
    context = project.context()
    tell_of_a_run(context)
    assert not (project.root / "events").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"transport": "file"}, "transport: file needs a path"),
        ({"transport": "http"}, "transport: http needs a url"),
    ],
)
def test_a_transport_needs_to_know_where_to(
    project: Workspace, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(Exception, match=message):
        switched_on(project, **settings)


def test_a_real_night_tells_of_itself(meters: Workspace, server: Server) -> None:
    """Files to published tables, one rejected batch: START and an end of every run, below the night."""
    meters.land(3, ("m1", 5000, "High St"))
    switched_on(meters, transport="http", url=server.url)

    assert (
        meters.run(1, 3, ["bronze.readings", "silver.readings", "gold.usage"]).exit_code is ExitCode.PARTIAL
    )

    kinds = [(e["job"]["name"], e["eventType"]) for e in server.events]
    assert kinds == [
        ("night", "START"),
        ("bronze.readings", "START"),
        ("bronze.readings", "COMPLETE"),
        ("silver.readings", "START"),
        ("silver.readings", "COMPLETE"),
        ("gold.usage", "START"),
        ("gold.usage", "COMPLETE"),
        ("night", "FAIL"),
    ]
    bronze, silver = server.events[2], server.events[4]
    assert bronze["inputs"][0]["name"] == "landing.readings"
    assert bronze["inputs"][0]["inputFacets"]["inputStatistics"]["fileCount"] == 3
    version = bronze["outputs"][0]["facets"]["version"]["datasetVersion"]
    assert silver["inputs"][0]["facets"]["version"]["datasetVersion"] == version
    lineage = silver["outputs"][0]["facets"]["columnLineage"]["fields"]
    assert [(f["name"], f["field"]) for f in lineage["kwh"]["inputFields"]] == [("bronze.readings", "kwh")]
    assert "5000" not in json.dumps(server.events)
