"""The demo's landing files: simulated once, kept, and never mixed with anybody else's.

Owns the marker that says what the demo simulated.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from lakesmith.cli.output import say
from lakesmith.cli.progress import bar
from lakesmith.errors import UsageError
from lakesmith.simulate import SimulationSpec, simulate

__all__ = ["landing_files"]

_MARKER = "demo.json"


def landing_files(spec: SimulationSpec, landing_root: Path, source: str) -> None:
    """Simulates, unless that was done already; a file that somebody changed since stays as it is.

    More days than last time write all of them again.

    Args:
        spec: what to simulate.
        landing_root: the demo's own.
        source: the name of the source, whose folder the files go to.

    Raises:
        UsageError: the folder holds files of another demo, or of somebody else.
    """
    folder, marker = landing_root / source, landing_root / _MARKER
    wanted = {key: str(value) for key, value in asdict(spec).items()}
    done = _read_marker(marker)
    likeness = {key: value for key, value in wanted.items() if key != "days"}
    if done is None and any(folder.glob("*")):
        raise UsageError(
            f"{folder} holds files that no demo made. Move them, or change landing_root in conf/demo.yml."
        )
    if done is not None and {key: value for key, value in done["spec"].items() if key != "days"} != likeness:
        raise UsageError(
            f"{landing_root} holds another demo ({_kind(done['spec'])}, not {_kind(wanted)}). "
            f"Remove it first: rm -r {landing_root.parent}"
        )
    if done is not None and done["whole"] and int(done["spec"]["days"]) >= spec.days:
        return
    landing_root.mkdir(parents=True, exist_ok=True)
    marker.write_text(json.dumps({"spec": wanted, "whole": False}), encoding="utf-8")
    with bar("simulating", spec.days) as advance:
        made = simulate(spec, folder, progress=lambda _: advance())
    marker.write_text(json.dumps({"spec": wanted, "whole": True}), encoding="utf-8")
    say(f"simulated {made.files} landing files, {made.rows:,} lines, {made.defective:,} defective: {folder}")


def _read_marker(marker: Path) -> dict[str, dict[str, str]] | None:
    try:
        found = json.loads(marker.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _kind(spec: dict[str, str]) -> str:
    return f"{spec['lines_per_day']} lines a day, seed {spec['seed']}"
