"""Custom expectations: the modules that settings name, and the expectation types that they bring.

Owns importing them and reading their parameters, so that suites can be checked against them. Importing
them imports Great Expectations, which takes seconds; callers do it only where settings name a module.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Iterable, Mapping
from types import ModuleType

from lakesmith.contracts.expectations import catalogue
from lakesmith.errors import ConfigurationError

__all__ = ["BadExpectationModule", "load_expectation_modules"]


class BadExpectationModule(ConfigurationError):
    """A module that `quality.expectation_modules` names cannot be used."""

    def __init__(self, module: str, reason: str) -> None:
        self.module = module
        self.reason = reason
        super().__init__(
            f"quality.expectation_modules: {module}: {reason}. Mend the module or take it out of settings."
        )


def load_expectation_modules(names: Iterable[str]) -> Mapping[str, frozenset[str]]:
    """The expectation types that modules define, with their parameters, registered with Great Expectations.

    Args:
        names: importable modules, as in settings.

    Raises:
        BadExpectationModule: a module cannot be imported, holds no expectation, or holds one that cannot
            be used.
    """
    types: dict[str, frozenset[str]] = {}
    for name in names:
        for expectation, parameters in _expectations(name).items():
            if expectation in catalogue():
                raise BadExpectationModule(
                    name, f"{expectation} is a built-in type already; give it another name"
                )
            if expectation in types:
                raise BadExpectationModule(name, f"{expectation} is defined by another module too")
            types[expectation] = parameters
    return types


def _expectations(name: str) -> dict[str, frozenset[str]]:
    module = _import(name)
    from great_expectations.expectations.expectation import Expectation

    from lakesmith.quality.catalogue import NOT_PARAMETERS

    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Expectation) and value.__module__ == module.__name__
    ]
    usable = [cls for cls in classes if not cls.is_abstract()]
    if not usable:
        hint = f" ({classes[0].__name__} is abstract: it has no _validate or no metric)" if classes else ""
        raise BadExpectationModule(name, f"it defines no expectation{hint}")
    return {cls.expectation_type: frozenset(set(cls.__fields__) - NOT_PARAMETERS) for cls in usable}


def _import(name: str) -> ModuleType:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            reason = "there is no module of that name on Python's path"
        else:
            reason = f"it imports {error.name}, which is not installed"
        raise BadExpectationModule(name, reason) from error
    except Exception as error:
        raise BadExpectationModule(name, f"importing it raised {type(error).__name__}: {error}") from error
