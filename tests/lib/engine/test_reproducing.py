"""Making a model again from nothing but its run's id, the tables and MLflow's store; and what is said when it cannot be."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakesmith.cli.main import main
from lakesmith.engine import reproducing
from lakesmith.engine.reproducing import NotReproduced, Reproduction, reproduce
from lakesmith.engine.serving import loaded_version
from lakesmith.errors import ExitCode, LakesmithError, UsageError
from lakesmith.ml.archived_code import ArchivedCodeUnusable, ArchivedRun
from lakesmith.ml.store import ArtifactMissing, ModelStore
from shops import MODEL, FirstTraining, night
from workspaces import METERS, Workspace

TEST_DAYS = [night(number) for number in (34, 36, 38)]


@dataclass(frozen=True)
class MadeAgain:
    """What came of the one reproduction that is carried out for real.

    Args:
        run_id: of the training.
        out: what the archived code left.
        told: its log.
    """

    found: Reproduction
    run_id: str
    out: Path
    told: list[str]


def run_of(first_training: FirstTraining) -> str:
    event = first_training.shop.timeline().registered(1)
    assert event is not None
    return event.run_id


def elsewhere(root: Path, first_training: FirstTraining) -> Workspace:
    """A project of another domain whose lake is a copy of the shop's: no contract, job or setting of the shop is there."""
    shutil.copytree(METERS, root)
    (root / ".jars").symlink_to(METERS.parents[2] / ".jars")
    shutil.copytree(first_training.shop.root / "lake", root / "lake")
    return Workspace(root)


@contextmanager
def away(folder: Path) -> Iterator[None]:
    """A folder that nobody can find by its name meanwhile."""
    hidden = folder.rename(folder.with_name("hidden"))
    try:
        yield
    finally:
        hidden.rename(folder)


@pytest.fixture(scope="module")
def made_again(tmp_path_factory: pytest.TempPathFactory, first_training: FirstTraining) -> MadeAgain:
    """The first training of the shop made again, far from the shop and without it."""
    run_id = run_of(first_training)
    root = tmp_path_factory.mktemp("again")
    fresh = elsewhere(root / "meters", first_training)
    told: list[str] = []

    def kept(*arguments: Any, **options: Any) -> ArchivedRun:
        ended = run_archived(*arguments, **options)
        shutil.copytree(arguments[4] / "out", root / "out")
        return ended

    run_archived = reproducing.run_archived
    with pytest.MonkeyPatch.context() as patched, away(first_training.shop.root):
        patched.setattr(reproducing, "run_archived", kept)
        found = reproduce(fresh.context(), run_id, told.append)
    return MadeAgain(found, run_id, root / "out", told)


@pytest.fixture
def fresh(tmp_path: Path, first_training: FirstTraining) -> Workspace:
    """A copy of the tables and of MLflow's store, to change at will."""
    return elsewhere(tmp_path / "meters", first_training)


@pytest.fixture
def never_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test in which no archived code may be run."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("archived code was run")

    monkeypatch.setattr("lakesmith.ml.archived_code._run", refuse)


# --- the same again -------------------------------------------------------------------------------------------------


def test_every_metric_is_the_same(made_again: MadeAgain, first_training: FirstTraining) -> None:
    found = made_again.found
    then = {name: interval.value for name, interval in first_training.trained.test.metrics.items()}
    assert sorted(then) == sorted(found.recorded) == sorted(found.again)
    for metrics in (found.recorded, found.again):
        assert {name: f"{value:.6f}" for name, value in metrics.items()} == {
            name: f"{value:.6f}" for name, value in then.items()
        }
    assert (found.model, found.run_id, found.differing) == (MODEL, made_again.run_id, ())
    # Made again by the same code on the same machine.
    assert found.environment == ()


