"""Archived code: that it is the one that runs, and that an archive can do nothing but be it."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZipFile, ZipInfo

import pytest

import lakesmith
from lakesmith.errors import Stopped
from lakesmith.ml import archived_code
from lakesmith.ml.archived_code import ArchivedCodeUnusable, run_archived, unpack
from lakesmith.ml.code_archive import build_project, build_wheel
from workspaces import METERS

MAIN = """\
import json, os, sys

def main(arguments):
    print("training", file=sys.stderr)
    print("done: \\u00e9", file=sys.stderr)
    print(json.dumps([arguments, os.getcwd(), sys.argv, os.environ["LAKESMITH_PROJECT"], __file__]))
    return 3
"""


def zipped(path: Path, files: Mapping[str, str]) -> Path:
    with ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return zipped(tmp_path / "project.zip", {"conf/base.yml": "", "jobs/gold/t.py": ""})


def wheel(folder: Path, main: str = MAIN) -> Path:
    """A Lakesmith of another day: its package is as small as one can be."""
    files = {"lakesmith/__init__.py": "", "lakesmith/cli/__init__.py": "", "lakesmith/cli/main.py": main}
    return zipped(folder / "lakesmith-0.0.1-py3-none-any.whl", files)


def test_the_archived_command_runs_in_the_archived_project(tmp_path: Path, project: Path) -> None:
    heard: list[str] = []
    workdir = tmp_path / "work"
    variables = {**os.environ, "PYTHONUTF8": "1", "LAKESMITH_PROJECT": "/today"}
    arguments = ["models", "train", "--seed", "7"]
    done = run_archived(wheel(tmp_path), project, arguments, variables, workdir, tell=heard.append)
    root = str(workdir / "project")
    assert done.code == 3
    assert json.loads(done.stdout) == [
        arguments,
        root,
        ["lakesmith", *arguments],
        root,
        str(workdir / "code" / "lakesmith" / "cli" / "main.py"),
    ]
    assert heard == ["training", "done: é"]


def test_what_is_kept_of_this_very_lakesmith_runs(tmp_path: Path) -> None:
    kept = build_wheel(tmp_path), build_project(METERS, tmp_path)
    command = ["config", "show", "--env", "dev", "--json"]
    done = run_archived(*kept, command, os.environ, tmp_path / "work")
    assert done.code == 0
    [root] = [s["value"] for s in json.loads(done.stdout) if s["key"] == "project_root"]
    assert root == str(tmp_path / "work" / "project")


def test_a_lakesmith_that_comes_before_the_archived_one_is_not_run(tmp_path: Path, project: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    today = Path(lakesmith.__file__).parents[1]
    (site / "sitecustomize.py").write_text(f"import sys\nsys.path.insert(0, {str(today)!r})\n")
    variables = {**os.environ, "PYTHONPATH": str(site)}
    with pytest.raises(ArchivedCodeUnusable) as raised:
        run_archived(wheel(tmp_path), project, ["--version"], variables, tmp_path / "work")
    assert raised.value.reason == f"lakesmith would come from {lakesmith.__file__}"
    assert "Today's code was not run in its place. Check out the commit" in str(raised.value)


def test_a_package_of_the_working_folder_is_not_run(tmp_path: Path) -> None:
    files = {
        "conf/base.yml": "",
        "lakesmith/__init__.py": "raise RuntimeError",
        "json.py": "raise RuntimeError",
    }
    done = run_archived(wheel(tmp_path), zipped(tmp_path / "p.zip", files), [], os.environ, tmp_path / "work")
    assert done.code == 3


@pytest.mark.parametrize(
    ("main", "reason"),
    [
        ("import a_package_of_then", "ModuleNotFoundError: No module named 'a_package_of_then'"),
        (
            "import os, sys; print('out of luck', file=sys.stderr, flush=True); os._exit(9)",
            "its process ended with 9 before it ran; it said: out of luck",
        ),
        ("import os; os.kill(os.getpid(), 9)", "its process ended with 137 before it ran; it said: nothing"),
    ],
)
def test_code_that_does_not_even_load_is_told_from_a_command_that_fails(
    tmp_path: Path, project: Path, main: str, reason: str
) -> None:
    with pytest.raises(ArchivedCodeUnusable) as raised:
        run_archived(wheel(tmp_path, main), project, [], os.environ, tmp_path / "work")
    assert raised.value.reason == reason


def test_an_interrupted_caller_ends_the_archived_process_with_one_signal(
    tmp_path: Path, project: Path
) -> None:
    main = """\
import pathlib, signal, sys

def main(arguments):
    def told(number, frame):
        pathlib.Path(arguments[0]).write_text(signal.Signals(number).name)
        sys.exit(143)
    signal.signal(signal.SIGTERM, told)
    print("ready", file=sys.stderr, flush=True)
    signal.pause()
"""

    def stop(line: str) -> None:
        raise Stopped("SIGINT")

    told = tmp_path / "told"
    with pytest.raises(Stopped):
        run_archived(wheel(tmp_path, main), project, [str(told)], os.environ, tmp_path / "work", tell=stop)
    assert told.read_text() == "SIGTERM"


def test_a_process_that_does_not_end_is_killed(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archived_code, "_TERMINATION_SECONDS", 0.1)
    main = """\
import os, signal, sys

def main(arguments):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print(os.getpid(), file=sys.stderr, flush=True)
    while True:
        signal.pause()
