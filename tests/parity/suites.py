"""Whole examples: the rows of some batches and a suite with one expectation of every compiled type.

Many expectations over one frame, because Great Expectations starts several Spark jobs for each.
"""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from parity.comparison import Asked
from parity.expectations import COMPILED, kwargs_of, row_conditions
from parity.frames import Row, rows

__all__ = ["Example", "examples"]

Example = tuple[list[Row], list[Asked]]
"""Rows of all batches, and what is asked of each batch."""


# The loader refuses many of what is drawn for these, so each is drawn twice.
_TWICE = (
    "expect_column_most_common_value_to_be_in_set",
    "expect_column_pair_values_to_be_in_set",
    "expect_column_values_to_match_regex_list",
    "expect_column_values_to_not_match_regex_list",
)


@st.composite
def examples(draw: st.DrawFn, kinds: Sequence[str] = tuple(COMPILED)) -> Example:
    """Rows, and one expectation or two of each type that fit them; about half look at some rows only."""
    drawn = draw(rows())
    listed = [*kinds, *(kind for kind in _TWICE if kind in kinds)]
    conditions = st.sampled_from([{}, {}, draw(row_conditions(drawn)), draw(row_conditions(drawn))])
    return drawn, [(kind, draw(kwargs_of(kind, drawn, draw(conditions)))) for kind in listed]
