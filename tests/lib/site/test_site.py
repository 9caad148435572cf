"""The pages as files: what they say, that whatever comes from data is text, and what a second build does."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from deltalake import DeltaTable

from command_lines import Ask
from lakesmith.errors import UsageError
from lakesmith.site.build import build_site
from lakesmith.site.words import amount
from lakesmith.site.writing import POLICY
from sites import HOSTILE, NIGHTS, TROUBLED, describe_hostile, make_troubled_lake, plant_metrics
from workspaces import Workspace, day


class Text(HTMLParser):
    """What a reader sees of a page, and which elements and attributes it is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.scripts: list[str | None] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def said(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = make_troubled_lake(tmp_path_factory.mktemp("site") / "meters")
    describe_hostile(workspace)
    plant_metrics(workspace, "gold.usage")
    plant_metrics(workspace, "silver.readings", HOSTILE)
    return workspace


@pytest.fixture(scope="module")
def site(lake: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("built") / "site"
    build_site(lake.context(), out)
    return out


def pages(site: Path) -> dict[str, str]:
    return {str(file.relative_to(site)): file.read_text() for file in sorted(site.rglob("*.html"))}


def read(site: Path, page: str) -> Text:
    return Text((site / page).read_text())


def batch(site: Path, table: str, number: int) -> str:
    return read(site, f"batches/{table}/{day(number)}.html").said


# --- what is said -----------------------------------------------------------------------------------------------------


def test_a_rejected_batch_says_why_in_words_with_its_rows_and_rules(site: Path) -> None:
    said = batch(site, "silver.readings", TROUBLED)
    assert "Rejected by its audit" in said
    assert "28 of 100 rows (28.00%) are quarantined; the contract allows 25.00%." in said
    assert "1 critical rule failed; they are listed below. Readers see no rows of this day." in said
    assert "To run it: lakesmith run --date 2024-01-06 --table silver.readings" in said
    assert "100 read = 70 staged, not published + 28 quarantined + 2 dropped" in said
    assert "Every row read is accounted for." in said
    assert "exact_duplicate 2" in said
    assert "1 of 3 rules hold, 2 do not." in said
    assert "kwh_in_range critical 28 of 100 rows break it (28 %)" in said
    assert "jobs/silver/readings.py at code version 0123abc , Lakesmith 0.1.0, environment dev" in said


def test_a_batch_links_to_what_it_was_made_from_and_to_what_reads_it(site: Path) -> None:
    page = read(site, f"batches/silver.readings/{day(TROUBLED)}.html")
    assert f"../../batches/bronze.readings/{day(TROUBLED)}.html" in page.links
    assert f"../../batches/gold.usage/{day(TROUBLED)}.html" in page.links
    bronze = batch(site, "bronze.readings", 2)
    assert "2024-01-02.csv, " in bronze
    assert " bytes, sha256 " in bronze


def test_each_state_is_told_apart(site: Path) -> None:
    assert "Blocked: something that it needs is not there" in batch(site, "gold.usage", TROUBLED)
    assert "Stale: it would come out differently now" in batch(site, "bronze.readings", 4)
    assert "readings: 2024-01-04.csv changed" in batch(site, "bronze.readings", 4).lower()
    assert "ValueError: no column kwh" in batch(site, "bronze.readings", 8)
    assert "Missing: never published" in batch(site, "bronze.readings", 10)
    assert "Closed: the source is shut that day" in batch(site, "bronze.readings", 7)
    assert "Fresh" in batch(site, "silver.readings", 2)


def test_a_wide_window_is_linked_by_its_ends_and_says_what_lies_between(site: Path) -> None:
    said = batch(site, "gold.usage", 2)
    assert "gold.usage_3d last: 3d 2024-01-02" in said
    running = batch(site, "gold.running", 5)
    assert "gold.running previous: 1d 2024-01-04" in running


def test_the_overview_is_last_night_in_one_screen(site: Path) -> None:
    said = read(site, "index.html").said
    assert "Last night needs somebody" in said
    assert "silver.readings 2024-01-06" in said
    assert "28 of 100 rows (28.00%) are quarantined" in said
    assert "gold.usage kwh" in said
    assert "not complete" in said
    assert re.search(r"Open alerts .*alert\(1\).* page since \d{4}-\d\d-\d\d \d\d:\d\d UTC", said)
    assert "no report came" not in said
    # 1 of 3 rows is in quarantine on most days; 28 of 100 on the one that was rejected, and none on the 9th.
    assert re.search(
        r"few_in_quarantine .*28 days broken on 2024-01-12, .* 22\.22 % of 9 75 % -211\.1 % \.\.▁▅ ", said
    )


def test_the_heat_map_has_a_cell_for_each_batch_that_is_due(lake: Workspace, site: Path) -> None:
    links = [link for link in read(site, "heat-map.html").links if link.startswith("batches/")]
    states = lake.context().judge.judge(_nights(lake))
    due = {f"batches/{table}/{batch}.html" for table, found in states.items() for batch in found}
    assert set(links) == due
    assert all((site / link).exists() for link in due)
    assert len(due) > 5 * NIGHTS


def _nights(lake: Workspace) -> object:
    from lakesmith.engine.night import all_nights

    return all_nights(lake.context())


def test_drift_is_told_by_the_figures_of_the_table(lake: Workspace, site: Path) -> None:
    rows = DeltaTable(lake.context().lake.path("monitoring.drift_metrics")).to_pyarrow_table().to_pylist()
    (row,) = (r for r in rows if r["batch_date"] == day(NIGHTS) and r["column_name"] == "kwh")
    said = read(site, "drift/gold.usage.html").said
    assert "1 of 2 columns have drifted." in said
    expected = (
        f"Drifted by its distribution against its baseline: effect {amount(row['effect'], 3)}, limit 0.1; corrected p "
        f"{amount(row['adjusted_pvalue'], 3)}; 1 batch to 2024-01-12, 600 independent rows."
    )
    assert expected in said
    assert (
        f"12 nights, highest {amount(row['effect'] / 0.1, 3)} times the limit; drift was found in 1." in said
    )
    assert f"Kolmogorov-Smirnov statistic {amount(row['ks_test']['statistic'])}" in said


def test_a_lake_without_monitoring_says_how_to_switch_it_on(tmp_path: Path) -> None:
    workspace = make_troubled_lake(tmp_path / "meters")
    build_site(workspace.context(), tmp_path / "site")
    assert "profile: true" in read(tmp_path / "site", "drift.html").said


def test_a_lake_in_which_nothing_ever_happened_has_pages_all_the_same(tmp_path: Path) -> None:
    from workspaces import METERS

    shutil.copytree(METERS, tmp_path / "meters")
    build_site(Workspace(tmp_path / "meters").context(), tmp_path / "site")
    assert "Nothing is there yet" in read(tmp_path / "site", "index.html").said


def test_every_link_of_the_site_leads_to_a_page_of_it(site: Path) -> None:
    for name, text in pages(site).items():
        for link in Text(text).links:
            path = link.partition("#")[0]
            if path and not link.startswith("data:"):
                assert (site / name).parent.joinpath(path).resolve().exists(), f"{name}: {link}"


# --- what comes from data is text -------------------------------------------------------------------------------------


def test_markup_in_data_is_shown_as_text_everywhere(site: Path) -> None:
    shown = {name for name, text in pages(site).items() if HOSTILE in Text(text).said}
    assert {
        "index.html",
        "tables.html",
        "runs.html",
        "tables/gold.usage.html",
        f"batches/gold.usage/{day(5)}.html",
        f"batches/silver.readings/{day(9)}.html",
        "drift/gold.usage.html",
        "drift/silver.readings.html",
    } <= shown


def test_no_page_holds_an_element_or_an_attribute_that_runs(site: Path) -> None:
    for name, text in pages(site).items():
        page = Text(text)
        assert page.scripts == [f"{'../' * name.count('/')}assets/site.js"], name
        assert not page.tags & {"img", "iframe", "object", "embed", "style", "base", "form"}, name
        assert not {a for a in page.attributes if a.startswith("on") or a == "style"}, name
        assert not [link for link in page.links if link.lower().startswith("javascript:")], name
        assert "alert(1)</script>" not in text, name


def test_every_page_has_the_policy_that_lets_nothing_else_run(site: Path) -> None:
    meta = f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'.replace("'", "&#39;")
    assert all(meta in text for text in pages(site).values())


# --- builds -----------------------------------------------------------------------------------------------------------


def test_a_second_build_writes_only_what_changed(lake: Workspace, tmp_path: Path) -> None:
    root = tmp_path / "meters"
    shutil.copytree(lake.root, root)
    copy, out = Workspace(root), tmp_path / "site"
    first = build_site(copy.context(), out)
    again = build_site(copy.context(), out)
    assert first.written == first.pages
    assert again.charts == 0
    changed = {
        "index.html",
        "heat-map.html",
        "lineage.html",
        "tables.html",
        "drift.html",
        "models.html",
        "scores.html",
    }
    # The footers of a dozen pages say when they were made; no page of a batch does.
    assert again.written <= len(changed) + 2 + 7 + 1
    before = {p: p.stat().st_mtime_ns for p in out.glob("batches/silver.readings/*.html")}
    copy.land(2, ("m1", 77, "High St"))
    build_site(copy.context(), out)
    rewritten = {p.stem for p, when in before.items() if p.stat().st_mtime_ns != when}
    assert str(day(2)) in rewritten
    assert str(day(1)) not in rewritten


def test_pages_of_tables_that_are_no_more_are_removed(lake: Workspace, tmp_path: Path) -> None:
    root, out = tmp_path / "meters", tmp_path / "site"
    shutil.copytree(lake.root, root)
    build_site(Workspace(root).context(), out)
    (root / "conf/tables/gold.next_day.yml").unlink()
    (root / "conf/expectations/gold.next_day.json").unlink()
    built = build_site(Workspace(root).context(), out)
    assert built.removed >= NIGHTS - 1
    assert not (out / "tables/gold.next_day.html").exists()


def test_a_folder_with_something_else_in_it_is_left_alone(lake: Workspace, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError, match="not the folder of a site"):
        build_site(lake.context(), tmp_path)


def test_the_command_says_what_it_wrote(lake: Workspace, tmp_path: Path, ask: Ask) -> None:
    asked = ("site", "build", "--project", str(lake.root), "--out", str(tmp_path / "site"), "--json")
    answer = ask(*asked)
    assert (answer.code, answer.err) == (0, "")
    assert answer.json["files"] == answer.json["written"]
    assert sorted(answer.json) == ["bytes", "charts_drawn", "files", "out", "removed", "seconds", "written"]


def test_a_build_starts_no_jvm(lake: Workspace, tmp_path: Path) -> None:
    code = (
        "import sys; from lakesmith.cli.main import main; "
        f"code = main(['site', 'build', '--project', {str(lake.root)!r}, '--out', {str(tmp_path / 'site')!r}]); "
        "sys.exit(code or [m for m in ('pyspark', 'mlflow', 'great_expectations') if m in sys.modules] or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_note_of_a_newer_build_has_something_to_compare(site: Path) -> None:
    assert list(json.loads((site / "built.json").read_text())) == ["built"]


def test_a_lag_stands_under_the_night_that_owns_the_batch(site: Path) -> None:
    said = batch(site, "gold.next_day", 3)
    assert f"owned by the night of {day(3) + timedelta(1)}" in said
