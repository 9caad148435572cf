"""Pictures of Airflow's pages for the docs: a run in the grid and in the graph, by a browser that logs in as a person does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from browsers import chromium
from drills.airflow_api import Airflow

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = ["take"]

_SIZE = {"width": 1280, "height": 600}


def take(airflow: Airflow, dag: str, run_id: str, folder: Path, name: str) -> list[Path]:
    """Pictures of one run: `airflow-<name>-grid.png` and `airflow-<name>-graph.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    taken = []
    with _logged_in(airflow) as page:
        page.goto(f"{airflow.url}/dags/{dag}/runs/{quote(run_id)}")
        for view in ("grid", "graph"):
            page.get_by_title(f"Show {view.capitalize()}", exact=False).click()
            if view == "graph":
                # All of the width for the boxes; the title says which run it is.
                page.get_by_label("Collapse Details Panel").click()
                page.locator(".react-flow__node").first.wait_for()
                page.get_by_label("Fit View").click()
            page.mouse.move(0, 0)
            page.wait_for_load_state("networkidle")
            taken.append(folder / f"airflow-{name}-{view}.png")
            page.screenshot(path=taken[-1], animations="disabled")
    return taken


@contextmanager
def _logged_in(airflow: Airflow) -> Iterator[Page]:
    with chromium() as browser:
        page = browser.new_page(viewport=_SIZE, color_scheme="light", timezone_id="UTC", locale="en-GB")
        page.goto(airflow.url)
        page.locator("input[name=username]").fill(airflow.login["username"])
        page.locator("input[name=password]").fill(airflow.login["password"])
        page.locator("button[type=submit]").click()
        page.wait_for_url(lambda url: "/auth/login" not in url)
        yield page
