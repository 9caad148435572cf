"""The tasks of a training: train, let a person approve, promote.

Owns which run trains what: the weekly one each model, one that was asked for only the models that ask.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException

from lakesmith.airflow.declaring import Declared
from lakesmith.airflow.operators import LakesmithCommand, LakesmithSubmit

__all__ = ["AskForTraining", "approval", "promotion", "training"]

_BY_ASSET = "asset_triggered"


class LakesmithTraining(LakesmithSubmit):
    """One spark-submit that trains a model; its outcome names the version, none where no training was asked for."""

    def execute(self, context: Any) -> dict[str, Any] | None:
        """Trains, or skips itself and what follows."""
        if str(context["dag_run"].run_type) == _BY_ASSET:
            self.application_args = [*self.application_args, "--if-requested"]
        outcome = super().execute(context)
        if outcome is None or outcome.get("version") is None:
            raise AirflowSkipException("no training is requested of this model")
        return outcome


class AskForTraining(BaseOperator):  # type: ignore[misc]  # Airflow is not in the environment where types are checked
    """Tells `lakesmith_training` of a model whose retraining is wanted; skipped where none is.

    On each night until a training has answered the request: a check that failed after it, or a training that did, is made up for.

    Args:
        checked: what `lakesmith alerts check --json` answered, a template.
    """

    template_fields = ("checked",)

    def __init__(self, *, model: str, checked: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.checked = checked

    def execute(self, context: Any) -> None:
        """Ends well where it is requested, so that its asset has an event."""
        if self.model not in (self.checked or {}).get("retraining_wanted", ()):
            raise AirflowSkipException(f"no retraining of {self.model} is requested")


def training(here: Declared, model: str) -> Any:
    """The task that trains a model."""
    return LakesmithTraining(
        task_id=f"train_{model}",
        **here.submission(),
        job="jobs/ml/train.py",
        application_args=[model, "--reason", "{{ dag_run.run_type }} run {{ run_id }}"],
        owner=here.project.models[model].owner,
    )


def promotion(here: Declared, model: str, trained: Any) -> Any:
    """The task that makes the version that was trained the champion; the gates have the last word."""
    version = f"{{{{ ti.xcom_pull(task_ids='{trained.task_id}')['version'] }}}}"
    return LakesmithCommand(
        task_id=f"promote_{model}",
        **here.place,
        arguments=["models", "promote", model, version, "--reason", "run {{ run_id }}"],
        owner=here.project.models[model].owner,
    )


def approval(here: Declared, model: str, trained: Any) -> Any:
    """The task that waits for a person; it ends with nobody's answer like one that was rejected, and nothing is promoted."""
    version = f"{{{{ ti.xcom_pull(task_ids='{trained.task_id}')['version'] }}}}"
    return ApprovalOperator(
        task_id=f"approve_{model}",
        subject=f"Make version {version} of {model} the champion?",
        body=f"Every gate has passed. Its card: `lakesmith models show {model} {version} --env {here.settings.environment}`",
        owner=here.project.models[model].owner,
        execution_timeout=None,
    )
