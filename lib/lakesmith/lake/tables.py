"""Making tables and adding columns to them, by deltalake, as their contracts say.

Owns the Delta schema and the properties of a contracted table, of its quarantine table and of the changes of a keyed one.
Everything destructive is refused.
"""

from __future__ import annotations

import json
from dataclasses import replace

from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError

from lakesmith.contracts.graph import TableGraph
from lakesmith.contracts.model import (
    BATCH_DATE,
    DELETED,
    KEY_BUCKET,
    Column,
    Contract,
    Expectation,
    Rows,
    Suite,
)
from lakesmith.contracts.subjects import EXTRA, MALFORMED
from lakesmith.contracts.suites import IMPLIED_RULE_PREFIX
from lakesmith.contracts.types import ArrayType, DecimalType, PrimitiveType
from lakesmith.errors import CommitConflict, DestructiveChange
from lakesmith.ledger.commits import persist
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.quarantined import BROKEN_RULES

__all__ = [
    "BROKEN_RULES",
    "STATISTICS_PROPERTY",
    "changes_contract",
    "delta_schema",
    "describe_table",
    "ensure_table",
    "named_contract",
    "quarantine_contract",
    "statistics_columns",
    "written_contracts",
]

STATISTICS_PROPERTY = "delta.dataSkippingStatsColumns"
"""Whoever writes files of a table keeps statistics of just these columns; the count of rows is kept whatever stands there."""

_NO_STATISTICS = (PrimitiveType("boolean"), PrimitiveType("binary"))

_PARTITIONS = {
    BATCH_DATE: Column(BATCH_DATE, PrimitiveType("date"), "The batch that the row belongs to."),
    KEY_BUCKET: Column(
        KEY_BUCKET, PrimitiveType("int"), "The part of the table that the key belongs to, by its hash."
    ),
}
_DELETED_COLUMN = Column(DELETED, PrimitiveType("boolean"), "True where the change deletes the key.")
_KEYED_PROPERTY = "lakesmith.keyed."


def quarantine_contract(contract: Contract) -> Contract:
    """The contract of a table's quarantine: the same columns, all nullable, and the rules that were broken.

    What a keyed table rejects are rows of its changes.
    """
    if contract.keyed is not None:
        contract = changes_contract(contract)
    return replace(
        contract,
        table=contract.quarantine_table,
        description=f"Rows that {contract.table} rejected, and why.",
        columns=(
            *(replace(c, nullable=True) for c in contract.columns),
            Column(
                BROKEN_RULES,
                ArrayType(PrimitiveType("string")),
                "The rules that the row broke, in the suite's order.",
            ),
        ),
        key=(),
        suite=Suite(name=contract.quarantine_table),
        rows=Rows.ANY,
        change_data_feed=False,
    )


def changes_contract(contract: Contract) -> Contract:
    """The contract of the changes that a keyed table has taken in: a batch table with one row for each key and day.

    The suite judges these rows. A change that deletes a key has no other values, whatever the columns demand.
    """
    keyed = contract.keyed
    demanded = [c for c in contract.change_columns if not c.nullable and c.name not in contract.key]
    relaxed = demanded if keyed is not None and keyed.delete_column is not None else []
    return replace(
        contract,
        table=contract.changes_table,
        description=f"The changes that {contract.table} has taken in, the last of each key and day.",
        columns=(
            *(replace(c, nullable=True) if c in relaxed else c for c in contract.change_columns),
            _DELETED_COLUMN,
        ),
        suite=replace(
            contract.suite,
            expectations=(*map(_not_null_unless_deleted, relaxed), *contract.suite.expectations),
        ),
        keyed=None,
        change_data_feed=False,
    )


def written_contracts(contract: Contract) -> tuple[Contract, ...]:
    """The contracts of all tables that runs of one write, in the order of `Contract.written_tables`."""
    changes = (changes_contract(contract),) if contract.keyed is not None else ()
    return (contract, *changes, quarantine_contract(contract))


def _not_null_unless_deleted(column: Column) -> Expectation:
    remaining = {"type": "comparison", "column": {"name": DELETED}, "operator": "==", "parameter": False}
    return Expectation(
        "expect_column_values_to_not_be_null",
        {"column": column.name, "row_condition": remaining},
        f"{IMPLIED_RULE_PREFIX}not_null_{column.name}",
        meta={"why": "the contract says nullable: false"},
    )


def named_contract(graph: TableGraph, table: str) -> Contract:
    """The contract of a table, or that of a quarantine table or of a keyed table's changes, which follow from its target's.

    Raises:
        UsageError: no contract declares it.
    """
    for contract in graph.contracts.values():
        if table in contract.written_tables:
            return next(written for written in written_contracts(contract) if written.table == table)
    return graph.contract(table)


def statistics_columns(contract: Contract) -> str:
    """Columns that may have statistics: not those of people's data, nor of types that Delta skips nothing by.

    A log is never written again: what statistics say of a person would outlive the rows. A record that did not parse may hold
    anybody, whatever its column's contract says.
    """
    return ",".join(
        c.name
        for c in contract.columns
        if not c.subject
        and c.name not in (MALFORMED, EXTRA)
        and isinstance(c.type, PrimitiveType | DecimalType)
        and c.type not in _NO_STATISTICS
    )


