"""Scoring: which version scores which batch, whatever is promoted before and after, and what a broken model does."""

from __future__ import annotations

import gc
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from lakesmith.cli.main import main
from lakesmith.engine.outcome import NightResult, TableResult
from lakesmith.engine.scoring import pin_version, score_tables
from lakesmith.errors import ExitCode, LakesmithError, UsageError
from lakesmith.ledger.model_events import ModelEvent
from lakesmith.ledger.provenance import Provenance
from lakesmith.ledger.records import BatchOutcome, InputRead
from lakesmith.ml.registry import ModelRegistry
from lakesmith.ml.serving import FeatureMissing, ModelUnusable
from lakesmith.ml.store import ModelStore, StoreUnreachable
from planted_models import plant
from shops import DAYS, MODEL, SCORES, Shop, night

FIRST = 40
"""The first day that a champion scores."""


@pytest.fixture(scope="module")
def first_scored(tmp_path_factory: pytest.TempPathFactory, two_versions: Shop) -> Shop:
    """The shop whose first day was scored by version 1; only to be copied or read."""
    shop = two_versions.copied_to(tmp_path_factory.mktemp("scored") / "shop")
    shop.promote(1, FIRST)
    assert shop.nights(FIRST, None, [SCORES]).exit_code is ExitCode.DONE
    return shop


@pytest.fixture
def scored(tmp_path: Path, first_scored: Shop) -> Shop:
    """A copy of it, to change at will."""
    return first_scored.copied_to(tmp_path / "shop")


def registered(shop: Shop, version: int) -> ModelEvent:
    event = shop.timeline().registered(version)
    assert event is not None
    return event


def of(night: NightResult) -> TableResult:
    return night.tables[SCORES]


def rows(shop: Shop) -> list[tuple[Any, ...]]:
    return shop.rows(SCORES, "batch_date", "customer_id", "score", "model_version")


# --- which batches are due ------------------------------------------------------------------------------------------


def test_nothing_is_due_before_the_first_champion(shop: Shop) -> None:
    before = shop.nights(FIRST, DAYS, [SCORES])
    assert (before.exit_code, before.tables, before.spark_jobs) == (ExitCode.DONE, {}, 0)
    # Other tables do not wait for it: a whole night is complete.
    whole = shop.nights(FIRST)
    assert (whole.exit_code, whole.is_complete) == (ExitCode.DONE, True)

    shop.promote(1, 42)

    assert shop.states_of(SCORES, FIRST, DAYS) == dict.fromkeys(range(42, DAYS + 1), "missing")


def test_every_customer_is_scored_by_the_champion(first_scored: Shop) -> None:
    known = first_scored.rows("gold.customers", "batch_date", "customer_id")
    found = rows(first_scored)
    assert [(day, customer) for day, customer, _, _ in found] == [
        (day, customer) for day, customer in known if day == night(FIRST)
    ]
    assert {version for *_, version in found} == {1}
    assert all(0 < score < 1 for _, _, score, _ in found)
    assert len({score for _, _, score, _ in found}) > 3


def test_a_commit_names_the_version_and_its_digest(first_scored: Shop) -> None:
    history = first_scored.table(SCORES).history(1)
    provenance = Provenance.from_commit(history[0])
    assert provenance is not None
    (batch,) = provenance.batches
    (read,) = [read for read in batch.inputs if read.name == "model"]
    event = registered(first_scored, 1)
    served = {"version": 1, "served_by": "champion", "share": 100}
    assert read == InputRead("model", "models.returning", 1, event.digest, files=(served,))
    standing = first_scored.context().ledger.history(SCORES).standing(night(FIRST))
    assert standing is not None
    assert read in standing.inputs


# --- which version ---------------------------------------------------------------------------------------------------


