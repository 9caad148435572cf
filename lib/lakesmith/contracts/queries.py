"""The SQL of a source that is a database: where its parameters stand, and what is put there.

Owns the grammar of parameters. `:batch_date` is the day, `:next_date` the day after, each as a typed literal
(`DATE '2011-03-01'`); nothing else is ever put into a query. A name behind a colon counts only where SQL reads code: not in a
text, a quoted name or a comment, and not behind `::`, PostgreSQL's cast.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches

__all__ = ["PARAMETERS", "Query", "parse_query"]

PARAMETERS = {"batch_date": 0, "next_date": 1}
"""The parameters, and how many days after the batch each one lies."""

# What is no code comes first, so that nothing within it is looked at.
_TOKENS = re.compile(
    r"""
      (?P<text>'(?:[^']|'')*')
    | (?P<dollar>\$(?P<tag>[A-Za-z_]\w*|)\$.*?\$(?P=tag)\$)
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<line>--[^\n]*)
    | (?P<block>/\*.*?\*/)
    | (?P<cast>::)
    | (?<![\w\])]):(?P<parameter>[A-Za-z_]\w*)
    | (?P<end>;)
    | (?P<open>/\*|['"])
    """,
    re.VERBOSE | re.DOTALL,
)
_START = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/|\()*(select|with|values|table)\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Query:
    """A query, looked through once.

    Args:
        text: as the contract has it.
        spots: where parameters stand: start, end and name of each, in order.
        problems: what keeps it from being asked, in words.
    """

    text: str
    spots: tuple[tuple[int, int, str], ...]
    problems: tuple[str, ...]

    def on(self, day: date) -> str:
        """The SQL of one day."""
        parts, at = [], 0
        for start, end, name in self.spots:
            parts += [self.text[at:start], f"DATE '{day + timedelta(PARAMETERS[name])}'"]
            at = end
        return "".join([*parts, self.text[at:]])


def parse_query(text: str) -> Query:
    """Looks through a query; what is wrong with it is in `problems`."""
    text = text.strip()
    spots: list[tuple[int, int, str]] = []
    problems: list[str] = []
    if not _START.match(text):
        problems.append("expected one query, which begins with SELECT or WITH")
    for found in _TOKENS.finditer(text):
        if name := found["parameter"]:
            if name in PARAMETERS:
                spots.append((found.start(), found.end(), name))
            else:
                near = get_close_matches(name, PARAMETERS, n=1)
                hint = f" Did you mean ':{near[0]}'?" if near else ""
                known = ", ".join(f":{known}" for known in PARAMETERS)
                problems.append(f"unknown parameter ':{name}'; known: {known}.{hint}")
        elif found["end"]:
            problems.append("expected one query; leave out the ';'")
        elif found["open"]:
            problems.append(f"what {found['open']} opens is never closed")
    return Query(text, tuple(spots), tuple(dict.fromkeys(problems)))
