"""The tasks of a night: which tables each runs, after which others, how often, how long and with what.

Owns the groups by default and what a group takes from its tables. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from lakesmith.config.sections.jobs import SizesSettings
from lakesmith.config.sections.servers import AirflowSettings
from lakesmith.contracts.graph import TableGraph
from lakesmith.errors import ConfigurationError

__all__ = ["DEFAULT_GROUPS", "Work", "default_groups", "night_work"]

DEFAULT_GROUPS = ("ingest", "features", "score", "watch")
"""In their order: landing files and what is typed from them, what is made of that, scores, monitoring."""

_INGEST, _FEATURES, _SCORE, _WATCH = range(4)
_SIZES = SizesSettings.names()
_BY_LAYER = {"bronze": _INGEST, "silver": _INGEST, "monitoring": _WATCH}


@dataclass(frozen=True)
class Work:
    """One task of a night.

    Args:
        name: of the group, or of the table.
        tables: in dependency order.
        needs: the names of the tasks that must be done before.
        sources: the sources that its tables read.
        retries: how often it may be tried again.
        timeout: longest run, in seconds.
        size: the name of its resources.
    """

    name: str
    tables: tuple[str, ...]
    needs: tuple[str, ...]
    sources: tuple[str, ...]
    retries: int
    timeout: int
    size: str


def night_work(graph: TableGraph, settings: AirflowSettings) -> tuple[Work, ...]:
    """The tasks of a night, each after those that it needs.

    Raises:
        ConfigurationError: `airflow.groups` does not fit the graph, or a contract names resources that are no size.
    """
    for table in graph.order:
        contract = graph.contracts[table]
        if contract.resources not in _SIZES:
            raise ConfigurationError(
                f"{contract.file}: resources: {contract.resources!r} is no size. Name one of {', '.join(_SIZES)}; "
                f"submit.sizes says what each is."
            )
    if settings.granularity == "table":
        return tuple(
            _work(graph, settings, table, (table,), {t: t for t in graph.order}) for table in graph.order
        )
    groups = dict(settings.groups) or default_groups(graph)
    _check(graph, groups)
    group_of = {table: name for name, tables in groups.items() for table in tables}
    needs = {name: sorted(_needs(graph, tables, group_of) - {name}) for name, tables in groups.items()}
    try:
        order = tuple(TopologicalSorter(needs).static_order())
    except CycleError as error:
        raise ConfigurationError(
            f"airflow.groups: these groups wait for each other: {' -> '.join(error.args[1])}. "
            f"Put the tables that read each other into one group."
        ) from None
    inside = {name: tuple(t for t in graph.order if t in set(groups[name])) for name in order}
    return tuple(_work(graph, settings, name, inside[name], group_of) for name in order if inside[name])


def default_groups(graph: TableGraph) -> Mapping[str, Sequence[str]]:
    """The tables of each group by default: by layer, scores apart; no table comes before one that it reads."""
    ranks: dict[str, int] = {}
    for table in graph.order:
        contract = graph.contracts[table]
        own = _SCORE if contract.model_input else _BY_LAYER.get(contract.layer, _FEATURES)
        ranks[table] = max([own, *(ranks[parent] for parent in graph.parents(table))])
    return {
        name: found
        for rank, name in enumerate(DEFAULT_GROUPS)
        if (found := [table for table in graph.order if ranks[table] == rank])
    }


def _check(graph: TableGraph, groups: Mapping[str, Iterable[str]]) -> None:
    named = [table for tables in groups.values() for table in tables]
    wrong = [f"{table} is no table" for table in named if table not in graph.contracts]
    wrong += [f"{table} stands twice" for table in sorted({t for t in named if named.count(t) > 1})]
    wrong += [f"{table} is in no group" for table in graph.order if table not in named]
    if wrong:
        raise ConfigurationError(
            f"airflow.groups: {'; '.join(wrong)}. Every table belongs to one group; "
            f"without airflow.groups they follow from the layers."
        )


def _needs(graph: TableGraph, tables: Iterable[str], group_of: Mapping[str, str]) -> set[str]:
    return {group_of[parent] for table in tables for parent in graph.parents(table)}


def _work(
    graph: TableGraph,
    settings: AirflowSettings,
    name: str,
    tables: tuple[str, ...],
    group_of: Mapping[str, str],
) -> Work:
    contracts = [graph.contracts[table] for table in tables]
    needed = _needs(graph, tables, group_of) - {name}
    return Work(
        name=name,
        tables=tables,
        needs=tuple(dict.fromkeys(group_of[t] for t in graph.order if group_of[t] in needed)),
        sources=tuple(dict.fromkeys(i.source for c in contracts for i in c.inputs if i.source)),
        retries=max(contract.retries for contract in contracts),
        timeout=sum(contract.timeout for contract in contracts),
        size=max((contract.resources for contract in contracts), key=_SIZES.index),
    )
