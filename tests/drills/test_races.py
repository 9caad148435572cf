"""A few rounds of every race; `make drills` and `python -m drills.races` run many."""

from __future__ import annotations

from pathlib import Path

import pytest

from drills.races import BAD, Race, race
from object_store import ObjectStore


@pytest.mark.e2e
@pytest.mark.parametrize("kind", Race)
def test_processes_that_publish_at_once_lose_double_and_mix_nothing(kind: Race, tmp_path: Path) -> None:
    counts = race(kind, tmp_path, rounds=4, processes=4, maintain=kind is Race.RANGES)
    assert {name: counts[name] for name in BAD} == dict.fromkeys(BAD, 0)
    assert counts["rounds"] == 4
    assert counts["published"] >= 4
    assert counts["conflicts"] > 0


@pytest.mark.e2e
@pytest.mark.parametrize("kind", [Race.EXISTING_DAY, Race.RANGES])
def test_nor_do_they_in_s3(kind: Race, tmp_path: Path, store: ObjectStore) -> None:
    settings = store.settings(f"{store.bucket().uri}/lake")
    counts = race(kind, tmp_path, rounds=3, processes=4, settings=settings)
    assert {name: counts[name] for name in BAD} == dict.fromkeys(BAD, 0)
    assert counts["rounds"] == 3
    assert counts["published"] + counts["gave up"] == 12
    assert counts["conflicts"] > 0
