"""`lakesmith config show`: the settings in force, each with the file or variable that it came from."""

from __future__ import annotations

from lakesmith.cli.options import AsJson, Env, Project
from lakesmith.cli.output import answer, answer_json
from lakesmith.cli.wording import grid

__all__ = ["command"]


def command(env: Env = None, project: Project = None, as_json: AsJson = False) -> None:
    """Show the settings in force, with where each comes from; secrets are masked.

    Later ones win: conf/base.yml, conf/ENV.yml, then variables such as LAKESMITH__LAKE_ROOT or
    LAKESMITH__SPARK__DRIVER_MEMORY.
    """
    from lakesmith.config.load import load_settings

    settings = load_settings(env, project).effective()
    if as_json:
        answer_json([{"key": s.key, "value": s.value, "origin": s.origin} for s in settings])
        return
    table = grid("setting", "value", "from")
    for setting in settings:
        table.add_row(setting.key, _text(setting.value), setting.origin)
    answer(table)


def _text(value: object) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) or "none" if isinstance(value, list) else str(value)
