"""Commits to a store that does not say what became of them: made once, whatever the answer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import CommitProperties, DeltaTable, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from lakesmith.errors import ExitCode, exit_code_of
from lakesmith.ledger.commits import StoreUnanswered, commit_once, is_unanswered, persist, unanswered

ROW = pa.table({"n": [1]})
LOST = OSError(
    "Generic S3 error\n  \x1b[31m↳\x1b[0m Error performing PUT http://store/t/_delta_log/1.json in 3ms - HTTP error"
)
Act = Callable[[DeltaTable, CommitProperties], None]


@pytest.fixture
def table(tmp_path: Path) -> DeltaTable:
    write_deltalake(tmp_path / "t", ROW)
    return DeltaTable(tmp_path / "t")


def appending(*failures: BaseException | None, carried_out: bool) -> tuple[Act, list[BaseException | None]]:
    """An append whose tries end as told, None for well; failed tries may have been carried out all the same."""
    left = list(failures)

    def act(target: DeltaTable, properties: CommitProperties) -> None:
        failure = left.pop(0)
        if failure is None or carried_out:
            write_deltalake(target, ROW, mode="append", commit_properties=properties)
        if failure is not None:
            raise failure

    return act, left


def rows(table: DeltaTable) -> int:
    return int(DeltaTable(table.table_uri).to_pyarrow_table().num_rows)


@pytest.mark.parametrize("failure", [LOST, CommitFailedError("version 1 exists already")])
def test_a_commit_that_was_carried_out_is_not_made_again(table: DeltaTable, failure: Exception) -> None:
    act, left = appending(failure, carried_out=True)
    commit_once(table, "ops.runs", act, lambda: DeltaTable(table.table_uri))
    assert (rows(table), left) == (2, [])


def test_one_that_was_not_is_made(table: DeltaTable) -> None:
    act, left = appending(LOST, LOST, None, carried_out=False)
    # Others commit meanwhile.
    write_deltalake(table.table_uri, ROW, mode="append")
    commit_once(table, "ops.runs", act, lambda: DeltaTable(table.table_uri))
    assert (rows(table), left) == (3, [])


def test_one_that_must_see_what_others_wrote_is_refused_and_not_put_on_top(table: DeltaTable) -> None:
    act, left = appending(LOST, None, carried_out=False)
    write_deltalake(table.table_uri, ROW, mode="append")
    with pytest.raises(CommitFailedError):
        commit_once(table, "ops.runs", act, lambda: DeltaTable(table.table_uri), retries=0)
    assert (rows(table), left) == (2, [])


def test_a_store_that_never_answers_ends_in_an_error_that_says_so(table: DeltaTable) -> None:
    act, left = appending(*[LOST] * 9, carried_out=False)
    with pytest.raises(StoreUnanswered) as told:
        commit_once(table, "ops.runs", act, lambda: DeltaTable(table.table_uri))
    assert str(told.value) == (
        "commit to ops.runs: the store gave no answer, however often it was asked (Generic S3 error "
        "Error performing PUT http://store/t/_delta_log/1.json in 3ms). It may be there or not; a run finds out. "
        "Run again when it answers; see whether it does: lakesmith doctor"
    )
    assert (told.value.retryable, exit_code_of(told.value), len(left)) == (True, ExitCode.FAILED, 4)


@pytest.mark.parametrize(
    "failure", [CommitFailedError("others were first"), OSError(28, "disk full"), ValueError("x")]
)
def test_what_is_an_answer_is_raised(table: DeltaTable, failure: Exception) -> None:
    act, left = appending(failure, None, carried_out=False)
    with pytest.raises(type(failure)):
        commit_once(table, "ops.runs", act, lambda: DeltaTable(table.table_uri))
    assert (rows(table), left) == (1, [None])


def test_what_is_settled_already_is_not_done() -> None:
    done = []

    def act() -> str:
        done.append(1)
        raise LOST

    assert persist("make x", "It is not there.", act, lambda: "there") == "there"
    assert done == [1]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (LOST, "Error performing PUT"),
        (DeltaError("Kernel error: Generic S3 error: Client error with status 503"), "status 503"),
        (
            RuntimeError("x org.apache.hadoop.fs.s3a.AWSServiceThrottledException: PUT 0-byte"),
            "AWSServiceThrottledException",
        ),
        (RuntimeError("org.apache.hadoop.fs.s3a.AWSStatus500Exception"), "AWSStatus500Exception"),
    ],
)
def test_who_tells_of_a_store_without_an_answer(error: Exception, reason: str) -> None:
    found = unanswered(error, "run t", "Nothing was published.")
    assert found is not None
    assert reason in str(found)
    assert str(found).startswith("run t: the store gave no answer")


@pytest.mark.parametrize(
    "error", [OSError(28, "disk full"), DeltaError("schema mismatch"), RuntimeError("boom")]
)
def test_who_does_not(error: Exception) -> None:
    assert unanswered(error, "run t", "") is None
    assert not is_unanswered(error)
