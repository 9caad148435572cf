"""Manifests: which files make a batch, when a day is complete, and that nothing outside the root is read."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lakesmith.contracts.model import Calendar, Completion, OnMissing, Source, SourceFormat
from lakesmith.errors import ConfigurationError, ExitCode, InputChanged, InputMissing, UsageError
from lakesmith.ledger import landing_store as landing_store_module
from lakesmith.ledger.landing_store import Entry, LandingEscape, LandingUnreadable, landing_store
from lakesmith.ledger.manifest import (
    DayFiles,
    DayState,
    InputIncomplete,
    LandingCandidate,
    LandingFile,
    LandingFolder,
    Manifest,
)

DAY = date(2011, 3, 1)
NOON = datetime(2011, 3, 1, 12, 0, tzinfo=UTC)


def source(*patterns: str, **changes: Any) -> Source:
    facts: dict[str, Any] = {
        "name": "shop",
        "description": "",
        "patterns": patterns or ("{batch_date}.csv", "{batch_date}-*.csv", "{batch_date}.csv.gz"),
        "format": SourceFormat.CSV,
        "columns": (),
        "start": date(2011, 1, 1),
        "file": "conf/sources/shop.yml",
    }
    return Source(**{**facts, **changes})


class Landing:
    """A landing root with a folder for `shop`, and something outside it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "landing"
        self.outside = folder / "outside"
        (self.root / "shop").mkdir(parents=True)
        self.outside.mkdir()
        (self.outside / "secret.csv").write_text("secret")

    def put(self, path: str, text: str = "text", at: datetime = NOON) -> Path:
        file = self.root / "shop" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        os.utime(file, (at.timestamp(), at.timestamp()))
        return file

    def link(self, path: str, to: Path) -> None:
        (self.root / "shop" / path).symlink_to(to)

    def folder(self, of: Source | None = None, now: datetime = NOON) -> LandingFolder:
        return LandingFolder(of or source(), self.root, clock=lambda: now)

    def day(self, of: Source | None = None, day: date = DAY) -> DayFiles:
        return self.folder(of).days(day, day)[day]


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing(tmp_path)


def paths(files: DayFiles) -> list[str]:
    return [file.path for file in files.files]


def test_the_files_of_each_day_are_found(landing: Landing) -> None:
    landing.put("2011-03-01.csv", "a")
    landing.put("2011-03-02-late.csv", "bb")
    landing.put("2011-03-02.csv.gz", "ccc")
    for other in (
        "2011-03-04.csv",
        "2011-03-01.csv.part",
        "x2011-03-01.csv",
        "2011-02-30.csv",
        "20110301.csv",
    ):
        landing.put(other)
    files = landing.folder().days(DAY, date(2011, 3, 3))
    modified_ns = int(NOON.timestamp()) * 10**9
    assert files == {
        DAY: DayFiles(DAY, DayState.PRESENT, "", (LandingCandidate("2011-03-01.csv", 1, modified_ns),)),
        date(2011, 3, 2): DayFiles(
            date(2011, 3, 2),
            DayState.PRESENT,
            "",
            (
                LandingCandidate("2011-03-02-late.csv", 2, modified_ns),
                LandingCandidate("2011-03-02.csv.gz", 3, modified_ns),
            ),
        ),
        date(2011, 3, 3): DayFiles(
            date(2011, 3, 3),
            DayState.MISSING,
            "no file 2011-03-03.csv or 2011-03-03-*.csv or 2011-03-03.csv.gz in "
            f"{landing.folder().landing_root}/shop",
        ),
    }
    assert landing.folder().all_days() == [DAY, date(2011, 3, 2), date(2011, 3, 4)]


