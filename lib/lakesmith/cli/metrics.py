"""`lakesmith metrics serve | write | rules`: figures for Prometheus. Starts no JVM."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakesmith.cli.options import Env, Invocation, Project
from lakesmith.cli.output import answer, say
from lakesmith.cli.wording import count
from lakesmith.errors import UsageError

if TYPE_CHECKING:
    from lakesmith.alerts.facts import Watched

__all__ = ["rules", "serve", "write"]


def serve(
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="The port; 0 takes a free one.")
    ] = 9464,
    address: Annotated[
        str, typer.Option("--address", help="The address to listen on; 0.0.0.0 is all of them.")
    ] = "127.0.0.1",
    env: Env = None,
    project: Project = None,
) -> int:
    """Serve the metrics at /metrics until told to end. The lake is read when they are asked for.

    For example:

        lakesmith metrics serve --port 9464 --address 0.0.0.0
    """
    from lakesmith.metrics.exposition import start_server

    watch = _watch(Invocation(env, project))
    watch()  # mistakes in settings and contracts are said now, not to whoever asks first
    server, thread = start_server(watch, address, port)
    say(f"metrics at http://{address}:{server.server_port}/metrics; Ctrl-C ends it")
    try:
        thread.join()
    finally:
        server.shutdown()
        server.server_close()
    return 0


def write(
    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="The file to replace.")],
    env: Env = None,
    project: Project = None,
) -> None:
    """Write the metrics to a file, in one step, for node_exporter's textfile collector. Its name must end in .prom there.

    For example:

        lakesmith metrics write /var/lib/node_exporter/lakesmith.prom
    """
    from lakesmith.metrics.exposition import write_file

    values = write_file(_watch(Invocation(env, project)), file)
    answer(f"{file}: {count(values, 'value')}")


def rules(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", dir_okay=False, help="The file (default: stdout).")
    ] = None,
    env: Env = None,
    project: Project = None,
) -> None:
    """Write alert rules for Prometheus, made from conf/slo.yml and the settings.

    For example:

        lakesmith metrics rules infra/monitoring/alerts.yml
    """
    from lakesmith.contracts.service_levels import load_service_levels
    from lakesmith.metrics.prometheus_rules import prometheus_rules

    context = Invocation(env, project).open()
    levels = load_service_levels(context.project.root, context.project.graph)
    settings = context.settings.alerts
    text = prometheus_rules(levels, settings.burn_rate, settings.runbooks)
    if file is None:
        answer(text.rstrip("\n"))
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written ({error.strerror or error}). Name another file."
        ) from error
    answer(f"{file}: {count(text.count('- alert:'), 'rule')}")


def _watch(invocation: Invocation) -> Callable[[], Watched]:
    from lakesmith.engine.alerting import watched

    return lambda: watched(invocation.open())
