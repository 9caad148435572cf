"""The site in headless Chromium: nothing complains, a failed batch is two clicks away, keys and screen readers find their way."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from browsers import chromium, watched_page
from lakesmith.site.build import build_site
from lakesmith.site.drift_report import write_reports
from lakesmith.site.serving import open_server
from shops import MODEL, SCORES
from sites import (
    HOSTILE,
    NIGHTS,
    TROUBLED,
    describe_hostile,
    make_scored_lake,
    make_troubled_lake,
    plant_metrics,
)
from workspaces import day

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.e2e

KINDS = [
    "index.html",
    "heat-map.html",
    "lineage.html",
    "tables.html",
    "tables/silver.readings.html",
    "tables/gold.usage.html",
    f"batches/silver.readings/{day(TROUBLED)}.html",
    f"batches/gold.usage/{day(5)}.html",
    f"batches/gold.usage/{day(TROUBLED)}.html",
    f"batches/bronze.readings/{day(4)}.html",
    "drift.html",
    "drift/gold.usage.html",
    "drift/silver.readings.html",
    "models.html",
    "scores.html",
    "runs.html",
]
"""One page of each kind, the troubled and the hostile ones among them."""

SCORED = [
    "models.html",
    f"models/{MODEL}.html",
    "models/revenue.html",
    "scores.html",
    f"scores/{SCORES}.html",
    "index.html",
]
"""Of another lake, with models."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    workspace = make_troubled_lake(tmp_path_factory.mktemp("site") / "meters")
    describe_hostile(workspace)
    plant_metrics(workspace, "gold.usage")
    plant_metrics(workspace, "silver.readings", HOSTILE)
    out = tmp_path_factory.mktemp("built") / "site"
    build_site(workspace.context(), out)
    return out


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """Where the site is served as `lakesmith site serve` does it."""
    with open_server(site, 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of a lake with models and scores."""
    workspace = make_scored_lake(tmp_path_factory.mktemp("scored") / "shop")
    plant_metrics(workspace, "gold.customers", "orders_14d")
    out = tmp_path_factory.mktemp("built") / "scored"
    build_site(workspace.context(), out)
    write_reports(workspace.context(), day(NIGHTS), out / "reports", [MODEL])
    return out


def axe(page: Any) -> list[str]:
    """The serious and critical issues that axe-core finds, each with the first place."""
    from axe_playwright_python.sync_playwright import Axe

    # The policy of a page lets no other script in; axe is put in by the browser itself.
    found = Axe().run(page).response["violations"]
    return [
        f"{v['id']}: {v['help']}: {v['nodes'][0]['html'][:160]}"
        for v in found
        if v["impact"] in ("serious", "critical")
    ]


def test_every_page_opens_from_disk_and_from_a_server_without_a_complaint(
    browser: Browser, site: Path, scored: Path, address: str
) -> None:
    with watched_page(browser) as watched:
        for file in [
            *sorted(site.rglob("*.html")),
            *(scored / kind for kind in SCORED),
            *scored.glob("reports/*"),
        ]:
            watched.page.goto(file.as_uri())
            assert watched.page.locator("h1").count() == 1, file
            assert watched.errors == [], file
        for kind in KINDS:
            watched.page.goto(f"{address}/{kind}")
            assert watched.errors == [], kind


def test_markup_that_got_into_a_page_could_not_run(browser: Browser, site: Path, tmp_path: Path) -> None:
    text = (site / "index.html").read_text()
    raw = "<script>alert(1)</script><img src=x onerror=alert(2)><a id=bad href='javascript:alert(3)'>bad</a></main>"
    hostile = tmp_path / "index.html"
    hostile.write_text(text.replace("</main>", raw))
    with watched_page(browser) as watched:
        watched.page.goto(hostile.as_uri())
        watched.page.locator("#bad").click()
        assert not [said for said in watched.errors if said.startswith("dialog")]
        # The browser says that it refused each of them.
        assert len([said for said in watched.errors if "Content Security Policy" in said]) >= 3


def test_the_heat_map_leads_to_a_failed_batch_in_two_clicks(browser: Browser, address: str) -> None:
    with watched_page(browser) as watched:
        page = watched.page
        page.goto(f"{address}/index.html")
        page.get_by_role("link", name="Heat map", exact=True).click()
        page.get_by_role("row", name="silver.readings").get_by_role(
            "link", name=f"{day(TROUBLED)} failed"
        ).click()
        assert page.url.endswith(f"/batches/silver.readings/{day(TROUBLED)}.html")
        assert page.get_by_text("28 of 100 rows (28.00%) are quarantined").first.is_visible()
        assert page.get_by_role("cell", name="28 of 100 rows break it (28 %)").is_visible()
        assert watched.errors == []


def test_arrow_keys_walk_the_heat_map_and_enter_opens_the_batch(browser: Browser, address: str) -> None:
    with watched_page(browser) as watched:
        page = watched.page
        page.goto(f"{address}/heat-map.html")
        cells = page.locator("table.heat td a")
        assert page.locator('table.heat td a[tabindex="0"]').count() == 1
        cells.locator('xpath=self::a[@tabindex="0"]').focus()
        focused = "document.activeElement.getAttribute('href')"
        page.keyboard.press("End")
        newest = f"{day(NIGHTS)}"
        assert page.evaluate(focused) == f"batches/bronze.readings/{newest}.html"
        page.keyboard.press("ArrowDown")
        below = page.evaluate(focused)
        assert below.endswith(f"/{newest}.html")
        assert "bronze.readings" not in below
        page.keyboard.press("ArrowLeft")
        assert page.evaluate(focused) == below.replace(newest, str(day(NIGHTS - 1)))
        note = page.locator("#note-heat").inner_text()
        assert re.fullmatch(r"\S+, 2024-01-11 \w+", note)
        page.keyboard.press("Home")
        page.keyboard.press("PageUp")
        assert page.evaluate(focused) == f"batches/bronze.readings/{day(1)}.html"
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/batches/bronze.readings/{day(1)}.html")
        assert watched.errors == []


def test_the_tab_key_reaches_the_content_first_by_a_link_that_skips(browser: Browser, address: str) -> None:
    with watched_page(browser) as watched:
        watched.page.goto(f"{address}/index.html")
        watched.page.keyboard.press("Tab")
        assert watched.page.evaluate("document.activeElement.textContent") == "Skip to the content"
        watched.page.keyboard.press("Enter")
        assert watched.page.url.endswith("#main")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_kind_of_page(
    browser: Browser, address: str, scored: Path, scheme: str
) -> None:
    with watched_page(browser, color_scheme=scheme, bypass_csp=True) as watched:
        found = {}
        for kind in KINDS:
            watched.page.goto(f"{address}/{kind}")
            found[kind] = axe(watched.page)
        for kind in [*SCORED, f"reports/drift-{MODEL}-{day(NIGHTS)}.html"]:
            watched.page.goto((scored / kind).as_uri())
            found[kind] = axe(watched.page)
        assert {kind: issues for kind, issues in found.items() if issues} == {}


def test_on_a_narrow_screen_nothing_is_wider_than_the_page(
    browser: Browser, address: str, scored: Path
) -> None:
    with watched_page(browser, viewport={"width": 360, "height": 740}) as watched:
        for kind in KINDS:
            watched.page.goto(f"{address}/{kind}")
            assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360, kind
        for kind in SCORED:
            watched.page.goto((scored / kind).as_uri())
            assert watched.page.evaluate("document.documentElement.scrollWidth") <= 360, kind


def test_a_page_that_is_left_open_says_that_there_is_a_newer_one(
    browser: Browser, site: Path, address: str
) -> None:
    built = site / "built.json"
    before = built.read_text()
    with watched_page(browser) as watched:
        watched.page.clock.install()
        watched.page.goto(f"{address}/index.html", wait_until="networkidle")
        built.write_text('{"built": "later"}\n')
        try:
            watched.page.clock.run_for(61_000)
            watched.page.get_by_role("link", name="There is a newer build of this page: reload").wait_for()
        finally:
            built.write_text(before)


def test_the_mark_under_the_pointer_says_its_figures(browser: Browser, address: str) -> None:
    with watched_page(browser) as watched:
        watched.page.goto(f"{address}/tables/silver.readings.html")
        bar = watched.page.locator(".plot [aria-roledescription=bar]").first
        bar.hover()
        assert bar.get_attribute("aria-label") == watched.page.locator(".tip").inner_text()
