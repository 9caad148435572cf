"""Leases in S3, against moto: one holder at a time, what became of one that is silent, and of answers that were lost."""

from __future__ import annotations

import json
import threading
from datetime import timedelta

import pytest

from lakesmith.aws.s3 import S3Folder
from lakesmith.errors import ExitCode, LeaseHeld, LeaseLost
from lakesmith.lake.object_lease import ObjectLease, hold_object, must_hold_leases
from object_store import ObjectStore

NOW, LONG = timedelta(0), timedelta(minutes=5)
PATH = ".leases/gold.t.json"


@pytest.fixture
def lake(store: ObjectStore) -> S3Folder:
    return store.bucket()


def content(lake: S3Folder) -> dict[str, object]:
    found = lake.read(PATH)
    assert found is not None
    said: dict[str, object] = json.loads(found.content)
    return said


def wait_until_lost() -> None:
    while True:
        must_hold_leases()


def written_over(lake: S3Folder) -> None:
    """As another run takes the lease over."""
    said = content(lake) | {"run_id": "another", "renewals": 0}
    lake.write(PATH, json.dumps(said).encode())


def test_a_lease_is_free_again_after_the_body(lake: S3Folder) -> None:
    for run in ("r1", "r2"):
        with hold_object(lake, "gold.t", run, wait=NOW, expiry=LONG):
            assert content(lake)["run_id"] == run
            must_hold_leases()
    assert content(lake) == {}


def test_the_holder_is_named_to_others(lake: S3Folder) -> None:
    with (
        hold_object(lake, "gold.t", "r1", wait=NOW, expiry=LONG),
        hold_object(lake, "gold.u", "r1", wait=NOW, expiry=LONG),
        pytest.raises(LeaseHeld, match=r"^gold\.t is being worked on by run r1 \(process \d+ on") as told,
    ):
        ObjectLease(lake, "gold.t", "r2", LONG).acquire(NOW)
    assert (told.value.exit_code, told.value.retryable) == (ExitCode.BUSY, True)
    assert "loses it 300 s after it was last heard of" in str(told.value)


def test_of_many_who_reach_for_a_free_lease_one_gets_it(lake: S3Folder) -> None:
    ready, got, refused = threading.Barrier(6), [], []

    def reach(number: int) -> None:
        lease = ObjectLease(lake, "gold.t", f"r{number}", LONG)
        ready.wait()
        try:
            lease.acquire(NOW)
            got.append(lease)
        except LeaseHeld as error:
            refused.append(error)

    threads = [threading.Thread(target=reach, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(got), len(refused)) == (1, 5)
    got[0].release()


def test_who_waits_gets_it_when_it_is_given_back(lake: S3Folder) -> None:
    first, second = (ObjectLease(lake, "gold.t", run, LONG) for run in ("r1", "r2"))
    first.acquire(NOW)
    waiting = threading.Thread(target=second.acquire, args=(timedelta(seconds=30),))
    waiting.start()
    first.release()
    waiting.join()
    assert content(lake)["run_id"] == "r2"
    second.release()


def test_a_holder_that_is_silent_loses_it_and_may_not_commit(lake: S3Folder) -> None:
    silent = ObjectLease(lake, "gold.t", "silent", timedelta(seconds=1))
    # It does not renew: a process that was paused, or whose machine was.
    silent._renewing = threading.Thread()
    silent.acquire(NOW)
    silent.must_be_held()
    with hold_object(lake, "gold.t", "next", wait=timedelta(seconds=30), expiry=LONG):
        assert content(lake)["run_id"] == "next"
        with pytest.raises(LeaseLost, match=r"^gold\.t: this run was not heard of for 1 s") as told:
            silent.must_be_held()
        assert (told.value.exit_code, told.value.retryable) == (ExitCode.BUSY, True)
        # Nor does it take anything from the next one when it goes.
        silent.release()
        assert content(lake)["run_id"] == "next"


def test_a_lease_is_renewed_for_as_long_as_it_is_held(lake: S3Folder) -> None:
    with hold_object(lake, "gold.t", "r1", wait=NOW, expiry=timedelta(seconds=1)):
        while content(lake)["renewals"] != 4:
            must_hold_leases()
        with pytest.raises(LeaseHeld):
            ObjectLease(lake, "gold.t", "r2", LONG).acquire(NOW)


def test_a_holder_finds_out_that_it_was_taken_over(lake: S3Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    # It would be good for minutes yet.
    monkeypatch.setattr("lakesmith.lake.object_lease._RENEWALS", 3_000)
    with hold_object(lake, "gold.t", "r1", wait=NOW, expiry=LONG):
        written_over(lake)
        with pytest.raises(LeaseLost):
            wait_until_lost()
    assert content(lake)["run_id"] == "another"


def test_a_write_whose_answer_was_lost_is_known_as_ones_own(
    lake: S3Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = S3Folder.write

    def unheard(folder: S3Folder, path: str, content: bytes, *, over: str | None = None) -> str | None:
        """The first try is carried out and its answer lost; the second finds what the first one wrote."""
        assert write(folder, path, content, over=over) is not None
        return write(folder, path, content, over=over)

    lease = ObjectLease(lake, "gold.t", "r1", LONG)
    with monkeypatch.context() as patched:
        patched.setattr(S3Folder, "write", unheard)
        lease.acquire(NOW)
        lease.must_be_held()
    lease.release()
    assert content(lake) == {}


@pytest.mark.parametrize("nonsense", [b"", b"[]", b'{"run_id": 1}', b"{}"])
def test_an_object_that_names_no_holder_is_a_free_lease(lake: S3Folder, nonsense: bytes) -> None:
    lake.write(PATH, nonsense)
    with hold_object(lake, "gold.t", "r1", wait=NOW, expiry=LONG):
        assert content(lake)["run_id"] == "r1"
