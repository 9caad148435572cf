"""Job files as programs: what `spark-submit jobs/<layer>/<name>.py` and `spark-submit jobs/night.py` do.

Owns their command line, the log on stderr, the outcome file and the exit code. The run itself is the same as a night's.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lakesmith.config.archive import shipped_project
from lakesmith.config.load import load_settings
from lakesmith.config.settings import Settings
from lakesmith.contracts.days import BatchRange, parse_night
from lakesmith.contracts.load import load_project
from lakesmith.contracts.project import Project
from lakesmith.engine.context import Context
from lakesmith.engine.logs import log_to_file, log_to_stderr
from lakesmith.engine.night import execute, plan_nights
from lakesmith.engine.outcome import NightResult, TableResult
from lakesmith.engine.stopping import stops_on_signals
from lakesmith.errors import ConfigurationError, ExitCode, LakesmithError, Stopped, UsageError
from lakesmith.jobs import Job
from lakesmith.ledger.own_build import own_build, refuse_dirty

if TYPE_CHECKING:
    from lakesmith.engine.extracting import Extraction

__all__ = [
    "checked_project",
    "open_context",
    "outcome_in_any_case",
    "submit_extracts",
    "submit_night",
    "submit_one",
    "submit_scores",
    "submit_training",
    "write_extraction",
    "write_outcome",
]

log = logging.getLogger("lakesmith")

OutcomePlace = Path | str
"""Where an outcome record goes: a file, or an object on S3 where nobody sees the driver's files."""


def open_context(environment: str | None, project_root: Path | None = None) -> Context:
    """The project, the settings and the ledger of one process.

    Args:
        environment: None takes LAKESMITH_ENV, else dev.
        project_root: None looks upwards from the working folder.

    Raises:
        ConfigurationError: files or settings hold mistakes.
        DirtyBuild: this Lakesmith was built from a changed tree, and the settings take none such.
    """
    settings = load_settings(environment, project_root)
    refuse_dirty(settings, own_build(), "the lakesmith that runs here")
    return Context(checked_project(settings), settings)


def checked_project(settings: Settings) -> Project:
    """The project of some settings, its files checked together.

    Raises:
        InvalidProject: they hold mistakes.
    """
    types: Mapping[str, frozenset[str]] = {}
    if settings.quality.expectation_modules:
        # Great Expectations takes seconds to import: only where a project brings expectations of its own.
        from lakesmith.quality.custom import load_expectation_modules

        types = load_expectation_modules(settings.quality.expectation_modules)
    return load_project(settings.project_root, types, settings.models, settings.origins)


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

        context = _opened(options.env, file)
        contract = context.project.graph.contract(job.table)
        _refuse_another(file, context.project.root / contract.job)
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
        context = _opened(options.env, file)
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

        context = _opened(options.env, file)
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
    parser.add_argument(
        "--outcome", type=_place, help="write what came of it to this file or s3:// object, as JSON"
    )
    log_to_stderr()
    options = parser.parse_args(arguments)
    try:
        with stops_on_signals(), outcome_in_any_case(options.outcome):
            from lakesmith.engine.keeping import requested, train_and_keep

            context = _opened(options.env, file)
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


def _write_training(
    path: OutcomePlace | None, code: ExitCode, model: str, version: int | None, refused: str
) -> None:
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
    _leave(path, found)


