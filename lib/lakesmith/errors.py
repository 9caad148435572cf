"""The one exception root, and what each kind of failure means to whoever called.

    LakesmithError                exit 1   anything that no class below names
      UsageError                  exit 2   the command line asks for something that does not exist
      ConfigurationError          exit 2   settings, contracts or suites are wrong
        ExtraMissing              exit 2   a package that only an extra brings is not installed
        ProjectNotFound           exit 2   no folder with conf/base.yml where it was looked for
        InvalidSettings           exit 2   every mistake found in settings files and variables, at once
        DirtyBuild                exit 2   code that was built from a changed tree, where the settings want a commit
        SettingMissing            exit 2   a setting that has no default is needed and not set
        InvalidProject            exit 2   every mistake found in the project's files, at once
        DestructiveChange         exit 2   a contract change that would lose data
        UnsupportedTable          exit 2   a Delta feature or format that this version must not touch
      DataRejected                exit 3   a batch broke its suite, its limit or its schema
        SchemaMismatch            exit 3   a transform returned other columns than its contract names
      InputMissing                exit 4   a batch or a landing file that is needed is not there
      LeaseHeld                   exit 5   another run works on the table (a retry can help)
      InputChanged                exit 1   what a run read was replaced meanwhile (a retry can help)
      CommitConflict              exit 1   others kept publishing first (a retry can help)
      SparkLost                   exit 1   the JVM of Spark ended during the run (a retry can help)

    Stopped               exit 130, 143    SIGINT or SIGTERM arrived; no LakesmithError, since nothing failed

Facts are attributes; the message says what, where, what was expected and ends in the next step.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from pathlib import Path
from typing import ClassVar

__all__ = [
    "CommitConflict",
    "ConfigurationError",
    "DataRejected",
    "DestructiveChange",
    "DirtyBuild",
    "ExitCode",
    "ExtraMissing",
    "InputChanged",
    "InputMissing",
    "InvalidProject",
    "InvalidSettings",
    "LakesmithError",
    "LeaseHeld",
    "Problem",
    "ProjectNotFound",
    "SchemaMismatch",
    "SettingMissing",
    "SparkLost",
    "Stopped",
    "UnsupportedTable",
    "UsageError",
    "exit_code_of",
    "is_retryable",
]


class ExitCode(IntEnum):
    """What a process answers; `spark-submit`, Airflow and shells decide on it whether to retry.

    The last two are what shells answer for a process that SIGINT (Ctrl-C) or SIGTERM ended.
    """

    DONE = 0
    FAILED = 1
    USAGE = 2
    REJECTED = 3
    MISSING = 4
    BUSY = 5
    PARTIAL = 6
    INTERRUPTED = 130
    TERMINATED = 143


class LakesmithError(Exception):
    """Root of every error that Lakesmith raises on purpose."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED
    retryable: ClassVar[bool] = False


class UsageError(LakesmithError):
    """The caller named a table, a date or an option that does not exist."""

    exit_code = ExitCode.USAGE


class ConfigurationError(LakesmithError):
    """Settings, contracts, suites or the environment are not as they must be."""

    exit_code = ExitCode.USAGE


class ExtraMissing(ConfigurationError):
    """A package that only one of Lakesmith's extras brings is not installed."""

    def __init__(self, package: str, extras: tuple[str, ...]) -> None:
        self.package = package
        self.extras = extras
        super().__init__(
            f"{package} is not installed. Install it: pip install 'lakesmith[{','.join(extras)}]'"
        )


@dataclass(frozen=True)
class Problem:
    """One mistake in a file of the project.

    Args:
        file: the file, relative to the project where it can be.
        place: where in the file, as a dotted path (`columns.customer_id.type`); empty for the whole file.
        message: what is wrong and what was expected.
        line: line number, from 1; None where it is not known.
        nearest: the valid name that was probably meant.
    """

    file: str
    place: str
    message: str
    line: int | None = None
    nearest: str | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        place = f" {self.place}:" if self.place else ""
        if not self.nearest:
            return f"{where}:{place} {self.message}"
        return f"{where}:{place} {self.message.rstrip('.')}. Did you mean {self.nearest!r}?"


class ProjectNotFound(ConfigurationError):
    """No folder that holds conf/base.yml; `looked_in` lists the folders, in order."""

    def __init__(self, looked_in: list[Path], how: str) -> None:
        self.looked_in = looked_in
        self.how = how
        listed = ", ".join(str(folder) for folder in looked_in)
        super().__init__(
            f"no project: there is no conf/base.yml in {listed} ({how}). "
            f"Change into the project's folder, or name it: LAKESMITH_PROJECT=<folder>"
        )


