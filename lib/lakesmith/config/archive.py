"""The archive that a cluster gets: where its code runs from, and its files in a folder.

Owns the layout of the archive and its unpacking. Python imports from a zip, but contracts, suites, settings and the source
text of jobs are read as files: so it is unpacked once to a folder named by its SHA-256, which looks like the project that it
was made from (`lib/`, `conf/`, `jobs/`). Making it is `lakesmith.shipping.packaging`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import tempfile
import zlib
from functools import lru_cache
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

import lakesmith
from lakesmith.errors import ConfigurationError

__all__ = ["ArchiveUnreadable", "archive_at_work", "package_folder", "shipped_project", "unpack"]

CACHE_VARIABLE = "LAKESMITH_ARCHIVES"
"""Names the folder below which archives are unpacked; else one below the folder for temporary files."""

_BESIDE_LIB = ("conf", "jobs")


class ArchiveUnreadable(ConfigurationError):
    """A file that should be an archive of `make package` is none, or there is no place to unpack it."""

    def __init__(self, archive: Path, detail: str, next_step: str = "Make it anew: make package") -> None:
        self.archive = archive
        self.detail = detail
        super().__init__(f"{archive}: {detail}. {next_step}")


def archive_at_work() -> Path | None:
    """The zip that this process imported lakesmith from, as `spark-submit --py-files` has it; None for a folder."""
    archive = getattr(lakesmith.__loader__, "archive", None)
    return Path(archive) if archive is not None else None


def package_folder() -> Path:
    """The folder of the lakesmith package that is at work, whose files can be read."""
    archive = archive_at_work()
    return unpack(archive) / "lib" / "lakesmith" if archive is not None else Path(lakesmith.__file__).parent


def shipped_project() -> Path | None:
    """The project in the archive that this process runs from; None where it runs from no archive, or that holds none."""
    archive = archive_at_work()
    if archive is None:
        return None
    folder = unpack(archive)
    return folder if (folder / "conf" / "base.yml").is_file() else None


@lru_cache(maxsize=16)
def unpack(archive: Path) -> Path:
    """The files of an archive in a folder; unpacked at the first call on a machine, checked at every other.

    Args:
        archive: a local file.

    Raises:
        ArchiveUnreadable: it is no zip, or its place cannot be written.
    """
    try:
        with archive.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        cache = _cache()
        folder = cache / digest
        with ZipFile(archive) as zipped, (cache / ".lock").open("w") as lock:
            # One process unpacks, the others wait for it; the kernel drops the lock with its process.
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_whole(folder, zipped):
                # Whoever tidies up the folder for temporary files may have taken a part of it away.
                shutil.rmtree(folder, ignore_errors=True)
                with tempfile.TemporaryDirectory(prefix="unpacking-", dir=cache) as scratch:
                    fresh = Path(scratch) / "fresh"
                    for name in _files(zipped):
                        file = fresh / _place(name)
                        file.parent.mkdir(parents=True, exist_ok=True)
                        file.write_bytes(zipped.read(name))
                    fresh.rename(folder)
        return folder
    except BadZipFile as error:
        raise ArchiveUnreadable(archive, f"is no zip ({error})") from None
    except OSError as error:
        raise ArchiveUnreadable(
            archive,
            f"cannot be unpacked: {error}",
            f"Name a folder that this user can write: {CACHE_VARIABLE}=<folder>",
        ) from error


def _files(zipped: ZipFile) -> list[str]:
    return [entry.filename for entry in zipped.infolist() if not entry.is_dir()]


def _place(name: str) -> Path:
    """Where a file of the archive is in its folder: packages, which Python wants at the top, are below lib/ of a project."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise BadZipFile(f"{name} lies outside of it")
    return Path(path) if path.parts[0] in _BESIDE_LIB else Path("lib") / path


def _is_whole(folder: Path, zipped: ZipFile) -> bool:
    if not folder.is_dir():
        return False
    try:
        return all(
            zlib.crc32((folder / _place(entry.filename)).read_bytes()) == entry.CRC
            for entry in zipped.infolist()
            if not entry.is_dir()
        )
    except OSError:
        return False


def _cache() -> Path:
    """The folder for unpacked archives; of this user alone, since code is run from it."""
    named = os.environ.get(CACHE_VARIABLE)
    if named:
        folder = Path(named)
        folder.mkdir(parents=True, exist_ok=True)
        return folder.resolve()
    folder = Path(tempfile.gettempdir()) / f"lakesmith-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is not a folder of this user alone")
    return folder.resolve()
