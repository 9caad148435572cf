"""Every rule has its page, and every command on a page is one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from lakesmith.alerts.rules import CHANNEL_FAILED, RULES
from lakesmith.cli.main import _app
from lakesmith.config.sections.alerts import AlertRules

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "runbooks"
PAGES = sorted(FOLDER.glob("*.md"))
WATCHED = [*PAGES, *(ROOT / "docs" / name for name in ("alerts.md", "deployment.md", "readiness.md"))]
OF_PROMETHEUS = {"metrics_absent", "night_absent"}
HEADINGS = ["Meaning", "First command", "When it is over", "Rolling back"]


def test_every_rule_of_the_settings_is_asked() -> None:
    assert set(AlertRules.model_fields) == {*RULES, CHANNEL_FAILED}


def test_every_rule_has_a_page_and_every_page_a_rule() -> None:
    assert {page.stem for page in PAGES} == set(AlertRules.model_fields) | OF_PROMETHEUS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_says_what_it_means_what_to_do_and_when_it_is_over(page: Path) -> None:
    text = page.read_text(encoding="utf-8")

    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS
    assert text.splitlines()[2] == f"`{page.stem}`"
    # The first command comes first, whatever else is said about it.
    assert text.split("## First command\n\n")[1].startswith("```sh\nlakesmith ")
    sections = re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]
    assert all(section.strip() for section in sections)


def test_alert_rules_of_prometheus_link_pages_that_exist() -> None:
    rules = yaml.safe_load((ROOT / "infra" / "monitoring" / "alerts.yml").read_text(encoding="utf-8"))
    linked = [rule["annotations"]["runbook_url"] for group in rules["groups"] for rule in group["rules"]]

    by_label = "docs/runbooks/{{ $labels.rule }}.md"
    assert [link for link in linked if link != by_label and not (ROOT / link).exists()] == []
    assert by_label in linked


def command_lines(page: Path) -> list[str]:
    """What a page tells to type: the lines of its blocks of `sh`, and inline code that begins as a command does."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith("lakesmith ")]


def inline_commands(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return re.findall(r"`(lakesmith [^`]+)`", " ".join(text.split()))


def parsed(line: str, *, whole: bool) -> None:
    """Raises where a command, an option or an argument that is needed is not there.

    Args:
        whole: False lets arguments and options be left out, as prose does.
    """
    group: Any = typer.main.get_command(_app)
    name, rest = "lakesmith", shlex.split(line)[1:]
    context = None
    while hasattr(group, "commands"):
        context = group.make_context(name, list(rest), parent=context, resilient_parsing=True)
        called = rest[0]
        name, group, rest = group.resolve_command(context, rest)
        assert group is not None, f"No such command {called!r}"
    known = {option for parameter in group.params for option in parameter.opts}
    asked = {word.split("=")[0] for word in rest if word.startswith("-")}
    assert asked <= known, f"No such option: {asked - known}"
    group.make_context(name, list(rest), parent=context, resilient_parsing=not whole)


@pytest.mark.parametrize("page", WATCHED, ids=lambda page: page.stem)
def test_every_command_on_a_page_is_one(page: Path) -> None:
    for line in command_lines(page):
        parsed(line, whole=True)
    for line in inline_commands(page):
        parsed(line, whole=False)


@pytest.mark.parametrize(
    "line",
    [
        "lakesmith mend",
        "lakesmith status --everything",
        "lakesmith models praise x",
        "lakesmith quarantine show",
    ],
)
def test_a_command_that_is_none_would_be_noticed(line: str) -> None:
    with pytest.raises(Exception, match=r"No such command|No such option|Missing"):
        parsed(line, whole=True)
