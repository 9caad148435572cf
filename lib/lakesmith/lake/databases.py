"""A database as Spark reads it: a query to a DataFrame of the declared columns, and the database's errors in our words.

Owns Spark's JDBC reader, the driver that it loads, and what a read is a snapshot of. Which query is asked, and what becomes of
the answer, is `lakesmith.engine.extracting`. No message holds a value of the data, a user or a password.

One connection is one statement, and so one moment of the database. Several connections are several statements: PostgreSQL lets
them share one moment (an exported snapshot), any other database reads each part when its turn comes, and the manifest says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JError, Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import functions as F

from lakesmith.config.secrets import revealed
from lakesmith.config.sections.outside import ConnectionSettings
from lakesmith.contracts.model import Source
from lakesmith.contracts.queries import parse_query
from lakesmith.errors import ConfigurationError, DataRejected, InputMissing, LakesmithError, SparkLost
from lakesmith.lake.session import is_alive

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = [
    "Answer",
    "AnswerRefused",
    "ColumnsDiffer",
    "DatabaseUnavailable",
    "DriverMissing",
    "QueryRefused",
    "ReadFailed",
    "query_answer",
]

# java.sql.Types whose values Spark would change on the way.
_NUMERIC = (2, 3)
_TIMES = (92, 2013)

# Classes of SQLSTATE after which the same query can succeed later: connection, rollback, resources, operator, system.
_PASSING = ("08", "40", "53", "57", "58")
# Those whose messages name what the query names, and never a value.
_ABOUT_THE_QUERY = ("0A", "28", "2F", "3D", "3F", "42")

_ONE_STATEMENT = "one statement over one connection"
_SHARED = "one moment, shared by {parts} connections"
_SEVERAL = "{parts} statements over as many connections, each at a moment of its own"


class DriverMissing(ConfigurationError):
    """Spark runs without the driver of a database."""

    def __init__(self, connection: str, driver: str) -> None:
        self.connection, self.driver = connection, driver
        super().__init__(
            f"connections.{connection}: Spark was started without the driver {driver}. PostgreSQL's comes with `make env`, which "
            f"also tells spark-submit of it; of another database add the driver's jar to requirements/jars.lock first."
        )


class DatabaseUnavailable(InputMissing):
    """The database does not answer now (a retry can help)."""

    retryable = True

    def __init__(self, connection: str, detail: str) -> None:
        self.connection, self.detail = connection, detail
        super().__init__(
            f"connections.{connection}: the database does not answer ({detail}). Nothing was landed; run again when it does. "
            f"If it never did: lakesmith config show"
        )


class QueryRefused(ConfigurationError):
    """The database does not take the query or the login; the same again would end the same way."""

    def __init__(self, source: str, detail: str, file: str) -> None:
        self.source, self.detail = source, detail
        super().__init__(
            f"{source}: the database refused: {detail}. Nothing was landed. Mend the query in {file} or the connection."
        )


class ColumnsDiffer(DataRejected):
    """A query gives other columns than its source declares; nothing was read."""

    def __init__(self, source: str, differences: Sequence[str], file: str) -> None:
        self.source, self.differences = source, tuple(differences)
        super().__init__(
            f"{source}: the query's columns are not those declared: {'; '.join(differences)}. "
            f"Nothing was landed. Change the query (a cast, a name) or the columns in {file}."
        )


class AnswerRefused(DataRejected):
    """The database or its driver could not give a value of the answer."""

    def __init__(self, source: str, day: date, detail: str, file: str) -> None:
        self.source, self.batch_date, self.detail = source, day, detail
        super().__init__(
            f"{source} {day}: {detail}, which is not shown since it may quote the data. Nothing was landed. "
            f"Ask the query of {file} by hand to see the value, and cast or filter it there."
        )


class ReadFailed(LakesmithError):
    """Spark could not read or write the answer, and it was not the database."""

    def __init__(self, source: str, day: date, kind: str) -> None:
        self.source, self.day, self.kind = source, day, kind
        super().__init__(
            f"{source} {day}: Spark failed while it landed the answer ({kind}); what it said is not shown since it may quote the "
            f"data. Nothing was landed. See that the landing folder can be written to and has room, and run again."
        )


@dataclass(frozen=True)
class Answer:
    """What a query gives, not read yet.

    Args:
        frame: the declared columns, in the order of the source.
        query: the SQL that is asked.
        database: the product and its version.
        snapshot: what moment of the database the rows are of, in words.
        database_time: the database's own clock.
        columns: name and type of each.
    """

    frame: DataFrame
    query: str
    database: str
    snapshot: str
    database_time: datetime
    columns: tuple[tuple[str, str], ...]


@contextmanager
def query_answer(
    spark: SparkSession, source: Source, connection: ConnectionSettings, day: date
) -> Iterator[Answer]:
    """The answer for one day, to be read inside the block: a connection of its own keeps what several readers share.

    Raises:
        ConfigurationError: the driver is not there, or executors run in a time zone in which times are lost.
        DatabaseUnavailable: the database does not answer.
        QueryRefused: it does not take the query or the login.
        ColumnsDiffer: the answer has other columns than the source declares.
    """
    assert source.extraction is not None
    with _database_errors(spark, source, day), _utc(spark):
        opened = _connect(spark, source, connection)
        try:
            query = parse_query(source.extraction.query).on(day)
            _check_columns(source, query, opened)
            yield _answer(spark, source, connection, query, opened)
        finally:
            # One that the database has ended meanwhile has nothing to close.
            with suppress(Py4JError):
                opened.close()


@contextmanager
def _database_errors(spark: SparkSession, source: Source, day: date) -> Iterator[None]:
    """Has errors of Spark and of the driver inside say what they mean for the source."""
    try:
        yield
    except (Py4JError, PySparkException, OSError) as error:
        if not is_alive(spark):
            raise SparkLost from error
        meant = _meant(source, day, error)
        # Without the cause: its message may quote the data.
        raise meant or ReadFailed(source.name, day, _kind(error)) from None


def _meant(source: Source, day: date, error: BaseException) -> Exception | None:
    """What an error of the database comes to; None for one that is not the database's."""
    assert source.extraction is not None
    found = _sql_exception(error)
    if found is None:
        return None
    state = found.getSQLState() or ""
    first = str(found.getMessage() or "").strip().split("\n")[0].rstrip(".")
    if state[:2] in _PASSING or state == "":
        detail = f"{first}; SQLSTATE {state}" if state[:2] == "08" else f"SQLSTATE {state or 'unknown'}"
        return DatabaseUnavailable(source.extraction.connection, detail)
    if state[:2] in _ABOUT_THE_QUERY:
        return QueryRefused(source.name, f"{first} (SQLSTATE {state})", source.file)
    return AnswerRefused(source.name, day, f"the answer broke off with SQLSTATE {state}", source.file)


