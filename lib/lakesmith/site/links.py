"""Where each page is, relative to the site's folder. Names of tables and models are plain identifiers (contracts see to that)."""

from __future__ import annotations

from datetime import date

__all__ = ["batch_page", "drift_page", "heat_map_page", "model_page", "scores_page", "table_page"]


def table_page(table: str) -> str:
    """Of a table."""
    return f"tables/{table}.html"


def batch_page(table: str, day: date) -> str:
    """Of one batch."""
    return f"batches/{table}/{day.isoformat()}.html"


def drift_page(table: str) -> str:
    """Of the drift of a table's columns."""
    return f"drift/{table}.html"


def model_page(model: str) -> str:
    """Of a model."""
    return f"models/{model}.html"


def scores_page(table: str) -> str:
    """Of the scores of a table."""
    return f"scores/{table}.html"


def heat_map_page(number: int) -> str:
    """Of a year of nights; 0 is the newest."""
    return f"heat-map-{number}.html" if number else "heat-map.html"