class InvalidSettings(ConfigurationError):
    """The settings files and variables of an environment hold mistakes; all that were found are listed."""

    def __init__(self, environment: str, problems: list[Problem]) -> None:
        self.environment = environment
        self.problems = problems
        count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(
            f"{count} in the settings of {environment}:\n{lines}\n"
            f"Mend them, then check with: lakesmith config show --env {environment}"
        )


class SettingMissing(ConfigurationError):
    """A setting that this environment leaves open is needed now."""

    def __init__(self, key: str, variable: str, file: str) -> None:
        self.key = key
        self.variable = variable
        self.file = file
        super().__init__(f"{key} is not set. Set the variable {variable}, or {key} in {file}.")


class DirtyBuild(ConfigurationError):
    """A wheel or an archive does not say by a commit alone what its code is, and `clean_build` asks for that."""

    def __init__(self, what: str, commit: str, environment: str) -> None:
        self.commit = commit
        self.environment = environment
        super().__init__(
            f"{what} was built from {commit}; {environment} takes only what a commit alone describes (clean_build). "
            f"Commit the changes and build it again: make package"
        )


class InvalidProject(ConfigurationError):
    """The project's files hold mistakes; all that were found are listed."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(
            f"{count} in the project's files:\n{lines}\nMend them, then check with: lakesmith doctor"
        )


class DestructiveChange(ConfigurationError):
    """A contract asks for a change of a published table that would lose or reinterpret data."""

    def __init__(self, table: str, changes: list[str]) -> None:
        self.table = table
        self.changes = changes
        listed = "; ".join(changes)
        super().__init__(
            f"{table}: the contract and the published table differ in a way that cannot be added: {listed}. "
            f"Keep the old columns, or give the table a new name and refill it: "
            f"lakesmith backfill --from A --to B --table <new name>"
        )


class UnsupportedTable(ConfigurationError):
    """A table uses a protocol, a feature or a format that this version does not support."""

    def __init__(self, table: str, reason: str) -> None:
        self.table = table
        self.reason = reason
        super().__init__(f"{table}: {reason}")


class DataRejected(LakesmithError):
    """Batches failed their audit; nothing of them was published.

    Attributes:
        batch_date: the one batch that is to blame, where it is known: other batches of a range need not suffer.
    """

    exit_code = ExitCode.REJECTED
    batch_date: date | None = None


class SchemaMismatch(DataRejected):
    """A transform returned columns or types other than its contract's; nothing was staged."""

    def __init__(self, table: str, differences: list[str], contract_file: str) -> None:
        self.table = table
        self.differences = differences
        listed = "; ".join(differences)
        super().__init__(
            f"{table}: the transform's columns are not the contract's: {listed}. "
            f"Change the job or {contract_file}; nothing was staged."
        )


class InputMissing(LakesmithError):
    """A batch of an input, or a landing file, is not there."""

    exit_code = ExitCode.MISSING


class LeaseHeld(LakesmithError):
    """Another run holds the table's lease."""

    exit_code = ExitCode.BUSY
    retryable = True


class LeaseLost(LakesmithError):
    """A run was silent for so long that another may have taken its table's lease."""

    exit_code = ExitCode.BUSY
    retryable = True


class InputChanged(LakesmithError):
    """Something a run had read was replaced before it could publish."""

    retryable = True


class CommitConflict(LakesmithError):
    """Other writers kept committing first, more often than the run was willing to try again."""

    retryable = True


class SparkLost(LakesmithError):
    """The JVM that does Spark's work is gone: killed, out of memory, or told to end."""

    retryable = True

    def __init__(self) -> None:
        super().__init__(
            "Spark's JVM ended before the run did; nothing half-done is visible. Look at the end of its log for the reason "
            "(out of memory: LAKESMITH__SPARK__DRIVER_MEMORY=4g), and run again."
        )


class Stopped(KeyboardInterrupt):
    """The process was told to end by a signal.

    No `Exception`, so that nobody takes it for a failure of the data; and a `KeyboardInterrupt`, since only for that py4j
    closes the connection of the call that is interrupted.
    """

    retryable: ClassVar[bool] = True

    def __init__(self, signal: str) -> None:
        self.exit_code = ExitCode.TERMINATED if signal == "SIGTERM" else ExitCode.INTERRUPTED
        super().__init__(f"{signal} told the process to end")


def exit_code_of(error: BaseException) -> ExitCode:
    """What a process answers that ends by this error."""
    return error.exit_code if isinstance(error, LakesmithError | Stopped) else ExitCode.FAILED


def is_retryable(error: BaseException | None) -> bool:
    """True when the same run can end better without anybody mending anything."""
    return isinstance(error, LakesmithError | Stopped) and error.retryable
