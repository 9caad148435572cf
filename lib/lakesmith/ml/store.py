"""MLflow as Lakesmith uses it: one experiment and one registered model for each declaration.

Owns where the store is, the client, and the way from a version to a folder of files. Without a setting it is an SQLite file and
a folder under a local lake, and a copy of them elsewhere is as good: paths that MLflow wrote down are not relied upon there.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lakesmith.config.secrets import revealed
from lakesmith.config.settings import Settings
from lakesmith.errors import ConfigurationError, LakesmithError

if TYPE_CHECKING:
    from mlflow import MlflowClient

__all__ = [
    "ALIASES",
    "BASELINE_FILE",
    "CHALLENGER",
    "CHAMPION",
    "EVALUATION_FILE",
    "MODEL_FOLDER",
    "PREVIOUS",
    "ArtifactMissing",
    "ModelStore",
    "StoreUnreachable",
]

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous_champion"
ALIASES = (CHAMPION, CHALLENGER, PREVIOUS)
MODEL_FOLDER = "model"
"""Where in a run's artifacts the model is."""
BASELINE_FILE = "baseline.json"
"""Beside a model's own files: the baseline of what it was trained on."""
EVALUATION_FILE = "evaluation.json"
"""Among a run's artifacts: how good the model and its baselines were when it was trained."""

# A night must not wait minutes for a server that is gone, as MLflow's own defaults would.
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


class StoreUnreachable(LakesmithError):
    """MLflow's server or store does not answer."""

    retryable = True

    def __init__(self, uri: str, reason: str) -> None:
        self.uri = uri
        super().__init__(
            f"MLflow at {uri} does not answer: {reason}. Is it up, and is mlflow.tracking_uri right? "
            f"lakesmith config show tells where the value comes from."
        )


class ArtifactMissing(LakesmithError):
    """A run does not hold what every training leaves in it."""

    def __init__(self, model: str, run_id: str, path: str, uri: str) -> None:
        self.model = model
        self.path = path
        super().__init__(
            f"the run {run_id} of {model} holds no {path} in {uri}: somebody removed it. Bring it back from a backup, or train "
            f"again: lakesmith train {model}"
        )


class ModelStore:
    """The MLflow store of one environment.

    Args:
        settings: `mlflow.tracking_uri`, or else the lake's own folder.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def local(self) -> Path | None:
        """The folder of the store under a local lake; None when a server keeps it."""
        if self._settings.mlflow.tracking_uri is not None:
            return None
        root = self._settings.lake_root
        if "://" in root:
            raise ConfigurationError(
                f"the lake {root} is no folder of this machine, so models need an MLflow server. "
                f"Set mlflow.tracking_uri in conf/{self._settings.environment}.yml, or LAKESMITH__MLFLOW__TRACKING_URI."
            )
        return Path(root) / "mlflow"

    @property
    def uri(self) -> str:
        """The tracking and registry URI."""
        if (named := revealed(self._settings.mlflow.tracking_uri)) is not None:
            return named
        return f"sqlite:///{self.local}/mlflow.db"

    @property
    def shown_uri(self) -> str:
        """The same without a user's password."""
        scheme, _, rest = self.uri.partition("://")
        return f"{scheme}://{rest.rpartition('@')[2]}"

    @cached_property
    def client(self) -> MlflowClient:
        """MLflow's client; the first use makes the store.

        Raises:
            StoreUnreachable: it cannot be made or reached.
        """
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        # Its migrations of an empty store are no news.
        logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
        import mlflow

        if self.local is not None:
            self.local.mkdir(parents=True, exist_ok=True)
        # `runs:/` and `models:/` are looked up at the global place, also by a client that has its own.
        mlflow.set_tracking_uri(self.uri)
        mlflow.set_registry_uri(self.uri)
        return mlflow.MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @contextmanager
    def translating(self) -> Iterator[None]:
        """Turns what MLflow raises when it is not there into an error that says so."""
        from mlflow.exceptions import MlflowException
        from requests.exceptions import RequestException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, RequestException, SQLAlchemyError, OSError) as error:
            said = str(error).strip().splitlines()
            # The whole of it may quote the URI with its password.
            reason = f"{type(error).__name__}: {said[0][:200] if said else ''}".replace(
                self.uri, self.shown_uri
            )
            raise StoreUnreachable(self.shown_uri, reason) from error

    def experiment(self, model: str) -> str:
        """The id of the model's experiment, made when it is not there."""
        with self.translating():
            found = self.client.get_experiment_by_name(model)
            if found is not None:
                return str(found.experiment_id)
            place = str(self.local / "artifacts" / model) if self.local is not None else None
            return str(self.client.create_experiment(model, artifact_location=place))

    @contextmanager
    def artifacts(self, model: str, run_id: str, path: str) -> Iterator[Path]:
        """A folder or file of a run's artifacts as a path of this machine.

        Args:
            path: below the run's artifacts, like `model`.

        Raises:
            StoreUnreachable: a server does not hand it out.
            ArtifactMissing: the run does not hold it.
        """
        if self.local is not None:
            found = self._folder(self.local, model, run_id) / path
            if not found.exists():
                raise ArtifactMissing(model, run_id, path, self.shown_uri)
            yield found
            return
        from mlflow.artifacts import download_artifacts

        with tempfile.TemporaryDirectory(prefix="lakesmith-artifacts-") as folder:
            with self.translating():
                if path not in self._listed(run_id, path.rpartition("/")[0]):
                    raise ArtifactMissing(model, run_id, path, self.shown_uri)
                found = Path(download_artifacts(run_id=run_id, artifact_path=path, dst_path=folder))
            yield found

    def keep(self, model: str, run_id: str, folder: Path) -> None:
        """Puts the files of a folder among a run's artifacts.

        In a local store they go where `artifacts` looks: what MLflow wrote down may be a place where the lake was once.
        """
        if self.local is not None:
            shutil.copytree(folder, self._folder(self.local, model, run_id), dirs_exist_ok=True)
        else:
            self.client.log_artifacts(run_id, str(folder))

    def source(self, model: str, run_id: str, recorded: str) -> str:
        """Where a run's model is, as the registry has it.

        Args:
            recorded: the run's `artifact_uri`.
        """
        root = str(self._folder(self.local, model, run_id)) if self.local is not None else recorded
        return f"{root}/{MODEL_FOLDER}"

    def _listed(self, run_id: str, folder: str) -> list[str]:
        """What a folder of a run's artifacts holds; nothing where there is no such run."""
        from mlflow.exceptions import MlflowException

        try:
            return [entry.path for entry in self.client.list_artifacts(run_id, folder or None)]
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return []

    @staticmethod
    def _folder(local: Path, model: str, run_id: str) -> Path:
        return local / "artifacts" / model / run_id / "artifacts"