def test_a_range_that_ends_before_it_starts_is_refused(landing: Landing) -> None:
    with pytest.raises(UsageError, match="ends before it starts"):
        landing.folder().days(DAY, date(2011, 2, 1))


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        (
            "{batch_date}-*.csv",
            ["2011-03-01-.csv", "2011-03-01-é x.csv"],
            ["2011-03-01.csv", "2011-03-01-a.csv.gz"],
        ),
        ("*{batch_date}.csv", ["2011-03-01.csv", "a-2011-03-01.csv"], [".2011-03-01.csv", "2011-03-01.csvx"]),
        ("sales.{batch_date}.*", ["sales.2011-03-01.csv"], ["salesX2011-03-01.csv", "sales.2011-03-01"]),
        ("in/{batch_date}.csv", ["in/2011-03-01.csv"], ["2011-03-01.csv", "in/in/2011-03-01.csv"]),
        (
            "{batch_date}/*.csv",
            ["2011-03-01/a.csv", "2011-03-01/b.csv"],
            ["2011-03-02/a.csv", "2011-03-01/c/a.csv"],
        ),
        ("{batch_date}/{batch_date}.csv", ["2011-03-01/2011-03-01.csv"], ["2011-03-01/2011-03-02.csv"]),
        ("{batch_date}{batch_date}", ["2011-03-012011-03-01"], ["2011-03-012011-03-02"]),
    ],
)
def test_what_a_pattern_matches(
    landing: Landing, pattern: str, matching: list[str], others: list[str]
) -> None:
    for path in [*matching, *others]:
        landing.put(path)
    assert paths(landing.day(source(pattern))) == matching


def test_a_file_that_two_patterns_match_counts_once(landing: Landing) -> None:
    landing.put("2011-03-01-a.csv")
    assert paths(landing.day(source("{batch_date}-*.csv", "*{batch_date}*"))) == ["2011-03-01-a.csv"]


@pytest.mark.parametrize(
    "pattern", ["/{batch_date}", "../{batch_date}", "a//{batch_date}", "./{batch_date}", "a"]
)
def test_a_pattern_that_is_no_path_below_the_folder_is_a_mistake(landing: Landing, pattern: str) -> None:
    with pytest.raises(ConfigurationError, match=r"conf/sources/shop\.yml: the pattern"):
        landing.folder(source(pattern))


def test_each_folder_is_listed_once_whatever_the_range(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed: list[str] = []
    entries = landing_store_module._LocalStore.entries

    def counted(store: Any, folder: str) -> list[Entry]:
        listed.append(folder)
        return entries(store, folder)

    monkeypatch.setattr(landing_store_module._LocalStore, "entries", counted)
    landing.put("2011-03-01.csv")
    landing.put("till/2011-03-01/a.csv")
    landing.put("till/2012-03-01/a.csv")
    of = source("{batch_date}.csv", "{batch_date}-*.csv", "till/{batch_date}/*.csv", "till/{batch_date}.csv")
    files = landing.folder(of).days(date(2011, 1, 1), date(2011, 12, 31))
    assert paths(files[DAY]) == ["2011-03-01.csv", "till/2011-03-01/a.csv"]
    assert Counter(listed) == {"shop": 1, "shop/till": 1, "shop/till/2011-03-01": 1}


def test_without_a_source_folder_every_day_is_missing(landing: Landing) -> None:
    (landing.root / "shop").rmdir()
    assert landing.day().state is DayState.MISSING
    assert landing.folder().all_days() == []


def test_an_open_day_without_a_file_names_where_it_was_looked_for(landing: Landing) -> None:
    with pytest.raises(InputMissing) as caught:
        landing.folder().pin(DAY)
    assert caught.value.exit_code is ExitCode.MISSING
    assert not caught.value.retryable
    assert str(caught.value) == (
        "shop has no file for 2011-03-01: looked for 2011-03-01.csv or 2011-03-01-*.csv or 2011-03-01.csv.gz "
        f"in {landing.root}/shop. Deliver the file; or, if the source was shut that day, add it to `closed` "
        "in conf/sources/shop.yml; or point LAKESMITH__LANDING_ROOT at the right folder."
    )


def test_a_missing_file_may_mean_an_empty_batch(landing: Landing) -> None:
    of = source(on_missing=OnMissing.EMPTY)
    assert landing.day(of).state is DayState.MISSING
    assert landing.folder(of).pin(DAY) == Manifest("shop", DAY)


def test_a_closed_day_is_an_empty_batch_unless_a_file_is_there(landing: Landing) -> None:
    of = source(calendar=Calendar(frozenset({DAY.weekday()}), frozenset({date(2011, 3, 2)})))
    landing.put("2011-03-02.csv")
    files = landing.folder(of).days(DAY, date(2011, 3, 2))
    assert [day.state for day in files.values()] == [DayState.CLOSED, DayState.PRESENT]
    assert landing.folder(of).pin(files[DAY]) == Manifest("shop", DAY)
    assert len(landing.folder(of).pin(date(2011, 3, 2)).files) == 1


def test_a_day_with_a_marker_is_complete_once_the_marker_is_there(landing: Landing) -> None:
    of = source("{batch_date}*", completion=Completion(marker="{batch_date}.done"))
    landing.put("2011-03-01.csv")
    waiting = landing.day(of)
    assert (waiting.state, paths(waiting)) == (DayState.INCOMPLETE, ["2011-03-01.csv"])
    with pytest.raises(InputIncomplete, match=r"the marker 2011-03-01\.done is not there yet") as caught:
        landing.folder(of).pin(waiting)
    assert caught.value.retryable
    landing.put("2011-03-01.done")
    complete = landing.day(of)
    assert (complete.state, paths(complete)) == (DayState.PRESENT, ["2011-03-01.csv"])


def test_a_marker_alone_is_no_file(landing: Landing) -> None:
    of = source("{batch_date}*", completion=Completion(marker="{batch_date}.done"))
    landing.put("2011-03-01.done")
    assert landing.day(of).state is DayState.MISSING
    assert landing.folder(of).all_days() == []


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (timedelta(minutes=10), DayState.PRESENT),
        (timedelta(minutes=10, microseconds=-1), DayState.INCOMPLETE),
        (timedelta(hours=-1), DayState.INCOMPLETE),  # the file server's clock runs ahead
    ],
)
def test_files_must_have_rested(landing: Landing, age: timedelta, state: DayState) -> None:
    of = source(completion=Completion(stable_for=timedelta(minutes=10)))
    landing.put("2011-03-01.csv")
    landing.put("2011-03-01-old.csv", at=NOON - timedelta(days=1))
    assert landing.folder(of, now=NOON + age).days(DAY, DAY)[DAY].state is state


