"""Suites: Great Expectations' own JSON, read into frozen values and checked against the table's contract.

Owns the grammar of conf/expectations/*.json and every message about it; all mistakes of a file are
reported at once. Never imports Great Expectations; what its types take is in the catalogue
(`lakesmith.contracts.expectations`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Any

from lakesmith.contracts.conditions import UnknownColumn, check_row_condition
from lakesmith.contracts.expectations import (
    GROUP_TOTALS,
    Domain,
    ExpectationType,
    catalogue,
    default_rule_name,
    named_columns,
    why_no_row_rule,
)
from lakesmith.contracts.model import BATCH_DATE, Expectation, Severity, Suite
from lakesmith.contracts.parameters import check_parameters
from lakesmith.contracts.types import ColumnType, PrimitiveType
from lakesmith.errors import Problem

__all__ = ["IMPLIED_RULE_PREFIX", "parse_suite"]

IMPLIED_RULE_PREFIX = "contract_"
"""Rules that follow from the contract itself (null, key) are named so; a suite's own rules may not be."""

_SUITE_KEYS = {"name", "expectations", "meta", "notes", "id", "suite_parameters"}
_EXPECTATION_KEYS = {"type", "kwargs", "meta", "severity", "description", "notes", "id", "rendered_content"}
_REFUSED_PARAMETERS = {
    "result_format": "results hold counts only, whatever a suite says; leave it out",
    "batch_id": "a suite judges whichever batch is at hand; leave it out",
    "windows": "windows belong to Great Expectations Cloud; leave it out",
    "catch_exceptions": "an expectation that cannot be computed always counts as failed; leave it out",
    "severity": "severity stands beside kwargs, not in it",
    "meta": "meta stands beside kwargs, not in it",
}
_RULE_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
# JSON can write a surrogate alone; nothing can store, send or compare it.
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
_NO_TYPES: Mapping[str, frozenset[str]] = MappingProxyType({})


def parse_suite(
    text: str,
    file: str,
    contract_columns: Mapping[str, ColumnType],
    input_names: Collection[str],
    custom_types: Mapping[str, frozenset[str]] = _NO_TYPES,
) -> tuple[Suite, list[Problem]]:
    """A suite from its JSON, with every mistake that was found.

    Args:
        text: the file's content.
        file: its path, relative to the project, for messages.
        contract_columns: the table's columns by name; `batch_date` is added.
        input_names: the contract's same-day inputs, which `expect_group_totals_to_equal_input` may name.
        custom_types: expectation types from the modules that settings name, with their parameters.

    Returns:
        The suite, holding the expectations without mistakes, and the problems; a suite is fit for use
        only when there are none.
    """
    return _SuiteParser(file, contract_columns, input_names, custom_types).suite(text)


