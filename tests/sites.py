"""A lake of the meters project in every state that a batch can be in, made without Spark, for tests of the site."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import yaml
from deltalake import write_deltalake

from command_lines import THREE_TABLES, publish
from lakes import record_night, write_batch
from lakesmith.contracts.declaration import Costs
from lakesmith.ledger.alerts import AlertEvent, AlertRecord
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import BatchOutcome, QualityRecord, RunOutcome, RunRecord
from lakesmith.ml.evaluation import classification
from lakesmith.monitoring.comparison import compare
from lakesmith.monitoring.decision import Subject, judge_night
from lakesmith.monitoring.metric_rows import RowKey, drift_row, profile_row, table_drift_row, table_row
from lakesmith.monitoring.performance import (
    LabelledScores,
    PerformanceSettings,
    TestFigures,
    performance_rows,
)
from lakesmith.monitoring.profile import ColumnLayout, Measure
from lakesmith.monitoring.sample import layout_of_numbers, profile_of_categories, profile_of_numbers
from lakesmith.monitoring.stored import MetricOutcome
from shops import MODEL, PROJECT, SCORES, Shop
from workspaces import METERS, Workspace, day

__all__ = [
    "HOSTILE",
    "NIGHTS",
    "TROUBLED",
    "describe_hostile",
    "make_scored_lake",
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

_FEW_IN_QUARANTINE = {
    "description": "Few readings go to quarantine.",
    "measure": "quarantined_share",
    "table": "silver.readings",
    "at_most": 0.3,
    "target": 0.75,
    "window": "28d",
}


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
    (root / "conf" / "slo.yml").write_text(yaml.safe_dump({"few_in_quarantine": _FEW_IN_QUARANTINE}))
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
    alerts = [
        (AlertEvent.OPENED, HOSTILE, HOSTILE, HOSTILE),
        (AlertEvent.NOTIFIED, HOSTILE, HOSTILE, ""),
        (AlertEvent.OPENED, "missing_report", "gold.usage", "no report came"),
        (AlertEvent.RESOLVED, "missing_report", "gold.usage", ""),
        (AlertEvent.NOTIFIED, "missing_report", "gold.usage", ""),
    ]
    began = now()
    workspace.context().ledger.ops.append(
        [
            AlertRecord(began + timedelta(seconds=at), day(NIGHTS), event, rule, subject, "page", text)
            for at, (event, rule, subject, text) in enumerate(alerts)
        ]
    )


def plant_metrics(workspace: Workspace, table: str, column: str = "kwh") -> None:
    """Profiles and drift of a number and of a category whose values are markup; the number drifted in the last night."""
    draw = np.random.default_rng(3)
    baseline = draw.normal(50, 10, 600)
    number = layout_of_numbers(column, baseline, "bigint")
    street = ColumnLayout("street", "string", Measure.CATEGORY, categories=(HOSTILE, "web"))
    streets = ["web"] * 400 + [HOSTILE] * 200
    known = [profile_of_numbers(number, baseline), profile_of_categories(street, streets)]
    profiles: list[dict[str, Any]] = []
    drifts: list[dict[str, Any]] = []
    for night in range(1, NIGHTS + 1):
        values = draw.normal(70 if night == NIGHTS else 50, 10, 600)
        current = [profile_of_numbers(number, values, nulls=2), profile_of_categories(street, streets)]
        key = RowKey(table, day(night))
        comparisons = [compare(before, after) for before, after in zip(known, current, strict=True)]
        verdicts = judge_night([Subject(c.current.column, c) for c in comparisons])
        told: list[tuple[list[dict[str, Any]], dict[str, Any]]] = []
        told += [(profiles, profile_row(key, profile)) for profile in current]
        told += [(profiles, profile_row(key, profile, log_type="BASELINE")) for profile in known]
        told.append((profiles, table_row(key, current)))
        pairs = zip(comparisons, verdicts, strict=True)
        told += [(drifts, drift_row(key, found, said, "BASELINE")) for found, said in pairs]
        told.append((drifts, table_drift_row(key, known, current, "BASELINE")))
        for rows, row in told:
            rows.append({**row, "batch_date": day(night)})
    _write(workspace, "monitoring.profile_metrics", profiles)
    _write(workspace, "monitoring.drift_metrics", drifts)


def make_scored_lake(root: Path) -> Workspace:
    """The shop with a champion that no Spark trained, a challenger, five batches of its scores, and performance since then."""
    shutil.copytree(PROJECT.root, root)
    shop = Shop(root)
    shop.land_all()
    publish(shop, range(1, 6), ["bronze.orders", "gold.customers"])
    for version, kind in (
        (1, ModelEventKind.REGISTERED),
        (1, ModelEventKind.PROMOTED),
        (2, ModelEventKind.REGISTERED),
    ):
        _event(shop, version, kind)
        _artifacts(shop, version)
    draw = np.random.default_rng(5)
    for number in range(1, 6):
        rows = [
            {"customer_id": n, "score": float(score), "model_version": 1 + (number > 3)}
            for n, score in enumerate(draw.beta(2, 5, 40))
        ]
        write_batch(shop, SCORES, number, rows)
    rows = [row for number in range(1, 6) for row in _performance(shop, number)]
    write_deltalake(shop.context().lake.path("monitoring.model_performance"), _performance_table(rows))
    return shop


def _performance(shop: Workspace, number: int) -> Iterator[dict[str, Any]]:
    """What is said of version 1 on a day whose inputs are stable; on the fifth a good ranking is none any more."""
    model = shop.context().project.models[MODEL]
    draw = np.random.default_rng(number)
    chances = draw.beta(2, 4, 300)
    labels = draw.random(300) < (0.4 if number == 5 else chances)
    folder = shop.root / "lake" / "mlflow" / "artifacts" / MODEL / "run1" / "artifacts"
    test = TestFigures.of(json.loads((folder / "evaluation.json").read_text()))
    scores = LabelledScores(
        chances,
        labels.astype(np.float64),
        np.arange(300),
        np.ones(300, dtype=np.int64),
        np.full(300, "champion", dtype=object),
    )
    drift = [
        {
            "table_name": model.features_table,
            "column_name": "recency_days",
            "verdict": "stable",
            "baseline": f"{MODEL} version 1",
        }
    ]
    limits = PerformanceSettings(least_entities=200)
    return performance_rows(model, SCORES, day(number), {day(number): scores}, {1: test}, drift, limits)


def _performance_table(rows: list[dict[str, Any]]) -> pa.Table:
    """The columns that readers ask for."""
    names = list(MetricOutcome.__dataclass_fields__)
    return pa.Table.from_pylist([{name: row[name] for name in (*names, "effect", "window")} for row in rows])


def _event(shop: Workspace, version: int, kind: ModelEventKind) -> None:
    event = ModelEvent(
        model=MODEL,
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
    shop.context().ledger.ops.append([event])


def _artifacts(shop: Workspace, version: int) -> None:
    """What a training keeps, as far as pages show it."""
    draw = np.random.default_rng(version)
    chances = draw.beta(2, 4, 400)
    happened = draw.random(400) < chances
    entities = np.arange(400)
    found = classification(
        happened, chances, entities, threshold=0.5, costs=Costs(1.0, 3.0), replicates=20, seed=1
    ).to_dict()
    folder = shop.root / "lake" / "mlflow" / "artifacts" / MODEL / f"run{version}" / "artifacts"
    folder.mkdir(parents=True, exist_ok=True)
    told = {"test": found, "validation": found, "baselines": {"recency": found}}
    (folder / "evaluation.json").write_text(json.dumps(told))
    card = f"# {MODEL}\n\n{HOSTILE}\n\n[run](javascript:alert(4))\n\n| metric | value |\n| --- | ---: |\n| {HOSTILE} | 1 |\n"
    (folder / "model_card.md").write_text(card)


def _write(workspace: Workspace, table: str, rows: list[dict[str, Any]]) -> None:
    """Adds rows to a table of any columns; one that is null everywhere is a text."""
    kinds = {pa.null(): pa.string(), pa.list_(pa.null()): pa.list_(pa.string())}
    schema = pa.schema([(f.name, kinds.get(f.type, f.type)) for f in pa.Table.from_pylist(rows).schema])
    path = workspace.context().lake.path(table)
    write_deltalake(path, pa.Table.from_pylist(rows, schema=schema), mode="append")
