"""Settings laid over a model's file: what an environment changes in conf/models/<name>.yml.

Owns how the two are joined (keys one by one, lists and single values whole) and that a mistake in what settings say is
reported where it was set. The grammar of the result is `lakesmith.contracts.models`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lakesmith.config.yaml_text import YamlPath, YamlValue, dotted
from lakesmith.contracts.problems import Document, nearest
from lakesmith.errors import Problem

__all__ = ["Overrides"]

_SECTION = "models"


@dataclass(frozen=True)
class Overrides:
    """What settings change in the declarations of a project's models.

    Args:
        values: nested as the files are, by the model's name.
        origins: dotted setting -> file and line, or variable; what is missing here is told without.
    """

    values: Mapping[str, Mapping[str, Any]]
    origins: Mapping[str, str]

    def laid_over(self, document: Document, model: str) -> Document:
        """The document of a model with what settings change in it; one that could not be read stays as it is."""
        text = document.text
        if not isinstance(text.value, dict):
            return document
        return Document(replace(text, value=_joined(text.value, self.values.get(model, {}))))

    def located(self, document: Document, before: Document, model: str) -> list[Problem]:
        """The problems of a document, those in overridden values at their origin.

        Args:
            before: the document without what settings say.
        """
        places = [dotted(path) for path in _changed(before.text.value, self.values.get(model, {}), ())]
        return [
            self._at_origin(problem, f"{_SECTION}.{model}.{problem.place}")
            if any(_is_within(problem.place, place) for place in places)
            else problem
            for problem in document.problems
        ]

    def unknown(self, models: Iterable[str]) -> list[Problem]:
        """One problem for each model that settings name and that is none."""
        known = list(models)
        problems = []
        for model in self.values:
            if model not in known:
                file, line = _file_and_line(self._origin(f"{_SECTION}.{model}") or "settings")
                message = f"there is no model {model!r}; models are the files of conf/models"
                place = f"{_SECTION}.{model}"
                problems.append(Problem(file, place, message, line=line, nearest=nearest(model, known)))
        return problems

    def _at_origin(self, problem: Problem, setting: str) -> Problem:
        origin = self._origin(setting)
        if origin is None:
            return replace(problem, message=f"{problem.message} (overridden by settings {setting})")
        file, line = _file_and_line(origin)
        return replace(problem, file=file, line=line, place=setting)

    def _origin(self, setting: str) -> str | None:
        """Where a setting was set, else the one that it is a part of, else the first of its parts."""
        around = [key for key in self.origins if _is_within(setting, key)]
        parts = [key for key in self.origins if _is_within(key, setting)]
        found = max(around, key=len) if around else next(iter(parts), None)
        return None if found is None else self.origins[found]


def _joined(below: YamlValue, above: Any) -> Any:
    if not isinstance(below, dict) or not isinstance(above, Mapping):
        return above
    return {**below, **{key: _joined(below.get(key), value) for key, value in above.items()}}


def _changed(below: YamlValue, above: Any, path: YamlPath) -> list[YamlPath]:
    """The places at which something else stands than in the file."""
    if not isinstance(below, dict) or not isinstance(above, Mapping):
        return [path]
    return [place for key, value in above.items() for place in _changed(below.get(key), value, (*path, key))]


def _is_within(place: str, other: str) -> bool:
    return place == other or place.startswith((f"{other}.", f"{other}["))


def _file_and_line(origin: str) -> tuple[str, int | None]:
    file, _, line = origin.rpartition(":")
    return (file, int(line)) if file and line.isdigit() else (origin, None)