def test_plain_and_gzip_of_one_name_are_not_read_as_two(landing: Landing) -> None:
    landing.put("2011-03-01.csv")
    landing.put("2011-03-01.csv.gz")
    with pytest.raises(
        InputIncomplete, match=r"2011-03-01\.csv is there twice, plain and as 2011-03-01\.csv\.gz"
    ):
        landing.folder().pin(DAY)


def test_a_manifest_pins_contents(landing: Landing) -> None:
    landing.put("2011-03-01.csv", "hello")
    landing.put("2011-03-01-b.csv", "")
    modified_ns = int(NOON.timestamp()) * 10**9
    hello = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert landing.folder().pin(DAY) == Manifest(
        "shop",
        DAY,
        (
            LandingFile("2011-03-01-b.csv", 0, modified_ns, nothing),
            LandingFile("2011-03-01.csv", 5, modified_ns, hello),
        ),
    )


def test_a_manifest_survives_the_ledger(landing: Landing) -> None:
    landing.put("2011-03-01-é.csv")
    manifest = landing.folder().pin(DAY)
    assert Manifest.from_files("shop", DAY, manifest.to_files()) == manifest


def test_the_digest_is_of_names_and_contents_alone(landing: Landing) -> None:
    file = landing.put("2011-03-01.csv", "text")
    before = landing.folder().pin(DAY)
    os.utime(file, (0, 0))
    assert landing.folder().pin(DAY).digest == before.digest
    landing.put("2011-03-01.csv", "txet")
    changed = landing.folder().pin(DAY)
    file.rename(file.with_name("2011-03-01-a.csv"))
    renamed = landing.folder().pin(DAY)
    landing.put("2011-03-01.csv", "text")
    assert len({before.digest, changed.digest, renamed.digest, landing.folder().pin(DAY).digest}) == 4


def test_names_and_contents_cannot_stand_for_each_other() -> None:
    files = [LandingFile("a", 0, 0, "11"), LandingFile("b", 0, 0, "22")]
    joined = [LandingFile('a","11"],["b', 0, 0, "22")]
    assert Manifest("shop", DAY, tuple(files)).digest != Manifest("shop", DAY, tuple(joined)).digest


