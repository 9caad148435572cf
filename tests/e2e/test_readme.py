"""The README followed to the letter: its chapter is typed into a copy of the project, and every name in the pages exists.

Owns how a block of the README is read. A block of `sh` is run by bash from the project's folder; one of `text` after it is
what it prints to stdout, where a line `...` stands for any lines; every other block is a file, named by the words before it.
What differs from run to run (times, ids, seconds, numbers of Spark jobs, the folder) is masked on both sides, and how far apart
columns stand is left aside.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from lakesmith.cli.main import main
from lakesmith.config.load import load_settings
from lakesmith.contracts.expectations import ROW_RULE_TYPES
from lakesmith.contracts.graph import TableGraph
from lakesmith.contracts.load import load_project
from lakesmith.contracts.model import Mode, OnMissing, Rows, Severity, SourceFormat
from lakesmith.contracts.tables import LAYERS
from lakesmith.contracts.windows import WindowKind
from lakesmith.errors import ExitCode, InvalidProject
from lakesmith.ledger.state import State
from shells import bare

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    "docs/architecture.md",
    "docs/contracts.md",
    "docs/settings.md",
    "docs/databases.md",
    "docs/analysts.md",
    "docs/maintenance.md",
    "docs/lineage.md",
    "docs/alerts.md",
    "docs/cluster.md",
    "docs/deployment.md",
    "docs/readiness.md",
    "docs/monitoring.md",
    "docs/performance.md",
    "docs/s3.md",
    "docs/site.md",
    "docs/stack.md",
    "docs/airflow.md",
    "docs/mwaa.md",
    "docs/aws.md",
]
# Commands that have commands of their own.
GROUPS = ("alerts", "catalog", "config", "metrics", "models", "quarantine", "site", "stack")
CHAPTER = "A table of your own in ten minutes"
# The README's output is as wide as a page of text, not as the terminal of whoever runs this.
WIDTH = "100"


@dataclass(frozen=True)
class Block:
    """One fenced block and the words before it."""

    language: str
    text: str
    before: str


def page(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def chapter(title: str) -> str:
    text = page("README.md")
    start = text.index(f"\n## {title}\n")
    return text[start : text.index("\n## ", start + 1)]


def blocks(text: str) -> list[Block]:
    found = []
    end = 0
    for fence in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        found.append(Block(fence[1], fence[2], text[end : fence.start()]))
        end = fence.end()
    return found


def file_of(block: Block) -> str:
    """The file that a block says it is, in the last sentence before it."""
    named = re.search(r"Create\s+`([^`]+)`:\s*$", block.before)
    assert named is not None, f"no sentence says which file this is:\n{block.text}"
    return named[1]


# --- the chapter, typed in -------------------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project's files as git knows them, with this environment and these jars."""
    project = tmp_path / "lakesmith"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (project / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, project / name)
    (project / ".venv").symlink_to(sys.prefix)
    (project / ".jars").symlink_to(ROOT / ".jars")
    return project


