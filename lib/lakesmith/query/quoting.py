"""Texts and names as SQL writes them, whatever is in them."""

from __future__ import annotations

__all__ = ["literal", "quoted"]


def literal(text: str) -> str:
    """A text."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name."""
    return '"' + name.replace('"', '""') + '"'