def test_every_customer_has_the_same_score(made_again: MadeAgain, first_training: FirstTraining) -> None:
    context = first_training.shop.context()
    event = first_training.shop.timeline().registered(1)
    assert event is not None
    features = context.spark.read.format("delta").load(context.lake.path("gold.customers"))
    tested = features.where(features["batch_date"].isin(TEST_DAYS))
    scored = loaded_version(context, event).score(tested)
    then = scored.select("batch_date", "customer_id", "score").collect()
    again = pq.read_table(made_again.out / "scores.parquet").to_pylist()

    assert sorted((row["batch_date"], row["customer_id"], f"{row['score']:.6f}") for row in again) == sorted(
        (row["batch_date"], row["customer_id"], f"{row['score']:.6f}") for row in then
    )
    customers = first_training.shop.rows("gold.customers", "batch_date", "customer_id")
    assert sorted((row["batch_date"], row["customer_id"]) for row in again) == [
        (day, customer) for day, customer in sorted(customers) if day in TEST_DAYS
    ]
    assert (made_again.found.scores, made_again.found.scores_differ) == (len(then), 0)
    assert made_again.found.same


# --- not the same ---------------------------------------------------------------------------------------------------


def replay(monkeypatch: pytest.MonkeyPatch, made_again: MadeAgain, change: Callable[[Path], None]) -> None:
    """Lets the archived code leave what it left the first time, with a change."""

    def replayed(wheel: Path, project: Path, arguments: list[str], *_: object, **__: object) -> ArchivedRun:
        out = Path(arguments[arguments.index("--out") + 1])
        shutil.copytree(made_again.out, out)
        change(out)
        return ArchivedRun(0, "")

    monkeypatch.setattr(reproducing, "run_archived", replayed)


def nothing(out: Path) -> None: ...


def a_metric(out: Path) -> None:
    """One metric moves by a millionth."""
    file = out / "metrics.json"
    metrics = json.loads(file.read_text())
    file.write_text(json.dumps({**metrics, "log_loss": metrics["log_loss"] + 1e-6}))


def change_scores(out: Path, change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]]) -> None:
    (file,) = (out / "scores.parquet").glob("part-*")
    table = pq.read_table(file)
    pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), schema=table.schema), file)
    # Hadoop would compare the file with a checksum that it wrote before.
    file.with_name(f".{file.name}.crc").unlink()


def a_score(out: Path) -> None:
    """One score moves by a millionth."""
    change_scores(out, lambda rows: [{**rows[0], "score": rows[0]["score"] + 1e-6}, *rows[1:]])


def a_customer_gone(out: Path) -> None:
    change_scores(out, lambda rows: rows[1:])


@dataclass(frozen=True)
class Difference:
    """What is other than then, and how that is said."""

    change: Callable[[Path], None]
    metrics: tuple[str, ...]
    scores: int
    said: str


