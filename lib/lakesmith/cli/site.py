"""`lakesmith site ...`: static pages of a lake, and the drift report of a night.

Owns the command lines; what is built is `lakesmith.site`. Starts no JVM.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.options import AsJson, Env, Invocation, Project
from lakesmith.cli.output import answer, answer_json, say
from lakesmith.cli.wording import count

if TYPE_CHECKING:
    from lakesmith.engine.context import Context

__all__ = ["build", "drift_report", "serve"]

_Out = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="DIR", help="The folder (default: site, beside the tables of a local lake)."
    ),
]


_HourPrices = Annotated[
    list[str] | None,
    typer.Option(
        "--hour-price", metavar="SIZE=PRICE", help="What an hour of runs of that size costs; may be repeated."
    ),
]
_Currency = Annotated[str, typer.Option("--currency", metavar="TEXT", help="Of these prices.")]


def build(
    out: _Out = None,
    hour_prices: _HourPrices = None,
    currency: _Currency = "USD",
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Write static pages of tables, batches, drift, models, scores and runs, from the tables and the ledger alone.

    A second build writes only what changed. Copy the folder to any web server, or open its index.html.

    For example:

        lakesmith site build --out /srv/www/lakesmith

        lakesmith site build --hour-price small=0.25 --hour-price large=1.90 --currency EUR
    """
    from lakesmith.site.build import build_site
    from lakesmith.site.runs import Prices

    invocation = Invocation(env, project)
    prices = Prices.parse(hour_prices or (), currency)
    context = invocation.open()
    built = build_site(context, _folder(context, out), prices)
    if as_json:
        answer_json(built.to_json())
        return
    gone = f", {built.removed:,} removed" if built.removed else ""
    answer(
        f"{count(built.pages, 'file')} in {built.out}, {built.size / 1e6:.1f} MB: {built.written:,} written{gone}, "
        f"in {built.seconds:.1f} s",
        f"open {built.out / 'index.html'}, or: {invocation.command('site serve')}",
    )


def serve(
    out: _Out = None,
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="On this machine only; 0 takes a free one.")
    ] = 8765,
    env: Env = None,
    project: Project = None,
) -> None:
    """Build the site, then serve it on this machine until Ctrl-C.

    For example:

        lakesmith site serve --port 8765
    """
    from lakesmith.errors import Stopped
    from lakesmith.site.build import build_site
    from lakesmith.site.serving import open_server

    context = Invocation(env, project).open()
    folder = _folder(context, out)
    built = build_site(context, folder)
    with open_server(folder, port) as server:
        say(f"{count(built.pages, 'file')} built in {built.seconds:.1f} s; Ctrl-C ends it")
        answer(f"http://127.0.0.1:{server.server_port}/")
        try:
            server.serve_forever(poll_interval=0.2)
        except (KeyboardInterrupt, Stopped):
            say("stopped")


def drift_report(
    night: Annotated[str, typer.Option("--date", metavar="DAY", help="The night, YYYY-MM-DD.")],
    model: Annotated[
        list[str] | None, typer.Option("--model", metavar="NAME", help="Only this model; may be repeated.")
    ] = None,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", file_okay=False, help="Where the files go (default: here)."),
    ] = Path(),
    env: Env = None,
    project: Project = None,
    as_json: AsJson = False,
) -> None:
    """Write one file per model about the drift of a night, to attach to a mail: drift-MODEL-DAY.html.

    It needs nothing beside it, and holds no script.

    For example:

        lakesmith site drift-report --date 2011-06-30 --out reports
    """
    from lakesmith.contracts.days import parse_night
    from lakesmith.site.drift_report import write_reports

    context = Invocation(env, project).open()
    reports = write_reports(context, parse_night(night), out, model or ())
    if as_json:
        answer_json([report.to_json() for report in reports])
        return
    for report in reports:
        drifted = ", ".join(report.drifted) or "none"
        answer(f"{report.file}: {count(report.judged, 'column')} judged; drifted: {drifted}")


def _folder(context: Context, out: Path | None) -> Path:
    """The folder that was asked for, else the one beside the tables."""
    from lakesmith.errors import UsageError

    if out is not None:
        return out
    if "://" in context.settings.lake_root:
        raise UsageError("this lake is no folder of this machine: name where the pages go: --out DIR")
    return Path(context.settings.lake_root) / "site"
