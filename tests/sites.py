"""A lake of the meters project in every state that a batch can be in, made without Spark, for tests of the site."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from deltalake import write_deltalake

from command_lines import THREE_TABLES, publish
from lakes import record_night
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import BatchOutcome, QualityRecord, RunOutcome, RunRecord
from workspaces import METERS, Workspace, day

__all__ = [
    "HOSTILE",
    "NIGHTS",
    "TROUBLED",
    "describe_hostile",
    "make_troubled_lake",
    "plant_metrics",
    "plant_run",
]

HOSTILE = "<script>alert(1)</script>\"'</text><img src=x onerror=alert(2)>"
"""What must be shown as text wherever it stands."""

NIGHTS = 12
"""From the 1st of January 2024, a Monday; Sunday the 7th is closed."""

TROUBLED = 6
"""The day whose silver batch was rejected."""


def make_troubled_lake(root: Path) -> Workspace:
    """Twelve nights: the 6th was rejected, so what reads it is blocked; the 8th failed; the 4th is stale, the 10th never came."""
    shutil.copytree(METERS, root)
    workspace = Workspace(root)
    for number in range(1, NIGHTS + 1):
        if number not in (7, 10):
            workspace.land(number, ("m1", 10 + number, "High St"), ("m2", 5, "Low St"))
    good = [n for n in range(1, NIGHTS + 1) if n not in (TROUBLED, 7, 8, 10)]
    publish(workspace, [n for n in range(1, NIGHTS + 1) if n not in (7, 8, 10)], ["bronze.readings"])
    publish(workspace, good, THREE_TABLES[1:], quarantined=1, read=3, dropped={})
    rejected = {
        "outcome": BatchOutcome.REJECTED,
        "rows": 70,
        "read": 100,
        "quarantined": 28,
        "dropped": {"exact_duplicate": 2},
        "reason": "28 of 100 rows (28.00%) are quarantined; the contract allows 25.00%.",
        "run_id": "20240106T020000-0000000a",
    }
    publish(workspace, [TROUBLED], ["silver.readings"], **rejected)
    failed = {
        "outcome": BatchOutcome.FAILED,
        "rows": 0,
        "read": None,
        "digest": "",
        "reason": "ValueError: no column kwh",
        "run_id": "20240108T020000-0000000b",
    }
    publish(workspace, [8], ["bronze.readings"], **failed)
    workspace.land(4, ("m1", 99, "High St"), ("m2", 5, "Low St"))
    _verdicts(workspace)
    plant_run(
        workspace, "silver.readings", TROUBLED, RunOutcome.REJECTED, rejected["run_id"], rejected["reason"]
    )
    plant_run(workspace, "bronze.readings", 8, RunOutcome.FAILED, failed["run_id"], failed["reason"])
    for number in good:
        plant_run(workspace, "gold.usage", number, RunOutcome.PUBLISHED, "20240201T000000-00000001", "")
    record_night(workspace, NIGHTS, troubles={"silver.readings": "1 rejected"})
    return workspace


def plant_run(
    workspace: Workspace, table: str, number: int, outcome: RunOutcome, run_id: Any, error: Any
) -> None:
    """Records a run of one batch that took ninety seconds."""
    began = datetime.combine(day(number) + timedelta(1), datetime.min.time(), UTC) + timedelta(hours=2)
    record = RunRecord(
        run_id=run_id,
        table=table,
        first=day(number),
        last=day(number),
        started_at=began,
        finished_at=began + timedelta(seconds=90),
        outcome=outcome,
        exit_code=0 if outcome is RunOutcome.PUBLISHED else 3,
        retryable=False,
        error=error,
        batches=1,
        batches_published=int(outcome is RunOutcome.PUBLISHED),
        batches_rejected=int(outcome is RunOutcome.REJECTED),
        rows_read=3,
        rows_published=2,
        rows_quarantined=1,
        rows_dropped=0,
        version=None,
        job=f"jobs/{table.replace('.', '/')}.py",
        code_version="0123abc",
        lakesmith_version="0.1.0",
        environment="dev",
        spark_application="local-1",
        spark_jobs=3,
    )
    workspace.context().ledger.ops.append([record])


def _verdicts(workspace: Workspace) -> None:
    """The audit of the rejected batch: one critical rule and one warning failed, one held."""
    rules = [
        ("kwh_in_range", "critical", False, 28),
        ("meter_known", "warning", False, 3),
        ("key_unique", "critical", True, 0),
    ]
    records = [
        QualityRecord(
            run_id="20240106T020000-0000000a",
            table="silver.readings",
            batch_date=day(TROUBLED),
            recorded_at=now(),
            rule=rule,
            expectation_type="expect_column_values_to_be_between",
            severity=severity,
            success=success,
            unexpected_count=unexpected,
            element_count=100,
            result={"result": {}, "exception_info": {}},
        )
        for rule, severity, success, unexpected in rules
    ]
    workspace.context().ledger.ops.append(records)


def describe_hostile(workspace: Workspace) -> None:
    """Descriptions, owners, error texts, reasons, rules and alerts that are markup."""
    path = workspace.root / "conf" / "tables" / "gold.usage.yml"
    contract = yaml.safe_load(path.read_text())
    contract["description"] = HOSTILE
    contract["owner"] = HOSTILE
    contract["columns"]["kwh"]["description"] = HOSTILE
    contract["columns"]["kwh"]["unit"] = "kWh</script>"
    path.write_text(yaml.safe_dump(contract, sort_keys=False))
    told = {"outcome": BatchOutcome.FAILED, "rows": 0, "digest": "", "reason": HOSTILE, "run_id": HOSTILE}
    publish(workspace, [5], ["gold.usage"], **told)
    plant_run(workspace, "gold.usage", 5, RunOutcome.FAILED, HOSTILE, HOSTILE)
    publish(workspace, [9], ["silver.readings"], dropped={HOSTILE: 1}, settings={HOSTILE: HOSTILE})
    record = QualityRecord(
        HOSTILE, "gold.usage", day(5), now(), HOSTILE, "expect", "critical", False, None, None,
        {"result": {"observed_value": HOSTILE}},
    )  # fmt: skip
    workspace.context().ledger.ops.append([record])
    record_night(workspace, NIGHTS, troubles={HOSTILE: HOSTILE}, minutes=1)
    _write(
        workspace,
        "ops.alerts",
        [{"recorded_at": now(), "rule": HOSTILE, "table": HOSTILE, "severity": "page", "text": HOSTILE,
          "state": "firing", "runbook": "javascript:alert(3)"}],
    )  # fmt: skip


def plant_metrics(workspace: Workspace, table: str, column: str = "kwh") -> None:
    """Profiles and drift of a number and of a category whose values are markup; the number drifted in the last night."""
    profiles, drifts = [], []
    window = pa.struct([("start", pa.timestamp("us", "UTC")), ("end", pa.timestamp("us", "UTC"))])
    test = pa.struct([("statistic", pa.float64()), ("pvalue", pa.float64())])
    edges = [float(n) for n in range(0, 110, 10)]
    for number in range(1, NIGHTS + 1):
        shift = number == NIGHTS
        for log_type in ("INPUT", "BASELINE"):
            moved = shift and log_type == "INPUT"
            counts = [0, *([5] * 5 if not moved else [0] * 5), *([5] * 5 if not moved else [10] * 5), 0]
            numbers = {"edges": edges, "counts": counts}
            kinds = {"known": [["web", 30], [HOSTILE, 20]], "new": [], "unnamed": 0}
            for name, kind, stored in (
                (column, "bigint", {"numbers": numbers}),
                ("street", "string", {"categories": kinds}),
            ):
                profiles.append(
                    {
                        "batch_date": day(number),
                        "window": _window(day(number)),
                        "log_type": log_type,
                        "slice_key": None,
                        "column_name": name,
                        "table_name": table,
                        "data_type": kind,
                        "count": 50,
                        "avg": 75.0 if moved else 50.0 + number / 10,
                        "percent_null": 0.0,
                        "min": 0.0,
                        "max": 100.0,
                        "distinct_count": 11,
                        "profile": json.dumps({"format": 1, "count": 50, "nulls": 0, **stored}),
                    }
                )
        for name, effect in ((column, 0.31 if shift else 0.01), ("street", 0.0)):
            drifts.append(
                {
                    "batch_date": day(number),
                    "window": _window(day(number)),
                    "column_name": name,
                    "table_name": table,
                    "data_type": "bigint",
                    "drift_type": "BASELINE",
                    "slice_key": None,
                    "population_stability_index": effect + 0.001,
                    "ks_test": {"statistic": effect, "pvalue": 0.001},
                    "effect": effect,
                    "effect_limit": 0.1,
                    "adjusted_pvalue": 1e-9 if effect > 0.1 else 0.7,
                    "rows_judged": 50.0,
                    "verdict": "drifted" if effect > 0.1 else "stable",
                    "reason": "distribution",
                    "new_categories": [HOSTILE] if name == "street" else [],
                    "baseline": "returning version 1",
                }
            )
    of_kinds = {
        "window": window,
        "ks_test": test,
        "slice_key": pa.string(),
        "new_categories": pa.list_(pa.string()),
    }
    _write(workspace, "monitoring.profile_metrics", profiles, of_kinds)
    _write(workspace, "monitoring.drift_metrics", drifts, of_kinds)


def plant_model_event(workspace: Workspace, model: str, version: int, kind: ModelEventKind) -> ModelEvent:
    """An event of a version, without a model."""
    event = ModelEvent(
        model=model,
        version=version,
        event=kind,
        recorded_at=now(),
        effective_from=day(1),
        before=None,
        run_id=f"run{version}",
        digest="",
        as_of=day(1),
        who="somebody",
        reason=HOSTILE,
        gates=({"gate": "minimum", "passed": True, "text": HOSTILE},),
    )
    workspace.context().ledger.ops.append([event])
    return event


def _window(batch: date) -> dict[str, datetime]:
    start = datetime.combine(batch, datetime.min.time(), UTC)
    return {"start": start, "end": start + timedelta(1)}


def _write(
    workspace: Workspace, table: str, rows: list[dict[str, Any]], kinds: Mapping[str, Any] | None = None
) -> None:
    inferred = pa.Table.from_pylist(rows).schema
    schema = pa.schema([(f.name, (kinds or {}).get(f.name, f.type)) for f in inferred])
    path = workspace.context().lake.path(table)
    write_deltalake(path, pa.Table.from_pylist(rows, schema=schema), mode="append")