DIFFERENCES = {
    "a metric": Difference(a_metric, ("log_loss",), 0, "not the same: log_loss and 0 scores differ"),
    "a score": Difference(a_score, (), 1, "not the same: no metric and 1 scores differ"),
    "a customer gone": Difference(a_customer_gone, (), 1, "not the same: no metric and 1 scores differ"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_at_six_decimals_is_told(
    name: str,
    made_again: MadeAgain,
    fresh: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    difference = DIFFERENCES[name]
    replay(monkeypatch, made_again, difference.change)
    capsys.readouterr()

    code = main(["models", "reproduce", made_again.run_id, "--json", "--project", str(fresh.root)])

    said = json.loads(capsys.readouterr().out)
    assert (code, said["same"]) == (ExitCode.REJECTED, False)
    assert said["scores_differ"] == difference.scores
    assert said["scores"] == made_again.found.scores
    moved = {
        name for name, value in said["again"].items() if f"{value:.6f}" != f"{said['recorded'][name]:.6f}"
    }
    assert moved == set(difference.metrics)


def test_the_command_shows_then_and_now(
    made_again: MadeAgain,
    fresh: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    replay(monkeypatch, made_again, nothing)
    capsys.readouterr()

    code = main(["models", "reproduce", made_again.run_id, "--project", str(fresh.root)])

    said = capsys.readouterr()
    assert code == ExitCode.DONE
    assert said.err == "making the model again with the code of its run; this trains it once\n"
    lines = [line.rstrip() for line in said.out.splitlines()]
    count = made_again.found.scores
    assert lines[:3] == [f"returning, run {made_again.run_id}", "", lines[2]]
    assert lines[2].split() == ["test", "recorded", "again"]
    assert [line.split() for line in lines[3:-3]] == [
        [name, f"{value:.9f}", f"{value:.9f}"] for name, value in made_again.found.recorded.items()
    ]
    assert lines[-3:] == [
        "",
        f"scores compared: {count}, of them different: 0",
        "the same: every metric and every score, to six decimals",
    ]


@pytest.mark.parametrize("name", DIFFERENCES)
def test_a_difference_is_said_in_a_sentence(name: str, made_again: MadeAgain) -> None:
    from lakesmith.cli.models_text import reproduction_lines

    difference = DIFFERENCES[name]
    again = {**made_again.found.again, **{m: made_again.found.again[m] + 1e-6 for m in difference.metrics}}
    found = Reproduction(
        MODEL,
        made_again.run_id,
        made_again.found.recorded,
        again,
        made_again.found.scores,
        difference.scores,
        ("pyspark 4.0.2 then, 4.1.0 now",),
    )
    lines = [str(line) for line in reproduction_lines(found)]
    assert lines[-2:] == [difference.said, "then and now: pyspark 4.0.2 then, 4.1.0 now"]


@pytest.mark.parametrize(
    ("recorded", "again", "same"),
    [
        (0.1234564, 0.1234561, True),
        (0.1234561, 0.1234569, False),
        (math.nan, math.nan, True),
        (math.nan, 0.5, False),
        (0.5, math.nan, False),
        (0.5, None, False),
    ],
)
def test_metrics_are_the_same_to_six_decimals(recorded: float, again: float | None, same: bool) -> None:
    metrics: Mapping[str, float] = {} if again is None else {"roc_auc": again}
    found = Reproduction(MODEL, "run", {"roc_auc": recorded}, metrics, 10, 0, ())
    assert (found.same, found.differing) == (same, () if same else ("roc_auc",))


# --- what cannot be made again --------------------------------------------------------------------------------------


def artifacts(fresh: Workspace, run_id: str) -> Path:
    return fresh.root / "lake" / "mlflow" / "artifacts" / MODEL / run_id / "artifacts"


def a_damaged_wheel(root: Path) -> None:
    (wheel,) = (root / "code").glob("*.whl")
    wheel.write_bytes(wheel.read_bytes()[:1000])


def a_wheel_of_nothing(root: Path) -> None:
    (wheel,) = (root / "code").glob("*.whl")
    shutil.copy(root / "code" / "project.zip", wheel)


def no_code(root: Path) -> None:
    shutil.rmtree(root / "code")


def no_project(root: Path) -> None:
    (root / "code" / "project.zip").unlink()


def another_model(root: Path) -> None:
    with (root / "model" / "lakesmith.json").open("a") as file:
        file.write("\n")


def no_model(root: Path) -> None:
    shutil.rmtree(root / "model")


def no_recipe(root: Path) -> None:
    (root / "training.json").unlink()


def half_a_recipe(root: Path) -> None:
    recipe = json.loads((root / "training.json").read_text())
    del recipe["tables"]
    (root / "training.json").write_text(json.dumps(recipe))


@dataclass(frozen=True)
class Broken:
    """What is wrong with a run, and what is said of it; RUN stands for its id."""

    breaks: Callable[[Path], None]
    error: type[LakesmithError]
    exit_code: ExitCode
    text: str


UNUSABLE = ", the code that the training run kept, cannot be run here: "
BROKEN = {
    "a damaged wheel": Broken(
        a_damaged_wheel,
        ArchivedCodeUnusable,
        ExitCode.FAILED,
        f"lakesmith-0.1.0-py3-none-any.whl{UNUSABLE}BadZipFile: File is not a zip file. Today's code was not run in its place.",
    ),
    "a wheel of nothing": Broken(
        a_wheel_of_nothing,
        ArchivedCodeUnusable,
        ExitCode.FAILED,
        f"lakesmith-0.1.0-py3-none-any.whl{UNUSABLE}it holds no package lakesmith. Today's code was not run in its place.",
    ),
    "no code": Broken(
        no_code, ArtifactMissing, ExitCode.FAILED, "the run RUN of returning holds no code in sqlite:///"
    ),
    "no project": Broken(
        no_project,
        ArchivedCodeUnusable,
        ExitCode.FAILED,
        f"*.zip{UNUSABLE}the run holds no such file. Today's code was not run in its place.",
    ),
    "another model": Broken(
        another_model,
        NotReproduced,
        ExitCode.REJECTED,
        "run RUN is not reproduced: the files of its model have SHA-256 ",
    ),
    "no model": Broken(
        no_model, ArtifactMissing, ExitCode.FAILED, "the run RUN of returning holds no model in sqlite:///"
    ),
    "no recipe": Broken(
        no_recipe,
        ArtifactMissing,
        ExitCode.FAILED,
        "the run RUN of returning holds no training.json in sqlite:///",
    ),
    "half a recipe": Broken(
        half_a_recipe,
        NotReproduced,
        ExitCode.REJECTED,
        "run RUN is not reproduced: its training.json is not what a training writes (KeyError: 'tables').",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.usefixtures("never_run")
def test_a_run_that_is_not_whole_is_not_made_again(
    name: str, fresh: Workspace, first_training: FirstTraining, capsys: pytest.CaptureFixture[str]
) -> None:
    broken, run_id = BROKEN[name], run_of(first_training)
    broken.breaks(artifacts(fresh, run_id))

    with pytest.raises(LakesmithError) as caught:
        reproduce(fresh.context(), run_id, lambda line: None)

    assert type(caught.value) is broken.error
    assert str(caught.value).startswith(broken.text.replace("RUN", run_id))
    capsys.readouterr()
    assert main(["models", "reproduce", run_id, "--project", str(fresh.root)]) == broken.exit_code
    assert f"error: {caught.value}\n" in capsys.readouterr().err


def test_a_model_that_was_exchanged_is_named_by_both_digests(
    fresh: Workspace, first_training: FirstTraining
) -> None:
    run_id = run_of(first_training)
    event = first_training.shop.timeline().registered(1)
    assert event is not None
    another_model(artifacts(fresh, run_id))
    with pytest.raises(NotReproduced) as caught:
        reproduce(fresh.context(), run_id, lambda line: None)
    assert str(caught.value).endswith(
        f", registered was {event.digest[:12]}...; bring them back from a backup."
    )


def test_code_that_ends_by_an_error_is_quoted(
    fresh: Workspace, first_training: FirstTraining, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*_: object, tell: Callable[[str], None]) -> ArchivedRun:
        for line in ("one", "two", "three", "error: there is no table"):
            tell(line)
        return ArchivedRun(int(ExitCode.MISSING), "")

    monkeypatch.setattr(reproducing, "run_archived", ended)
    run_id, heard = run_of(first_training), []
    with pytest.raises(NotReproduced) as caught:
        reproduce(fresh.context(), run_id, heard.append)
    assert str(caught.value) == (
        f"run {run_id} is not reproduced: the code that trained it ended with exit code 4 and said: two / three / error: there "
        "is no table."
    )
    assert heard == ["one", "two", "three", "error: there is no table"]


def test_a_run_that_is_no_training_is_refused(fresh: Workspace) -> None:
    store = ModelStore(fresh.context().settings)
    other = store.client.create_run(store.experiment("notes")).info.run_id
    for run_id, text in (
        (
            "0" * 32,
            f"there is no run {'0' * 32!r} in {store.shown_uri}. Runs: lakesmith models list",
        ),
        (other, f"run {other!r} is no training of Lakesmith: it has no tag lakesmith.model."),
    ):
        with pytest.raises(UsageError) as caught:
            reproduce(fresh.context(), run_id, lambda line: None)
        assert str(caught.value) == text
