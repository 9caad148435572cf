"""A project: the folder with conf/, jobs/ and the table graph that its files declare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lakesmith.contracts.graph import TableGraph

__all__ = ["Project"]


@dataclass(frozen=True)
class Project:
    """Everything that the files of a project declare, checked.

    Args:
        root: the folder that holds conf/ and jobs/.
        graph: its tables and sources.
    """

    root: Path
    graph: TableGraph