def submit_extracts(file: Path, arguments: Sequence[str]) -> ExitCode:
    """Lands the answers of databases as landing files."""
    from lakesmith.engine.extracting import databases, days_to_extract, extract

    parser = argparse.ArgumentParser(prog=file.name, description="Extracts days of sources of kind jdbc.")
    parser.add_argument("sources", nargs="*", help="only these sources (default: all)")
    parser.add_argument("--date", help="one day, YYYY-MM-DD (default: the last one that is over, in UTC)")
    parser.add_argument("--from", dest="first", help="the first day")
    parser.add_argument("--to", dest="last", help="the last day, included")
    parser.add_argument("--again", metavar="WHY", help="also what was extracted already, for this reason")
    parser.add_argument("--env", default=None, help="the environment: conf/<env>.yml")
    parser.add_argument(
        "--outcome", type=_place, help="write what came of it to this file or s3:// object, as JSON"
    )
    log_to_stderr()
    options = parser.parse_args(arguments)
    try:
        with stops_on_signals(), outcome_in_any_case(options.outcome):
            context = _opened(options.env, file)
            nights = _nights(options) if options.date or options.first or options.last else None
            days = days_to_extract(nights.first, nights.last) if nights else days_to_extract(None, None)
            again = options.again is not None
            done = extract(
                context, databases(context, options.sources), days, again=again, why=options.again or ""
            )
    except (LakesmithError, Stopped) as error:
        log.error("%s: %s", type(error).__name__, error)
        return error.exit_code
    for each in done.days:
        rows = each.extract.file.rows if each.extract is not None else 0
        log.info("%s %s: %s (%d rows)", each.source, each.batch_date, each.outcome, rows)
        if each.error is not None:
            log.error("%s %s: %s: %s", each.source, each.batch_date, type(each.error).__name__, each.error)
    if options.outcome:
        write_extraction(options.outcome, done)
    return done.exit_code


def write_extraction(path: OutcomePlace, done: Extraction) -> None:
    """Leaves what came of an extraction where a caller finds it that cannot see the driver's exit code."""
    _leave(path, done.to_json())


def write_outcome(path: OutcomePlace, night: NightResult) -> None:
    """Leaves what came of a run where a caller finds it that cannot see the driver's exit code."""
    _leave(path, night.to_json())


def _leave(place: OutcomePlace, found: Mapping[str, object]) -> None:
    text = json.dumps(found, indent=2) + "\n"
    if isinstance(place, Path):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return
    from lakesmith.aws.objects import leave
    from lakesmith.aws.s3 import S3_BY_DEFAULT

    try:
        # Settings may be what is wrong: the region is that of the machine.
        leave(place, text, S3_BY_DEFAULT)
    except LakesmithError as error:
        # The exit code says as much as it can without.
        log.error("%s", error)


def _place(text: str) -> OutcomePlace:
    return text if text.startswith("s3://") else Path(text)


@contextmanager
def outcome_in_any_case(path: OutcomePlace | None) -> Iterator[None]:
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
            _leave(path, found)
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
    parser.add_argument(
        "--outcome", type=_place, help="write what came of it to this file or s3:// object, as JSON"
    )
    return parser


def _nights(options: argparse.Namespace) -> BatchRange:
    if options.date and not (options.first or options.last):
        return BatchRange(parse_night(options.date), parse_night(options.date))
    if options.first and options.last and not options.date:
        return BatchRange(parse_night(options.first), parse_night(options.last))
    raise UsageError("Which nights? Give --date D, or --from A --to B.")


def _project_of(file: Path) -> Path | None:
    """The folder that `load_settings` shall take; None leaves it to that, which finds the project in an archive at work."""
    if shipped_project() is not None:
        return None
    return next((folder for folder in file.parents if (folder / "conf" / "base.yml").is_file()), None)


def _guarded(
    parser: argparse.ArgumentParser,
    arguments: Sequence[str],
    run: Callable[[argparse.Namespace], NightResult],
) -> ExitCode:
    log_to_stderr()
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


def _refuse_another(file: Path, declared: Path) -> None:
    """Fingerprints are of the file that the contract names: beside an archive another one may have been given."""
    if shipped_project() is not None and file.read_bytes() != declared.read_bytes():
        raise ConfigurationError(
            f"{file} is another text than the job in the archive, which would be recorded as what ran. "
            f"Make the archive anew: make package. Or give the job of the archive: lakesmith submit TABLE"
        )


def _opened(environment: str | None, file: Path) -> Context:
    """The context of a job's program, whose log is as the settings say."""
    context = open_context(environment, _project_of(file))
    log_to_stderr(context.settings)
    context.log = log_to_file(context.settings)
    return context


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
