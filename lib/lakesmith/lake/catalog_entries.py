"""Single entries of Spark's session catalog, through the interface that Delta itself uses for its last step.

Owns the calls into the JVM. `CREATE TABLE name USING delta LOCATION path` would do, but it replays the table's log in Spark
jobs first: 2.9 s a table where this takes 0.25 (on one busy machine; the ratio is what counts), paid for every table in
every session, most of which nobody asks for. What is stored is the same: a name, `delta`, and a location, no columns.
Spark never commits to a table for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["CatalogEntries"]


class CatalogEntries:
    """The databases and tables that a session finds by name."""

    def __init__(self, spark: SparkSession) -> None:
        self._spark = spark
        self._jvm: Any = spark._jvm
        self._catalog: Any = spark._jsparkSession.sessionState().catalog()

    @property
    def in_memory(self) -> bool:
        """True when the catalog ends with the session."""
        return self._spark.conf.get("spark.sql.catalogImplementation") == "in-memory"

    def databases(self) -> list[str]:
        """The names of all databases."""
        return [str(name) for name in _items(self._catalog.listDatabases())]

    def create_database(self, name: str) -> None:
        """Makes a database whose own folder is never in the lake: dropping a database deletes that folder.

        It is the catalog's warehouse; for a catalog in memory a temporary one, not the folder that somebody happens to be in.
        """
        where = ""
        if self.in_memory:
            folder = self._jvm.java.lang.System.getProperty("java.io.tmpdir")
            where = f" LOCATION '{folder}/lakesmith-{self._spark.sparkContext.applicationId}/{name}.db'"
        self._spark.sql(f"CREATE DATABASE IF NOT EXISTS {name} COMMENT 'Tables of a Lakesmith lake'{where}")

    def tables(self, database: str) -> list[str]:
        """The tables of a database, `layer.name`; views of the session are none."""
        found = _items(self._catalog.listTables(database))
        return sorted(f"{database}.{table.table()}" for table in found if table.database().isDefined())

    def location(self, table: str) -> str | None:
        """Where an entry says that its table is; None when there is no entry."""
        found = self._entry(table)
        if found is None:
            return None
        uri = found.storage().locationUri()
        if uri.isEmpty():
            return ""
        text = str(self._jvm.org.apache.spark.sql.catalyst.catalog.CatalogUtils.URIToString(uri.get()))
        return "/" + text.removeprefix("file:").lstrip("/") if text.startswith("file:") else text

    def is_external(self, table: str) -> bool:
        """True for a Delta table whose files outlive its entry."""
        found = self._entry(table)
        if found is None or str(found.tableType().name()) != "EXTERNAL":
            return False
        provider = found.provider()
        return bool(provider.isDefined()) and str(provider.get()).lower() == "delta"

    def add(self, table: str, location: str) -> None:
        """Makes an entry for a Delta table, unless one has been made meanwhile."""
        model = self._jvm.org.apache.spark.sql.catalyst.catalog
        some = self._jvm.scala.Some
        empty = model.CatalogStorageFormat.empty()
        storage = _with_defaults(
            empty.copy, empty, "copy", [some(model.CatalogUtils.stringToURI(location))], _fields(empty)
        )
        companion = getattr(getattr(model, "CatalogTable$"), "MODULE$")
        given = [
            self._identifier(table),
            model.CatalogTableType.EXTERNAL(),
            storage,
            self._jvm.org.apache.spark.sql.types.StructType(),
            some("delta"),
        ]
        entry = _with_defaults(model.CatalogTable.apply, companion, "apply", given, self._parameters())
        self._catalog.createTable(entry, True, False)

    def drop(self, table: str) -> None:
        """Removes an entry; the files of an external table stay."""
        self._catalog.dropTable(self._identifier(table), True, False)

    def _entry(self, table: str) -> Any:
        identifier = self._identifier(table)
        return self._catalog.getTableMetadata(identifier) if self._catalog.tableExists(identifier) else None

    def _identifier(self, table: str) -> Any:
        layer, name = table.split(".")
        return self._jvm.org.apache.spark.sql.catalyst.TableIdentifier(name, self._jvm.scala.Some(layer))

    def _parameters(self) -> int:
        kind = self._jvm.java.lang.Class.forName("org.apache.spark.sql.catalyst.catalog.CatalogTable")
        return int(kind.getConstructors()[0].getParameterCount())


def _with_defaults(call: Any, owner: Any, method: str, given: list[Any], parameters: int) -> Any:
    """Calls a method of a case class with its defaults for the parameters that are not given, however many it has."""
    rest = [getattr(owner, f"{method}$default${n}")() for n in range(len(given) + 1, parameters + 1)]
    return call(*given, *rest)


def _fields(instance: Any) -> int:
    return int(instance.productArity())


def _items(sequence: Any) -> list[Any]:
    """A Scala sequence as a list."""
    return [sequence.apply(n) for n in range(sequence.size())]
