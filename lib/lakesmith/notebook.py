"""What a notebook needs of Lakesmith: a question in SQL, answered without a JVM, a table as Spark's DataFrame, MLflow's client.

Importing it costs nothing: DuckDB and the ledger come when something is asked.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from lakesmith.extras import needs_extra

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from pyspark.sql import DataFrame

    from lakesmith.query.result import Result

__all__ = ["mlflow_client", "sql", "table"]


def sql(
    query: str, env: str | None = None, as_of: str | date | None = None, project: str | Path | None = None
) -> Result:
    """The answer to one statement over the tables by their names, `layer.name`.

        lakesmith.sql("SELECT country, sum(revenue) FROM gold.daily_sales GROUP BY country").df()

    Args:
        query: SQL as DuckDB has it; it may only read.
        env: the environment conf/ENV.yml; None takes LAKESMITH_ENV, else dev.
        as_of: a night, `latest` for the newest versions, or None for the last complete night.
        project: the folder that holds conf/; None looks upwards from the working folder.

    Raises:
        UsageError: the statement is wrong, does more than read, or names what there is not.
        InputMissing: a table that it names was never published.
        ConfigurationError: DuckDB is not installed, or settings or contracts hold mistakes.
    """
    from lakesmith.engine.submit import open_context

    with needs_extra("sql"):
        from lakesmith.query.reader import Question
        from lakesmith.query.result import Result
        from lakesmith.query.tables import Tables
    context = open_context(env, Path(project) if project is not None else None)
    night = as_of.isoformat() if isinstance(as_of, date) else as_of
    tables = Tables.as_of(context.project.graph, context.lake, context.ledger.ops, night)
    question = Question(tables, query)
    return Result(question.table(), tables.as_of_text)


def table(
    name: str, env: str | None = None, as_of: str | date | None = None, project: str | Path | None = None
) -> DataFrame:
    """A table as Spark reads it, at the version that a night left.

        lakesmith.table("gold.customer_features", as_of="2011-03-01")

    Args:
        name: `layer.name`; quarantine tables and the changes of keyed tables have one, too.
        env, as_of, project: as for `sql`: by default the last complete night, so that several tables fit together.

    Raises:
        UsageError: there is no such table, or no record of that night.
        InputMissing: it was never published, or not before that night had ended.
        NightGone: what that night left of it can no longer be read.
        ConfigurationError: PySpark is not installed, or settings or contracts hold mistakes.
    """
    from lakesmith.engine.submit import open_context
    from lakesmith.lake.tables import named_contract
    from lakesmith.ledger.nights import choose_night

    context = open_context(env, Path(project) if project is not None else None)
    night = as_of.isoformat() if isinstance(as_of, date) else as_of
    with needs_extra("spark"):
        from lakesmith.lake.reading import read_night

        spark = context.spark
    contract = named_contract(context.project.graph, name)
    return read_night(
        spark, context.lake, context.ledger.ops, contract, choose_night(context.ledger.ops, night)
    )


def mlflow_client(env: str | None = None, project: str | Path | None = None) -> MlflowClient:
    """MLflow's client for the store that trainings of an environment log to: runs, metrics, artifacts, versions.

        client = lakesmith.mlflow_client()
        client.search_runs([client.get_experiment_by_name("repurchase").experiment_id])

    Args:
        env, project: as for `sql`.

    Raises:
        ConfigurationError: MLflow is not installed, or settings or contracts hold mistakes.
        StoreUnreachable: the server does not answer.
    """
    from lakesmith.engine.submit import open_context

    context = open_context(env, Path(project) if project is not None else None)
    with needs_extra("ml"):
        from lakesmith.ml.store import ModelStore

        return ModelStore(context.settings).client
