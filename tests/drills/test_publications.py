"""A short, seeded slice of the drill over publications; `make drills` runs the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from drills.publications import Report, drill


@pytest.mark.e2e
@pytest.mark.parametrize("seed", [1, 2])
def test_a_fault_at_any_point_of_a_publication_changes_nothing_in_the_end(seed: int, tmp_path: Path) -> None:
    report = Report()
    drill(tmp_path, seed, 12, report)
    assert report.differences == []
    assert report.total == 12
    assert report.versions_seen > 0