def typed(script: str, project: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """What bash makes of a block, in a shell with nothing exported but PATH and HOME."""
    environ = bare(PATH=os.environ["PATH"], HOME=str(home), COLUMNS=WIDTH, LANG="C.UTF-8")
    return subprocess.run(
        ["bash", "-c", script], cwd=project, env=environ, capture_output=True, text=True, check=False
    )


MASKS = [
    (r"\d{8}T\d{6}-[0-9a-f]{8}", "RUN"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME"),
    (r"\b\d+\.\d s, \d+ Spark jobs?", "SPENT"),
    (r"in \d+\.\d+s( \(\d:\d\d:\d\d\))?", "in SPENT"),
    (r"(?m)(?<=\s)\d+\.\d$", "SECONDS"),
    (r"\d+ deselected", "DESELECTED"),
]


def masked(text: str, project: Path) -> list[str]:
    """Lines without what differs from run to run, and without empty ones."""
    text = text.replace(str(project), "/home/you/lakesmith")
    text = "\n".join(line.rstrip() for line in text.splitlines())
    for pattern, stands_for in MASKS:
        text = re.sub(pattern, stands_for, text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def as_pattern(expected: list[str]) -> str:
    """A pattern for whole lines: `...` alone stands for any lines, at a line's end for its rest."""
    parts = []
    for line in expected:
        if line == "...":
            parts.append(r"(?:.*\n)*?")
        elif line.endswith("..."):
            parts.append(re.escape(line.removesuffix("...")) + r".*\n")
        else:
            parts.append(re.escape(line) + r"\n")
    return "".join(parts)


@pytest.mark.parametrize(
    ("expected", "said", "matches"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a", "b"], ["a", "x", "b"], False),
        (["...", "b"], ["a", "x", "b"], True),
        (["...", "b"], ["b", "a"], False),
        (["6 passed, ..."], ["6 passed, 12 deselected"], True),
        (["a"], ["ab"], False),
    ],
)
def test_expected_output_is_compared_by_line(expected: list[str], said: list[str], matches: bool) -> None:
    found = re.fullmatch(as_pattern(expected), "".join(f"{line}\n" for line in said))
    assert (found is not None) == matches


@pytest.mark.e2e
def test_the_example_works_as_it_is_written(copy: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    found = blocks(chapter(CHAPTER))
    assert {block.language for block in found} == {"sh", "text", "yaml", "json", "python"}
    for block, following in zip(found, [*found[1:], None], strict=True):
        if block.language == "sh":
            answer = typed(block.text, copy, home)
            said = f"$ {block.text}\n{answer.stdout}\n--- stderr\n{answer.stderr}"
            expected = following.text if following is not None and following.language == "text" else None
            code = re.search(r"\(exit code (\d+)\)", expected or "")
            assert answer.returncode == (int(code[1]) if code else 0), said
            if expected is not None:
                lines = "".join(f"{line}\n" for line in masked(answer.stdout, copy))
                assert re.fullmatch(as_pattern(masked(expected, copy)), lines), said
        elif block.language != "text":
            (copy / file_of(block)).parent.mkdir(parents=True, exist_ok=True)
            (copy / file_of(block)).write_text(block.text, encoding="utf-8")


def test_the_example_brings_a_suite_and_a_job_for_every_table() -> None:
    made = [file_of(b) for b in blocks(chapter(CHAPTER)) if b.language in ("yaml", "json", "python")]
    tables = {Path(name).stem for name in made if name.startswith("conf/tables/")}
    assert {Path(name).stem for name in made if name.startswith("conf/expectations/")} == tables
    assert {
        ".".join(Path(name).with_suffix("").parts[1:]) for name in made if name.startswith("jobs/")
    } == tables


def test_the_example_does_not_collide_with_the_project() -> None:
    made = [file_of(b) for b in blocks(chapter(CHAPTER)) if b.language in ("yaml", "json", "python")]
    assert [name for name in made if (ROOT / name).exists()] == []


# --- names ---------------------------------------------------------------------------------------------------------


def commands(text: str) -> Iterator[list[str]]:
    """Every `lakesmith ...` of a page, in its code, as words."""
    fenced = "\n".join(b.text for b in blocks(text) if b.language in ("sh", "text"))
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
    for line in [*fenced.replace("\\\n", " ").splitlines(), *spans]:
        called = re.match(r"\s*(?:\$ )?(?:\.venv/bin/)?lakesmith (\S.*)", line)
        if called:
            yield shlex.split(called[1], comments=True)


def options_of(command: list[str], capsys: pytest.CaptureFixture[str]) -> set[str] | None:
    """The options in a command's help; None when there is no such command."""
    code = main([*command, "--help"])
    said = capsys.readouterr().out
    listed = [line for line in said.splitlines() if line.startswith("│")]
    return set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", "\n".join(listed))) if code == 0 else None


@pytest.mark.parametrize("name", PAGES)
def test_every_command_and_option_exists(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    unknown = []
    for words in commands(page(name)):
        command = words[:2] if words[0] in GROUPS else words[:1]
        known = options_of(command, capsys)
        asked = {word.split("=")[0] for word in words if word.startswith("-")}
        if known is None or not asked <= known:
            unknown.append(" ".join(words))
    assert unknown == []


def test_commands_are_found_in_pages() -> None:
    text = "Say `lakesmith run --date D` or\n\n```sh\n.venv/bin/lakesmith backfill \\\n  --from A\n```\n"
    assert list(commands(text)) == [["backfill", "--from", "A"], ["run", "--date", "D"]]


def test_every_command_of_the_program_is_in_the_readme(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    listed = re.findall(r"^│ ([a-z]+) ", capsys.readouterr().out, re.MULTILINE)
    assert listed
    assert {words[0] for words in commands(page("README.md"))} >= set(listed)


@pytest.mark.parametrize("name", PAGES)
def test_every_make_target_exists(name: str) -> None:
    text = page(name)
    targets = re.findall(r"^\.PHONY: ([a-z-]+)$", page("Makefile"), re.MULTILINE)
    named = re.findall(r"`make ([a-z][a-z-]*)`", text)
    named += [
        m for b in blocks(text) if b.language == "sh" for m in re.findall(r"^make ([a-z-]+)", b.text, re.M)
    ]
    assert [target for target in named if target not in targets] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_file_that_a_page_links_to_exists(name: str) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)[^)]*\)", page(name))
    assert [link for link in links if not ((ROOT / name).parent / link).exists()] == []


# --- tables in the pages -------------------------------------------------------------------------------------------


def rows(text: str, heading: str) -> list[list[str]]:
    """The cells of the table that begins with this line."""
    lines = text.splitlines()
    at = lines.index(heading)
    found = []
    for line in lines[at + 2 :]:
        if not line.startswith("|"):
            return found
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_the_exit_codes_are_those_of_the_program() -> None:
    told = [code.split(", ") for code, _ in rows(page("README.md"), "| exit code | meaning |")]
    assert [int(code) for codes in told for code in codes] == sorted(ExitCode)


def test_the_states_are_those_of_the_ledger() -> None:
    [sentence] = re.findall(r"always in one of seven states: (.*?)\n\n", page("README.md"), re.DOTALL)
    assert set(re.findall(r"`(\w+)`", sentence)) == set(State)


def edges(graph: TableGraph) -> set[tuple[str, str]]:
    return {(i.target, table) for table, contract in graph.contracts.items() for i in contract.inputs}


def test_the_picture_is_the_graph() -> None:
    [picture] = [b.text for b in blocks(page("README.md")) if b.language == "mermaid"]
    labels = {i: label.split(":")[0] for i, label in re.findall(r'(\w+)\[\(?"([^"]+)"\)?\]', picture)}
    drawn = re.findall(r"(\w+)(?:\[[^\]]*\])? (?:-->|-- [^>]*-->|-\. [^>]*\.->) (\w+)", picture)
    project = {(labels[a], labels[b]) for a, b in drawn if not labels[b].startswith("quarantine.")}
    assert project == edges(load_project(ROOT).graph)
    listed = [name.strip("`") for name, _ in rows(page("README.md"), "| table | one row is |")]
    assert set(listed) == set(load_project(ROOT).graph.order)


def test_the_demo_is_shown_with_every_table() -> None:
    shown = next(b.text for b in blocks(chapter("Two commands")) if b.language == "text")
    table = shown[: shown.index("\n\n")]
    assert [line.split()[0] for line in table.splitlines()[1:]] == list(load_project(ROOT).graph.order)


def leaves(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of a file by their whole keys; a section without keys is a value."""
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def test_every_setting_is_documented_with_its_default() -> None:
    """`none` in the page: conf/base.yml leaves it open."""
    documented = {
        key.strip("`"): default.strip("`")
        for key, default, _ in rows(page("docs/settings.md"), "| key | default | meaning |")
    }
    base = yaml.safe_load(page("conf/base.yml"))
    written = dict(leaves(base))
    effective = {setting.key for setting in load_settings("dev", ROOT, {}).effective()}
    chosen_elsewhere = {"environment", "project_root"}
    in_no_file = {"landing_root", "lake_root", "storage_options"}
    assert documented.keys() == (effective | written.keys() | in_no_file) - chosen_elsewhere
    assert {key: documented[key] for key in written} == {
        key: "none" if value is None else str(value) for key, value in written.items()
    }


@pytest.mark.parametrize("name", PAGES)
def test_every_variable_is_a_setting(name: str, tmp_path: Path) -> None:
    """LAKESMITH_LAKE_ROOT is the one that is shown for being wrong."""
    named = set(re.findall(r"LAKESMITH_\w+", page(name))) - {"LAKESMITH_LAKE_ROOT", "LAKESMITH__"}
    database = {"LAKESMITH__CONNECTIONS__ERP__URL": "jdbc:postgresql://db.example/erp"}
    values = {
        "MEMORY": "4g",
        "ROOT": str(tmp_path),
        "WAIT": "5m",
        "PATIENCE": "15m",
        "URL": "https://example.org",
    }
    for variable in named - {"LAKESMITH_ENV", "LAKESMITH_PROJECT", "LAKESMITH_ACTOR", "LAKESMITH_ARCHIVES"}:
        value = next((v for ending, v in values.items() if variable.endswith(ending)), "3")
        origins = {s.origin for s in load_settings("dev", ROOT, {**database, variable: value}).effective()}
        assert f"variable {variable}" in origins


# --- the reference of contracts ----------------------------------------------------------------------------------


def section(title: str) -> str:
    text = page("docs/contracts.md")
    start = text.index(f"\n## {title}")
    return text[start : text.find("\n## ", start + 1)]


def keys_of(title: str) -> set[str]:
    return {cells[0].strip("`") for cells in rows(section(title), "| key | | meaning |")}


@pytest.mark.parametrize(
    ("title", "file"),
    [("A source", "conf/sources/readings.yml"), ("A table", "conf/tables/silver.readings.yml")],
)
def test_the_keys_of_a_file_are_those_of_the_loader(title: str, file: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tests" / "projects" / "meters", tmp_path / "meters")
    with (tmp_path / "meters" / file).open("a", encoding="utf-8") as lines:
        lines.write("nonsense: 1\n")
    with pytest.raises(InvalidProject) as refused:
        load_project(tmp_path / "meters")
    [problem] = [p for p in refused.value.problems if p.place == "nonsense"]
    allowed = problem.message.removeprefix("unknown key; allowed: ").split(", ")
    assert keys_of(title) == set(allowed)


def test_every_word_of_the_grammar_is_in_the_reference() -> None:
    text = page("docs/contracts.md")
    words = [*LAYERS, *WindowKind, *SourceFormat, *OnMissing, *Rows, *Mode, *Severity]
    assert [word for word in words if not re.search(rf"[`{{\[]{word}\b", text)] == []


def test_the_row_rules_are_those_of_the_catalogue() -> None:
    listed = re.findall(r"^- `(expect_\w+)`$", page("docs/contracts.md"), re.MULTILINE)
    assert listed == sorted(ROW_RULE_TYPES)
