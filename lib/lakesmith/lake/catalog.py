"""The tables of a lake by name in Spark's catalog (in memory, a Hive metastore, Glue): who has which entry, and why.

Owns which names there are and what becomes of each. An entry says where a table is, and nothing else: columns, their
descriptions and versions stand in the table's own log, which Spark reads whenever somebody asks. How Spark is told is
`lakesmith.lake.catalog_entries`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from deltalake import DeltaTable

from lakesmith.config.settings import Settings
from lakesmith.contracts.model import CHANGES
from lakesmith.contracts.tables import LAYERS
from lakesmith.lake.catalog_entries import CatalogEntries
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.ops import OPS_TABLES

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Entry", "EntryState", "catalog_names", "register", "register_for_session", "sync"]

log = logging.getLogger(__name__)

_CONTRACTS = "conf/tables"
_BESIDE = (CHANGES, "quarantine")
_DATABASES = (*LAYERS, *_BESIDE, "ops")


class EntryState(StrEnum):
    """What became of a name in the catalog.

    `added` and `kept` can be asked for; `absent` has no table yet; `removed` had none any more, or no contract; `taken` is
    somebody else's table, which is left alone.
    """

    ADDED = "added"
    KEPT = "kept"
    ABSENT = "absent"
    REMOVED = "removed"
    TAKEN = "taken"


@dataclass(frozen=True)
class Entry:
    """One name.

    Args:
        location: where the catalog says that the table is; for `absent`, where it will be.
    """

    table: str
    state: EntryState
    location: str


def catalog_names(project_root: Path) -> list[str]:
    """Every table that a project has, what their runs may write besides, and the ledger's own, by the names of its files.

    The contracts are not read: a mistake in one of them is no reason to keep a reader from the others.
    """
    declared = sorted(
        file.stem for file in (project_root / _CONTRACTS).glob("*.yml") if file.stem.count(".") == 1
    )
    beside = [f"{layer}.{table.replace('.', '_')}" for layer in _BESIDE for table in declared]
    return [*declared, *beside, *OPS_TABLES]


def register(spark: SparkSession, lake: LakeLocation, tables: Iterable[str]) -> list[Entry]:
    """Gives every table that is there an entry; those of other lakes stay as they are, but in a catalog in memory."""
    entries = CatalogEntries(spark)
    databases = set(entries.databases())
    found: list[Entry] = []
    for table in tables:
        location = lake.path(table)
        if not DeltaTable.is_deltatable(location, storage_options=dict(lake.storage_options)):
            # A quarantine may never hold a row, and only keyed tables have changes: nobody waits for them.
            if not table.startswith(tuple(f"{layer}." for layer in _BESIDE)):
                found.append(Entry(table, EntryState.ABSENT, location))
            continue
        layer = table.split(".")[0]
        if layer not in databases:
            entries.create_database(layer)
            databases.add(layer)
        present = entries.location(table)
        if present is not None and present != location and entries.in_memory and entries.is_external(table):
            # This session's own, of another environment that it worked in before.
            entries.drop(table)
            present = None
        if present is None:
            entries.add(table, location)
            found.append(Entry(table, EntryState.ADDED, location))
        else:
            state = EntryState.KEPT if present == location else EntryState.TAKEN
            found.append(Entry(table, state, present))
    return found


def sync(spark: SparkSession, lake: LakeLocation, tables: Iterable[str]) -> list[Entry]:
    """Registers every table, and removes the entries of this lake that have no table or no contract any more.

    No file is touched: what is removed is the name.
    """
    found = register(spark, lake, tables)
    standing = {entry.table for entry in found if entry.state is not EntryState.ABSENT}
    entries = CatalogEntries(spark)
    root = f"{lake.root.rstrip('/')}/"
    for database in sorted(set(entries.databases()) & set(_DATABASES)):
        for table in entries.tables(database):
            location = entries.location(table)
            ours = location is not None and location.startswith(root) and entries.is_external(table)
            if table not in standing and ours and location is not None:
                entries.drop(table)
                found = [entry for entry in found if entry.table != table]
                found.append(Entry(table, EntryState.REMOVED, location))
    return found


def register_for_session(spark: SparkSession, settings: Settings) -> None:
    """Registers what is there when a session starts; a catalog that refuses is a warning, since paths still work."""
    from py4j.protocol import Py4JError

    if settings.lake is None:
        return
    try:
        found = register(spark, LakeLocation.of(settings), catalog_names(settings.project_root))
    except (Py4JError, OSError) as error:
        log.warning(
            "the tables cannot be registered by name (%s); read them by their paths, or see: lakesmith catalog sync",
            str(error).splitlines()[0],
        )
        return
    for entry in found:
        if entry.state is EntryState.TAKEN:
            log.warning("%s in Spark's catalog is another table, at %s", entry.table, entry.location)
