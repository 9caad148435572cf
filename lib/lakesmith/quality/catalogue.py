"""The catalogue of Great Expectations' own expectation types, read from the installed library.

Owns the making of `lakesmith/contracts/expectation_catalogue.json`, which contracts are checked against
without the five seconds that importing Great Expectations takes. After an upgrade of Great Expectations
write it anew:

    python -m lakesmith.quality.catalogue
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

__all__ = ["NOT_PARAMETERS", "installed_catalogue", "main", "render"]

# What every expectation has and no suite of ours sets in `kwargs`: it stands beside kwargs in the JSON,
# or it would let values of the data into results, or it belongs to a Great Expectations server.
NOT_PARAMETERS = frozenset(
    {
        "batch_id",
        "catch_exceptions",
        "description",
        "id",
        "library_metadata",
        "meta",
        "notes",
        "rendered_content",
        "result_format",
        "severity",
        "windows",
    }
)
_DOMAINS = {
    "ColumnMapExpectation": "column_map",
    "ColumnPairMapExpectation": "pair_map",
    "MulticolumnMapExpectation": "multicolumn_map",
    "ColumnAggregateExpectation": "aggregate",
    "BatchExpectation": "batch",
}


def installed_catalogue() -> dict[str, Any]:
    """Every core expectation type with its parameters, as the installed Great Expectations has them."""
    import great_expectations
    import great_expectations.expectations.core as core
    from great_expectations.expectations.expectation import Expectation
    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )

    types: dict[str, Any] = {}
    for name in sorted(list_registered_expectation_implementations()):
        expectation: type[Expectation] = get_expectation_impl(name)
        if not expectation.__module__.startswith(core.__name__):
            continue
        fields = {key: f for key, f in expectation.__fields__.items() if key not in NOT_PARAMETERS}
        bases = [base.__name__ for base in expectation.__mro__]
        types[name] = {
            "domain": next(domain for base, domain in _DOMAINS.items() if base in bases),
            "required": sorted(key for key, f in fields.items() if f.required),
            "optional": sorted(key for key, f in fields.items() if not f.required),
            "spark": _supports_spark(expectation),
        }
    return {"great_expectations": great_expectations.__version__, "types": types}


def _supports_spark(expectation: Any) -> bool:
    metadata = expectation.schema()["properties"].get("metadata", {}).get("properties", {})
    sources = metadata.get("supported_data_sources", {}).get("const", [])
    return not sources or "Spark" in sources


def render(catalogue: dict[str, Any]) -> str:
    """The catalogue as the text of its file: one line a type, so that an upgrade's difference reads well."""
    types = ",\n".join(
        f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in catalogue["types"].items()
    )
    version = json.dumps(catalogue["great_expectations"])
    return f'{{\n  "great_expectations": {version},\n  "types": {{\n{types}\n  }}\n}}\n'


def main() -> None:
    """Writes the file beside the contracts package."""
    target = Path(str(resources.files("lakesmith.contracts"))) / "expectation_catalogue.json"
    target.write_text(render(installed_catalogue()), encoding="utf-8")


if __name__ == "__main__":
    main()
