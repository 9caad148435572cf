"""The grammar of `profile:` and `trends:`, and what a table of profiles reads.

Owns what a contract may say about being profiled, every message about that, and the inputs of a table whose rows are the
profiles: they follow from the tables that ask for it, so that nothing has to be listed twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from lakesmith.config.yaml_text import describe
from lakesmith.contracts.days import BatchRange, parse_day
from lakesmith.contracts.declaration import ModelDeclaration
from lakesmith.contracts.links import ReadContract
from lakesmith.contracts.model import Baseline, Column, Contract, Input, Profile, Watched
from lakesmith.contracts.problems import Entry, Fields, nearest
from lakesmith.contracts.windows import Window

__all__ = ["PROFILED", "check_profiles", "read_profile", "read_trends", "with_watched"]

PROFILED = "profiled"
"""What stands in place of inputs in the contract of a table of profiles."""

_KEYS = ("columns", "slices", "baseline", "repeated", "windows", "effect")
_LONGEST_WINDOW = 28
_TRENDING = ("bigint", "int", "smallint", "tinyint", "double", "float", "string")


def read_profile(entry: Entry) -> Profile | None:
    """`profile: true`, or how: slices, the baseline, whether entities repeat."""
    if entry.value is True:
        return Profile()
    if not isinstance(entry.value, dict):
        entry.report(f"expected true, or keys and values ({', '.join(_KEYS)}), found {describe(entry.value)}")
        return None
    fields = entry.fields((), _KEYS)
    nothing: tuple[str, ...] = ()
    no_windows: tuple[int, ...] = ()
    return Profile(
        columns=fields.read("columns", lambda e: _texts(e, "the name of a column"), nothing),
        slices=fields.read("slices", lambda e: _texts(e, "an SQL expression over the columns"), nothing),
        baseline=fields.read("baseline", _baseline, Baseline()),
        repeated=fields.read("repeated", Entry.flag, False),
        windows=fields.read("windows", _windows, no_windows),
        effect=fields.read("effect", lambda e: e.number(0.001, 1), None),
    )


def read_trends(entry: Entry, column: Column) -> bool | None:
    """`trends: true` of a column of numbers or of texts."""
    trends = entry.flag()
    kind = str(column.type)
    if trends and not (kind in _TRENDING or kind.startswith("decimal")):
        entry.report(f"only numbers and texts have a trend; the column is {kind}")
    elif trends and column.subject:
        entry.report(
            "nothing is measured of a column with subject: true, so that it has no trend; leave trends out"
        )
    return trends


def check_profiles(tables: Mapping[str, ReadContract], models: Mapping[str, ModelDeclaration]) -> None:
    """Notes in each contract's document what does not fit about its profile.

    Args:
        tables: every contract by its file's name.
        models: every model by its file's name.
    """
    keepers = sorted(name for name, table in tables.items() if table.contract.profiles)
    for name, table in sorted(tables.items()):
        if table.contract.profile is not None:
            _check_profiled(table, models, keepers)
        elif trending := [c.name for c in table.contract.columns if c.trends]:
            message = "is said of profiled columns, and this table is not; add profile: true"
            table.document.report(("columns", trending[0], "trends"), message)
        if table.contract.profiles and keepers[0] != name:
            table.document.report(
                ("inputs",), f"{keepers[0]} holds all profiles already; there is one such table"
            )
        if table.contract.profiles and not any(t.contract.profile for t in tables.values()):
            table.document.report(("inputs",), "no table asks for a profile; add profile: true to a contract")


def with_watched(contract: Contract, tables: Mapping[str, Contract]) -> Contract:
    """A table of profiles with the inputs that follow from the tables which ask for them; any other as it is.

    Args:
        tables: every contract, by name.
    """
    if not contract.profiles:
        return contract
    watched = [
        _watched(other, other.profile) for _, other in sorted(tables.items()) if other.profile is not None
    ]
    inputs: dict[str, Input] = {}
    for table in watched:
        baseline = table.profile.baseline
        inputs[table.rows] = Input(table.rows, Window.same_day(), table=table.table, optional=True)
        if table.past is not None and baseline.days is not None:
            inputs[table.past] = Input(
                table.past, Window.period(baseline.days), table=table.table, optional=True
            )
        if table.model is not None:
            inputs[table.model] = Input(
                table.model, Window.same_day(), model=baseline.model, optional=True, baseline=True
            )
    return replace(contract, inputs=tuple(inputs.values()), watched=tuple(watched))


def _watched(contract: Contract, profile: Profile) -> Watched:
    name, baseline, entry = contract.table.replace(".", "_"), profile.baseline, contract.model_input
    return Watched(
        contract.table,
        profile,
        tuple(c for c in contract.columns if not profile.columns or c.name in profile.columns),
        rows=name,
        score=entry.score if entry is not None and entry.model == baseline.model else None,
        past=f"{name}_baseline" if baseline.days is not None else None,
        model=f"model_{baseline.model}" if baseline.model is not None else None,
    )


def _texts(entry: Entry, what: str) -> tuple[str, ...]:
    found: list[str] = []
    for element in entry.items(f"a list, each {what}"):
        text = element.text(what)
        if text is not None and text in found:
            element.report(f"{text!r} stands twice")
        elif text is not None:
            found.append(text)
    if entry.value == []:
        entry.report(f"expected at least one element, each {what}")
    return tuple(found)


def _windows(entry: Entry) -> tuple[int, ...]:
    found = [element.whole(1, _LONGEST_WINDOW) for element in entry.items("a list of lengths in batches")]
    lengths = [length for length in found if length is not None]
    if lengths == found and (not lengths or lengths != sorted(set(lengths))):
        entry.report("lengths in batches must ascend, like [7, 28]")
    return tuple(lengths)


def _baseline(entry: Entry) -> Baseline | None:
    if not isinstance(entry.value, dict) or ("model" in entry.value) == ("from" in entry.value):
        entry.expected("{model: <name>} or {from: 2011-03-01, to: 2011-03-31}")
        return None
    if "model" in entry.value:
        return Baseline(model=entry.fields(("model",)).read("model", Entry.text, ""))
    return Baseline(days=_period(entry, entry.fields(("from", "to"))))


def _period(entry: Entry, fields: Fields) -> BatchRange | None:
    first, last = (
        fields.read(key, lambda e: e.parsed(parse_day, "a day like 2011-03-01"), None)
        for key in ("from", "to")
    )
    if first is None or last is None:
        return None
    if last < first:
        entry.report(f"{first} .. {last} ends before it starts")
        return None
    return BatchRange(first, last)


def _check_profiled(table: ReadContract, models: Mapping[str, ModelDeclaration], keepers: list[str]) -> None:
    contract, document = table.contract, table.document
    profile = contract.profile
    assert profile is not None
    if not keepers:
        message = f"nothing keeps profiles: that needs a table in conf/tables with inputs: {PROFILED}"
        document.report(("profile",), message)
    if contract.layer == "monitoring":
        document.report(
            ("profile",), "tables of the layer monitoring are not profiled themselves; leave it out"
        )
    elif contract.keyed is not None:
        message = "a keyed table has no batches to profile; let a batch table read it as_of, and profile that"
        document.report(("profile",), message)
    elif contract.lag_days:
        message = (
            f"the batch of a night is there {contract.lag_days} days later only, as lag says; leave it out"
        )
        document.report(("profile",), message)
    columns = {column.name: column for column in contract.columns}
    for at, name in enumerate(profile.columns):
        if columns and name not in columns:
            document.report(
                ("profile", "columns", at), f"there is no column {name!r}", nearest(name, columns)
            )
    for column in contract.columns:
        if column.trends and profile.columns and column.name not in profile.columns:
            message = "is said of profiled columns, and this one is not; name it in profile.columns"
            document.report(("columns", column.name, "trends"), message)
    model = profile.baseline.model
    if not model:
        return
    if model not in models:
        message = f"there is no model {model!r}; models are the files of conf/models"
        document.report(("profile", "baseline", "model"), message, nearest(model, models))
        return
    entry, features = contract.model_input, models[model].features_table
    if contract.table != features and (entry is None or entry.model != model):
        message = f"the baseline of {model} knows the columns of {features} and the scores, and this table holds neither"
        document.report(("profile", "baseline", "model"), message)
