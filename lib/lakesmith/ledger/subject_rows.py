"""Which rows name a person: the rule of `lakesmith.contracts.subjects` over columns of Arrow, whoever the people are."""

from __future__ import annotations

from collections.abc import Callable, Container

import pyarrow as pa
import pyarrow.compute as pc

from lakesmith.contracts.subjects import SubjectColumns, canonical, leaves, mentions

__all__ = ["rows_naming"]


def rows_naming(rows: pa.RecordBatch, columns: SubjectColumns, who: Container[str]) -> pa.BooleanArray:
    """True for each row that names one of them.

    Args:
        columns: of those the rows need not have all.
        who: canonical forms of ids, or what tells of one whether it is among them.
    """

    def is_id(value: object) -> bool:
        return any((form := canonical(leaf)) is not None and form in who for leaf in leaves(value))

    def speaks(value: object) -> bool:
        return any(form in who for leaf in leaves(value) for form in mentions(str(leaf)))

    present = columns.within(rows.schema.names)
    found = pa.array([False] * rows.num_rows, pa.bool_())
    for names, test in ((present.identity, is_id), (present.free_text, speaks)):
        for name in names:
            found = pc.or_(found, _where(rows.column(name), test))
    return found


def _where(values: pa.Array, test: Callable[[object], bool]) -> pa.BooleanArray:
    if pa.types.is_nested(values.type):
        plain = values.to_pylist()
        # Arrow gives the entries of a map as pairs.
        return pa.array([value is not None and test(value) for value in plain], pa.bool_())
    # A person stands in many rows: each value is judged once.
    distinct = pc.unique(values)
    hits = [value is not None and test(value) for value in distinct.to_pylist()]
    if not any(hits):
        return pa.array([False] * len(values), pa.bool_())
    return pc.is_in(values, value_set=distinct.filter(pa.array(hits, pa.bool_())))
