"""`lakesmith simulate`: source data of any size, seeded, with defects and events on demand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lakesmith.cli.output import answer, answer_json
from lakesmith.cli.progress import bar
from lakesmith.cli.wording import count
from lakesmith.contracts.days import parse_day
from lakesmith.errors import ConfigurationError

__all__ = ["command"]


def command(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the files go; made when missing.")],
    first: Annotated[str, typer.Option("--from", metavar="DAY", help="The first day, YYYY-MM-DD.")],
    days: Annotated[int, typer.Option("--days", help="Calendar days, closed ones included.")],
    lines_per_day: Annotated[int, typer.Option("--lines-per-day", help="Lines of an open day, on average.")],
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same bytes.")],
    defects: Annotated[float, typer.Option("--defects", help="Share of defective lines, 0 to 1.")] = 0.0,
    events: Annotated[
        list[str] | None,
        typer.Option(
            "--event",
            metavar="KIND@DAY[..DAY]",
            help="What changes on these days: mix, prices, repurchases, anonymous, volume or columns. May be repeated.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer with JSON on stdout.")] = False,
) -> None:
    """Write simulated sales files, one for each open day, in the layout of the source `online-retail`.

    For example:

        lakesmith simulate --out files --from 2010-12-01 --days 90 --lines-per-day 1000 --seed 7
    """
    from lakesmith.simulate import SimulationSpec, parse_event, simulate

    spec = SimulationSpec(
        first=parse_day(first),
        days=days,
        lines_per_day=lines_per_day,
        seed=seed,
        defects=defects,
        events=tuple(parse_event(text) for text in events or ()),
    )
    try:
        with bar("simulating", days) as advance:
            made = simulate(spec, out, progress=lambda _: advance())
    except OSError as error:
        raise ConfigurationError(
            f"{error.filename2 or error.filename or out} cannot be written ({error.strerror}). "
            f"Name another folder: --out DIR"
        ) from error
    if as_json:
        answer_json(
            {
                "out": str(out),
                "files": made.files,
                "rows": made.rows,
                "bytes": made.bytes,
                "planted": {str(kind): lines for kind, lines in made.planted.items()},
                "defects": {str(kind): lines for kind, lines in made.defects.items()},
            }
        )
        return
    answer(
        f"{count(made.files, 'file')} with {count(made.rows, 'line')} ({made.bytes / 1e6:.1f} MB) in {out}"
    )
    if made.defective:
        kinds = ", ".join(f"{kind} {lines:,}" for kind, lines in made.defects.items() if lines)
        answer(f"defective lines: {made.defective:,} ({kinds})")
