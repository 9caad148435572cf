"""Fingerprints: what a batch was computed by, in three numbers that answer three questions.

Owns what goes into each: `data` decides whether rows may differ, `audit` whether they must be judged anew,
`doc` neither. The text of the code comes from `lakesmith.ledger.source_text`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lakesmith.contracts.model import Contract, Source
from lakesmith.ledger.records import Fingerprints
from lakesmith.ledger.source_text import transform_code

__all__ = ["SCHEME", "fingerprints", "fingerprints_by"]

SCHEME = 1
"""The algorithm that new records carry. An older one stays in `_SCHEMES`: a record is compared by the scheme
that made it, so that an upgrade of Lakesmith confirms batches instead of making them stale."""


def fingerprints(contract: Contract, sources: Mapping[str, Source], root: Path) -> Fingerprints:
    """The fingerprints of a table as its files stand now.

    Args:
        sources: the project's sources, by name.
        root: the project's folder.

    Raises:
        ConfigurationError: the job's file cannot be parsed, or has no transform for the table.
    """
    return fingerprints_by(SCHEME, contract, sources, root)


def fingerprints_by(
    scheme: int, contract: Contract, sources: Mapping[str, Source], root: Path
) -> Fingerprints:
    """The same under an older scheme; a scheme that this version never knew is treated as the newest one."""
    return _SCHEMES.get(scheme, _SCHEMES[SCHEME])(contract, sources, root)


def _scheme_1(contract: Contract, sources: Mapping[str, Source], root: Path) -> Fingerprints:
    data = {
        "code": transform_code(root / contract.job, contract.table, root),
        "columns": [[c.name, str(c.type), c.scale] for c in contract.columns],
        "inputs": [[i.name, i.target, str(i.window)] for i in sorted(contract.inputs, key=lambda i: i.name)],
        "sources": [_source_reading(sources[i.source]) for i in contract.inputs if i.source],
        "mode": str(contract.mode),
        "lag": contract.lag_days,
        "row_rules": [[e.type, dict(e.kwargs)] for e in contract.suite.row_rules],
        **_keyed(contract),
        **_watched(contract),
        **_judged(contract),
    }
    dump = contract.keyed.full_dump if contract.keyed is not None else None
    audit = {
        "suite": [
            [e.type, dict(e.kwargs), str(e.severity), dict(e.meta)] for e in contract.suite.expectations
        ],
        "not_null": [c.name for c in contract.columns if not c.nullable],
        "key": list(contract.key),
        "rows": str(contract.rows),
        "quarantine_limit": [contract.quarantine_limit.share, contract.quarantine_limit.rows],
        **({"least_share": dump.least_share} if dump is not None else {}),
    }
    doc = {
        "description": contract.description,
        "owner": contract.owner,
        "columns": [[c.name, c.description, c.unit, c.subject] for c in contract.columns],
        "schedule": [contract.retries, contract.timeout, contract.resources, contract.horizon_days],
    }
    return Fingerprints(scheme=1, data=_hash(data), audit=_hash(audit), doc=_hash(doc))


_SCHEMES: dict[int, Callable[[Contract, Mapping[str, Source], Path], Fingerprints]] = {1: _scheme_1}


def _keyed(contract: Contract) -> dict[str, Any]:
    """What decides how changes become rows; nothing for other tables, whose fingerprints know no such word."""
    keyed = contract.keyed
    if keyed is None:
        return {}
    marker = [keyed.delete_column, list(keyed.delete_values)]
    how = [keyed.scd, list(contract.key), list(keyed.sequence), marker, keyed.full_dump is not None]
    return {"keyed": how}


def _watched(contract: Contract) -> dict[str, Any]:
    """What decides how the tables are profiled whose profiles these are; that they are profiled is nothing to themselves."""
    if not contract.profiles:
        return {}
    how = [
        [
            w.table,
            [[c.name, str(c.type), c.subject, c.trends] for c in w.columns],
            [
                list(w.profile.slices),
                w.profile.baseline.model,
                str(w.profile.baseline.days),
                w.profile.repeated,
                list(w.profile.windows),
            ],
            w.score,
        ]
        for w in contract.watched
    ]
    return {"watched": how}


def _judged(contract: Contract) -> dict[str, Any]:
    """What decides how models are measured whose performance this is; nothing for other tables."""
    how = [
        [
            j.table,
            str(j.role),
            j.score,
            j.model.name,
            str(j.model.problem),
            [j.model.entity, j.model.label.table, j.model.label.column],
            [j.model.features_table, list(j.model.features)],
            [[b.name, list(b.features)] for b in j.model.baselines],
            sorted(j.model.segments.items()),
            [j.model.costs.contact, j.model.costs.gain] if j.model.costs is not None else None,
            [j.model.bootstrap, j.model.seed],
        ]
        for j in contract.judged
    ]
    return {"judged": how} if how else {}


def _source_reading(source: Source) -> list[Any]:
    """What decides how a file's records are read; where they come from and when they are due does not."""
    columns = [[c.name, c.header, c.required] for c in source.columns]
    reading = [source.name, str(source.format), source.delimiter, source.max_record_bytes, columns]
    return [*reading, source.date_column] if source.is_external else reading


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
