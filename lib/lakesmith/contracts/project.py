"""A project: the folder with conf/, jobs/, the table graph and the models that its files declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lakesmith.contracts.declaration import ModelDeclaration
from lakesmith.contracts.graph import TableGraph
from lakesmith.contracts.problems import nearest
from lakesmith.errors import UsageError

__all__ = ["Project"]


@dataclass(frozen=True)
class Project:
    """Everything that the files of a project declare, checked.

    Args:
        root: the folder that holds conf/ and jobs/.
        graph: its tables and sources.
        models: its models by name; none without a folder conf/models.
    """

    root: Path
    graph: TableGraph
    models: Mapping[str, ModelDeclaration] = field(default_factory=dict)

    def model(self, name: str) -> ModelDeclaration:
        """The declaration of a model.

        Raises:
            UsageError: there is none of that name.
        """
        if name not in self.models:
            known = (
                f"Models: {', '.join(sorted(self.models))}."
                if self.models
                else "A model is a file conf/models/<name>.yml."
            )
            near = nearest(name, self.models)
            meant = f"Did you mean {near!r}? " if near else ""
            raise UsageError(f"there is no model {name!r}. {meant}{known}")
        return self.models[name]
