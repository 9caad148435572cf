"""How the rows of a run are handed to a model."""

from __future__ import annotations

import pytest

from lakesmith.engine.serving import scoring_tasks
from lakesmith.ledger.live import LiveBatch


@pytest.mark.parametrize(
    ("files", "rows", "cores", "tasks"),
    [
        (1, 1_000_000, 4, 4),
        (1, 160_000, 4, 3),
        (1, 99_999, 4, None),
        (7, 1_000_000, 4, 4),
        (8, 8_000_000, 4, None),
        (1, 1_000_000, 1, None),
        (1, None, 4, None),
    ],
    ids=[
        "one file",
        "few rows a task",
        "too few rows",
        "uneven files",
        "files enough",
        "one core",
        "unknown",
    ],
)
def test_rows_are_spread_where_files_would_leave_cores_idle(
    files: int, rows: int | None, cores: int, tasks: int | None
) -> None:
    part = LiveBatch(tuple(f"{n}.parquet" for n in range(files)), rows, 10)
    assert scoring_tasks([part], cores) == tasks


def test_batches_count_together() -> None:
    few, many = LiveBatch(("1.parquet",), 60_000, 10), LiveBatch(("2.parquet",), 900_000, 10)
    assert scoring_tasks([few, few], 8) == 2
    assert scoring_tasks([few, few, many], 8) == 8
    assert scoring_tasks([few] * 16, 8) is None
