"""What the Lakesmith at work was built from, and whether an environment takes it."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from lakesmith.errors import DirtyBuild
from lakesmith.ledger.source_commit import COMMIT_FILE, Build, read_build

if TYPE_CHECKING:
    from lakesmith.config.settings import Settings

__all__ = ["own_build", "refuse_dirty"]


def own_build() -> Build | None:
    """What the wheel or the archive at work was built from; None for a tree, whose commit git tells."""
    return read_build(resources.files("lakesmith") / COMMIT_FILE)


def refuse_dirty(settings: Settings, build: Build | None, what: str) -> None:
    """Refuses what was built from a changed tree, or from none that git knows, where the settings want a commit.

    Args:
        build: None where nothing was built: a tree is what it is, and each run records its commit.
        what: was built, in words.

    Raises:
        DirtyBuild: it is refused.
    """
    if settings.clean_build and build is not None and not build.is_clean:
        raise DirtyBuild(what, str(build), settings.environment)
