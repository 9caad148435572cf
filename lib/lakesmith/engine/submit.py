"""Job files as programs: what `spark-submit jobs/<layer>/<name>.py` and `spark-submit jobs/night.py` do.

Owns their command line, the log on stderr, the outcome file and the exit code. The run itself is the same as a night's.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lakesmith.config.load import load_settings
from lakesmith.contracts.days import BatchRange, parse_night
from lakesmith.contracts.load import load_project
from lakesmith.engine.context import Context
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.outcome import NightResult, TableResult
from lakesmith.engine.stopping import is_no_interruption, stops_on_signals
from lakesmith.errors import ExitCode, LakesmithError, Stopped, UsageError
from lakesmith.jobs import Job

__all__ = [
    "open_context",
    "outcome_in_any_case",
    "submit_night",
    "submit_one",
    "submit_scores",
    "submit_training",
    "write_outcome",
]

log = logging.getLogger("lakesmith")


def open_context(environment: str | None, project_root: Path | None = None) -> Context:
    """The project, the settings and the ledger of one process.

    Args:
        environment: None takes LAKESMITH_ENV, else dev.
        project_root: None looks upwards from the working folder.

    Raises:
        ConfigurationError: files or settings hold mistakes.
    """
    settings = load_settings(environment, project_root)
    types: Mapping[str, frozenset[str]] = {}
    if settings.quality.expectation_modules:
        # Great Expectations takes seconds to import: only where a project brings expectations of its own.
        from lakesmith.quality.custom import load_expectation_modules

        types = load_expectation_modules(settings.quality.expectation_modules)
    return Context(load_project(settings.project_root, types, settings.models, settings.origins), settings)


def submit_one(job: Job, file: Path, arguments: Sequence[str]) -> ExitCode:
    """Runs one table's job for the nights on the command line.

    Args:
        job: as the job file defines it.
        file: the job file; the project is the folder above it that holds conf/.
        arguments: without the program's name.
    """
    parser = _parser(file.name, f"Runs {job.table} for a range of nights.")

    def run(options: argparse.Namespace) -> NightResult:
        from lakesmith.engine.run import run_table

        context = open_context(options.env, _project_of(file))
        contract = context.project.graph.contract(job.table)
        nights = _nights(options)
        due = context.judge.due(job.table, nights)
        # The plan names what it looks back on; all that is due is judged again when the lease is held.
        plan = plan_nights(context, nights, [job.table], force=options.force, look_back=len(nights) == 1)
        wanted = {day for step in plan.steps for day in step.batches} | set(due or ())
        result = (
            run_table(
                context,
                contract,
                sorted(wanted),
                job=job,
                force=options.force,
                audits=[day for step in plan.steps for day in step.audits],
            )
            if wanted
            else TableResult(job.table)
        )
        return NightResult(nights, {job.table: result}, 0.0)

    return _guarded(parser, arguments, run)


def submit_night(file: Path, arguments: Sequence[str]) -> ExitCode:
    """Runs several tables, or all, in dependency order in one session."""
    parser = _parser(file.name, "Runs tables of a range of nights, in dependency order.")
    parser.add_argument("--table", action="append", default=[], help="only this table; may be repeated")
    parser.add_argument(
        "--stale-only", action="store_true", help="only what was published and has changed since"
    )

    def run(options: argparse.Namespace) -> NightResult:
        if options.stale_only and options.force:
            raise UsageError(
                "--stale-only repairs what was published before, --force reaches further; choose one"
            )
        context = open_context(options.env, _project_of(file))
        nights = _nights(options)
        look_back = len(nights) == 1 and not options.stale_only
        plan = plan_nights(
            context,
            nights,
            options.table,
            force=options.force,
            stale_only=options.stale_only,
            look_back=look_back,
        )
        return execute(context, plan)

    return _guarded(parser, arguments, run)


def submit_scores(file: Path, arguments: Sequence[str]) -> ExitCode:
    """Scores nights: runs the tables that read a model."""
    parser = _parser(file.name, "Scores a range of nights.")
    parser.add_argument("--table", help="only this table of scores")
    parser.add_argument("--model", type=int, metavar="VERSION", help="score with this version")

    def run(options: argparse.Namespace) -> NightResult:
        from lakesmith.engine.scoring import pin_version, score_tables

        context = open_context(options.env, _project_of(file))
        tables = score_tables(context, options.table)
        pin_version(context, tables, options.model)
        force = options.force or options.model is not None
        return execute(context, plan_nights(context, _nights(options), tables, force=force))

    return _guarded(parser, arguments, run)


def submit_training(file: Path, arguments: Sequence[str]) -> ExitCode:
    """Trains a model; the exit code is 3 when a gate refuses it."""
    parser = argparse.ArgumentParser(prog=file.name, description="Trains a model and registers it.")
    parser.add_argument("model", help="the name of a file in conf/models")
    parser.add_argument("--as-of", help="the last night to know, YYYY-MM-DD (default: the last with labels)")
    parser.add_argument("--reason", default="asked for", help="why, for the record")
    parser.add_argument("--promote", action="store_true", help="make it the champion if every gate passes")
    parser.add_argument("--if-requested", action="store_true", help="only if alerts have requested it")
    parser.add_argument("--env", default=None, help="the environment: conf/<env>.yml")
    parser.add_argument("--outcome", type=Path, help="write what came of it to this file, as JSON")
    _log_to_stderr()
    options = parser.parse_args(arguments)
    try:
        with stops_on_signals(), outcome_in_any_case(options.outcome):
            from lakesmith.engine.keeping import requested, train_and_keep

            context = open_context(options.env, _project_of(file))
            declaration = context.project.model(options.model)
            if options.if_requested:
                request = requested(context, declaration.name)
                if request is None:
                    log.info("%s: no retraining is requested", declaration.name)
                    _write_training(options.outcome, ExitCode.DONE, declaration.name, None, "")
                    return ExitCode.DONE
                options.reason = f"requested on {request.night}: {request.reason}"
            night = parse_night(options.as_of) if options.as_of else None
            trained, event = train_and_keep(
                context, declaration, night, options.reason, promote=options.promote
            )
    except (LakesmithError, Stopped) as error:
        log.error("%s: %s", type(error).__name__, error)
        return error.exit_code
    for verdict in trained.verdicts:
        log.log(logging.INFO if verdict.passed else logging.ERROR, "%s: %s", verdict.gate, verdict.text)
    log.info("%s version %d is %s (run %s)", event.model, event.version, event.event, event.run_id)
    code = ExitCode.DONE if trained.passed else ExitCode.REJECTED
    refused = "; ".join(verdict.text for verdict in trained.verdicts if not verdict.passed)
    said = f"{event.model} version {event.version} is refused by its gates: {refused}" if refused else ""
    _write_training(options.outcome, code, event.model, event.version, said)
    return code


def _write_training(path: Path | None, code: ExitCode, model: str, version: int | None, refused: str) -> None:
    """The outcome of a training; `version` is None where none was requested."""
    if path is None:
        return
    found = {
        "exit_code": int(code),
        "outcome": code.name.lower(),
        "retryable": False,
        "complete": code is ExitCode.DONE,
        "error": refused or None,
        "tables": [],
        "model": model,
        "version": version,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


def write_outcome(path: Path, night: NightResult) -> None:
    """Leaves what came of a run where a caller finds it that cannot see the driver's exit code."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(night.to_json(), indent=2) + "\n", encoding="utf-8")