class _SuiteParser:
    """One reading of one file; collects problems instead of raising."""

    def __init__(
        self,
        file: str,
        contract_columns: Mapping[str, ColumnType],
        input_names: Collection[str],
        custom_types: Mapping[str, frozenset[str]],
    ) -> None:
        self.file = file
        self.columns = {**contract_columns, BATCH_DATE: PrimitiveType("date")}
        self.input_names = input_names
        self.types: dict[str, ExpectationType] = {
            **catalogue(),
            **{
                name: ExpectationType(name, Domain.CUSTOM, frozenset(), parameters)
                for name, parameters in custom_types.items()
            },
        }
        self.problems: list[Problem] = []

    def suite(self, text: str) -> tuple[Suite, list[Problem]]:
        empty = Suite(name="", file=self.file)
        try:
            raw = json.loads(text, object_pairs_hook=self.object, parse_constant=self.constant)
        except json.JSONDecodeError as error:
            self.problem("", f"not JSON: {error.msg}", line=error.lineno)
            return empty, self.problems
        if not isinstance(raw, dict):
            self.problem("", "expected an object with name and expectations")
            return empty, self.problems
        self.keys("", raw, _SUITE_KEYS)
        name = raw.get("name")
        if not isinstance(name, str) or not name:
            self.problem("name", f"expected the suite's name, which is the table's, found {name!r}")
            name = ""
        if raw.get("suite_parameters"):
            self.problem(
                "suite_parameters", "suite parameters are not supported; write the values themselves"
            )
        listed = raw.get("expectations", [])
        if not isinstance(listed, list):
            self.problem("expectations", "expected a list")
            listed = []
        read = [self.expectation(entry, f"expectations[{at}]") for at, entry in enumerate(listed)]
        self.unique_rules(read)
        return Suite(name, tuple(e for e in read if e is not None), self.file), self.problems

    def expectation(self, raw: Any, place: str) -> Expectation | None:
        if not isinstance(raw, dict):
            self.problem(place, "expected an object with type and kwargs")
            return None
        before = len(self.problems)
        self.keys(place, raw, _EXPECTATION_KEYS)
        if _HALF_CHARACTER.search(json.dumps(raw, ensure_ascii=False)):
            self.problem(
                place, "a text holds half a character: one of \\ud800 to \\udfff without its other half"
            )
        type_name = raw.get("type")
        if not isinstance(type_name, str):
            self.problem(f"{place}.type", f"expected the type of an expectation, found {type_name!r}")
            return None
        kwargs, meta = self.mapping(raw, "kwargs", place), self.mapping(raw, "meta", place)
        known = self.types.get(type_name)
        if known is None:
            self.problem(
                f"{place}.type",
                f"unknown expectation {type_name!r}.",
                nearest=_nearest(type_name, self.types),
            )
        else:
            self.parameters(known, kwargs, f"{place}.kwargs")
            self.row_rule(type_name, kwargs, meta, f"{place}.meta.on_failure")
        severity = self.severity(raw.get("severity", "critical"), f"{place}.severity")
        rule = self.rule(meta, default_rule_name(type_name, kwargs), f"{place}.meta.rule")
        if len(self.problems) > before:
            return None
        return Expectation(type_name, MappingProxyType(kwargs), rule, severity, MappingProxyType(meta))

    def parameters(self, known: ExpectationType, kwargs: dict[str, Any], place: str) -> None:
        for key in kwargs:
            if key in _REFUSED_PARAMETERS and key not in known.parameters:
                self.problem(f"{place}.{key}", _REFUSED_PARAMETERS[key])
            elif key not in known.parameters:
                allowed = ", ".join(sorted(known.parameters)) or "none"
                self.problem(
                    f"{place}.{key}",
                    f"{known.name} has no parameter {key!r}; it has: {allowed}.",
                    nearest=_nearest(key, known.parameters),
                )
        for key in sorted(known.required - set(kwargs)):
            self.problem(place, f"the parameter {key} is missing")
        if not known.spark:
            self.problem(place.removesuffix(".kwargs"), f"Great Expectations has no {known.name} on Spark")
        for where, column in named_columns(kwargs):
            if column not in self.columns:
                self.unknown_column(f"{place}.{where}", column)
        for where, message in check_row_condition(kwargs, self.columns):
            if isinstance(message, UnknownColumn):
                self.unknown_column(f"{place}.{where}", message)
            else:
                self.problem(f"{place}.{where}", message)
        if known.domain is not Domain.CUSTOM:
            for where, message in check_parameters(known.name, kwargs, self.columns):
                self.problem(f"{place}.{where}".rstrip("."), message)
        if known.name == GROUP_TOTALS:
            self.group_totals(kwargs, place)

    def group_totals(self, kwargs: dict[str, Any], place: str) -> None:
        source = kwargs.get("input")
        if source is not None and source not in self.input_names:
            allowed = ", ".join(sorted(self.input_names)) or "none"
            self.problem(
                f"{place}.input",
                f"the contract has no same_day input {source!r}; it has: {allowed}.",
                nearest=_nearest(str(source), self.input_names),
            )
        totals = kwargs.get("totals", {"-": "-"})
        if (
            not isinstance(totals, dict)
            or not totals
            or not all(isinstance(t, str) and t for t in totals.values())
        ):
            self.problem(
                f"{place}.totals", "expected aggregates of this table, each with that of the input, as SQL"
            )
        if "where" in kwargs and not (isinstance(kwargs["where"], str) and kwargs["where"].strip()):
            self.problem(f"{place}.where", "expected a SQL condition on the input")

    def row_rule(self, type_name: str, kwargs: dict[str, Any], meta: dict[str, Any], place: str) -> None:
        if "on_failure" not in meta:
            return
        if meta["on_failure"] != "quarantine":
            self.problem(place, f"expected quarantine, found {meta['on_failure']!r}")
        elif reason := why_no_row_rule(type_name, kwargs):
            self.problem(place, f"{type_name} cannot quarantine rows: {reason}")

    def severity(self, raw: Any, place: str) -> Severity:
        try:
            return Severity(raw)
        except ValueError:
            self.problem(
                place,
                f"expected {', '.join(Severity)}; found {raw!r}.",
                nearest=_nearest(str(raw), list(Severity)),
            )
            return Severity.CRITICAL

    def rule(self, meta: dict[str, Any], default: str, place: str) -> str:
        rule = meta.get("rule", default)
        if not isinstance(rule, str) or not _RULE_NAME.fullmatch(rule):
            self.problem(place, f"expected lower-case letters, digits and _ (at most 100), found {rule!r}")
            return default
        if rule.startswith(IMPLIED_RULE_PREFIX):
            self.problem(
                place, f"{rule!r}: names that start with {IMPLIED_RULE_PREFIX} are the contract's own"
            )
        return rule

    def unique_rules(self, expectations: Iterable[Expectation | None]) -> None:
        first: dict[str, int] = {}
        for at, expectation in enumerate(expectations):
            if expectation is None:
                continue
            if expectation.rule in first:
                self.problem(
                    f"expectations[{at}].meta.rule",
                    f"the rule name {expectation.rule!r} is that of "
                    f"expectations[{first[expectation.rule]}] too; "
                    f"give each a `rule` of its own in meta",
                )
            first.setdefault(expectation.rule, at)

    def unknown_column(self, place: str, column: str) -> None:
        listed = ", ".join(self.columns)
        self.problem(
            place,
            f"no column {str(column)!r}; the table has: {listed}.",
            nearest=_nearest(column, self.columns),
        )

    def mapping(self, raw: dict[str, Any], key: str, place: str) -> dict[str, Any]:
        value = raw.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.problem(f"{place}.{key}", f"expected an object, found {value!r}")
            return {}
        return value

    def keys(self, place: str, raw: dict[str, Any], allowed: set[str]) -> None:
        for key in raw:
            if key not in allowed:
                self.problem(
                    f"{place}.{key}".lstrip("."),
                    f"unknown key; allowed: {', '.join(sorted(allowed))}.",
                    nearest=_nearest(key, allowed),
                )

    def object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        read: dict[str, Any] = {}
        for key, value in pairs:
            if key in read:
                self.problem("", f"the key {key!r} stands twice in one object; JSON keeps only the last")
            read[key] = value
        return read

    def constant(self, name: str) -> None:
        self.problem("", f"{name} is not JSON")

    def problem(
        self, place: str, message: str, *, line: int | None = None, nearest: str | None = None
    ) -> None:
        self.problems.append(Problem(self.file, place, message, line=line, nearest=nearest))


def _nearest(name: str, candidates: Iterable[str]) -> str | None:
    matches = get_close_matches(str(name), [str(candidate) for candidate in candidates], n=1, cutoff=0.6)
    return matches[0] if matches else None
