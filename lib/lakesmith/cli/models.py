"""`lakesmith train`, `lakesmith score` and `lakesmith models ...`: models from declaration to use and back.

Owns the command lines. What they do is `lakesmith.engine.training`, `keeping` and `reproducing`, and `lakesmith.ml.registry`.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.options import AsJson, AsOf, Env, Invocation, OutcomeFile, Project
from lakesmith.cli.output import answer, answer_json, say
from lakesmith.contracts.days import BatchRange, parse_night
from lakesmith.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from lakesmith.contracts.declaration import ModelDeclaration
    from lakesmith.engine.context import Context
    from lakesmith.ledger.model_events import ModelEvent, ModelTimeline
    from lakesmith.ml.registry import ModelRegistry

__all__ = [
    "compare",
    "list_models",
    "promote",
    "refit",
    "reject",
    "reproduce",
    "rollback",
    "score",
    "show",
    "train",
]

_Model = Annotated[str, typer.Argument(metavar="MODEL", help="The name of a file in conf/models.")]
_Version = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="A version of it.")]
_Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")]
_First = Annotated[
    str | None,
    typer.Option("--from", metavar="DAY", help="The first batch that it scores (default: the next one)."),
]


def train(
    model: _Model,
    as_of: Annotated[
        str | None,
        typer.Option(
            "--as-of", metavar="DAY", help="The last night to know (default: the last with labels)."
        ),
    ] = None,
    reason: _Reason = "asked for",
    promote_it: Annotated[
        bool, typer.Option("--promote", help="Make it the champion when it passes every gate.")
    ] = False,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> int:
    """Train a model, measure it, and register it as challenger if it passes its gates.

    A version that a gate refuses is kept all the same, and the exit code is 3.

    For example:

        lakesmith train repurchase --as-of 2011-06-30 --promote
    """
    from lakesmith.cli.models_text import trained_json, trained_lines
    from lakesmith.cli.progress import training_progress
    from lakesmith.cli.spark import start_spark

    invocation = Invocation(env, project)
    context = invocation.open()
    declaration = context.project.model(model)
    start_spark(context)
    # Only now: without Spark's packages it cannot be imported.
    from lakesmith.engine.keeping import train_and_keep

    night = parse_night(as_of) if as_of is not None else None
    with training_progress() as progress:
        trained, event = train_and_keep(
            context, declaration, night, reason, promote=promote_it, progress=progress
        )
    if as_json:
        answer_json(trained_json(trained, event))
    else:
        answer(*trained_lines(trained, event, invocation))
    return int(ExitCode.DONE if trained.passed else ExitCode.REJECTED)


def score(
    night: Annotated[str, typer.Option("--date", metavar="DAY", help="The night, YYYY-MM-DD.")],
    last: Annotated[
        str | None,
        typer.Option("--to", metavar="DAY", help="The last night of a range that begins with --date."),
    ] = None,
    table: Annotated[
        str | None, typer.Option("--table", metavar="LAYER.NAME", help="Only this table of scores.")
    ] = None,
    version: Annotated[
        int | None,
        typer.Option(
            "--model", metavar="VERSION", min=1, help="Score with this version, whatever scored it before."
        ),
    ] = None,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
    outcome: OutcomeFile = None,
) -> int:
    """Score nights: the tables that read a model, and nothing else.

    A batch that was scored keeps its version, unless --model names another.

    For example:

        lakesmith score --date 2011-06-30

        lakesmith score --date 2011-06-30 --model 2
    """
    from lakesmith.cli.nights import run_nights
    from lakesmith.engine.night import plan_nights
    from lakesmith.engine.scoring import pin_version, score_tables
    from lakesmith.engine.submit import outcome_in_any_case

    with outcome_in_any_case(outcome):
        nights = BatchRange(parse_night(night), parse_night(last or night))
        invocation = Invocation(env, project)
        context = invocation.open()
        readers = score_tables(context, table, version)
        pin_version(context, readers, version)
        plan = plan_nights(context, nights, readers, force=version is not None)
        return run_nights(context, invocation, plan, as_json=as_json, outcome=outcome)


def list_models(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Only this model.")] = None,
    as_of: AsOf = None,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> int:
    """List models, their versions and what became of them."""
    from lakesmith.cli.models_text import models_json, models_lines

    context = Invocation(env, project).open().as_of(as_of)
    names = [context.project.model(model).name] if model is not None else sorted(context.project.models)
    timelines = [context.ledger.timeline(name) for name in names]
    if as_json:
        answer_json(models_json(timelines))
    else:
        answer(*models_lines(timelines, Invocation(env, project)))
    return 0


def show(
    model: _Model,
    version: Annotated[
        int | None, typer.Argument(metavar="[VERSION]", min=1, help="A version (default: the champion).")
    ] = None,
    as_of: AsOf = None,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> int:
    """Show a version: its events, its gates and its model card."""
    from lakesmith.cli.models_text import version_json, version_lines
    from lakesmith.ml.store import ModelStore

    context = Invocation(env, project).open().as_of(as_of)
    timeline = _timeline(context, model)
    chosen = version or (timeline.champion.version if timeline.champion is not None else None)
    chosen = chosen or max(timeline.versions, default=None)
    event = _event(timeline, chosen)
    with ModelStore(context.settings).artifacts(model, event.run_id, "model_card.md") as card:
        text = card.read_text(encoding="utf-8")
    if as_json:
        answer_json(version_json(timeline, event, text))
    else:
        answer(*version_lines(timeline, event, text))
    return 0


def compare(
    model: _Model,
    first: Annotated[int, typer.Argument(metavar="A", min=1, help="A version.")],
    second: Annotated[int, typer.Argument(metavar="B", min=1, help="Another.")],
    realised: Annotated[
        bool,
        typer.Option("--realised", help="By the scores that were published and the labels that came since."),
    ] = False,
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> int:
    """Compare two versions on the same rows, with intervals of the differences.

    With --realised nothing is scored again: each version is measured among those whom it served, and both on the rows that both
    scored, in shadow or not.
    """
    context = Invocation(env, project).open()
    declaration = context.project.model(model)
    timeline = _timeline(context, model)
    one, other = _event(timeline, first), _event(timeline, second)
    if realised:
        return _compare_realised(context, declaration, one, other, as_json)
    from lakesmith.cli.models_text import comparison_json, comparison_lines
    from lakesmith.cli.spark import start_spark

    start_spark(context)
    from lakesmith.engine.reproducing import compare as compare_versions

    found = compare_versions(context, declaration, one, other)
    if as_json:
        answer_json(comparison_json(found))
    else:
        answer(*comparison_lines(found))
    return 0


def _compare_realised(
    context: Context, declaration: ModelDeclaration, first: ModelEvent, second: ModelEvent, as_json: bool
) -> int:
    from lakesmith.cli.realised_text import realised_json, realised_lines
    from lakesmith.engine.realised import compare_realised

    found = compare_realised(context, declaration, first, second)
    if as_json:
        answer_json(realised_json(found))
    else:
        answer(*realised_lines(found, declaration))
    return 0


def promote(
    model: _Model,
    version: _Version,
    first: _First = None,
    at_once: Annotated[
        bool,
        typer.Option(
            "--at-once", help="For everybody from the first batch on, whatever rollout is declared."
        ),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Although a gate said no; needs --reason.")] = False,
    reason: _Reason = "",
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> int:
    """Make a version the champion: it scores the batches from the next one on.

    Where its declaration has a rollout and there is a champion, step by step: in shadow first, then for growing shares.

    For example:

        lakesmith models promote repurchase 3

        lakesmith models promote repurchase 3 --force --reason "the champion cannot read the new columns"
    """
    from lakesmith.engine.keeping import bring_into_use

    context = Invocation(env, project).open()
    declaration = context.project.model(model)
    day = parse_night(first) if first is not None else None
    event = bring_into_use(context, declaration, version, day, at_once=at_once, force=force, reason=reason)
    return _changed(context, event, as_json)


def rollback(
    model: _Model,
    first: _First = None,
    reason: _Reason = "",
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> int:
    """Make the champion before this one the champion again."""
    context = Invocation(env, project).open()
    timeline = _timeline(context, model)
    champion = timeline.champion
    day = parse_night(first) if first is not None else _next_batch(context, model)
    event = _registry(context).rollback(model, day or (champion.as_of if champion else date.min), reason)
    return _changed(context, event, as_json)


def reject(
    model: _Model,
    version: _Version,
    reason: _Reason = "",
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> int:
    """Say that a version must never be the champion."""
    context = Invocation(env, project).open()
    if not reason.strip():
        raise UsageError('say why, for the record: --reason "..."')
    event = _registry(context).reject(model, version, reason, _next_batch(context, model))
    return _changed(context, event, as_json)


def reproduce(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="The id of a training run (models list).")],
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> int:
    """Make a model again from its run id, by the code that it kept, and compare metrics and scores.

    The exit code is 3 when anything differs.
    """
    from lakesmith.cli.models_text import reproduction_json, reproduction_lines
    from lakesmith.engine.reproducing import reproduce as make_again

    context = Invocation(env, project).open()
    say("making the model again with the code of its run; this trains it once")
    found = make_again(context, run_id, lambda line: None)
    if as_json:
        answer_json(reproduction_json(found))
    else:
        answer(*reproduction_lines(found))
    return int(ExitCode.DONE if found.same else ExitCode.REJECTED)


def refit(
    recipe: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Option("--out", file_okay=False)],
    env: Env = None,
    project: Project = None,
) -> int:
    """Follow a run's recipe; what `models reproduce` calls of archived code."""
    from lakesmith.engine.reproducing import refit as follow

    follow(Invocation(env, project).open(), recipe, out)
    return 0


def _registry(context: Context) -> ModelRegistry:
    from lakesmith.ml.registry import ModelRegistry
    from lakesmith.ml.store import ModelStore

    return ModelRegistry(ModelStore(context.settings), context.ledger)


def _timeline(context: Context, model: str) -> ModelTimeline:
    return context.ledger.timeline(context.project.model(model).name)


def _event(timeline: ModelTimeline, version: int | None) -> ModelEvent:
    event = timeline.registered(version)
    if event is None:
        from lakesmith.ml.registry import NoSuchVersion

        raise NoSuchVersion(timeline.model, f"has no version {version}" if version else "has no version yet")
    return event


def _next_batch(context: Context, model: str) -> date | None:
    from lakesmith.engine.keeping import next_batch

    return next_batch(context, model)


def _changed(context: Context, event: ModelEvent, as_json: bool) -> int:
    from lakesmith.cli.models_text import event_json, event_line

    if as_json:
        answer_json(event_json(event))
    else:
        answer(event_line(event))
    return 0
