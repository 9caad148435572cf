"""The operators of the DAGs: landing files, Spark jobs, and commands of the platform.

Owns how a verdict becomes what Airflow understands, and that every one carries table, batch and reason.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Asset, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from lakesmith.airflow.declaring import Declared, opened
from lakesmith.airflow.platform import Answer, Following, ask, command_line
from lakesmith.airflow.verdicts import Action, Trouble, Verdict, judge
from lakesmith.airflow.waiting import until_ready, waiting_for
from lakesmith.config.settings import Settings
from lakesmith.contracts.days import BatchRange

__all__ = [
    "FailedForGood",
    "FailedForNow",
    "LakesmithCommand",
    "LakesmithSubmit",
    "LandingSensor",
    "of_command",
    "raise_for",
]


class FailedForNow(AirflowException):  # type: ignore[misc]  # Airflow is not in the environment where types are checked
    """A later try may end better."""

    def __init__(self, verdict: Verdict) -> None:
        self.troubles = verdict.troubles
        super().__init__(verdict.text)


class FailedForGood(AirflowFailException):  # type: ignore[misc]  # as above
    """No try will end better before somebody has mended something: Airflow does not retry."""

    def __init__(self, verdict: Verdict) -> None:
        self.troubles = verdict.troubles
        super().__init__(verdict.text)


def raise_for(verdict: Verdict) -> None:
    """Raises what Airflow takes for the verdict; nothing when it is done.

    Raises:
        FailedForGood: no retry.
        FailedForNow: a retry, as far as there are any left.
    """
    if verdict.action is Action.FAIL:
        raise FailedForGood(verdict)
    if verdict.action is not Action.DONE:
        raise FailedForNow(verdict)


class LandingSensor(BaseOperator):  # type: ignore[misc]  # as above
    """Waits until the landing files of a day are complete; on a day on which the source is closed for nothing.

    Looks once in the worker, then in the triggerer.

    Args:
        night: `YYYY-MM-DD`, a template.
        tables: those that read the source.
    """

    template_fields = ("night",)

    def __init__(
        self, *, project: str, environment: str, night: str, tables: Sequence[str], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.project = project
        self.environment = environment
        self.night = night
        self.tables = tuple(tables)

    def execute(self, context: Any) -> None:
        """Looks, and waits if need be."""
        here = opened(self.project, self.environment)
        batches = _owned(here, self.tables, self.night)
        if not batches:
            return
        command = _plan(here, self.night, self.tables)
        answer = ask(command)
        waiting = waiting_for(answer, batches)
        if waiting is None:
            raise_for(of_command(answer, command))
        elif waiting:
            self.log.info("waiting for: %s", "; ".join(state["reason"] for state in waiting))
            self.defer(trigger=until_ready(command, batches, here.airflow.landing), method_name="arrived")

    def arrived(self, context: Any, event: dict[str, Any]) -> None:
        """Ends well, or names what never came."""
        _raise_if_waiting(event, self.environment)


class LakesmithSubmit(SparkSubmitOperator):  # type: ignore[misc]  # as above
    """One spark-submit of a job of the project; its outcome record decides what Airflow does next.

    Where the settings name an application of EMR Serverless, it is one `lakesmith submit` in place of that.

    A night whose batches are all blocked by others waits in the triggerer, not in a worker, and is then submitted again. What
    is published already is a no-op, so that a retry goes on where the last try stopped.

    Args:
        job: the file, relative to the project.
        application_args: without `--env` and `--outcome`; templates.
        tables: those that it runs.
        night: `YYYY-MM-DD`, a template; empty where it is no night, and nothing is waited for.
        size: of what a job run gets on EMR Serverless; none: as `lakesmith submit` takes it from the contracts.
    """

    template_fields = (*SparkSubmitOperator.template_fields, "night")

    def __init__(
        self,
        *,
        project: str,
        environment: str,
        job: str,
        application_args: Sequence[str] = (),
        tables: Sequence[str] = (),
        night: str = "",
        size: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            application=str(Path(project) / job),
            application_args=list(application_args),
            name=f"lakesmith-{kwargs['task_id']}",
            **kwargs,
        )
        self.project = project
        self.environment = environment
        self.night = night
        self.tables = tuple(tables)
        self.job = job
        self.size = size
        self._following: Following | None = None

    def execute(self, context: Any) -> dict[str, Any] | None:
        """Submits and judges; returns the outcome record."""
        here = opened(self.project, self.environment)
        outcome, verdict = self._submit(context, here)
        if verdict.action is Action.WAIT and self.night:
            self.log.info("blocked, so it waits without a worker: %s", verdict.text)
            batches = _owned(here, self.tables, self.night)
            command = _plan(here, self.night, self.tables)
            self.defer(trigger=until_ready(command, batches, here.airflow.blocked), method_name="unblocked")
        raise_for(verdict)
        _tell_assets(context, self.outlets, outcome or {}, self.night)
        return outcome

    def unblocked(self, context: Any, event: dict[str, Any]) -> dict[str, Any] | None:
        """Submits again, or fails with what it waited for in vain."""
        _raise_if_waiting(event, self.environment)
        return self.execute(context)

    def _submit(self, context: Any, here: Declared) -> tuple[dict[str, Any] | None, Verdict]:
        arguments: list[str] = list(self.application_args)  # rendered by now
        with _outcome_file(here.settings, context["ti"]) as record:
            if here.settings.emr.application is not None:
                code: int | None = self._submit_to_emr(here.settings, arguments, record)
            else:
                code = self._submit_by_spark(context, arguments, record)
            outcome = _read(record)
        return outcome, judge(code, outcome, _next_command(self.environment, self.tables, self.night))

    def _submit_by_spark(self, context: Any, arguments: Sequence[str], record: Path) -> int | None:
        """A spark-submit, by Airflow's own operator; None where nobody saw its exit code."""
        self.application_args = [*arguments, "--env", self.environment, "--outcome", str(record)]
        # A hook holds the command line that it was made with.
        self._hook = self._get_hook()
        try:
            super().execute(context)
        except AirflowException as error:
            # The provider raises this for every exit code but 0; what was meant is in the record.
            self.log.info("%s", str(error).splitlines()[0])
            process = getattr(self._hook, "_submit_sp", None)
            return process.returncode if process is not None else None
        finally:
            self.application_args = list(arguments)
        return 0

    def _submit_to_emr(self, settings: Settings, arguments: Sequence[str], record: Path) -> int:
        """A job run, whose log is this task's."""
        size = ["--size", self.size] if self.size is not None else []
        command = command_line(settings, "submit", Path(self.job).stem, *size, "--outcome", str(record))
        self._following = Following([*command, "--", *arguments], lambda line: self.log.info("%s", line))
        return self._following.run()

    def on_kill(self) -> None:
        """Ends the driver or the job run with the task."""
        if self._following is not None:
            self._following.stop()
        else:
            super().on_kill()


