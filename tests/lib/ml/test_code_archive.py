"""What a training run keeps of its code: that it is whole, the same each time, and nothing else."""

from __future__ import annotations

import csv
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

import pytest

import lakesmith
from lakesmith.ml import code_archive
from lakesmith.ml.archived_code import unpack
from lakesmith.ml.code_archive import CodeNotArchivable, build_project, build_wheel
from lakesmith.shipping.packaging import build_archive
from workspaces import METERS

PACKAGE = Path(lakesmith.__file__).parent


def names(archive: Path) -> list[str]:
    with ZipFile(archive) as zipped:
        return zipped.namelist()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A small project with everything beside it that must stay where it is."""
    root = tmp_path / "shop"
    for name in (
        "conf/base.yml",
        "conf/dev.yml",
        "conf/dev.local",
        "conf/dev.local.yml",
        "conf/tables/gold.t.yml",
        "conf/.env",
        "jobs/gold/t.py",
        "jobs/gold/__pycache__/t.cpython-311.pyc",
        "jobs/.ipynb_checkpoints/t.py",
        "landing/orders/2024-01-01.csv",
        "lib/other.py",
        "README.md",
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def test_pip_installs_the_wheel_and_it_is_the_package_at_work(tmp_path: Path) -> None:
    wheel = build_wheel(tmp_path / "kept")
    target = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    installed = subprocess.run([*pip, "--target", target, wheel], capture_output=True, text=True, check=False)
    assert installed.returncode == 0, installed.stderr

    program = (
        "import json, lakesmith, lakesmith.cli.main; from importlib.metadata import distribution as d; "
        "print(json.dumps([lakesmith.__file__, d('lakesmith').version, d('lakesmith').requires, "
        "[p.value for p in d('lakesmith').entry_points]]))"
    )
    told = subprocess.run(
        [sys.executable, "-P", "-c", program],
        env={**os.environ, "PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=True,
    )

    file, version, requires, commands = json.loads(told.stdout)
    assert file == str(target / "lakesmith" / "__init__.py")
    assert version == lakesmith.__version__
    assert set(requires) == set(importlib.metadata.requires("lakesmith") or ())
    assert commands == ["lakesmith.cli.main:main"]
    assert (target / "bin" / "lakesmith").is_file()


def test_the_wheel_holds_every_file_of_the_package_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "lakesmith"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    expected = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in package.rglob("*")
        if path.is_file()
    }
    at_work(monkeypatch, package)
    with ZipFile(build_wheel(tmp_path)) as zipped:
        found = {name: zipped.read(name) for name in zipped.namelist() if name.startswith("lakesmith/")}
    assert expected.keys() >= {"lakesmith/py.typed", "lakesmith/contracts/expectation_catalogue.json"}
    assert found == expected


def test_the_record_of_the_wheel_lists_every_file_with_its_hash(tmp_path: Path) -> None:
    with ZipFile(build_wheel(tmp_path)) as zipped:
        found = {name: zipped.read(name) for name in zipped.namelist()}
        assert {entry.date_time for entry in zipped.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    name = f"lakesmith-{lakesmith.__version__}.dist-info/RECORD"
    record = {row[0]: row[1:] for row in csv.reader(found.pop(name).decode().splitlines())}
    assert record.pop(name) == ["", ""]
    assert record == {
        path: [
            f"sha256={urlsafe_b64encode(sha256(content).digest()).decode().rstrip('=')}",
            str(len(content)),
        ]
        for path, content in found.items()
    }


def copy_of_the_package(into: Path) -> Path:
    """A package to change at will, with newer times and other permissions than the one at work."""
    copy = into / "lakesmith"
    for name in ("__init__.py", "jobs.py", "ml/__init__.py", "contracts/expectation_catalogue.json"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(PACKAGE / name, copy / name)
    return copy


def at_work(monkeypatch: pytest.MonkeyPatch, package: Path) -> None:
    monkeypatch.setattr(lakesmith, "__file__", str(package / "__init__.py"))


def test_equal_sources_give_equal_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (copy_of_the_package(tmp_path / name) for name in ("first", "second"))
    for path in second.rglob("*.py"):
        path.chmod(0o700)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    (second / "__pycache__").mkdir()
    (second / "__pycache__" / "jobs.cpython-311.pyc").write_bytes(b"compiled")
    at_work(monkeypatch, first)
    one = build_wheel(tmp_path / "one")
    at_work(monkeypatch, second)
    two = build_wheel(tmp_path / "two")
    assert one.name == two.name == f"lakesmith-{lakesmith.__version__}-py3-none-any.whl"
    assert one.read_bytes() == two.read_bytes()

    (second / "jobs.py").write_text("changed = True\n")
    assert build_wheel(tmp_path / "two").read_bytes() != one.read_bytes()


def test_without_a_distribution_the_wheel_still_names_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(name: str) -> importlib.metadata.Distribution:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", none)
    with ZipFile(build_wheel(tmp_path)) as zipped:
        [metadata] = [name for name in zipped.namelist() if name.endswith("/METADATA")]
        assert zipped.read(metadata).decode().splitlines()[1:] == [
            "Name: lakesmith",
            f"Version: {lakesmith.__version__}",
        ]


def test_files_that_an_installer_linked_to_its_cache_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = copy_of_the_package(tmp_path / "site-packages")
    (tmp_path / "cache.py").write_text("linked = True\n")
    (package / "jobs.py").unlink()
    (package / "jobs.py").symlink_to(tmp_path / "cache.py")
    at_work(monkeypatch, package)
    with ZipFile(build_wheel(tmp_path)) as zipped:
        assert zipped.read("lakesmith/jobs.py") == b"linked = True\n"


def test_a_package_in_an_archive_is_kept_as_its_files_are(tmp_path: Path) -> None:
    archive = build_archive(METERS, tmp_path / "dist")
    subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys, pathlib; from lakesmith.ml.code_archive import build_wheel; build_wheel(pathlib.Path(sys.argv[1]))",
            tmp_path / "kept",
        ],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(archive),
            "LAKESMITH_ARCHIVES": str(tmp_path / "cache"),
        },
        cwd=tmp_path,
        check=True,
    )
    [wheel] = (tmp_path / "kept").iterdir()
    with ZipFile(wheel) as kept, ZipFile(archive) as shipped:
        code = [name for name in shipped.namelist() if name.startswith("lakesmith/")]
        assert {name: kept.read(name) for name in kept.namelist() if ".dist-info/" not in name} == {
            name: shipped.read(name) for name in code
        }


def test_a_project_is_its_conf_and_its_jobs(project: Path, tmp_path: Path) -> None:
    archive = build_project(project, tmp_path / "kept")
    assert names(archive) == ["conf/base.yml", "conf/dev.yml", "conf/tables/gold.t.yml", "jobs/gold/t.py"]

    unpack(archive, tmp_path / "unpacked")
    assert (tmp_path / "unpacked" / "jobs" / "gold" / "t.py").read_text() == "jobs/gold/t.py"


def test_equal_projects_give_equal_bytes(project: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    shutil.copytree(project, other)
    (other / "conf" / "base.yml").chmod(0o600)
    os.utime(other / "conf" / "base.yml", (1_000_000_000, 1_000_000_000))
    (other / "landing" / "orders" / "2024-01-02.csv").write_text("more data")
    one, two = build_project(project, tmp_path / "one"), build_project(other, tmp_path / "two")
    assert one.read_bytes() == two.read_bytes()


def test_a_project_without_jobs_is_one(project: Path, tmp_path: Path) -> None:
    shutil.rmtree(project / "jobs")
    assert names(build_project(project, tmp_path))[0] == "conf/base.yml"


def test_a_link_within_the_project_is_kept_as_the_file_it_leads_to(project: Path, tmp_path: Path) -> None:
    (project / "jobs" / "gold" / "u.py").symlink_to("t.py")
    with ZipFile(build_project(project, tmp_path)) as zipped:
        assert zipped.read("jobs/gold/u.py") == b"jobs/gold/t.py"
        assert all(entry.external_attr >> 16 == 0o100644 for entry in zipped.infolist())


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("conf/data.csv", "../landing/orders/2024-01-01.csv"),
        ("jobs/landing", "../landing"),
        ("jobs/again", "gold"),
        ("jobs/hostname", "/etc/hostname"),
        ("jobs/loop", "loop"),
        ("jobs/nowhere", "gold/nothing.py"),
    ],
)
def test_links_out_and_links_to_folders_are_refused(
    project: Path, tmp_path: Path, link: str, target: str
) -> None:
    (project / link).symlink_to(target)
    with pytest.raises(CodeNotArchivable) as raised:
        build_project(project, tmp_path)
    assert raised.value.path == project / link


def test_a_folder_of_jobs_that_is_a_link_is_refused(project: Path, tmp_path: Path) -> None:
    (project / "jobs").rename(tmp_path / "jobs")
    (project / "jobs").symlink_to(tmp_path / "jobs")
    with pytest.raises(CodeNotArchivable, match="a link to"):
        build_project(project, tmp_path)


def test_what_is_no_file_is_refused_and_not_read(project: Path, tmp_path: Path) -> None:
    os.mkfifo(project / "conf" / "pipe")
    with pytest.raises(CodeNotArchivable, match="no regular file"):
        build_project(project, tmp_path)


def test_a_name_that_could_not_be_unpacked_is_refused(project: Path, tmp_path: Path) -> None:
    (project / "jobs" / "a\\b.py").touch()
    with pytest.raises(CodeNotArchivable, match="Rename it"):
        build_project(project, tmp_path)


def test_data_beside_the_code_is_refused_by_its_size(project: Path, tmp_path: Path) -> None:
    data = project / "jobs" / "gold" / "sample.csv"
    with data.open("wb") as file:
        file.truncate(code_archive.MOST_BYTES + 1)
    with pytest.raises(CodeNotArchivable, match=rf"the largest is {data}, 32\.0 MB.*Keep data out"):
        build_project(project, tmp_path)


def test_too_many_files_are_refused(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_archive, "MOST_FILES", 3)
    with pytest.raises(CodeNotArchivable, match="4 files of"):
        build_project(project, tmp_path)


def test_a_file_that_cannot_be_read_is_named(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", unreadable)
    with pytest.raises(
        CodeNotArchivable, match=r"base\.yml cannot be put into an archive .* Permission denied"
    ) as raised:
        build_project(project, tmp_path)
    assert raised.value.path == project / "conf" / "base.yml"


def test_what_is_no_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CodeNotArchivable, match=r"no conf/base\.yml"):
        build_project(tmp_path, tmp_path)
