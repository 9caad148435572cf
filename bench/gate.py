"""The gate beside Great Expectations: the suite of silver.sales_lines on one large staged batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.lakes import START, lake_in, land
from bench.lakes import run as run_tables
from bench.measure import Side, in_turns, ratio
from bench.report import Report, Table
from bench.size import Size
from bench.suites import expectations_of, validated
from lakesmith.contracts.model import BATCH_DATE, Contract, Expectation
from lakesmith.engine.context import Context
from lakesmith.lake.reading import read_staged
from lakesmith.lake.staging import OUTCOME, RowOutcome, Staged, stage
from lakesmith.lake.tables import BROKEN_RULES
from lakesmith.quality.gate import Gate
from lakesmith.quality.log_statistics import log_statistics
from lakesmith.quality.results import Result

_TABLE = "silver.sales_lines"


def run(size: Size) -> Report:
    """The compiled gate, Great Expectations in two result formats, and one aggregate by hand."""
    rounds = size.rounds_or(5 if size.full else 2)
    land(size.folder / "landing", START, 1, size.rows_or(3_000_000))
    context = lake_in(size.folder)
    run_tables(context, START, START, ("bronze.sales_lines", _TABLE))
    contract = context.project.graph.contracts[_TABLE]
    staged, frame = _staged(context, contract)
    gate = Gate.compile(contract)
    log = log_statistics(((START, file.stats) for file in staged.of(RowOutcome.PUBLISHED)), gate.columns)
    asked = expectations_of(contract)
    answers: dict[str, Any] = {}

    def by_gate(_: int) -> None:
        answers["gate"] = gate.evaluate(frame, [START], {}, {}, log)[START].results

    def by_great_expectations(result_format: str) -> None:
        answers[result_format] = validated(frame, asked, result_format)

    measured = in_turns(
        [
            Side("Lakesmith's gate", by_gate),
            Side("Great Expectations, BOOLEAN_ONLY", lambda _: by_great_expectations("BOOLEAN_ONLY")),
            Side("Great Expectations, SUMMARY", lambda _: by_great_expectations("SUMMARY")),
            Side("one aggregate by hand", lambda _: answers.__setitem__("hand", _by_hand(frame))),
        ],
        rounds,
        context.spark,
    )
    ours, boolean, summary, hand = measured.values()
    rows = staged.rows(RowOutcome.PUBLISHED)[START]
    return Report(
        name="gate",
        title="The gate",
        command=size.command("gate"),
        size={"rows": rows, "expectations": len(asked), "rounds": rounds},
        rows=rows,
        measured=list(measured.values()),
        ratios=[
            ratio("the gate / Great Expectations, SUMMARY", ours, summary, limit=0.20),
            ratio("the gate / Great Expectations, BOOLEAN_ONLY", ours, boolean),
            ratio("the gate / one aggregate by hand", ours, hand),
        ],
        tables=[_equal(answers, asked, rows)],
    )


def _staged(context: Context, contract: Contract) -> tuple[Staged, DataFrame]:
    """The batch as the audit finds it: staged files with their statistics."""
    spark: SparkSession = context.spark
    published = spark.read.format("delta").load(context.lake.path(contract.table))
    rows = published.withColumns(
        {BROKEN_RULES: F.lit(None).cast("array<string>"), OUTCOME: F.lit(str(RowOutcome.PUBLISHED))}
    )
    count = published.count()
    staged = stage(
        rows,
        contract,
        context.lake,
        "bench",
        [START],
        expected_rows={START: count},
        rows_per_file=1_000_000,
        computed_from=count,
    )
    return staged, read_staged(spark, context.lake, contract, staged).select(
        *[c.name for c in contract.columns], BATCH_DATE
    )


def _by_hand(frame: DataFrame) -> Mapping[str, int]:
    """What an engineer would write for the same suite: conditions counted in one aggregate, and the key's groups."""
    required = (
        *(
            "invoice_no",
            "stock_code",
            "line_hash",
            "quantity",
            "invoice_date",
            "unit_price",
            "amount",
            "country",
        ),
        *("line_type", "is_product", "source_file", "record_no"),
    )
    broken = {
        **{f"{name} is null": f"{name} IS NULL" for name in required},
        "unparsed": "unparsed IS NOT NULL",
        "line_type": "line_type NOT IN ('sale', 'cancellation', 'adjustment', 'write_off')",
        "cancelled quantity": "invoice_no LIKE 'C%' AND quantity > -1",
        "sold amount": "line_type = 'sale' AND amount <= 0",
        "stock_code": "NOT stock_code RLIKE '^[^a-z]+$'",
        "invoice_no": "NOT invoice_no RLIKE '^[CA]?[0-9]{6,10}$'",
        "unit_price": "unit_price > 50000",
        "customer": "customer_id IS NULL",
        "description": "description IS NULL",
        "is_product": "NOT is_product",
        "country": "NOT length(country) BETWEEN 3 AND 40",
    }
    counts = frame.agg(
        F.count("*").alias("rows"), *[F.expr(f"count_if({sql})").alias(name) for name, sql in broken.items()]
    ).first()
    keys = frame.select("invoice_no", "stock_code", "line_hash").distinct().count()
    return {**(counts.asDict() if counts is not None else {}), "keys": keys}


def _equal(answers: Mapping[str, Any], asked: Sequence[Expectation], rows: int) -> Table:
    """Verdicts of all, and counts of what is counted.

    Raises:
        AssertionError: they differ.
    """
    ours: dict[str, Result] = {result.rule: result for result in answers["gate"]}
    different = []
    for expectation in asked:
        rule = expectation.rule
        native, summary = ours[rule].native(), answers["SUMMARY"][rule]
        counts = [
            (found["success"], found["result"].get("element_count"), found["result"].get("unexpected_count"))
            for found in (native, summary)
        ]
        if counts[0] != counts[1] or answers["BOOLEAN_ONLY"][rule]["success"] != native["success"]:
            different.append(f"{rule}: {counts}")
    if different or answers["hand"]["rows"] != rows or answers["hand"]["keys"] != rows:
        raise AssertionError(f"verdicts or counts differ: {different or answers['hand']}")
    kept = sum(result.success for result in ours.values())
    return Table(
        "Equal in all of them",
        ("expectations", "kept", "unexpected rows"),
        [[len(asked), kept, sum(result.outcome.unexpected_count or 0 for result in ours.values())]],
    )