class LakesmithCommand(BaseOperator):  # type: ignore[misc]  # as above
    """One `lakesmith` command of the platform's environment; returns what it answers with `--json`.

    Args:
        arguments: without `--json`, `--env` and `--project`; templates.
        fine: further exit codes that are no failure.
    """

    template_fields = ("arguments",)

    def __init__(
        self,
        *,
        project: str,
        environment: str,
        arguments: Sequence[str],
        fine: Collection[int] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.project = project
        self.environment = environment
        self.arguments = list(arguments)
        self.fine = tuple(fine)

    def execute(self, context: Any) -> Any:
        """Runs it and judges its exit code."""
        command = command_line(opened(self.project, self.environment).settings, *self.arguments, "--json")
        self.log.info("running: %s", " ".join(command))
        answer = ask(command)
        if answer.said:
            self.log.info("%s", answer.said)
        if answer.code not in self.fine:
            raise_for(of_command(answer, command))
        return answer.json


def _owned(here: Declared, tables: Sequence[str], night: str) -> dict[str, str]:
    """Table -> the batch that the night owns; without those that have none yet."""
    day = date.fromisoformat(night)
    owned = {table: here.graph.due(table, BatchRange(day, day)) for table in tables}
    return {table: batch.first.isoformat() for table, batch in owned.items() if batch is not None}


def _plan(here: Declared, night: str, tables: Sequence[str]) -> list[str]:
    named = [word for table in tables for word in ("--table", table)]
    return command_line(here.settings, "plan", "--date", night, *named, "--json")


def _next_command(environment: str, tables: Sequence[str], night: str) -> str:
    named = f" --table {tables[0]}" if len(tables) == 1 else ""
    around = f" --from {night} --to {night}" if night else ""
    return f"lakesmith status{around}{named} --env {environment}"


def of_command(answer: Answer, command: Sequence[str]) -> Verdict:
    """What a command of the platform came to."""
    outcome = answer.json if isinstance(answer.json, dict) and "exit_code" in answer.json else None
    if outcome is None and answer.said:
        outcome = {"exit_code": answer.code, "error": answer.said.removeprefix("error: ")}
    return judge(answer.code, outcome, " ".join(["lakesmith", *command[1:]]))


def _raise_if_waiting(event: Mapping[str, Any], environment: str) -> None:
    troubles = [Trouble(state["table"], state["batch_date"], state["reason"]) for state in event["waiting"]]
    if event["error"]:
        troubles.append(Trouble("", "", event["error"]))
    if troubles:
        said = "; ".join(str(trouble) for trouble in troubles)
        text = f"waited in vain. {said}. See: lakesmith status --env {environment}"
        raise FailedForGood(Verdict(Action.FAIL, tuple(troubles), text))


@contextmanager
def _outcome_file(settings: Settings, task: Any) -> Iterator[Path]:
    """Where the driver leaves its record: of this worker, or shared where drivers run elsewhere."""
    if settings.airflow.outcomes is None:
        with tempfile.TemporaryDirectory(prefix="lakesmith-") as folder:
            yield Path(folder) / "outcome.json"
        return
    name = f"{task.dag_id}-{task.run_id}-{task.task_id}-{task.map_index}-{task.try_number}.json"
    record = settings.project_root / settings.airflow.outcomes / name.replace("/", "_")
    # The same try is submitted again after it was blocked.
    record.unlink(missing_ok=True)
    yield record


def _read(record: Path) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found


def _tell_assets(context: Any, outlets: Sequence[Any], outcome: Mapping[str, Any], night: str) -> None:
    """What each asset's event says: the batch, and how many rows of it are new."""
    rows = {table["table"]: table["rows_published"] for table in outcome.get("tables", ())}
    for asset in outlets:
        if isinstance(asset, Asset):
            context["outlet_events"][asset].extra = {
                "batch": night,
                "rows_published": rows.get(asset.name.removeprefix("lakesmith/"), 0),
            }