"""
    heard: list[int] = []

    def stop(line: str) -> None:
        heard.append(int(line))
        raise Stopped("SIGTERM")

    with pytest.raises(Stopped):
        run_archived(wheel(tmp_path, main), project, [], os.environ, tmp_path / "work", tell=stop)
    with pytest.raises(ProcessLookupError):
        os.kill(heard[0], 0)


def test_archives_of_something_else_are_refused(tmp_path: Path, project: Path) -> None:
    other = zipped(tmp_path / "other.zip", {"README": ""})
    with pytest.raises(ArchivedCodeUnusable, match="holds no package lakesmith"):
        run_archived(other, project, [], os.environ, tmp_path / "a")
    with pytest.raises(ArchivedCodeUnusable, match=r"holds no conf/base\.yml"):
        run_archived(wheel(tmp_path), other, [], os.environ, tmp_path / "b")


def test_what_lies_in_the_working_folder_already_is_not_run(tmp_path: Path, project: Path) -> None:
    (tmp_path / "work" / "code").mkdir(parents=True)
    with pytest.raises(ArchivedCodeUnusable, match="FileExistsError"):
        run_archived(wheel(tmp_path), project, [], os.environ, tmp_path / "work")


def entry(name: str, mode: int = 0, method: int = ZIP_DEFLATED) -> ZipInfo:
    made = ZipInfo(name)
    made.create_system, made.external_attr, made.compress_type = 3, mode << 16, method
    return made


@pytest.mark.parametrize(
    "name",
    ["../out.py", "a/../../out.py", "/etc/out.py", "a//b", "./a", "..\\out.py", "a\nb", "..", "../out/"],
)
def test_nothing_lands_outside_the_folder(tmp_path: Path, name: str) -> None:
    archive = tmp_path / "inner" / "a.zip"
    archive.parent.mkdir()
    with ZipFile(archive, "w") as made:
        made.writestr(entry("good.py"), "")
        made.writestr(entry(name), "")
    with pytest.raises(ArchivedCodeUnusable, match="leads out of the archive"):
        unpack(archive, tmp_path / "inner" / "unpacked")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["a.zip", "inner"]


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR])
def test_links_and_devices_are_refused(tmp_path: Path, kind: int) -> None:
    with ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr(entry("a", kind | 0o777), "/etc")
    with pytest.raises(ArchivedCodeUnusable, match="is a link or no regular file"):
        unpack(tmp_path / "a.zip", tmp_path / "unpacked")


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("second", ["a.py", "a.py/b.py", "a.py/"])
def test_a_name_that_is_there_twice_is_refused(tmp_path: Path, second: str) -> None:
    with ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("a.py", "one")
        made.writestr(second, "")
    with pytest.raises(ArchivedCodeUnusable, match=r"FileExistsError|NotADirectoryError"):
        unpack(tmp_path / "a.zip", tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "a.py").read_text() == "one"


def test_unusual_compression_and_encryption_are_refused(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "bz.zip", "w") as made:
        made.writestr(entry("a", method=ZIP_BZIP2), "text")
    with ZipFile(tmp_path / "secret.zip", "w") as made:
        made.writestr(entry("a"), "text")
        made.filelist[0].flag_bits |= 0x1
    for name in ("bz.zip", "secret.zip"):
        with pytest.raises(ArchivedCodeUnusable, match="encrypted or compressed in an unusual way"):
            unpack(tmp_path / name, tmp_path / "unpacked")


def test_bombs_are_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ZipFile(tmp_path / "large.zip", "w", ZIP_DEFLATED) as made:
        made.writestr("zeros", bytes(archived_code.MOST_BYTES + 1))
    with pytest.raises(ArchivedCodeUnusable, match="would unpack to 1 files of 33,554,433 bytes"):
        unpack(tmp_path / "large.zip", tmp_path / "unpacked")
    monkeypatch.setattr(archived_code, "MOST_FILES", 3)
    many = zipped(tmp_path / "many.zip", {str(number): "" for number in range(4)})
    with pytest.raises(ArchivedCodeUnusable, match="would unpack to 4 files"):
        unpack(many, tmp_path / "unpacked")
    monkeypatch.setattr(archived_code, "MOST_BYTES", 100)
    with pytest.raises(ArchivedCodeUnusable, match="larger than 100 bytes"):
        unpack(many, tmp_path / "unpacked")
    assert not (tmp_path / "unpacked").exists()


def test_an_entry_that_understates_its_size_is_not_unpacked_beyond_it(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "a.zip", "w", ZIP_DEFLATED) as made:
        made.writestr("zeros", bytes(2**20))
        made.filelist[0].file_size = 10
    with pytest.raises(ArchivedCodeUnusable, match="BadZipFile: Bad CRC-32"):
        unpack(tmp_path / "a.zip", tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "zeros").stat().st_size <= 10


def test_damage_is_told_by_the_archives_name(tmp_path: Path) -> None:
    good = zipped(tmp_path / "good.zip", {"a.py": "some text", "folder/": ""})
    unpack(good, tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "folder").is_dir()
    content = good.read_bytes()
    for number, damaged in enumerate([b"", b"no zip", content[:-30], content.replace(b"some", b"none")]):
        (tmp_path / "bad.zip").write_bytes(damaged)
        with pytest.raises(ArchivedCodeUnusable, match=r"^bad\.zip, the code"):
            unpack(tmp_path / "bad.zip", tmp_path / f"bad{number}")
    with pytest.raises(ArchivedCodeUnusable, match="FileNotFoundError"):
        unpack(tmp_path / "missing.zip", tmp_path / "missing")


def test_no_permission_of_an_archive_is_taken_over(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr(entry("a", stat.S_IFREG | 0o6777), "")
    unpack(tmp_path / "a.zip", tmp_path / "unpacked")
    assert stat.S_IMODE((tmp_path / "unpacked" / "a").stat().st_mode) & 0o6111 == 0
    shutil.rmtree(tmp_path / "unpacked")
