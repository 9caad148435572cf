"""What a training run keeps of the code that made it: the Lakesmith at work as a wheel, the project as a zip.

Owns what goes into both, and that equal files give equal bytes: names sorted, dates and permissions fixed, nothing compressed
(another zlib would compress to other bytes). Needs no network and no build tools. Running what was kept is
`lakesmith.ml.archived_code`.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import lakesmith
from lakesmith.config.archive import package_folder
from lakesmith.errors import LakesmithError

__all__ = [
    "MOST_BYTES",
    "MOST_FILES",
    "CodeNotArchivable",
    "build_project",
    "build_wheel",
    "contents",
    "is_debris",
    "is_private",
    "write_zip",
]

MOST_BYTES = 32 * 2**20
"""How much all files of one archive may hold; code is far below it, data that lies beside code is not."""

MOST_FILES = 5_000
"""How many files one archive may hold."""

_EPOCH = (1980, 1, 1, 0, 0, 0)
_REGULAR = (stat.S_IFREG | 0o644) << 16
_UNIX = 3
_WHEEL = "Wheel-Version: 1.0\nGenerator: lakesmith\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class CodeNotArchivable(LakesmithError):
    """A file of the code cannot be put into an archive, be it a training run's, which could then not be reproduced."""

    def __init__(self, path: Path, reason: str, next_step: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path} cannot be put into an archive of the code: {reason}. {next_step}")


def build_wheel(into: Path) -> Path:
    """Makes a wheel of the lakesmith package at work, be it a checkout or installed.

    What it requires and its commands are what the installed distribution says, where there is one; its version is the
    package's own.

    Args:
        into: the folder for it; made where it is not there.

    Raises:
        CodeNotArchivable: a file of the package cannot be read.
    """
    package = package_folder()
    version = re.sub(r"[^\w.+!]+", "_", lakesmith.__version__)
    about = f"lakesmith-{version}.dist-info"
    files = contents(package.parent, [package], is_debris, links_within=None)
    metadata, entry_points = _metadata()
    files |= {f"{about}/METADATA": metadata, f"{about}/WHEEL": _WHEEL.encode()}
    if entry_points:
        files[f"{about}/entry_points.txt"] = entry_points
    files[f"{about}/RECORD"] = _record(files, f"{about}/RECORD")
    return write_zip(into / f"lakesmith-{version}-py3-none-any.whl", files)


def build_project(root: Path, into: Path) -> Path:
    """Makes a zip of a project's conf/ and jobs/, without hidden files and conf's `*.local` ones.

    Args:
        root: the project's folder.
        into: the folder for it; made where it is not there.

    Raises:
        CodeNotArchivable: there is no project, a file cannot be read or is a link out of both folders, or they hold more
            than code.
    """
    folders = [root / "conf", root / "jobs"]
    if not (folders[0] / "base.yml").is_file():
        raise CodeNotArchivable(
            root, "it is no project: there is no conf/base.yml", "Name the project's folder: --project DIR"
        )
    inside = [Path(os.path.realpath(root)) / folder.name for folder in folders]
    present = [folder for folder in folders if os.path.lexists(folder)]
    return write_zip(into / "project.zip", contents(root, present, is_private, links_within=inside))


def is_debris(name: str) -> bool:
    """True for what editors, notebooks and Python itself leave beside code."""
    return name.startswith(".") or name == "__pycache__" or name.endswith(".pyc")


def is_private(name: str) -> bool:
    """True for debris, and for conf's `*.local` files, which are one machine's own."""
    return is_debris(name) or name.endswith(".local") or ".local." in name


def contents(
    root: Path,
    folders: Sequence[Path],
    left_out: Callable[[str], bool],
    *,
    links_within: Sequence[Path] | None,
) -> dict[str, bytes]:
    """The files below some folders by their names from the root, in order of name.

    Args:
        links_within: where links may lead to; None for anywhere (installers may link every file to their cache).
    """
    try:
        found = {
            path.relative_to(root).as_posix(): path
            for folder in folders
            for path in _files(folder, left_out, links_within)
        }
        _refuse_more_than_code(root, list(found.values()))
        return {name: found[name].read_bytes() for name in sorted(found)}
    except OSError as error:
        raise CodeNotArchivable(
            Path(error.filename or root), error.strerror or str(error), "Make it readable."
        ) from error


def _files(
    path: Path, left_out: Callable[[str], bool], links_within: Sequence[Path] | None
) -> Iterator[Path]:
    if "\\" in path.name or not path.name.isprintable():
        raise CodeNotArchivable(path, "its name holds characters that an archive cannot", "Rename it.")
    if path.is_symlink() and links_within is not None:
        target = Path(os.path.realpath(path))
        if path.is_dir() or not any(target.is_relative_to(folder) for folder in links_within):
            raise CodeNotArchivable(
                path, f"it is a link to {target}", "Put what it links to in its place, or take it away."
            )
    if path.is_dir():
        for child in path.iterdir():
            if not left_out(child.name):
                yield from _files(child, left_out, links_within)
    elif path.is_file():
        yield path
    else:
        raise CodeNotArchivable(path, "it is no regular file", "Take it away.")


def _refuse_more_than_code(root: Path, paths: Sequence[Path]) -> None:
    sizes = {path: path.stat().st_size for path in paths}
    if sum(sizes.values()) > MOST_BYTES or len(sizes) > MOST_FILES:
        largest = max(paths, key=sizes.__getitem__)
        raise CodeNotArchivable(
            root,
            f"{len(sizes):,} files of {sum(sizes.values()) / 2**20:,.1f} MB are more than {MOST_FILES:,} of "
            f"{MOST_BYTES / 2**20:,.1f} MB; the largest is {largest}, {sizes[largest] / 2**20:,.1f} MB",
            "Keep data out of conf/ and jobs/.",
        )


def _metadata() -> tuple[bytes, bytes]:
    """METADATA and entry_points.txt, the second empty where no distribution tells of commands."""
    lines = ["Metadata-Version: 2.1", "Name: lakesmith", f"Version: {lakesmith.__version__}"]
    try:
        distribution = importlib.metadata.distribution("lakesmith")
    except importlib.metadata.PackageNotFoundError:
        return _lines(lines), b""
    for field in ("Summary", "License", "Requires-Python", "Provides-Extra", "Requires-Dist"):
        lines += [f"{field}: {value}" for value in sorted(set(distribution.metadata.get_all(field) or ()))]
    commands = sorted(
        f"{point.name} = {point.value}" for point in distribution.entry_points.select(group="console_scripts")
    )
    return _lines(lines), _lines(["[console_scripts]", *commands]) if commands else b""


def _lines(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def _record(files: Mapping[str, bytes], own_name: str) -> bytes:
    """The list of a wheel's files with their hashes; its own line has none."""

    def digest(content: bytes) -> str:
        return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()

    listed = [f"{_quoted(name)},sha256={digest(content)},{len(content)}" for name, content in files.items()]
    return _lines([*listed, f"{own_name},,"])


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"' if "," in name or '"' in name else name


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """Writes files by their names to a zip; equal files give equal bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(path, "w", ZIP_STORED) as archive:
        for name, content in files.items():
            entry = ZipInfo(name, _EPOCH)
            entry.create_system, entry.external_attr = _UNIX, _REGULAR
            archive.writestr(entry, content)
    return path