def test_a_promotion_leaves_what_was_scored_alone(scored: Shop) -> None:
    before, versions = rows(scored), scored.versions()
    scored.promote(2, FIRST + 1)

    again = scored.nights(FIRST, None, [SCORES])
    forced = scored.nights(FIRST, None, [SCORES], force=True)

    assert (of(again).unchanged, again.spark_jobs, again.exit_code) == (1, 0, ExitCode.DONE)
    assert (of(forced).unchanged, of(forced).batches, forced.exit_code) == (1, {}, ExitCode.DONE)
    assert forced.spark_jobs > 0
    assert (rows(scored), scored.versions()) == (before, versions)
    assert scored.states_of(SCORES, FIRST, FIRST) == {FIRST: "fresh"}

    scored.nights(FIRST + 1, None, [SCORES])

    assert scored.scored_by(FIRST, FIRST + 1) == {FIRST: {1}, FIRST + 1: {2}}


def test_a_batch_is_scored_again_by_the_version_that_is_asked_for(scored: Shop) -> None:
    before = rows(scored)

    night_again = scored.nights(FIRST, None, [SCORES], version=2)

    assert of(night_again).batches == {night(FIRST): BatchOutcome.PUBLISHED}
    assert scored.scored_by(FIRST) == {FIRST: {2}}
    assert [row[:2] for row in rows(scored)] == [row[:2] for row in before]
    assert [row[2] for row in rows(scored)] != [row[2] for row in before]
    # It keeps that version from then on, although the champion is another.
    other = rows(scored)
    assert of(scored.nights(FIRST, None, [SCORES], force=True)).unchanged == 1
    assert rows(scored) == other

    scored.nights(FIRST, None, [SCORES], version=1)

    assert rows(scored) == before


