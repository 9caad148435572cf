"""A headless Chromium for tests of pages: the system's own, found once, with what it complained of."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Request

__all__ = ["Watched", "chromium", "watched_page"]

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


@dataclass
class Watched:
    """A page, and every error that its console or its scripts reported."""

    page: Page
    errors: list[str] = field(default_factory=list)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that is closed afterwards."""
    from playwright.sync_api import sync_playwright

    found = next((path for name in _NAMES if (path := shutil.which(name)) is not None), None)
    assert found is not None, "these tests need Chromium: make browser, or apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def watched_page(browser: Browser, **how: object) -> Iterator[Watched]:
    """A new page of its own window.

    Args:
        how: as `Browser.new_page` takes it.
    """
    page = browser.new_page(**how)  # type: ignore[arg-type]
    watched = Watched(page)
    page.on(
        "console",
        lambda said: watched.errors.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: watched.errors.append(str(error)))
    page.on("requestfailed", lambda request: watched.errors.extend(_failure(request)))
    page.on("dialog", lambda dialog: (watched.errors.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    try:
        yield watched
    finally:
        page.close()


def _failure(request: Request) -> list[str]:
    """What was not loaded; what a page still asked for when it was left is no failure."""
    return [] if request.failure == "net::ERR_ABORTED" else [f"not loaded: {request.url}"]
