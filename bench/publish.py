"""Publishing one batch of a table that has few or many: Lakesmith's lift, and what Delta and Spark have for it."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.lakes import START, lake_in, land
from bench.lakes import run as run_tables
from bench.measure import Measured, Ratio, Side, in_turns, ratio
from bench.report import Figure, Report, Table
from bench.size import Size
from lakesmith.contracts.model import BATCH_DATE, Contract
from lakesmith.engine.context import Context
from lakesmith.lake.publishing import publish
from lakesmith.lake.staging import OUTCOME, RowOutcome, Staged, StagedFile, stage
from lakesmith.lake.tables import BROKEN_RULES
from lakesmith.ledger.fingerprint import SCHEME
from lakesmith.ledger.live import files_digest
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.provenance import Provenance
from lakesmith.ledger.records import BatchOutcome, BatchRecord

_TABLE = "silver.sales_lines"
_SIZES = (10, 300)
_OLD_ROWS = 50
# The simulation plants lines that the pipeline drops or rejects.
_SPARE = 1.2
_ATTEMPTS = 5


def run(size: Size) -> Report:
    """The same rows, by each way in turn, in place of the last batch of tables that begin as copies of one."""
    rounds, rows = size.rounds_or(9 if size.full else 5), size.rows_or(33_000)
    context = lake_in(size.folder / "before")
    land(size.folder / "before" / "landing", START, 1, int(rows * _SPARE))
    run_tables(context, START, START, ("bronze.sales_lines", _TABLE))
    batch = _batch(context, rows)
    report = Report(
        name="publish",
        title="Publishing a batch",
        command=size.command("publish"),
        size={"rows": batch.count(), "batches": " and ".join(map(str, _SIZES)), "rounds": rounds},
        rows=batch.count(),
    )
    checked = []
    for batches in _SIZES:
        ways = _ways(context, batch, batches, size.folder / f"{batches}-batches")
        size.say(f"tables of {batches} batches are made")
        measured = in_turns(ways.sides(), rounds, context.spark)
        report.measured += measured.values()
        report.figures.append(_publishing_alone(measured[ways.named("the lift alone")], batches))
        report.ratios += [
            _over(measured, ways, other)
            for other in ("replaceWhere", "dynamic overwrite of Delta", "dynamic overwrite of Parquet")
        ]
        checked += ways.checked()
    report.tables.append(
        Table(
            "Equal in all of them, after the last round", ("batches", "way", "rows", "of the batch"), checked
        )
    )
    return report


def _publishing_alone(lift: Measured, batches: int) -> Figure:
    limit = 0.02 if batches == max(_SIZES) else None
    return Figure(f"publishing a staged batch, table of {batches} batches", lift.median, "s", limit)


def _over(measured: dict[str, Measured], ways: _Ways, other: str) -> Ratio:
    both = ways.named("staging and the lift")
    return ratio(f"staging and the lift / {ways.named(other)}", measured[both], measured[ways.named(other)])


def _batch(context: Context, rows: int) -> DataFrame:
    """Published rows of one day, in memory, in one partition."""
    found = context.spark.read.format("delta").load(context.lake.path(_TABLE)).limit(rows).coalesce(1).cache()
    found.count()
    return found


@dataclass
class _Ways:
    """Each way with its own table.

    Args:
        day, rows: of the batch that is replaced.
        old_rows: of all other batches together.
    """

    lake: LakeLocation
    spark: SparkSession
    contract: Contract
    context: Context
    batch: DataFrame
    batches: int
    day: date
    rows: int
    old_rows: int
    folder: Path
    staged: Staged | None = None

    def named(self, what: str) -> str:
        """The name of a side at this size."""
        return f"{what}, {self.batches} batches"

    def sides(self) -> list[Side]:
        """All ways; the lift alone is given what was staged before."""
        return [
            Side(self.named("the lift alone"), self._publish, self._stage),
            Side(self.named("staging and the lift"), self._stage_and_publish),
            Side(self.named("replaceWhere"), self._replace_where),
            Side(self.named("dynamic overwrite of Delta"), self._dynamic_delta),
            Side(self.named("dynamic overwrite of Parquet"), self._dynamic_parquet),
        ]

    def checked(self) -> list[tuple[int, str, int, int]]:
        """The rows of every way's table.

        Raises:
            AssertionError: they are not those that were to be there.
        """
        found = []
        for way, kind in (
            (_TABLE, "delta"),
            ("replaceWhere", "delta"),
            ("dynamic", "delta"),
            ("parquet", "parquet"),
        ):
            table = self.spark.read.format(kind).load(str(self._path(way)))
            counted = table.agg(F.count("*"), F.count_if(F.col(BATCH_DATE) == F.lit(self.day))).first()
            rows = (0, 0) if counted is None else (counted[0], counted[1])
            expected = (self.old_rows + self.rows, self.rows)
            if rows != expected:
                raise AssertionError(f"{way}, {self.batches} batches: {rows} rows instead of {expected}")
            found.append((self.batches, "Lakesmith" if way == _TABLE else way, *rows))
        return found

    def _path(self, way: str) -> Path:
        return Path(self.lake.path(_TABLE)) if way == _TABLE else self.folder / way

    def _of_the_day(self) -> DataFrame:
        return self.batch.withColumn(BATCH_DATE, F.lit(self.day))

    def _stage(self, number: int) -> None:
        frame = self._of_the_day().withColumns(
            {
                BROKEN_RULES: F.lit(None).cast("array<string>"),
                OUTCOME: F.lit(str(RowOutcome.PUBLISHED)),
            }
        )
        self.staged = stage(
            frame,
            self.contract,
            self.lake,
            f"{datetime.now(UTC):%H%M%S%f}",
            [self.day],
            expected_rows={self.day: self.rows},
            rows_per_file=self.context.settings.staging.rows_per_file,
            computed_from=self.rows,
        )

    def _publish(self, number: int) -> None:
        if self.staged is None:
            raise AssertionError("nothing is staged")
        files = self.staged.of(RowOutcome.PUBLISHED)
        _publish(self.context, self.lake, self.contract, self.staged.run_id, self.day, files)

    def _stage_and_publish(self, number: int) -> None:
        self._stage(number)
        self._publish(number)

    def _replace_where(self, number: int) -> None:
        writer = self._of_the_day().write.format("delta").mode("overwrite")
        writer.option("replaceWhere", f"{BATCH_DATE} = '{self.day}'").save(str(self._path("replaceWhere")))

    def _dynamic_delta(self, number: int) -> None:
        writer = self._of_the_day().write.format("delta").mode("overwrite")
        writer.option("partitionOverwriteMode", "dynamic").save(str(self._path("dynamic")))

    def _dynamic_parquet(self, number: int) -> None:
        writer = self._of_the_day().write.mode("overwrite").partitionBy(BATCH_DATE)
        writer.option("partitionOverwriteMode", "dynamic").parquet(str(self._path("parquet")))


def _ways(context: Context, batch: DataFrame, batches: int, folder: Path) -> _Ways:
    """A table of some batches, each published by a commit of its own, and copies of it for the other ways."""
    contract = context.project.graph.contracts[_TABLE]
    other = lake_in(folder)
    few = batch.limit(_OLD_ROWS).drop(BATCH_DATE).coalesce(1)
    few.write.parquet(str(folder / "few"))
    [written] = (folder / "few").glob("*.parquet")
    old_rows = few.count()
    days = [START + timedelta(number) for number in range(batches)]
    for number, day in enumerate(days):
        file = _laid(other.lake, written, day, number, old_rows)
        _publish(other, other.lake, contract, f"old-{number}", day, [file])
    table = Path(other.lake.path(_TABLE))
    for way in ("replaceWhere", "dynamic"):
        shutil.copytree(table, folder / way)
    for day in days:
        place = folder / "parquet" / f"{BATCH_DATE}={day}"
        place.mkdir(parents=True)
        shutil.copy(written, place)
    return _Ways(
        other.lake,
        context.spark,
        contract,
        other,
        batch,
        batches,
        days[-1],
        batch.count(),
        old_rows * (batches - 1),
        folder,
    )


def _laid(lake: LakeLocation, written: Path, day: date, number: int, rows: int) -> StagedFile:
    """A copy of a Parquet file where a run would have staged it."""
    path = f"batches/old-{number}/{BATCH_DATE}={day}/{OUTCOME}={RowOutcome.PUBLISHED}/{written.name}"
    place = Path(lake.path(_TABLE)) / path
    place.parent.mkdir(parents=True)
    shutil.copy(written, place)
    status = place.stat()
    stats = f'{{"numRecords": {rows}}}'
    return StagedFile(
        path, day, RowOutcome.PUBLISHED, rows, status.st_size, int(status.st_mtime * 1000), stats
    )


def _publish(
    context: Context,
    lake: LakeLocation,
    contract: Contract,
    run_id: str,
    day: date,
    files: Sequence[StagedFile],
) -> None:
    """Publishes as a run does, with the record of the batch in the commit."""
    record = BatchRecord(
        table=contract.table,
        batch_date=day,
        recorded_at=datetime.now(UTC),
        run_id=run_id,
        outcome=BatchOutcome.PUBLISHED,
        version=None,
        digest=run_id,
        rows=sum(file.rows for file in files),
        read=None,
        quarantined=0,
        dropped={},
        fingerprints=context.fingerprints(contract.table, SCHEME),
        inputs=(),
        settings={},
        files=files_digest([file.path for file in files]),
    )

    def provenance(version: int) -> Provenance:
        return context.provenance(run_id, contract.table, contract.job, record.recorded_at, [record])

    publish(
        lake,
        contract,
        files,
        [day],
        provenance=provenance,
        inputs_unchanged=lambda: None,
        attempts=_ATTEMPTS,
    )