def test_a_known_file_is_not_read_again(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    landing.put("2011-03-01.csv", "same")
    landing.put("2011-03-01-b.csv", "grows")
    known = landing.folder().pin(DAY)
    landing.put("2011-03-01-b.csv", "has grown")
    landing.put("2011-03-01-c.csv", "new")
    read: list[str] = []
    store_open = landing_store_module._LocalStore.open

    def counted(store: Any, path: str) -> Any:
        read.append(path)
        return store_open(store, path)

    monkeypatch.setattr(landing_store_module._LocalStore, "open", counted)
    pinned = landing.folder().pin(DAY, known)
    assert read == ["shop/2011-03-01-b.csv", "shop/2011-03-01-c.csv"]
    assert pinned == landing.folder().pin(DAY)


def test_a_file_written_to_while_it_is_hashed_is_a_changed_input(landing: Landing) -> None:
    file = landing.put("2011-03-01.csv")
    files = landing.day()
    file.write_text("more text")
    with pytest.raises(InputChanged, match="was written to while it was read") as caught:
        landing.folder().pin(files)
    assert caught.value.retryable


def test_a_file_gone_since_the_listing_is_an_error_of_its_own(landing: Landing) -> None:
    file = landing.put("2011-03-01.csv")
    files = landing.day()
    file.unlink()
    with pytest.raises(LandingUnreadable, match="is gone"):
        landing.folder().pin(files)


@pytest.fixture
def pipe(landing: Landing) -> None:
    os.mkfifo(landing.root / "shop" / "2011-03-01.csv")


@pytest.fixture
def listening(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(landing.root / "shop")  # a socket's path must be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("2011-03-01.csv")
        yield


def refused(landing: Landing, kind: type[InputMissing] | type[LandingEscape], message: str) -> None:
    """The day shows the error, and pinning raises it."""
    files = landing.day()
    assert files.state is DayState.INCOMPLETE
    assert type(files.error) is kind
    assert message in files.reason
    with pytest.raises(kind):
        landing.folder().pin(files)
    with pytest.raises(kind):
        landing_store(landing.root).open("shop/2011-03-01.csv")


def test_a_folder_named_like_a_file(landing: Landing) -> None:
    (landing.root / "shop" / "2011-03-01.csv").mkdir()
    refused(landing, LandingUnreadable, "the landing file 'shop/2011-03-01.csv' is a folder, not a file")


def test_a_link_to_nothing(landing: Landing) -> None:
    landing.link("2011-03-01.csv", landing.root / "nothing")
    refused(landing, LandingUnreadable, "is a link to nothing")


def test_a_link_in_a_circle(landing: Landing) -> None:
    landing.link("2011-03-01.csv", landing.root / "shop" / "2011-03-01.csv")
    refused(landing, LandingUnreadable, "can't be opened")


@pytest.mark.usefixtures("pipe")
def test_a_pipe_does_not_block(landing: Landing) -> None:
    refused(landing, LandingUnreadable, "is a pipe, socket or device")


@pytest.mark.usefixtures("listening")
def test_a_socket(landing: Landing) -> None:
    refused(landing, LandingUnreadable, "is a pipe, socket or device")


def test_a_file_below_a_file(landing: Landing) -> None:
    landing.put("2011-03-01")
    assert landing.day(source("{batch_date}/a.csv")).state is DayState.MISSING
    with pytest.raises(LandingUnreadable):
        landing_store(landing.root).open("shop/2011-03-01/a.csv")


def test_no_permission(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    landing.put("2011-03-01.csv")

    def denied(*_args: Any, **_kwargs: Any) -> int:  # the tests may run as root, whom no mode stops
        raise PermissionError(13, "Permission denied")

    files = landing.day()
    monkeypatch.setattr("lakesmith.ledger.landing_store.os.open", denied)
    with pytest.raises(LandingUnreadable, match="may not be read by this user"):
        landing.folder().pin(files)
    monkeypatch.undo()
    monkeypatch.setattr("lakesmith.ledger.landing_store.os.scandir", denied)
    with pytest.raises(LandingUnreadable, match="is a folder that this user may not list"):
        landing.day()


def test_a_name_that_is_no_utf8(landing: Landing) -> None:
    (landing.root / "shop" / os.fsdecode(b"2011-03-01-\xe9.csv")).write_text("text")
    files = landing.day()
    assert files.state is DayState.INCOMPLETE
    assert files.reason.startswith(r"the landing file '2011-03-01-\\xe9.csv' has a name that is not UTF-8")


def test_a_link_out_of_the_landing_root(landing: Landing) -> None:
    landing.link("2011-03-01.csv", landing.outside / "secret.csv")
    refused(landing, LandingEscape, "'shop/2011-03-01.csv' leads out of the landing root")


def test_a_relative_link_out_of_the_landing_root(landing: Landing) -> None:
    landing.link("2011-03-01.csv", Path("../../outside/secret.csv"))
    refused(landing, LandingEscape, "leads out of the landing root")


def test_a_link_over_a_link_out_of_the_landing_root(landing: Landing) -> None:
    landing.link("hop", landing.outside)
    landing.link("2011-03-01.csv", landing.root / "shop" / "hop" / "secret.csv")
    refused(landing, LandingEscape, "leads out of the landing root")


def test_a_folder_that_is_a_link_out_of_the_landing_root_is_not_listed(landing: Landing) -> None:
    landing.link("2011-03-01", landing.outside)
    with pytest.raises(LandingEscape, match="'shop/2011-03-01' leads out"):
        landing.day(source("{batch_date}/*.csv"))


def test_a_source_folder_that_is_a_link_out_of_the_landing_root_is_not_listed(landing: Landing) -> None:
    (landing.root / "shop").rmdir()
    (landing.root / "shop").symlink_to(landing.outside)
    with pytest.raises(LandingEscape):
        landing.day()
    with pytest.raises(LandingEscape):
        landing.folder().all_days()


def test_a_neighbour_whose_name_starts_alike_is_outside(tmp_path: Path) -> None:
    landing = Landing(tmp_path)
    neighbour = tmp_path / "landing-2"
    neighbour.mkdir()
    (neighbour / "secret.csv").write_text("secret")
    landing.link("2011-03-01.csv", neighbour / "secret.csv")
    refused(landing, LandingEscape, "leads out of the landing root")


@pytest.mark.parametrize("path", ["../outside/secret.csv", "shop/../../outside/secret.csv", "/etc/hostname"])
def test_no_path_reaches_out_of_the_landing_root(landing: Landing, path: str) -> None:
    store = landing_store(landing.root)
    for look in (store.open, store.facts, store.entries):
        with pytest.raises(LandingEscape):
            look(path)


def test_a_file_replaced_by_a_link_between_look_and_open_is_not_followed(
    landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = landing.put("2011-03-01.csv")

    def swap() -> None:
        file.unlink()
        file.symlink_to(landing.outside / "secret.csv")

    once_resolved(monkeypatch, swap)
    with pytest.raises(LandingUnreadable, match="can't be opened"):
        landing_store(landing.root).open("shop/2011-03-01.csv")
    once_resolved(monkeypatch, swap)
    with pytest.raises(LandingEscape):  # now it is a link from the start
        landing_store(landing.root).facts("shop/2011-03-01.csv")


@pytest.mark.parametrize("look", ["open", "facts", "entries"])
def test_a_folder_replaced_by_a_link_between_look_and_open_is_not_followed(
    landing: Landing, monkeypatch: pytest.MonkeyPatch, look: str
) -> None:
    landing.put("2011-03-01/secret.csv")
    folder = landing.root / "shop" / "2011-03-01"

    def swap() -> None:
        folder.rename(landing.root / "moved")
        folder.symlink_to(landing.outside)

    once_resolved(monkeypatch, swap)
    path = "shop/2011-03-01" if look == "entries" else "shop/2011-03-01/secret.csv"
    with pytest.raises(LandingUnreadable, match="can't be opened"):
        getattr(landing_store(landing.root), look)(path)


def once_resolved(monkeypatch: pytest.MonkeyPatch, swap: Callable[[], None]) -> None:
    """What `swap` does happens after a path was found to lie in the landing root, before anything is opened."""
    resolve = landing_store_module._LocalStore._resolve

    def resolved(store: Any, root: str, path: str) -> str:
        found = resolve(store, root, path)
        swap()
        return found

    monkeypatch.setattr(landing_store_module._LocalStore, "_resolve", resolved)


def test_links_to_links_and_names_of_the_process_lead_nowhere(landing: Landing) -> None:
    """However a link is spelled, what counts is where it ends."""
    shop = landing.root / "shop"
    inside_out = landing.root / ".." / "outside" / "secret.csv"
    with (landing.outside / "secret.csv").open() as secret:
        for target in (inside_out, Path("/proc/self/root") / str(landing.outside).lstrip("/") / "secret.csv",
                       Path(f"/proc/self/fd/{secret.fileno()}"), shop / "." / ".." / ".." / "outside" / "nothing"):  # fmt: skip
            landing.link("hop-3", target)
            landing.link("hop-2", Path("hop-3"))
            landing.link("2011-03-01.csv", shop / "hop-2")
            refused(landing, LandingEscape, "leads out of the landing root")
            for name in ("hop-3", "hop-2", "2011-03-01.csv"):
                (shop / name).unlink()


def test_a_path_beyond_the_longest_is_an_error_of_its_own(landing: Landing) -> None:
    """Past the system's longest path nobody can tell links from names; `..` would make it short again."""
    deep = "shop/" + "/".join(["d" * 250] * 20)
    for look in (landing_store(landing.root).open, landing_store(landing.root).facts):
        with pytest.raises(LandingUnreadable, match="is gone"):
            look(deep)
        with pytest.raises(LandingEscape):
            look(deep + "/.." * 22 + "/outside/secret.csv")


def test_links_that_lead_to_a_source_in_a_circle_or_to_nothing(landing: Landing) -> None:
    shop = landing.root / "shop"
    shop.rmdir()
    shop.symlink_to(shop)
    with pytest.raises(LandingUnreadable, match="'shop' can't be opened"):
        landing.day()
    shop.unlink()
    shop.symlink_to(landing.root / "nothing")
    with pytest.raises(LandingUnreadable, match="'shop' is a link to nothing"):
        landing.day()


def test_names_that_look_like_patterns_or_paths_are_names(landing: Landing) -> None:
    names = ["2011-03-01-[ab]?.csv", "2011-03-01-{batch_date}.csv", "2011-03-01-*.csv",
             "2011-03-01-..\\..\\outside.csv", "2011-03-01-%2e%2e%2foutside.csv", "2011-03-01-~.csv"]  # fmt: skip
    for n, name in enumerate(names):
        landing.put(name, "x" * n)
    assert {file.path: file.size for file in landing.folder().pin(DAY).files} == {
        name: n for n, name in enumerate(names)
    }


def test_a_name_with_line_breaks_forges_no_line_of_a_message(landing: Landing) -> None:
    name = "2011-03-01-\n\x1b[2JERROR all is lost.csv"
    landing.put(name)
    assert paths(landing.day()) == [name]
    resting = source(completion=Completion(stable_for=timedelta(minutes=10)))
    assert landing.day(resting).reason.startswith(
        r"'2011-03-01-\n\x1b[2JERROR all is lost.csv' was written 0 s ago"
    )
    landing.put(f"{name}.gz")
    twice = landing.day(source("{batch_date}*"))
    assert twice.reason.isprintable()
    assert twice.reason.endswith(".csv.gz'. Remove one of them.")


def test_the_longest_name_that_there_is(landing: Landing) -> None:
    longest = "2011-03-01-" + "é" * 120 + ".csv"
    assert len(longest.encode()) == 255
    landing.put(longest)
    assert [file.path for file in landing.folder().pin(DAY).files] == [longest]


def test_29_february_is_a_day_of_leap_years_alone(landing: Landing) -> None:
    for year in (2000, 2011, 2012, 2100):
        landing.put(f"{year}-02-29.csv")
    assert landing.folder().all_days() == [date(2000, 2, 29), date(2012, 2, 29)]
    assert paths(landing.day(day=date(2012, 2, 29))) == ["2012-02-29.csv"]


def test_a_file_of_tomorrow_is_tomorrows(landing: Landing) -> None:
    landing.put("2011-03-02.csv")
    assert landing.day().state is DayState.MISSING
    assert landing.day(day=date(2011, 3, 2)).state is DayState.PRESENT
    assert landing.folder().all_days() == [date(2011, 3, 2)]


def test_a_marker_counts_by_its_name_and_is_never_opened(landing: Landing) -> None:
    landing.put("2011-03-01.csv")
    landing.link("2011-03-01.done", landing.outside / "secret.csv")
    assert landing.day(source(completion=Completion(marker="{batch_date}.done"))).state is DayState.PRESENT


def test_a_hard_link_cannot_be_told_from_a_file(landing: Landing) -> None:
    (landing.root / "shop" / "2011-03-01.csv").hardlink_to(landing.outside / "secret.csv")
    assert landing.folder().pin(DAY).files[0].size == len("secret")


def test_a_file_that_this_user_may_not_read(landing: Landing) -> None:
    """With a user's own eyes, where the tests run as one; root reads it, as it reads everything."""
    landing.put("2011-03-01.csv").chmod(0)
    if os.access(landing.root / "shop" / "2011-03-01.csv", os.R_OK):
        assert landing.folder().pin(DAY).files[0].size == 4
    else:
        with pytest.raises(LandingUnreadable, match="may not be read by this user"):
            landing.folder().pin(DAY)


def test_links_within_the_landing_root_are_followed(landing: Landing) -> None:
    landing.put("store/real.csv", "text")
    landing.link("2011-03-01.csv", landing.root / "shop" / "store" / "real.csv")
    landing.put("2011-03-02.csv", "text")
    linked, plain = landing.folder().pin(DAY).files[0], landing.folder().pin(date(2011, 3, 2)).files[0]
    assert (linked.path, linked.size, linked.sha256) == ("2011-03-01.csv", 4, plain.sha256)


def test_a_landing_root_may_itself_be_a_link(landing: Landing, tmp_path: Path) -> None:
    landing.put("2011-03-01.csv")
    (tmp_path / "alias").symlink_to(landing.root)
    assert len(LandingFolder(source(), tmp_path / "alias").pin(DAY).files) == 1


def test_a_landing_root_in_another_kind_of_store_is_a_mistake() -> None:
    with pytest.raises(ConfigurationError, match=r"gs://bucket/landing is neither a folder nor in S3"):
        landing_store("gs://bucket/landing")


# --- a file without a date, replaced in place ------------------------------------------------------------------------


def undated(**changes: Any) -> Source:
    return source("stock/now.csv", undated=True, **changes)


def test_an_undated_file_belongs_to_the_day_on_which_it_was_written(landing: Landing) -> None:
    landing.put("stock/now.csv", at=datetime(2011, 3, 1, 23, 59, tzinfo=UTC))
    landing.put("stock/old.csv", at=NOON)
    found = landing.folder(undated()).days(date(2011, 2, 28), date(2011, 3, 2))
    assert [files.state for files in found.values()] == ["closed", "present", "closed"]
    assert paths(found[DAY]) == ["stock/now.csv"]
    assert found[date(2011, 3, 2)].reason == "stock/now.csv was last written on 2011-03-01"
    assert landing.folder(undated()).all_days() == [DAY]
    assert [file.path for file in landing.folder(undated()).pin(found[DAY]).files] == ["stock/now.csv"]
    assert landing.folder(undated()).pin(date(2011, 3, 2)).files == ()


def test_an_undated_file_from_before_history_belongs_to_its_first_day(landing: Landing) -> None:
    landing.put("stock/now.csv", at=datetime(2009, 1, 1, tzinfo=UTC))
    assert landing.folder(undated()).all_days() == [date(2011, 1, 1)]


def test_without_its_file_every_day_of_an_undated_source_is_missing(landing: Landing) -> None:
    files = landing.day(undated())
    assert files.state is DayState.MISSING
    assert "closed" not in str(files.error)
    with pytest.raises(InputMissing, match=r"shop has no file for 2011-03-01: looked for stock/now\.csv in "):
        landing.folder(undated()).pin(DAY)


def test_an_undated_file_that_cannot_be_read_is_said_to_be_so_today(landing: Landing) -> None:
    (landing.root / "shop" / "stock" / "now.csv").mkdir(parents=True)
    files = landing.day(undated())
    assert files.state is DayState.INCOMPLETE
    assert isinstance(files.error, LandingUnreadable)


def test_a_run_does_not_publish_an_undated_file_that_was_replaced_on_the_next_day(landing: Landing) -> None:
    landing.put("stock/now.csv", at=NOON)
    files = landing.day(undated())
    landing.put("stock/now.csv", at=NOON + timedelta(days=1))
    with pytest.raises(InputChanged):
        landing.folder(undated()).pin(files)
