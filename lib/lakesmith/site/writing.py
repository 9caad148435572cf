"""Pages as files: templates filled in, everything from data escaped, only what changed written.

Owns the environment of the templates and the folder of the site. A folder that holds anything else is refused: files of pages
that no longer exist are removed from it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakesmith import __version__
from lakesmith.errors import UsageError
from lakesmith.extras import needs_extra
from lakesmith.site import words

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["POLICY", "Folder", "environment", "package_file"]

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
"""What a browser may load for a page: files of the site and nothing else. A text that got into a page as markup could not run."""

_MARK = ".lakesmith-site.json"


def package_file(path: str) -> str:
    """The text of a file that comes with the package."""
    return resources.files("lakesmith.site").joinpath(path).read_text(encoding="utf-8")


def environment() -> Environment:
    """The templates, which escape whatever they are given.

    Raises:
        ExtraMissing: jinja2 is not installed.
    """
    with needs_extra("site"):
        from jinja2 import Environment, FunctionLoader, StrictUndefined
    made = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        loader=FunctionLoader(lambda name: package_file(f"templates/{name}")),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        whole=words.whole,
        amount=words.amount,
        share=words.share,
        moment=words.moment,
        day_words=words.day_words,
        duration=words.duration,
    )
    made.globals.update(policy=POLICY, version=__version__)
    return made


class Folder:
    """The folder of a site, and what was written to it in this build.

    Args:
        root: made when it is not there.

    Raises:
        UsageError: it holds other files than a site's.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.written = 0
        self.unchanged = 0
        self.size = 0
        self._digests: dict[str, str] = {}
        self._keys: dict[str, str] = {}
        self._before: dict[str, dict[str, str]] = {"digests": {}, "keys": {}}
        mark = root / _MARK
        if mark.exists():
            self._before = _read_mark(mark)
        elif root.exists() and (not root.is_dir() or any(root.iterdir())):
            raise UsageError(
                f"{root} is not the folder of a site: it holds something else. Name an empty or a new one: --out DIR"
            )
        root.mkdir(parents=True, exist_ok=True)

    def fresh(self, path: str, key: str) -> bool:
        """Keeps a page as it is when it was made from the same facts before.

        Args:
            key: changes whenever what is on the page does.
        """
        digest = self._before["digests"].get(path)
        file = self.root / path
        if digest is None or self._before["keys"].get(path) != key or not file.exists():
            return False
        self._digests[path], self._keys[path] = digest, key
        self.unchanged += 1
        self.size += file.stat().st_size
        return True

    def write(self, path: str, text: str, key: str = "") -> None:
        """Writes a file, unless it is there as it would be.

        Args:
            key: see `fresh`.
        """
        content = text.encode()
        digest = hashlib.sha256(content).hexdigest()
        self._digests[path] = digest
        if key:
            self._keys[path] = key
        self.size += len(content)
        file = self.root / path
        if self._before["digests"].get(path) == digest and file.exists():
            self.unchanged += 1
            return
        file.parent.mkdir(parents=True, exist_ok=True)
        # A reader never sees half a page.
        beside = file.with_name(f".{file.name}.new")
        beside.write_bytes(content)
        beside.replace(file)
        self.written += 1

    def finish(self) -> int:
        """Removes the pages that this build did not make, and remembers those that it did. Returns how many are gone."""
        gone = set(self._before["digests"]) - set(self._digests)
        for path in gone:
            (self.root / path).unlink(missing_ok=True)
        mark = {"made_by": _made_by(), "digests": self._digests, "keys": self._keys}
        (self.root / _MARK).write_text(json.dumps(mark, sort_keys=True), encoding="utf-8")
        return len(gone)

    @property
    def pages(self) -> int:
        """How many files there are."""
        return len(self._digests)


def _read_mark(mark: Path) -> dict[str, dict[str, str]]:
    """What the build before left; none of its pages stays unseen where another version made it."""
    try:
        found: Mapping[str, Any] = json.loads(mark.read_text(encoding="utf-8"))
    except ValueError:
        found = {}
    same = found.get("made_by") == _made_by()
    return {"digests": dict(found.get("digests", {})), "keys": dict(found.get("keys", {})) if same else {}}


def _made_by() -> str:
    """Changes with whatever pages are made by: this version, and the templates as they are."""
    texts = [package_file(f"templates/{name}") for name in ("base.html", "parts.html", "batch.html")]
    return f"{__version__} {hashlib.sha256(''.join(texts).encode()).hexdigest()[:16]}"