def test_one_command_rolls_back_and_the_next_night_has_the_old_version(
    scored: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    scored.promote(2, FIRST + 1)
    scored.nights(FIRST + 1, None, [SCORES])
    capsys.readouterr()

    code = main(
        ["models", "rollback", MODEL, "--reason", "it promised too much", "--project", str(scored.root)]
    )

    assert code == ExitCode.DONE
    assert capsys.readouterr().out == (
        "returning version 1 is the champion again from the batch 2024-02-11 on (it promised too much)\n"
    )
    assert scored.aliases() == {"champion": 1, "previous_champion": 2}
    scored.nights(FIRST, FIRST + 2, [SCORES])
    assert scored.scored_by(FIRST, FIRST + 1, FIRST + 2) == {FIRST: {1}, FIRST + 1: {2}, FIRST + 2: {1}}


def test_a_range_over_a_promotion_gives_what_the_nights_give(shop: Shop, tmp_path: Path) -> None:
    shop.promote(1, FIRST)
    shop.promote(2, FIRST + 1)
    twin = shop.copied_to(tmp_path / "twin")

    by_range = shop.nights(FIRST, FIRST + 2, [SCORES])
    for number in (FIRST + 2, FIRST, FIRST + 1):
        assert twin.nights(number, None, [SCORES]).exit_code is ExitCode.DONE

    assert by_range.exit_code is ExitCode.DONE
    assert shop.scored_by(FIRST, FIRST + 1, FIRST + 2) == {FIRST: {1}, FIRST + 1: {2}, FIRST + 2: {2}}
    assert rows(shop) == rows(twin)
    assert shop.digests(SCORES) == twin.digests(SCORES)


def test_versions_are_asked_for_by_table(shop: Shop) -> None:
    context = shop.context()
    assert score_tables(context, None) == ["gold.revenue_scores", SCORES]
    assert score_tables(context, SCORES) == [SCORES]
    with pytest.raises(UsageError) as caught:
        score_tables(context, "gold.customers")
    assert str(caught.value) == (
        "no table to score: gold.customers reads no model. Tables of scores: gold.revenue_scores, gold.scores"
    )
    with pytest.raises(UsageError) as caught:
        pin_version(context, score_tables(context, None), 1)
    assert str(caught.value) == (
        "a version belongs to one model: name the table, --table gold.revenue_scores"
    )
    with pytest.raises(UsageError) as caught:
        pin_version(context, [SCORES], 9)
    assert (
        str(caught.value) == "returning has no version 9. See what there is: lakesmith models list returning"
    )
    assert context.model_versions == {}


# --- broken models --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Break:
    """What is wrong with a model, and what is said of it.

    Args:
        breaks: does it to the shop; returns the text of the error.
        alone: it is the trouble of one batch, which ends no run.
    """

    breaks: Callable[[Shop], str]
    error: type[LakesmithError]
    exit_code: ExitCode
    alone: bool = False


def corrupt(shop: Shop) -> str:
    """One byte of one file is another."""
    part = max((shop.artifacts() / "model" / "sparkml").rglob("part-*"), key=lambda path: path.stat().st_size)
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    digest = registered(shop, 1).digest
    return (
        f", registered was {digest[:12]}.... Take the champion before it: lakesmith models rollback returning"
    )


def lost(shop: Shop) -> str:
    """The folder of the model is gone."""
    folder = shop.artifacts() / "model"
    folder.rename(folder.with_name("elsewhere"))
    uri = ModelStore(shop.context().settings).shown_uri
    return f"cannot be used: its run {registered(shop, 1).run_id} in {uri} holds no model. Take the champion before it"


def column_gone(shop: Shop) -> str:
    """The contract of the features has one column less."""
    shop.edit(
        "conf/tables/gold.customers.yml",
        '  amount_14d: {type: "decimal(12,2)", nullable: false, unit: EUR, description: Amount of 14 days.}\n',
        "",
    )
    shop.edit("conf/models/revenue.yml", "amount_14d, ", "")
    return (
        "returning version 1 cannot score these rows: gold.customers has no column amount_14d (decimal(12,2)). "
        "Train the model on the table as it is: lakesmith train returning"
    )


def type_changed(shop: Shop) -> str:
    """The champion was trained when a column had another type."""
    context = shop.context()
    facts = {
        "features": {
            name: "bigint" if name == "recency_days" else kind
            for name, kind in json.loads((shop.artifacts() / "model" / "lakesmith.json").read_text())[
                "features"
            ].items()
        }
    }
    event = plant(context, MODEL, night(DAYS), facts=facts)
    shop.promote(event.version, FIRST + 1)
    return (
        "returning version 3 cannot score these rows: types in gold.customers changed: recency_days is int, was bigint. "
        "Train the model on the table as it is: lakesmith train returning"
    )


def null_everywhere(shop: Shop) -> str:
    """The transform of the features lost a column on its way."""
    job = "jobs/gold/customers.py"
    shop.edit(
        job, 'F.when(F.col("days") > 1, F.col("span") / (F.col("days") - 1))', 'F.lit(None).cast("double")'
    )
    assert shop.nights(FIRST + 1, None, ["gold.customers"]).exit_code is ExitCode.DONE
    share = json.loads((shop.artifacts() / "model" / "lakesmith.json").read_text())["missing_shares"]
    return (
        "returning version 1 cannot score these rows: gap_mean_days of gold.customers 2024-02-10 is null in every row (in "
        f"training in {share['gap_mean_days']:.0%}). See what became of it: lakesmith quality gold.customers --date 2024-02-10"
    )


BREAKS = {
    "a byte changed": Break(corrupt, ModelUnusable, ExitCode.FAILED),
    "files lost": Break(lost, ModelUnusable, ExitCode.FAILED),
    "a column gone": Break(column_gone, FeatureMissing, ExitCode.REJECTED),
    "a type changed": Break(type_changed, FeatureMissing, ExitCode.REJECTED),
    "a feature null everywhere": Break(null_everywhere, FeatureMissing, ExitCode.REJECTED, alone=True),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_broken_model_fails_the_batch_and_leaves_the_old_scores(scored: Shop, name: str) -> None:
    found = BREAKS[name]
    before, versions = rows(scored), scored.table(SCORES).version()
    text = found.breaks(scored)

    failed = scored.nights(FIRST + 1, None, [SCORES])

    assert failed.exit_code is found.exit_code
    assert failed.retryable is False
    assert of(failed).batches == {night(FIRST + 1): BatchOutcome.FAILED}
    ((day, reason),) = of(failed).reasons.items()
    assert (day, reason.split(": ")[0]) == (night(FIRST + 1), found.error.__name__)
    assert text in reason
    error = of(failed).error
    assert (error is None) if found.alone else f"{type(error).__name__}: {error}" == reason
    assert scored.states_of(SCORES, FIRST + 1, FIRST + 1) == {FIRST + 1: "failed"}
    assert (rows(scored), scored.table(SCORES).version()) == (before, versions)


def test_a_batch_that_lacks_a_feature_keeps_no_other_waiting(scored: Shop) -> None:
    before = rows(scored)
    text = null_everywhere(scored)

    found = scored.nights(FIRST + 1, FIRST + 2, [SCORES])

    assert found.exit_code is ExitCode.PARTIAL
    assert of(found).batches == {
        night(FIRST + 1): BatchOutcome.FAILED,
        night(FIRST + 2): BatchOutcome.PUBLISHED,
    }
    assert of(found).reasons == {night(FIRST + 1): f"FeatureMissing: {text}"}
    assert scored.scored_by(FIRST, FIRST + 1, FIRST + 2) == {FIRST: {1}, FIRST + 1: set(), FIRST + 2: {1}}
    assert [row for row in rows(scored) if row[0] == night(FIRST)] == before


def test_after_a_rollback_the_failed_batch_has_the_version_before(scored: Shop) -> None:
    scored.promote(2, FIRST + 1)
    (scored.artifacts(2) / "model" / "lakesmith.json").unlink()
    assert scored.nights(FIRST + 1, None, [SCORES]).exit_code is ExitCode.FAILED

    assert main(["models", "rollback", MODEL, "--project", str(scored.root)]) == ExitCode.DONE

    assert scored.nights(FIRST + 1, None, [SCORES]).exit_code is ExitCode.DONE
    assert scored.scored_by(FIRST, FIRST + 1) == {FIRST: {1}, FIRST + 1: {1}}


def test_a_server_that_is_not_there_fails_no_batch(scored: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows(scored)
    monkeypatch.setenv("LAKESMITH__MLFLOW__TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")

    failed = scored.nights(FIRST + 1, None, [SCORES])

    assert (failed.exit_code, failed.retryable) == (ExitCode.FAILED, True)
    assert type(of(failed).error) is StoreUnreachable
    assert str(of(failed).error).startswith("MLflow at http://127.0.0.1:9 does not answer: MlflowException: ")
    # Nothing is wrong with the batch: the next try may do.
    assert (of(failed).batches, of(failed).reasons) == ({}, {})
    assert scored.states_of(SCORES, FIRST + 1, FIRST + 1) == {FIRST + 1: "missing"}
    assert rows(scored) == before
    # What is scored already needs no server.
    assert scored.nights(FIRST, None, [SCORES]).exit_code is ExitCode.DONE


def test_the_timeline_outlives_mlflow(scored: Shop) -> None:
    """Which version scores is Lakesmith's own knowledge: aliases moved in MLflow change nothing."""
    store = ModelStore(scored.context().settings)
    store.client.set_registered_model_alias(MODEL, "champion", "2")
    scored.nights(FIRST + 1, None, [SCORES])
    assert scored.scored_by(FIRST + 1) == {FIRST + 1: {1}}
    ModelRegistry(store, scored.context().ledger).mend(MODEL)
    assert scored.aliases()["champion"] == 1


def test_a_model_that_a_server_handed_out_scores_after_the_download(
    scored: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Spark reads an imputer's values when it transforms; what was downloaded must be there as long, and no longer."""
    here = ModelStore.artifacts
    downloads: list[Path] = []

    @contextmanager
    def downloaded(store: ModelStore, model: str, run_id: str, path: str) -> Iterator[Path]:
        with here(store, model, run_id, path) as found, TemporaryDirectory(dir=tmp_path) as folder:
            downloads.append(Path(folder))
            shutil.copytree(found, Path(folder) / path)
            yield Path(folder) / path

    monkeypatch.setattr(ModelStore, "artifacts", downloaded)

    night_after = scored.nights(FIRST + 1, None, [SCORES])

    assert (night_after.exit_code, len(downloads)) == (ExitCode.DONE, 1)
    assert scored.scored_by(FIRST + 1) == {FIRST + 1: {1}}
    gc.collect()
    assert not downloads[0].exists()