def _java(error: BaseException) -> Any:
    return error.java_exception if isinstance(error, Py4JJavaError) else getattr(error, "_origin", None)


def _kind(error: BaseException) -> str:
    """The class of what began it."""
    java = _java(error)
    while java is not None and java.getCause() is not None:
        java = java.getCause()
    return str(java.getClass().getName()) if java is not None else type(error).__name__


def _sql_exception(error: BaseException) -> Any:
    """The database's own exception among the causes of an error; None when it is another's."""
    java = _java(error)
    while java is not None:
        kind = java.getClass()
        while kind is not None:
            if kind.getName() == "java.sql.SQLException":
                return java
            kind = kind.getSuperclass()
        java = java.getCause()
    return None


@contextmanager
def _utc(spark: SparkSession) -> Iterator[None]:
    """Has the JVM live in UTC meanwhile.

    Spark and drivers pass times through the JVM's own time zone: in any other, those that a change of clocks skips are lost, and
    PostgreSQL's sessions take it for theirs, in which `::date` of a moment is another day.
    """
    jvm: Any = spark.sparkContext._jvm
    zone = "-Duser.timezone=UTC"
    conf = spark.sparkContext.getConf()
    if not (spark.sparkContext.master or "").startswith("local") and zone not in str(
        conf.get("spark.executor.extraJavaOptions", "")
    ):
        raise ConfigurationError(
            f"executors that read a database must live in UTC, or times are lost. "
            f"Add to spark-submit: --conf spark.executor.extraJavaOptions={zone}"
        )
    before = jvm.java.util.TimeZone.getDefault()
    jvm.java.util.TimeZone.setDefault(jvm.java.util.TimeZone.getTimeZone("UTC"))
    try:
        yield
    finally:
        with suppress(Py4JError, OSError):
            jvm.java.util.TimeZone.setDefault(before)


def _driver(connection: ConnectionSettings, name: str) -> str:
    if connection.driver_class is None:
        raise ConfigurationError(
            f"connections.{name}: which driver reads {connection.url.split('/')[0]}? "
            f"Set LAKESMITH__CONNECTIONS__{name.upper()}__DRIVER to its class."
        )
    return connection.driver_class


def _login(connection: ConnectionSettings) -> Mapping[str, str]:
    """What the driver is given beside the URL."""
    login = {key: revealed(value) or "" for key, value in connection.properties.items()}
    if (user := revealed(connection.user)) is not None:
        login["user"] = user
    if connection.password is not None:
        login["password"] = connection.password.get_secret_value()
    return login


def _connect(spark: SparkSession, source: Source, connection: ConnectionSettings) -> Any:
    """A connection of our own, of java.sql, beside those that Spark makes."""
    assert source.extraction is not None
    jvm: Any = spark.sparkContext._jvm
    driver = _driver(connection, source.extraction.connection)
    try:
        loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
        made = loader.loadClass(driver).newInstance()
    except Py4JJavaError:
        raise DriverMissing(source.extraction.connection, driver) from None
    properties = jvm.java.util.Properties()
    for key, value in _login(connection).items():
        properties.setProperty(key, value)
    opened = made.connect(connection.url, properties)
    if opened is None:
        raise ConfigurationError(
            f"connections.{source.extraction.connection}: the driver {driver} does not know URLs "
            f"like {connection.url.split('/')[0]}."
        )
    return opened