@contextmanager
def outcome_in_any_case(path: Path | None) -> Iterator[None]:
    """Leaves an outcome also of a command that ended before any table's turn came."""
    try:
        yield
    except (LakesmithError, Stopped) as error:
        if path is not None:
            found = {
                "exit_code": int(error.exit_code),
                "outcome": error.exit_code.name.lower(),
                "retryable": error.retryable,
                "complete": False,
                "error": f"{type(error).__name__}: {error}",
                "tables": [],
            }
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        raise


def _parser(program: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=program, description=description)
    parser.add_argument("--date", help="one night, YYYY-MM-DD")
    parser.add_argument("--from", dest="first", help="the first night")
    parser.add_argument("--to", dest="last", help="the last night, included")
    parser.add_argument(
        "--env", default=None, help="the environment: conf/<env>.yml (default: LAKESMITH_ENV, else dev)"
    )
    parser.add_argument("--force", action="store_true", help="compute fresh batches too")
    parser.add_argument("--outcome", type=Path, help="write what came of it to this file, as JSON")
    return parser


def _nights(options: argparse.Namespace) -> BatchRange:
    if options.date and not (options.first or options.last):
        return BatchRange(parse_night(options.date), parse_night(options.date))
    if options.first and options.last and not options.date:
        return BatchRange(parse_night(options.first), parse_night(options.last))
    raise UsageError("Which nights? Give --date D, or --from A --to B.")


def _project_of(file: Path) -> Path | None:
    return next((folder for folder in file.parents if (folder / "conf" / "base.yml").is_file()), None)


def _guarded(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str],
    run: Callable[[argparse.Namespace], NightResult],
) -> ExitCode:
    _log_to_stderr()
    options = parser.parse_args(arguments)
    try:
        with stops_on_signals(), outcome_in_any_case(options.outcome):
            night = run(options)
    except (LakesmithError, Stopped) as error:
        log.error("%s: %s", type(error).__name__, error)
        return error.exit_code
    for result in night.tables.values():
        _report(result)
    if options.outcome:
        write_outcome(options.outcome, night)
    return night.exit_code


def _log_to_stderr() -> None:
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("py4j").setLevel(logging.WARNING)
    for handler in logging.getLogger().handlers:
        handler.addFilter(is_no_interruption)


def _report(result: TableResult) -> None:
    """The run in the log: one line for what was done, one for each batch in trouble."""
    published = sum(run.batches_published for run in result.runs)
    rows = sum(run.rows_published for run in result.runs)
    log.info(
        "%s: %d batches published (%d rows), %d unchanged", result.table, published, rows, result.unchanged
    )
    for day, reason in sorted(result.reasons.items()):
        log.error("%s %s: %s", result.table, day, reason)
    for state in result.waiting:
        log.error("%s %s is %s: %s", state.table, state.batch_date, state.state, state.reason)
    if isinstance(result.error, LakesmithError | Stopped) and not result.reasons:
        log.error("%s: %s: %s", result.table, type(result.error).__name__, result.error)
