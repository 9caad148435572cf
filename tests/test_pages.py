"""The pages of docs/: whatever they name is there. A test that was renamed shows nothing to whoever looks for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from parity.expectations import COMPILED

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
EACH = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@pytest.fixture(scope="module")
def tests() -> dict[str, str]:
    """The test files by their paths, with their texts."""
    files = [file for file in (ROOT / "tests").rglob("*.py") if "__pycache__" not in file.parts]
    return {file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8") for file in files}


def in_code(page: Path) -> Iterator[str]:
    """What stands in backticks, examples apart."""
    yield from re.findall(r"`([^`\n]+)`", FENCED.sub("", page.read_text(encoding="utf-8")))


@EACH
def test_links_lead_to_files(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", FENCED.sub("", page.read_text(encoding="utf-8")))

    assert [link for link in links if not (page.parent / link).exists()] == []


@EACH
def test_files_of_the_tests_are_there(page: Path) -> None:
    named = [name for name in in_code(page) if re.fullmatch(r"tests/[\w./-]+", name)]

    # The example of the README makes some samples first.
    assert [name for name in named if "samples" not in name and not (ROOT / name).exists()] == []


# On other pages a name may begin so and be a metric's.
@pytest.mark.parametrize("page", ["guarantees.md", "parity.md", "landing-trust.md"])
def test_named_tests_are_there(page: str, tests: dict[str, str]) -> None:
    named = [name for name in in_code(ROOT / "docs" / page) if re.fullmatch(r"test_\w+", name)]
    defined = set(re.findall(r"^def (test_\w+)\(", "\n".join(tests.values()), re.MULTILINE))

    assert sorted(set(named) - defined) == []


@EACH
def test_named_modules_are_there(page: Path) -> None:
    named = {name for name in in_code(page) if re.fullmatch(r"lakesmith(\.[a-z_]+)+", name)}
    places = {name: ROOT / "lib" / Path(*name.split(".")) for name in named}

    # The last part may be a function or a class of the module.
    found = {
        name
        for name, place in places.items()
        if place.is_dir() or place.with_suffix(".py").exists() or place.parent.with_suffix(".py").exists()
    }
    assert named - found <= {"lakesmith.sql", "lakesmith.job"}


def test_the_page_of_parity_has_a_row_for_each_compiled_type() -> None:
    text = (ROOT / "docs" / "parity.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(expect_\w+)` +\| ([a-z ]+?) +\| +\d", text, re.MULTILINE)

    assert dict(rows) == COMPILED
    assert len(rows) == len(COMPILED)
