"""`lakesmith demo`: simulated days through the whole graph, in folders of the demo's own.

Owns what the demo simulates and that it never touches other data: it takes its roots from conf/demo.yml
alone, and a demo of another kind is refused until the old one is removed.
"""

from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.options import AsJson, Invocation, OutcomeFile, Project
from lakesmith.cli.output import answer, answer_json, say
from lakesmith.contracts.days import BatchRange
from lakesmith.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from lakesmith.config.settings import Settings
    from lakesmith.engine.context import Context
    from lakesmith.engine.outcome import NightResult

__all__ = ["command"]

_ENVIRONMENT = "demo"
_SOURCE = "online-retail"
_ROOT_VARIABLES = ("LAKESMITH__LANDING_ROOT", "LAKESMITH__LAKE_ROOT")
# Well below the quarantine limit of silver.sales_lines (5 % of a batch), also on a small Sunday.
_DEFECTS = 0.01


def command(
    days: Annotated[int, typer.Option("--days", min=1, help="Calendar days.")] = 120,
    lines_per_day: Annotated[
        int, typer.Option("--lines-per-day", help="Lines of an open day, on average.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same lake.")] = 7,
    project: Project = None,
    as_json: AsJson = False,
    outcome: OutcomeFile = None,
) -> int:
    """Simulate some months of a shop, run the whole graph over them, train a model and score, in .lake/demo (conf/demo.yml).

    Run it again and nothing happens, since everything is fresh. Takes a minute or two.
    """
    from lakesmith.cli.demo_landing import landing_files
    from lakesmith.simulate import SimulationSpec

    settings, unset = _settings(project)
    context = _context(settings)
    source = context.project.graph.sources.get(_SOURCE)
    if source is None:
        known = ", ".join(context.project.graph.sources) or "none"
        raise UsageError(
            f"the demo simulates the source {_SOURCE}, which this project does not have (sources: {known}). "
            f"Run your own tables: lakesmith backfill --from A --to B"
        )
    spec = SimulationSpec(
        first=source.start, days=days, lines_per_day=lines_per_day, seed=seed, defects=_DEFECTS
    )
    invocation = Invocation(_ENVIRONMENT, project, unset)
    landing_files(spec, Path(settings.landing_root), _SOURCE)
    nights = BatchRange(source.start, source.start + timedelta(days - 1))
    return _run(context, nights, invocation, as_json=as_json, outcome=outcome)


def _settings(project: Path | None) -> tuple[Settings, tuple[str, ...]]:
    """The demo's settings, and the variables that had to be looked away from."""
    from lakesmith.config.load import load_settings

    unset = tuple(name for name in _ROOT_VARIABLES if name in os.environ)
    if unset:
        say(f"{' and '.join(unset)} left aside: the demo keeps to its own folders.")
    environ = {name: value for name, value in os.environ.items() if name not in unset}
    settings = load_settings(_ENVIRONMENT, project, environ)
    if "://" in settings.landing_root or "://" in settings.lake_root:
        raise ConfigurationError(
            "the demo needs folders: set landing_root and lake_root in conf/demo.yml to some."
        )
    return settings, unset


def _context(settings: Settings) -> Context:
    from lakesmith.contracts.load import load_project
    from lakesmith.engine.context import Context

    types = {}
    if settings.quality.expectation_modules:
        from lakesmith.quality.custom import load_expectation_modules

        types = dict(load_expectation_modules(settings.quality.expectation_modules))
    project = load_project(settings.project_root, types, settings.models, settings.origins)
    return Context(project, settings)


def _run(
    context: Context, nights: BatchRange, invocation: Invocation, *, as_json: bool, outcome: Path | None
) -> int:
    from lakesmith.cli.demo_text import summary, summary_lines
    from lakesmith.cli.night_text import night_lines
    from lakesmith.cli.nights import carry_out
    from lakesmith.engine.night import plan_nights
    from lakesmith.engine.submit import write_outcome

    plan = plan_nights(context, nights)
    if plan.steps:
        batches = sum(len(step.batches) for step in plan.steps)
        say(f"running {len(plan.steps)} tables for {nights}: {batches:,} batches in one backfill")
    night = carry_out(context, plan)
    scored = None if night.exit_code else _scores(context, nights.last)
    if outcome is not None:
        write_outcome(outcome, scored or night)
    made = summary(context, nights)
    if as_json:
        answer_json({**made, "outcome": night.to_json()})
        return int(night.exit_code)
    troubled = night if night.exit_code or scored is None else scored
    if troubled.exit_code:
        answer(*night_lines(troubled, context.project.graph, invocation))
        return int(troubled.exit_code)
    if not plan.steps and scored is None:
        answer(
            f"nothing to do: the demo of {nights} is there already, all {plan.untouched:,} batches fresh.",
            "",
        )
    answer(*summary_lines(made, night, invocation))
    return 0


def _scores(context: Context, night: date) -> NightResult | None:
    """Trains the models that have no champion yet, and scores the last night; None when there is nothing to score."""
    from lakesmith.cli.nights import carry_out
    from lakesmith.cli.progress import training_progress
    from lakesmith.cli.spark import start_spark
    from lakesmith.engine.night import plan_nights

    for name, declaration in context.project.models.items():
        if context.ledger.timeline(name).champion is not None:
            continue
        say(f"training the model {name}")
        start_spark(context)
        from lakesmith.engine.keeping import train_and_keep
        from lakesmith.ml.split import HistoryTooShort

        try:
            with training_progress() as progress:
                trained, _ = train_and_keep(
                    context, declaration, night, "the demo", promote=True, progress=progress
                )
        except HistoryTooShort as error:
            say(f"no scores: {error}")
            continue
        if not trained.passed:
            refused = "; ".join(verdict.text for verdict in trained.verdicts if not verdict.passed)
            say(f"no scores: {refused}")
    plan = plan_nights(context, BatchRange(night, night))
    return carry_out(context, plan) if plan.steps else None
