"""A model at work: its files are those registered, its features those of training, every batch has the version pinned for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from pyspark.ml import PipelineModel
from pyspark.ml.feature import SQLTransformer
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lakesmith.errors import ExitCode
from lakesmith.ledger.arms import Arm, ServedBy
from lakesmith.ledger.model_events import ModelEvent, ModelEventKind
from lakesmith.ml.serving import (
    FACTS_FILE,
    FeatureMissing,
    LoadedModel,
    Model,
    ModelFacts,
    ModelUnusable,
    folder_digest,
    load_model,
)
from shops import night

FACTS = ModelFacts(
    model="returning",
    problem="classification",
    entity="customer_id",
    features_table="gold.customers",
    features={"orders": "bigint", "gap": "double"},
    missing_shares={"gap": 0.25},
    threshold=0.4,
)
DDL = "customer_id bigint, orders bigint, gap double, batch_date date"


@pytest.fixture
def tenth() -> Callable[[int], PipelineModel]:
    """Makes a fitted model without fitting one: the score is a tenth of the orders, plus the version."""

    def made(version: int) -> PipelineModel:
        statement = f"SELECT *, orders / 10D + {version} AS prediction FROM __THIS__"
        return PipelineModel([SQLTransformer(statement=statement)])

    return made


def features(spark: SparkSession, *rows: tuple[int, int | None, float | None, date]) -> DataFrame:
    return spark.createDataFrame(list(rows), DDL)


# --- what is loaded -------------------------------------------------------------------------------------------------


def files(root: Path) -> Path:
    (root / "model" / "sparkml").mkdir(parents=True)
    (root / "model" / "sparkml" / "part").write_bytes(b"trees")
    FACTS.write(root / "model")
    return root / "model"


def test_facts_are_read_as_they_were_written(tmp_path: Path) -> None:
    assert ModelFacts.read(files(tmp_path)) == FACTS


def test_the_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    folder = files(tmp_path)
    digest = folder_digest(folder)
    assert len(digest) == 64
    assert folder_digest(files(tmp_path / "again")) == digest

    part = folder / "sparkml" / "part"
    part.write_bytes(b"trees!")
    longer = folder_digest(folder)
    part.write_bytes(b"trees")
    assert folder_digest(folder) == digest
    part.rename(folder / "sparkml" / "port")
    renamed = folder_digest(folder)
    (folder / "sparkml" / "port").rename(folder / "part")
    moved = folder_digest(folder)
    (folder / "part").unlink()
    assert len({digest, longer, renamed, moved, folder_digest(folder)}) == 5


def test_a_note_of_mlflow_beside_a_model_changes_nothing(tmp_path: Path) -> None:
    folder = files(tmp_path)
    digest = folder_digest(folder)
    (folder / "registered_model_meta").write_text("model_name: returning\n")
    assert folder_digest(folder) == digest
    (folder / "sparkml" / "registered_model_meta").touch()
    assert folder_digest(folder) != digest


@pytest.mark.parametrize("damage", ["changed", "added", "gone"])
def test_other_files_than_those_registered_are_refused(tmp_path: Path, damage: str) -> None:
    folder = files(tmp_path)
    registered = folder_digest(folder)
    part = folder / "sparkml" / "part"
    if damage == "changed":
        part.write_bytes(b"threes"[: len(b"trees")])
    elif damage == "added":
        (folder / "sparkml" / "more").touch()
    else:
        part.unlink()

    with pytest.raises(ModelUnusable) as caught:
        load_model("returning", 3, registered, folder)

    assert (caught.value.model, caught.value.version) == ("returning", 3)
    assert caught.value.exit_code is ExitCode.FAILED
    assert str(caught.value) == (
        f"returning version 3 cannot be used: its files have SHA-256 {folder_digest(folder)[:12]}..., registered was "
        f"{registered[:12]}.... Take the champion before it: lakesmith models rollback returning"
    )


def test_a_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(ModelUnusable, match=f"cannot be used: there is no folder {tmp_path / 'model'}"):
        load_model("returning", 3, "", tmp_path / "model")


def test_files_that_spark_cannot_load_are_refused(tmp_path: Path, spark_session: SparkSession) -> None:
    folder = files(tmp_path)
    with pytest.raises(ModelUnusable, match="cannot be used: Spark cannot load model: ") as caught:
        load_model("returning", 3, folder_digest(folder), folder)
    assert "\n" not in str(caught.value)


def test_a_model_is_loaded_with_its_facts(
    tmp_path: Path, spark_session: SparkSession, tenth: Callable[[int], PipelineModel]
) -> None:
    folder = tmp_path / "model"
    tenth(0).save((folder / "sparkml").as_uri())
    FACTS.write(folder)
    assert (folder / FACTS_FILE).is_file()

    loaded = load_model("returning", 3, folder_digest(folder), folder)

    assert (loaded.version, loaded.facts) == (3, FACTS)
    scored = loaded.score(features(spark_session, (1, 7, 2.0, night(1))))
    assert [tuple(row) for row in scored.collect()] == [(1, 7, 2.0, night(1), 0.7)]


# --- what is scored -------------------------------------------------------------------------------------------------


@pytest.fixture
def loaded(spark_session: SparkSession, tenth: Callable[[int], PipelineModel]) -> LoadedModel:
    return LoadedModel(3, FACTS, tenth(0))


def refusal(loaded: LoadedModel, frame: DataFrame) -> str:
    with pytest.raises(FeatureMissing) as caught:
        loaded.score(frame)
    assert caught.value.exit_code is ExitCode.REJECTED
    assert (caught.value.model, caught.value.version) == ("returning", 3)
    return str(caught.value)


def test_a_column_that_is_gone_is_named(loaded: LoadedModel, spark_session: SparkSession) -> None:
    frame = features(spark_session, (1, 7, 2.0, night(1))).drop("orders")
    assert refusal(loaded, frame) == (
        "returning version 3 cannot score these rows: gold.customers has no column orders (bigint). "
        "Train the model on the table as it is: lakesmith train returning"
    )


def test_a_type_that_changed_is_named(loaded: LoadedModel, spark_session: SparkSession) -> None:
    frame = features(spark_session, (1, 7, 2.0, night(1))).withColumn("orders", F.col("orders").cast("int"))
    assert refusal(loaded, frame) == (
        "returning version 3 cannot score these rows: types in gold.customers changed: orders is int, was bigint. "
        "Train the model on the table as it is: lakesmith train returning"
    )


def test_a_feature_that_is_null_in_a_whole_batch_is_named(
    loaded: LoadedModel, spark_session: SparkSession
) -> None:
    frame = features(
        spark_session,
        (1, 7, 2.0, night(1)),
        (2, 7, None, night(1)),
        (1, 7, None, night(2)),
        (2, 7, None, night(2)),
    )
    found = loaded.without_a_feature(frame)
    assert {day: (error.batch_date, error.exit_code) for day, error in found.items()} == {
        night(2): (night(2), ExitCode.REJECTED)
    }
    assert str(found[night(2)]) == (
        "returning version 3 cannot score these rows: gap of gold.customers 2024-01-02 is null in every row (in training in "
        "25%). See what became of it: lakesmith quality gold.customers --date 2024-01-02"
    )


def test_a_feature_that_was_nearly_always_null_may_be_so_again(
    loaded: LoadedModel, spark_session: SparkSession
) -> None:
    rare = replace(loaded, facts=replace(FACTS, missing_shares={"gap": 0.97}))
    frame = features(spark_session, (1, 7, None, night(1)))
    assert rare.without_a_feature(frame) == {}
    assert list(loaded.without_a_feature(frame)) == [night(1)]


def test_more_columns_and_no_rows_do_no_harm(loaded: LoadedModel, spark_session: SparkSession) -> None:
    frame = features(spark_session, (1, 7, 2.0, night(1))).withColumn("new", F.lit("x"))
    assert [row["new"] for row in loaded.score(frame).collect()] == ["x"]
    assert loaded.score(frame.limit(0)).collect() == []


# --- which version scores -------------------------------------------------------------------------------------------


def arm(version: int, served_by: ServedBy = ServedBy.CHAMPION, share: int = 100) -> Arm:
    event = ModelEvent(
        model="returning",
        version=version,
        event=ModelEventKind.REGISTERED,
        recorded_at=datetime(2024, 1, 1, tzinfo=UTC),
        effective_from=None,
        before=None,
        run_id="",
        digest="",
        as_of=night(1),
        who="",
    )
    return Arm(event, served_by, share)


def test_every_batch_is_scored_by_its_own_version(
    spark_session: SparkSession, tenth: Callable[[int], PipelineModel]
) -> None:
    """A day of which nobody holds the role has no rows, and one that was not asked for neither."""
    versions = {night(1): (arm(1),), night(2): (arm(2, ServedBy.ASKED),), night(3): (arm(1),), night(5): ()}
    model = Model("returning", versions, {n: LoadedModel(n, FACTS, tenth(n)) for n in (1, 2)})
    frame = features(spark_session, *[(5, 5, 1.0, night(n)) for n in (1, 2, 3, 4, 5)])

    scored = model.score(frame)

    wanted = ["batch_date", "score", "model_version", "served_by", "model_name"]
    assert sorted(tuple(row) for row in scored.select(wanted).collect()) == [
        (night(1), 1.5, 1, "champion", "returning"),
        (night(2), 2.5, 2, "asked", "returning"),
        (night(3), 1.5, 1, "champion", "returning"),
    ]
    assert dict(scored.dtypes)["model_version"] == "int"


def test_rows_are_spread_over_tasks_before_they_are_scored(
    spark_session: SparkSession, tenth: Callable[[int], PipelineModel]
) -> None:
    """Of two versions, too, whose rows are told apart afterwards."""
    frame = features(spark_session, *[(n, 5, 1.0, night(1)) for n in range(100)]).coalesce(1)
    loaded = {n: LoadedModel(n, FACTS, tenth(n)) for n in (1, 2)}
    arms = (arm(1, share=60), arm(2, ServedBy.CHALLENGER, 40))
    as_it_is, spread = (
        Model("returning", {night(1): arms}, loaded, tasks).score(frame) for tasks in (None, 3)
    )

    assert (as_it_is.rdd.getNumPartitions(), spread.rdd.getNumPartitions()) == (2, 6)
    assert sorted(map(tuple, spread.collect())) == sorted(map(tuple, as_it_is.collect()))


def test_days_on_which_nobody_scores_have_the_same_columns(
    spark_session: SparkSession, tenth: Callable[[int], PipelineModel]
) -> None:
    frame = features(spark_session, (5, 5, 1.0, night(1)))
    nobody = Model("returning", {night(1): ()}, {}).score(frame)
    somebody = Model("returning", {night(1): (arm(1),)}, {1: LoadedModel(1, FACTS, tenth(1))}).score(frame)
    assert nobody.collect() == []
    assert nobody.dtypes == somebody.dtypes


def test_arms_share_the_entities_and_shares_only_grow(
    spark_session: SparkSession, tenth: Callable[[int], PipelineModel]
) -> None:
    frame = features(spark_session, *[(n, 5, 1.0, night(1)) for n in range(1000)])
    loaded = {n: LoadedModel(n, FACTS, tenth(n)) for n in (1, 2, 3)}

    def by_challenger(challenger: int, share: int) -> set[int]:
        arms = (arm(1, share=100 - share), arm(challenger, ServedBy.CHALLENGER, share))
        rows = Model("returning", {night(1): arms}, loaded).score(frame).collect()
        assert sorted(row["customer_id"] for row in rows) == list(range(1000))
        assert {(row["model_version"], row["served_by"], row["score"]) for row in rows} <= {
            (1, "champion", 1.5),
            (challenger, "challenger", challenger + 0.5),
        }
        return {row["customer_id"] for row in rows if row["served_by"] == "challenger"}

    few, more, most = (by_challenger(2, share) for share in (5, 25, 90))
    assert few < more < most
    # About their shares of a thousand: three standard deviations of so many draws.
    for found, share in ((few, 0.05), (more, 0.25), (most, 0.9)):
        assert abs(len(found) - 1000 * share) < 3 * (1000 * share * (1 - share)) ** 0.5
    # Another version has other customers, so that not always the same ones are tried on.
    assert not few <= by_challenger(3, 25)
