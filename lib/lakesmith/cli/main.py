"""`lakesmith`: the commands, and the one seam where an error becomes a line on stderr and an exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from lakesmith import __version__
from lakesmith.cli import (
    alerts,
    audit,
    catalog,
    config_show,
    demo,
    diff,
    doctor,
    drift,
    extract,
    forget,
    lineage,
    maintain,
    metrics,
    models,
    nights,
    quality,
    quarantine,
    recorded_nights,
    restore,
    simulate,
    site,
    slo,
    sql,
    stack,
    status,
    submit,
)
from lakesmith.cli.output import answer, log_to_terminal, say, say_error
from lakesmith.engine.stopping import stops_on_signals
from lakesmith.errors import ExitCode, LakesmithError, Stopped
from lakesmith.ledger.own_build import own_build

__all__ = ["main"]

_EPILOG = (
    "Exit codes: 0 done, 2 usage or configuration, 3 data rejected, 4 input missing or blocked, 5 lease held "
    "by another run, 6 partial, 130 or 143 told to stop, 1 anything else."
)

# Typer's words for values that it could not read, and ours.
_PLAINLY = {
    "Value error, ": "",
    "Input should be a valid integer, unable to parse string as an integer": "expected a whole number",
    "Input should be a valid number, unable to parse string as a number": "expected a number",
    "Input should be greater than or equal to": "expected at least",
}


class _Commands(TyperGroup):
    """Lets a signal keep its exit code: of whatever Ctrl-C can be, Typer makes a 130."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Stopped as told:
            return int(told.exit_code)


_app = typer.Typer(
    name="lakesmith",
    cls=_Commands,
    help="Daily files in, trustworthy versioned Delta tables out. Begin with `lakesmith demo` or "
    "`lakesmith doctor`.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@_app.callback(invoke_without_command=True)
def _lakesmith(
    version: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show the log of the work on stderr.")
    ] = False,
) -> None:
    log_to_terminal(logging.INFO if verbose else logging.WARNING)
    if version:
        build = own_build()
        answer(f"lakesmith {__version__}" + (f", built from {build}" if build is not None else ""))
        raise typer.Exit


_app.command("doctor")(doctor.command)
_app.command("demo")(demo.command)
_app.command("extract")(extract.command)
_app.command("plan")(nights.plan)
_app.command("run")(nights.run)
_app.command("backfill")(nights.backfill)
_app.command("status")(status.command)
_app.command("nights")(recorded_nights.command)
_app.command("quality")(quality.command)
_app.command("drift")(drift.command)
_app.command("lineage")(lineage.command)
_app.command("sql")(sql.command)
_app.command("diff")(diff.command)
_app.command("restore")(restore.command)
_app.command("audit")(audit.command)
_app.command("maintain")(maintain.command)
_app.command("forget")(forget.command)
_app.command("train")(models.train)
_app.command("score")(models.score)
_app.command("submit")(submit.command)
_app.command("simulate")(simulate.command)
_config = typer.Typer(help="Settings: which are in force, and where each comes from.", no_args_is_help=True)
_config.command("show")(config_show.command)
_app.add_typer(_config, name="config")
_catalog = typer.Typer(help="The tables by name in Spark's catalog.", no_args_is_help=True)
_catalog.command("sync")(catalog.sync)
_app.add_typer(_catalog, name="catalog")
_quarantine = typer.Typer(
    help="Rejected rows: which, why, and running their batches again.", no_args_is_help=True
)
_quarantine.command("list")(quarantine.list_rows)
_quarantine.command("show")(quarantine.show)
_quarantine.command("replay")(quarantine.replay)
_app.add_typer(_quarantine, name="quarantine")
_site = typer.Typer(help="Static pages of tables, batches, drift, models and runs.", no_args_is_help=True)
_site.command("build")(site.build)
_site.command("serve")(site.serve)
_site.command("drift-report")(site.drift_report)
_app.add_typer(_site, name="site")
_models = typer.Typer(help="Versions of models: which there are, and which is in use.", no_args_is_help=True)
_models.command("list")(models.list_models)
_models.command("show")(models.show)
_models.command("compare")(models.compare)
_models.command("promote")(models.promote)
_models.command("reject")(models.reject)
_models.command("rollback")(models.rollback)
_models.command("reproduce")(models.reproduce)
_models.command("refit", hidden=True)(models.refit)
_app.add_typer(_models, name="models")
_app.command("slo")(slo.command)
_alerts = typer.Typer(help="What is wrong after a night, and whom that was told.", no_args_is_help=True)
_alerts.command("list")(alerts.list_alerts)
_alerts.command("check")(alerts.check)
_alerts.command("report")(alerts.report)
_alerts.command("test")(alerts.send_test)
_app.add_typer(_alerts, name="alerts")
_stack = typer.Typer(help="The servers of a platform on this machine.", no_args_is_help=True)
_stack.command("up")(stack.up)
_stack.command("status")(stack.status)
_stack.command("down")(stack.down)
_app.add_typer(_stack, name="stack")
_metrics = typer.Typer(help="Figures of the lake for Prometheus. No JVM.", no_args_is_help=True)
_metrics.command("serve")(metrics.serve)
_metrics.command("write")(metrics.write)
_metrics.command("rules")(metrics.rules)
_app.add_typer(_metrics, name="metrics")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command line; returns the exit code (see `lakesmith.errors.ExitCode`).

    Args:
        arguments: without the program's name; None takes the process's own.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        with stops_on_signals():
            code = int(_app(given, prog_name="lakesmith", standalone_mode=False) or 0)
    except LakesmithError as error:
        say_error(str(error))
        return int(error.exit_code)
    except (Stopped, typer.Abort) as error:
        # Typer makes an Abort of everything that Ctrl-C can be.
        told = error if isinstance(error, Stopped) else error.__cause__
        code = int(told.exit_code if isinstance(told, Stopped) else ExitCode.INTERRUPTED)
    except Exception as error:
        # Typer's own mistakes of usage; which classes they are changes with its version.
        if not hasattr(error, "format_message"):
            raise
        return _usage(error)
    if code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED):
        say("interrupted: nothing half-done is visible; the same command goes on where this one stopped.")
    return code


def _usage(error: Exception) -> int:
    message = str(error.format_message())  # type: ignore[attr-defined]  # asked for by the caller
    for theirs, plainly in _PLAINLY.items():
        message = message.replace(theirs, plainly)
    if not message:
        # No arguments where some are needed: the help was shown instead.
        return 2
    path = getattr(getattr(error, "ctx", None), "command_path", "lakesmith")
    say_error(f"{message.rstrip('.')}{'' if message.endswith('?') else '.'} See what it takes: {path} --help")
    return 2