def delta_schema(contract: Contract) -> Schema:
    """The table's schema: the contract's columns, then the partition; all nullable, since the audit checks nulls."""
    fields = [
        {"name": c.name, "type": c.type.delta(), "nullable": True, "metadata": {"comment": c.description}}
        for c in (*contract.columns, _PARTITIONS[contract.partitioned_by])
    ]
    return Schema.from_json(json.dumps({"type": "struct", "fields": fields}))


def ensure_table(lake: LakeLocation, contract: Contract) -> DeltaTable:
    """The table, made when it is not there, with columns added that its contract has gained.

    Raises:
        DestructiveChange: the contract drops or retypes a column, or adds one that may not be null.
        CommitConflict: others kept changing the table's columns first.
        StoreUnanswered: the store that holds the lake did not answer.
    """
    opened = lake.open(contract.table)
    if opened is None:
        opened = persist(
            f"make {contract.table}",
            "It is not there.",
            lambda: _made(lake, contract),
            lambda: lake.open(contract.table),
        )
    return _evolve(lake, contract, opened)


def _made(lake: LakeLocation, contract: Contract) -> DeltaTable:
    made = DeltaTable.create(
        lake.path(contract.table),
        delta_schema(contract),
        # Another first run may have made it meanwhile.
        mode="ignore",
        partition_by=[contract.partitioned_by],
        name=contract.table,
        description=contract.description,
        configuration=_properties(contract),
        storage_options=dict(lake.storage_options),
        # Lakesmith's own properties are none that Delta knows.
        raise_if_key_not_exists=False,
    )
    return lake.open(contract.table) or made


def describe_table(lake: LakeLocation, contract: Contract) -> list[str]:
    """Brings the descriptions in a table's log up to its contract's; returns the columns described anew.

    A table gets its descriptions when it is made; this is for those that changed since. Each is a commit of its own, which
    touches no row and takes nothing but the version that it follows.

    Raises:
        CommitConflict: another writer committed meanwhile.
    """
    described: list[str] = []
    for field in delta_schema(contract).fields:
        opened = lake.open(contract.table)
        present = {f.name: f.metadata for f in opened.schema().fields} if opened is not None else {}
        said = field.metadata["comment"]
        if opened is None or field.name not in present or present[field.name].get("comment", "") == said:
            continue
        try:
            opened.alter.set_column_metadata(
                field.name, {"comment": said}, commit_properties=CommitProperties(max_commit_retries=0)
            )
        except CommitFailedError as error:
            raise CommitConflict(
                f"{contract.table}: another writer committed while {field.name} was being described. Run again."
            ) from error
        described.append(field.name)
    return described


def _properties(contract: Contract) -> dict[str, str | None]:
    properties: dict[str, str | None] = {
        "delta.checkpointInterval": "20",
        "delta.logRetentionDuration": "interval 730 days",
        # Clean-up happens in maintenance, which knows what a model or a night still needs.
        "delta.enableExpiredLogCleanup": "false",
    }
    if contract.change_data_feed:
        properties["delta.enableChangeDataFeed"] = "true"
    return {**properties, **_keyed_properties(contract)}


def _keyed_properties(contract: Contract) -> dict[str, str]:
    """What the rows of a keyed table rest on, whichever batch they came from."""
    keyed = contract.keyed
    if keyed is None:
        return {}
    return {
        f"{_KEYED_PROPERTY}scd": str(keyed.scd),
        f"{_KEYED_PROPERTY}key": ", ".join(contract.key),
        f"{_KEYED_PROPERTY}buckets": str(keyed.buckets),
        f"{_KEYED_PROPERTY}full_dump": str(keyed.full_dump is not None).lower(),
    }


def _evolve(lake: LakeLocation, contract: Contract, opened: DeltaTable) -> DeltaTable:
    wanted = {f.name: f for f in delta_schema(contract).fields}
    present = {f.name: f for f in opened.schema().fields}
    changes = [f"{name} is gone" for name in present if name not in wanted]
    changes += [
        f"{name} was {_type(present[name])}, is {_type(wanted[name])}"
        for name in wanted
        if name in present and _type(present[name]) != _type(wanted[name])
    ]
    configured = opened.metadata().configuration
    changes += [
        f"{key.removeprefix(_KEYED_PROPERTY)} was {configured[key]}, is {value}"
        for key, value in _keyed_properties(contract).items()
        if configured.get(key, value) != value
    ]
    if opened.metadata().partition_columns != [contract.partitioned_by]:
        changes.append(f"it was partitioned by {', '.join(opened.metadata().partition_columns)}")
    added = [name for name in wanted if name not in present]
    changes += [
        f"{name} is new and not nullable"
        for name in added
        if name != contract.partitioned_by and not contract.column(name).nullable
    ]
    if changes:
        raise DestructiveChange(contract.table, changes)
    if not added:
        return opened
    try:
        opened.alter.add_columns(
            [wanted[name] for name in added], commit_properties=CommitProperties(max_commit_retries=0)
        )
    except CommitFailedError as error:
        raise CommitConflict(
            f"{contract.table}: another writer committed while the columns {', '.join(added)} were being added. Run again."
        ) from error
    return lake.open(contract.table) or opened


def _type(field: object) -> str:
    kind = json.loads(field.to_json())["type"]  # type: ignore[attr-defined]  # deltalake exports Field without its methods' types
    return kind if isinstance(kind, str) else json.dumps(kind, sort_keys=True)