def _check_columns(source: Source, query: str, opened: Any) -> None:
    """Raises when names are others than those declared, or a type is one that Spark would change on the way."""
    statement = opened.prepareStatement(f"SELECT * FROM {_wrapped(query)} WHERE 1 = 0")
    found = statement.getMetaData()
    if found is None:  # a driver that cannot say before it has asked
        found = statement.executeQuery().getMetaData()
    names = [found.getColumnLabel(n) for n in range(1, found.getColumnCount() + 1)]
    declared = {column.header: column for column in source.columns}
    differences = [
        f"{name}: the query gives it twice" for name in dict.fromkeys(names) if names.count(name) > 1
    ]
    differences += [
        f"{name}: expected {declared[name].type}, the query does not give it"
        for name in declared
        if name not in names
    ]
    differences += [
        f"{name}: the query gives it, it is not declared" for name in names if name not in declared
    ]
    for n, name in enumerate(names, start=1):
        if name not in declared:
            continue
        kind = found.getColumnTypeName(n)
        if found.getColumnType(n) in _NUMERIC and not found.getPrecision(n):
            differences.append(
                f"{name}: expected {declared[name].type}, found {kind} without precision and scale, which would be rounded"
            )
        elif found.getColumnType(n) in _TIMES:
            differences.append(f"{name}: expected {declared[name].type}, found {kind}; cast it to text")
    statement.close()
    if differences:
        raise ColumnsDiffer(source.name, differences, source.file)


def _wrapped(query: str) -> str:
    """A query as a table; on lines of its own, since it may end in a comment."""
    return f"(\n{query}\n) lakesmith"


def _answer(
    spark: SparkSession, source: Source, connection: ConnectionSettings, query: str, opened: Any
) -> Answer:
    assert source.extraction is not None
    partition = source.extraction.partition
    about = opened.getMetaData()
    product = about.getDatabaseProductName()
    options = {
        "url": connection.url,
        "driver": _driver(connection, source.extraction.connection),
        "dbtable": _wrapped(query),
        "fetchsize": str(source.extraction.fetch_size),
        "queryTimeout": str(connection.timeout),
        # A moment without a time zone stays one.
        "preferTimestampNTZ": "true",
        **_login(connection),
    }
    snapshot = _ONE_STATEMENT
    if partition is not None:
        if product == "PostgreSQL":
            snapshot = _SHARED.format(parts=partition.parts)
            options["sessionInitStatement"] = _share_snapshot(opened)
        else:
            snapshot = _SEVERAL.format(parts=partition.parts)
        options |= _spread(query, partition.column, partition.parts, opened)
    (moment,) = _row(opened, "SELECT CURRENT_TIMESTAMP", 1, as_time=True)
    frame = spark.read.format("jdbc").options(**options).load()
    found = {field.name: field.dataType.simpleString() for field in frame.schema.fields}
    differences = [
        f"{column.header}: expected {column.type}, found {found[column.header]}"
        for column in source.columns
        if found[column.header] != str(column.type)
    ]
    if differences:
        raise ColumnsDiffer(source.name, differences, source.file)
    columns = tuple((column.header, str(column.type)) for column in source.columns)
    # `col` takes a point in a name for a field of a struct, unless the name is quoted.
    quoted = [F.col("`" + name.replace("`", "``") + "`") for name, _ in columns]
    return Answer(
        frame=frame.select(*quoted).repartition(1) if partition is not None else frame.select(*quoted),
        query=query,
        database=f"{product} {about.getDatabaseProductVersion()}",
        snapshot=snapshot,
        database_time=moment,
        columns=columns,
    )


def _share_snapshot(opened: Any) -> str:
    """Keeps the present moment of a PostgreSQL database open, and gives the statement by which another session reads it."""
    opened.setAutoCommit(False)
    opened.setReadOnly(True)
    opened.setTransactionIsolation(4)  # java.sql.Connection.TRANSACTION_REPEATABLE_READ
    (name,) = _row(opened, "SELECT pg_export_snapshot()", 1)
    return f"SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY; SET TRANSACTION SNAPSHOT '{name}'"


def _spread(query: str, column: str, parts: int, opened: Any) -> Mapping[str, str]:
    """How Spark spreads the rows; not at all when there are none."""
    quoted = opened.getMetaData().getIdentifierQuoteString().strip()
    name = f"{quoted}{column}{quoted}"
    least, most = _row(opened, f"SELECT MIN({name}), MAX({name}) FROM {_wrapped(query)}", 2)
    if least is None or least == most:
        return {}
    return {"partitionColumn": name, "lowerBound": least, "upperBound": most, "numPartitions": str(parts)}


def _row(opened: Any, sql: str, width: int, *, as_time: bool = False) -> tuple[Any, ...]:
    """The first row of a short question, as texts, or as moments."""
    statement = opened.createStatement()
    try:
        rows = statement.executeQuery(sql)
        rows.next()
        if as_time:
            millis = [rows.getTimestamp(n).getTime() for n in range(1, width + 1)]
            return tuple(datetime.fromtimestamp(each / 1000, UTC) for each in millis)
        return tuple(rows.getString(n) for n in range(1, width + 1))
    finally:
        statement.close()
