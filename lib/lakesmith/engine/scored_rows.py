"""Scores as they were published, beside what then happened: read from the lake without Spark, by versions and days.

Owns which tables hold a model's scores and how their rows become arrays. What is concluded from them is
`lakesmith.engine.rollout`'s and `lakesmith.engine.realised`'s.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from deltalake import QueryBuilder

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.declaration import ModelDeclaration
from lakesmith.contracts.model import BATCH_DATE, MODEL_VERSION, SERVED_BY, Contract, Input, ModelRole
from lakesmith.engine.context import Context
from lakesmith.ledger.arms import ServedBy
from lakesmith.ml.bootstrap import FloatArray, IntArray
from lakesmith.ml.frames import Predictions

__all__ = ["Outcomes", "ScoreTable", "outcomes", "score_table", "scores_of_both", "scores_on"]

_OWN = tuple(str(kind) for kind in ServedBy if kind is not ServedBy.DEGRADED)


@dataclass(frozen=True)
class ScoreTable:
    """A table that holds a model's scores.

    Args:
        entry: the contract's input that is the model.
    """

    contract: Contract
    entry: Input

    @property
    def table(self) -> str:
        """The table's name."""
        return self.contract.table


_KEY = ["day", "entity"]


@dataclass(frozen=True)
class Outcomes:
    """Scores whose labels are known.

    Args:
        rows: `day` (date), `entity`, `score` and `label` (doubles; 0 and 1 for a class), in the order of days and entities.
    """

    rows: pa.Table

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    @property
    def scores(self) -> FloatArray:
        """float64 (n,)."""
        return _floats(self.rows, "score")

    @property
    def labels(self) -> FloatArray:
        """float64 (n,)."""
        return _floats(self.rows, "label")

    @property
    def numbers(self) -> IntArray:
        """int64 (n,); equal numbers are one entity."""
        entities = self.rows["entity"].to_numpy(zero_copy_only=False)
        return np.unique(entities, return_inverse=True)[1].astype(np.int64)

    @property
    def predictions(self) -> Predictions:
        """The rows as metrics take them."""
        return Predictions(self.labels, self.scores, self.numbers, {})

    @property
    def days(self) -> BatchRange:
        """From the first to the last batch; there must be a row."""
        found = pc.min_max(self.rows["day"]).as_py()
        return BatchRange(found["min"], found["max"])

    def and_others(self, others: Outcomes) -> Outcomes:
        """These, and of the others those of days and entities that are not among these."""
        more = others.rows.join(self.rows.select(_KEY), _KEY, join_type="left anti")
        return Outcomes(pa.concat_tables([self.rows, more.select(self.rows.column_names)]).sort_by(_ORDER))

    def matched(self, other: Outcomes) -> tuple[Outcomes, Outcomes]:
        """Of both the rows of the days and entities that both have, row by row of the same."""
        return self._found_in(other), other._found_in(self)

    def _found_in(self, other: Outcomes) -> Outcomes:
        return Outcomes(self.rows.join(other.rows.select(_KEY), _KEY, join_type="inner").sort_by(_ORDER))


_ORDER = [(name, "ascending") for name in _KEY]


def score_table(context: Context, model: str, role: ModelRole) -> ScoreTable | None:
    """The first table, in order, that holds the scores of a model's versions in a role; None when there is none."""
    graph = context.project.graph
    for table in graph.score_tables(model, role):
        contract = graph.contracts[table]
        assert contract.model_input is not None
        return ScoreTable(contract, contract.model_input)
    return None


def scores_of_both(
    context: Context,
    declaration: ModelDeclaration,
    served: ScoreTable,
    shadow: ScoreTable,
    day: date,
    version: int,
) -> tuple[FloatArray, FloatArray]:
    """The champion's scores of one day and those of a version in shadow, of the entities that the champion served.

    Returns:
        float64 (n,) each, row by row of the same entity.
    """
    entity = _quoted(declaration.entity)
    rows = _query(
        context,
        {"served": served.table, "shadow": shadow.table},
        f"SELECT served.{_quoted(served.entry.score)} AS champion, shadow.{_quoted(shadow.entry.score)} AS challenger "
        f"FROM served JOIN shadow ON served.{entity} = shadow.{entity} AND served.{BATCH_DATE} = shadow.{BATCH_DATE} "
        f"WHERE served.{BATCH_DATE} = DATE '{day}' AND served.{SERVED_BY} = '{ServedBy.CHAMPION}' "
        f"AND shadow.{MODEL_VERSION} = {version}",
    )
    return _floats(rows, "champion"), _floats(rows, "challenger")


def scores_on(context: Context, table: ScoreTable, version: int, days: BatchRange) -> FloatArray:
    """All scores that a version gave on some days, float64 (n,), in no order."""
    rows = _query(
        context,
        {"scores": table.table},
        f"SELECT {_quoted(table.entry.score)} AS score FROM scores WHERE {BATCH_DATE} >= DATE '{days.first}' "
        f"AND {BATCH_DATE} <= DATE '{days.last}' AND {MODEL_VERSION} = {version} AND {_own_scores()}",
    )
    return _floats(rows, "score")


def outcomes(
    context: Context,
    declaration: ModelDeclaration,
    table: ScoreTable,
    version: int,
    days: Sequence[date] | None = None,
) -> Outcomes:
    """The scores that a version gave and what then happened, in the order of days and entities.

    Args:
        days: None takes all whose labels are published.
    """
    entity, label = _quoted(declaration.entity), _quoted(declaration.label.column)
    listed = ", ".join(f"DATE '{day}'" for day in days or ())
    wanted = f"AND s.{BATCH_DATE} IN ({listed})" if days else ""
    rows = _query(
        context,
        {"scores": table.table, "labels": declaration.label.table},
        f"SELECT s.{BATCH_DATE} AS day, s.{entity} AS entity, CAST(s.{_quoted(table.entry.score)} AS DOUBLE) AS score, "
        f"CAST(l.{label} AS DOUBLE) AS label FROM scores s JOIN labels l "
        f"ON s.{entity} = l.{entity} AND s.{BATCH_DATE} = l.{BATCH_DATE} "
        f"WHERE s.{MODEL_VERSION} = {version} AND s.{_own_scores()} {wanted} ORDER BY day, entity",
    )
    return Outcomes(rows)


def _query(context: Context, tables: dict[str, str], sql: str) -> pa.Table:
    builder = QueryBuilder()
    for name, table in tables.items():
        opened = context.lake.open(table)
        if opened is None:
            raise LookupError(table)
        builder = builder.register(name, opened)
    return pa.RecordBatchReader.from_stream(builder.execute(sql)).read_all()


def _floats(rows: pa.Table, name: str) -> FloatArray:
    return np.asarray(rows[name].cast(pa.float64()), dtype=np.float64)


def _own_scores() -> str:
    return f"{SERVED_BY} IN ({', '.join(repr(kind) for kind in _OWN)})"


def _quoted(name: str) -> str:
    return f'"{name}"'
