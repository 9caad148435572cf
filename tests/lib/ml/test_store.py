"""Where MLflow is, what it says when it is not there, and that a copied store is as good as the first."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lakesmith.config.load import load_settings
from lakesmith.config.sections.outside import MlflowSettings
from lakesmith.config.settings import Settings
from lakesmith.errors import ConfigurationError, is_retryable
from lakesmith.ml.store import ArtifactMissing, ModelStore, StoreUnreachable

NOBODY = "http://127.0.0.1:9"


def with_server(settings: Settings, uri: str) -> ModelStore:
    return ModelStore(settings.model_copy(update={"mlflow": MlflowSettings(tracking_uri=uri)}))


def kept(store: ModelStore, folder: Path, *names: str) -> str:
    """A run that holds these files; each holds its name."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    run = store.client.create_run(store.experiment("returning"))
    store.keep("returning", run.info.run_id, folder)
    return str(run.info.run_id)


def test_without_a_server_the_store_lies_in_the_lake(settings: Settings) -> None:
    store = ModelStore(settings)
    assert store.local == Path(settings.lake_root) / "mlflow"
    assert store.uri == f"sqlite:///{settings.lake_root}/mlflow/mlflow.db"
    assert store.shown_uri == store.uri


def test_a_lake_elsewhere_needs_a_server(settings: Settings) -> None:
    remote = ModelStore(settings.model_copy(update={"lake": "s3://bucket/lake"}))
    with pytest.raises(ConfigurationError) as caught:
        _ = remote.client
    assert str(caught.value) == (
        "the lake s3://bucket/lake is no folder of this machine, so models need an MLflow server. "
        "Set mlflow.tracking_uri in conf/dev.yml, or LAKESMITH__MLFLOW__TRACKING_URI."
    )


def test_what_a_run_holds_is_found_again(settings: Settings, tmp_path: Path) -> None:
    store = ModelStore(settings)
    run_id = kept(store, tmp_path / "new", "card.md", "model/data/part")

    with store.artifacts("returning", run_id, "model") as folder:
        assert (folder / "data" / "part").read_text() == "model/data/part"
    with store.artifacts("returning", run_id, "card.md") as card:
        assert card.read_text() == "card.md"
    # MLflow looks in the same place.
    assert [entry.path for entry in store.client.list_artifacts(run_id)] == ["card.md", "model"]
    uri = store.client.get_run(run_id).info.artifact_uri
    assert store.source("returning", run_id, uri) == f"{uri}/model"


def test_a_store_that_was_moved_keeps_what_comes_and_finds_what_was(
    tmp_path: Path, settings: Settings
) -> None:
    before = kept(ModelStore(settings), tmp_path / "before", "card.md")
    (tmp_path / "conf").rename(tmp_path / "elsewhere-conf")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "elsewhere-conf").rename(elsewhere / "conf")
    (tmp_path / "lake").rename(elsewhere / "lake")
    moved = ModelStore(load_settings("dev", elsewhere, {}))

    after = kept(moved, tmp_path / "after", "card.md")

    for run_id in (before, after):
        with moved.artifacts("returning", run_id, "card.md") as card:
            assert card.is_relative_to(elsewhere)
            assert card.read_text() == "card.md"
    assert not (tmp_path / "lake").exists()
    assert (
        moved.source("returning", after, "gone")
        == f"{elsewhere}/lake/mlflow/artifacts/returning/{after}/artifacts/model"
    )


@pytest.mark.parametrize("served", [False, True], ids=["in the lake", "by a server"])
def test_what_a_run_does_not_hold_is_no_outage(settings: Settings, tmp_path: Path, served: bool) -> None:
    local = ModelStore(settings)
    run_id = kept(local, tmp_path / "new", "card.md")
    store = with_server(settings, local.uri) if served else local
    assert (store.local is None) is served

    with store.artifacts("returning", run_id, "card.md") as card:
        assert card.read_text() == "card.md"
    for run, path in ((run_id, "model"), (run_id, "code/project.zip"), ("0" * 32, "card.md")):
        with pytest.raises(ArtifactMissing) as caught, store.artifacts("returning", run, path):
            pass
        assert not is_retryable(caught.value)
        assert str(caught.value) == (
            f"the run {run} of returning holds no {path} in {local.uri}: somebody removed it. Bring it back from a backup, or "
            "train again: lakesmith train returning"
        )


def test_a_server_keeps_and_hands_out_by_its_own_means(settings: Settings, tmp_path: Path) -> None:
    local = ModelStore(settings)
    _ = local.experiment("returning")
    store = with_server(settings, local.uri)
    run_id = kept(store, tmp_path / "new", "card.md", "model/data/part")

    with store.artifacts("returning", run_id, "model") as folder:
        assert (folder / "data" / "part").read_text() == "model/data/part"
        assert not folder.is_relative_to(settings.lake_root)
    assert not folder.exists()
    assert store.source("returning", run_id, "s3://models/7") == "s3://models/7/model"


def test_a_server_that_is_not_there_is_an_outage(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    store = with_server(settings, "http://reader:hunter2@127.0.0.1:9")

    with pytest.raises(StoreUnreachable) as caught, store.artifacts("returning", "0" * 32, "model"):
        pass

    assert is_retryable(caught.value)
    text = str(caught.value)
    assert text.startswith("MLflow at http://127.0.0.1:9 does not answer: MlflowException: API request to ")
    assert text.endswith(
        "Is it up, and is mlflow.tracking_uri right? lakesmith config show tells where the value comes from."
    )
    assert "hunter2" not in text


def test_a_server_that_hangs_up_is_asked_three_times(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("MLFLOW_HTTP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    with hanging_up() as (port, calls):
        store = with_server(settings, f"http://127.0.0.1:{port}")
        with pytest.raises(StoreUnreachable):
            store.experiment("returning")
    assert len(calls) == 3


@contextmanager
def hanging_up() -> Iterator[tuple[int, list[str]]]:
    """A port at which every caller is hung up on, and who called."""
    calls: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    caller, (host, _) = server.accept()
                except OSError:
                    return
                calls.append(host)
                caller.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], calls
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def test_a_disk_that_is_full_is_told_with_its_reason(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    store = ModelStore(settings)
    monkeypatch.setattr(shutil, "copytree", full)
    with (
        pytest.raises(StoreUnreachable, match=r"OSError: \[Errno 28\] No space left on device"),
        store.translating(),
    ):
        store.keep("returning", "0" * 32, tmp_path)
