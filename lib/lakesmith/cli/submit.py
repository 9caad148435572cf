"""`lakesmith submit`: a job of the packaged archive to a cluster, its log here, its exit code as this command's own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from lakesmith.cli.options import Env, OutcomeFile, Project, Tables
from lakesmith.cli.output import answer, answer_json, say
from lakesmith.errors import ProjectNotFound, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakesmith.config.settings import Settings
    from lakesmith.contracts.graph import TableGraph
    from lakesmith.engine.context import Context
    from lakesmith.shipping.emr_request import EmrJob

__all__ = ["command"]


def command(
    job: Annotated[
        str,
        typer.Argument(metavar="JOB", help="A table, or a file of jobs/ by its name: night, score, train."),
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ARGUMENTS", help="The job's own, like a model's name; options of it after --."
        ),
    ] = None,
    night: Annotated[str | None, typer.Option("--date", metavar="DAY", help="One night, YYYY-MM-DD.")] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DAY", help="The first night.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="The last night, included.")] = None,
    tables: Tables = None,
    force: Annotated[bool, typer.Option("--force", help="Compute fresh batches too.")] = False,
    master: Annotated[
        str | None,
        typer.Option(
            "--master", metavar="URL", help="The cluster, in Spark's words (default: spark.master)."
        ),
    ] = None,
    deploy_mode: Annotated[
        str | None,
        typer.Option("--deploy-mode", metavar="MODE", help="client: the driver runs here; cluster: there."),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            "--size", metavar="NAME", help="small, medium or large (default: as contracts ask for)."
        ),
    ] = None,
    archive: Annotated[
        Path | None,
        typer.Option("--archive", metavar="FILE", help="Of `make package` (default: the one in dist/)."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print the command and run nothing.")] = False,
    env: Env = None,
    project: Project = None,
    outcome: OutcomeFile = None,
) -> int:
    """Send a job to a cluster, follow its log and answer with its exit code.

    It goes by spark-submit, or as a job run of EMR Serverless where the settings name an application. Code, contracts, suites
    and settings are those in the archive. Contracts ask for executors by `resources`; the largest size of the tables that
    run is taken. Ctrl-C and SIGTERM end the job, too.

    For example:

        lakesmith submit silver.sales_lines --from 2011-03-01 --to 2011-03-31 --master spark://host:7077

        lakesmith submit night --date 2011-03-01 --env prod --show

        lakesmith submit train repurchase --env prod
    """
    from lakesmith.engine.context import Context
    from lakesmith.engine.submit import checked_project
    from lakesmith.ledger.own_build import refuse_dirty
    from lakesmith.ledger.source_commit import UNKNOWN, source_commit
    from lakesmith.shipping.command import Submission, compose, largest, spark_submit
    from lakesmith.shipping.emr_request import EmrJob
    from lakesmith.shipping.following import follow
    from lakesmith.shipping.packaging import shipped_build

    settings, zipped = _found(env, project, archive)
    shipped, build = shipped_build(zipped)
    refuse_dirty(settings, build, zipped.name)
    here = source_commit(settings.project_root)
    if UNKNOWN not in (here, build.commit) and here != str(build):
        say(f"the archive was built from {build}, the project is at {here}; make package builds it anew")

    project_shipped = checked_project(settings.model_copy(update={"project_root": shipped}))
    graph = project_shipped.graph
    file, of_tables = _job(job, shipped, graph, tables or [])
    given = [*(arguments or ())]
    given += [f"--{name}={day}" for name, day in (("date", night), ("from", first), ("to", last)) if day]
    given += [f"--table={table}" for table in tables or ()]
    given += ["--force"] if force else []
    chosen = largest([size] if size else [graph.contract(table).resources for table in of_tables], settings)
    if settings.emr.application is not None and master is None:
        if deploy_mode is not None:
            raise UsageError("--deploy-mode is for --master: on EMR Serverless drivers always run there")
        # S3A is EMR's own there.
        jars = _jars(settings, s3=False)
        job_of = EmrJob(
            file, (*given, "--env", settings.environment), zipped, jars, chosen, token=uuid4().hex
        )
        return _to_emr(Context(project_shipped, settings), job_of, show=show, outcome=outcome)
    given += [f"--outcome={outcome.absolute()}"] if outcome is not None else []
    submission = Submission(
        job=file,
        arguments=(*given, "--env", settings.environment),
        archive=zipped,
        jars=_jars(settings, s3=settings.uses_s3),
        size=chosen,
        python=Path(sys.executable),
    )
    composed = compose(
        settings,
        submission,
        program=spark_submit(),
        master=master,
        deploy_mode=deploy_mode,
        environ=os.environ,
    )
    _tell_withheld(composed.withheld, "by the cluster's own means")
    if show:
        answer(composed.text)
        return 0
    return follow(composed, os.environ)


def _tell_withheld(names: Sequence[str], how: str) -> None:
    for name in names:
        say(f"{name} may hold a secret and is not sent along; give it to the driver {how}")


def _to_emr(context: Context, job: EmrJob, *, show: bool, outcome: Path | None) -> int:
    """Sends a job to the application of the settings."""
    from lakesmith.engine.submit import outcome_in_any_case
    from lakesmith.shipping.emr import run_job
    from lakesmith.shipping.emr_request import compose_request

    composed = compose_request(context.settings, job, os.environ)
    _tell_withheld(composed.withheld, "as secret://<name>#<key>")
    if show:
        answer_json(composed.request)
        return 0
    with outcome_in_any_case(outcome):
        found = run_job(context.settings, composed, context.lake, say)
    if outcome is not None and found.outcome is not None:
        outcome.parent.mkdir(parents=True, exist_ok=True)
        outcome.write_text(json.dumps(found.outcome, indent=2) + "\n", encoding="utf-8")
    return found.exit_code


def _found(env: str | None, project: Path | None, archive: Path | None) -> tuple[Settings, Path]:
    """The settings and the archive; a machine without the project needs no more than that archive."""
    from lakesmith.config.archive import unpack
    from lakesmith.config.load import load_settings
    from lakesmith.shipping.packaging import built_archive

    try:
        settings = load_settings(env, project)
    except ProjectNotFound:
        if archive is None:
            raise
        settings = load_settings(env, unpack(archive.absolute()))
    if archive is not None:
        return settings, archive.absolute()
    if settings.submit.archive is not None:
        return settings, settings.project_root / Path(settings.submit.archive).expanduser()
    return settings, built_archive(settings.project_root)


def _job(job: str, shipped: Path, graph: TableGraph, tables: Sequence[str]) -> tuple[Path, Sequence[str]]:
    """The job's file, and the tables whose contracts say what it needs."""
    if job in graph.contracts:
        named = graph.contracts[job].job
        if ".main(" not in (shipped / named).read_text(encoding="utf-8"):
            # It would define its transform, do nothing and answer 0.
            raise UsageError(
                f"{named} is no program: nothing in it calls main(). End it with "
                f'`if __name__ == "__main__": <transform>.main()`, then: make package'
            )
        return shipped / named, [job]
    found = sorted((shipped / "jobs").rglob(f"{job}.py"))
    if len(found) == 1:
        return found[0], tables or graph.order
    programs = sorted(
        {path.stem for path in (shipped / "jobs").rglob("*.py")} - {t.split(".")[1] for t in graph.order}
    )
    raise UsageError(
        f"{job!r} is no job of the archive. Jobs: {', '.join([*programs, *graph.order])}. "
        f"Is it new? Then: make package"
    )


def _jars(settings: Settings, *, s3: bool) -> tuple[Path, ...]:
    """Delta's jars, and those of S3A where they are wanted, unless the settings tell Spark where it finds them."""
    from lakesmith.lake.jars import jar_paths

    if {"spark.jars", "spark.jars.packages"} & settings.spark.conf.keys():
        return ()
    return tuple(jar_paths(settings.jars_dir, s3=s3))
