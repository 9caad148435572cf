"""The grammar of `inputs: judged`, and what a table of how models do reads.

Owns the inputs of a table whose rows say how models do on labels that came since, and every message about that. They follow from
the models and the tables of their scores, so that nothing has to be listed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from lakesmith.contracts.declaration import ModelDeclaration
from lakesmith.contracts.links import ReadContract
from lakesmith.contracts.model import MODEL_VERSION, Contract, Input, Judged
from lakesmith.contracts.windows import Window

__all__ = [
    "DRIFT_INPUT",
    "DRIFT_TABLE",
    "JUDGED",
    "LONGEST_WINDOW",
    "check_judged",
    "lacking_of_scores",
    "with_judged",
]

JUDGED = "judged"
"""What stands in place of inputs in the contract of a table of how models do."""

DRIFT_TABLE = "monitoring.drift_metrics"
"""Where drift is kept, which tells a change of the inputs from one of what they mean."""

DRIFT_INPUT = "monitoring_drift_metrics"
"""The input that it is."""

LONGEST_WINDOW = 28
"""So many batches are judged together at most."""


def with_judged(
    contract: Contract, tables: Mapping[str, Contract], models: Mapping[str, ModelDeclaration]
) -> Contract:
    """A table of how models do with the inputs that follow from the models; any other as it is.

    Args:
        tables: every contract, by name.
        models: every model, by name, with every feature named.
    """
    if not contract.judges:
        return contract
    judged = [found for _, table in sorted(tables.items()) if (found := _judged(table, tables, models))]
    inputs: dict[str, Input] = {}
    for each in judged:
        model = each.model
        read = [(each.scores, each.table), (each.labels, model.label.table)]
        read += [(each.features, model.features_table)] if each.features is not None else []
        for name, table in read:
            inputs[name] = Input(name, Window.last(LONGEST_WINDOW), table=table, optional=True)
        name = f"model_{model.name}"
        inputs[name] = Input(name, Window.same_day(), model=model.name, optional=True, baseline=True)
    if judged and DRIFT_TABLE in tables:
        inputs[DRIFT_INPUT] = Input(DRIFT_INPUT, Window.same_day(), table=DRIFT_TABLE, optional=True)
    return replace(contract, inputs=tuple(inputs.values()), judged=tuple(judged))


def check_judged(tables: Mapping[str, ReadContract]) -> None:
    """Notes in each contract's document what does not fit about how models are judged.

    Args:
        tables: every contract by its file's name, with the inputs that follow from the models.
    """
    keepers = sorted(name for name, table in tables.items() if table.contract.judges)
    for name in keepers:
        contract, document = tables[name].contract, tables[name].document
        if name != keepers[0]:
            document.report(
                ("inputs",), f"{keepers[0]} says of all models how they do; there is one such table"
            )
        elif not contract.judged:
            message = "there is no model to judge: that needs one in conf/models and a table of its scores"
            document.report(("inputs",), message)
        elif not document.has_problem("lag"):
            _check_lag(tables[name], tables)
        for judged in contract.judged if name == keepers[0] else ():
            _check_scores(tables[judged.table], judged, name)


def lacking_of_scores(contract: Contract, entry: Input, others: Sequence[str] = ()) -> str:
    """The columns that a table of scores lacks for anything to be said of its model's versions, in words; empty without any.

    Args:
        others: columns that are needed besides.
    """
    known = {column.name for column in contract.columns}
    missing = [name for name in (entry.score, MODEL_VERSION, *others) if name not in known]
    return f"{', '.join(missing)}; score: names the column of the scores" if missing else ""


def _judged(
    contract: Contract, tables: Mapping[str, Contract], models: Mapping[str, ModelDeclaration]
) -> Judged | None:
    entry = contract.model_input
    model = models.get(entry.model or "") if entry is not None else None
    if entry is None or model is None or model.label.table not in tables:
        return None
    cut = bool(model.segments) and model.features_table in tables
    return Judged(
        contract.table,
        model,
        entry.role,
        entry.score,
        scores=_name(contract.table),
        labels=_name(model.label.table),
        features=_name(model.features_table) if cut else None,
    )


def _name(table: str) -> str:
    return table.replace(".", "_")


def _check_lag(table: ReadContract, tables: Mapping[str, ReadContract]) -> None:
    """Reports a table that would judge a batch before its labels are known."""
    lags = {
        judged.model.label.table: tables[judged.model.label.table].contract.lag_days
        for judged in table.contract.judged
    }
    latest = max(lags, key=lambda name: (lags[name], name))
    if table.contract.lag_days < lags[latest]:
        message = (
            f"the labels of D in {latest} are known on the night D+{lags[latest]}, and batch D of this table belongs to the "
            f"night D+{table.contract.lag_days}; write lag: {lags[latest]}d"
        )
        table.document.report(("inputs",), message)


def _check_scores(table: ReadContract, judged: Judged, keeper: str) -> None:
    """Reports a table of scores of which nothing could be said."""
    contract, entry = table.contract, table.contract.model_input
    if entry is None or not contract.columns or table.document.has_problem("columns"):
        return
    for problem in _problems(contract, entry, judged.model.entity):
        if not table.document.has_problem(f"inputs.{entry.name}"):
            table.document.report(("inputs", entry.name), f"{keeper} judges its scores, for which {problem}")


def _problems(contract: Contract, entry: Input, entity: str) -> Iterator[str]:
    if lacking := lacking_of_scores(contract, entry):
        yield f"this table needs {lacking}"
    elif contract.key != (entity,):
        yield f"its key must be {entity}, as that of the labels is"
