"""The one door to landing files: list, look, open, and nothing outside the landing root.

Owns the guard: every path is resolved, links included, and refused when it leads out of the root; then the
resolved path is walked from the root, folder by folder, without following any link, so that one put in place
meanwhile leads nowhere. Whatever is not a regular file is refused before a byte is read. Paths are relative to
the root, with `/`. A hard link can't be told from a file: whoever can write into the landing root is trusted
that far. S3 has no links; there a listing already says all that is known of a file, its ETag included.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from lakesmith.aws.s3 import S3_BY_DEFAULT, S3Access, S3Folder, S3Object, is_s3
from lakesmith.errors import ConfigurationError, DataRejected, InputMissing

__all__ = [
    "Entry",
    "FileFacts",
    "LandingEscape",
    "LandingStore",
    "LandingUnreadable",
    "landing_store",
    "shown",
]

_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: a pipe would block.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LandingEscape(DataRejected):
    """A path of the landing root leads out of it; nothing was read."""

    def __init__(self, path: str, root: str) -> None:
        self.path, self.root = path, root
        super().__init__(
            f"{path!r} leads out of the landing root {root} and is not read. "
            f"Put the file itself there instead of a link, then run again."
        )


class LandingUnreadable(InputMissing):
    """Something is named like a landing file but can't be read as one."""

    def __init__(self, path: str, reason: str) -> None:
        self.path, self.reason = path, reason
        super().__init__(f"the landing file {path!r} {reason}. Deliver it again, then run again.")


@dataclass(frozen=True)
class Entry:
    """One name in a folder.

    Args:
        folder: True for a folder, also for a link to one.
        link: True for a link, whatever it points to.
        facts: of a file, where the listing told them.
    """

    name: str
    folder: bool
    link: bool
    facts: FileFacts | None = None


@dataclass(frozen=True)
class FileFacts:
    """What a store knows of a file without reading it.

    Args:
        size: bytes.
        modified_ns: nanoseconds since 1970.
        etag: the store's own mark of the content; empty where it has none.
    """

    size: int
    modified_ns: int
    etag: str = ""


class LandingStore(Protocol):
    """What reading a landing root needs; paths are relative to the root."""

    def entries(self, folder: str) -> list[Entry]:
        """The names in a folder, in no order; none when there is no such folder."""
        ...

    def has(self, path: str) -> bool:
        """True when there is something of that name, whatever it is."""
        ...

    def facts(self, path: str) -> FileFacts:
        """Size and time of a file."""
        ...

    def open(self, path: str) -> BufferedReader:
        """The file's bytes; seekable."""
        ...


def landing_store(landing_root: str | Path, s3: S3Access = S3_BY_DEFAULT) -> LandingStore:
    """The store that holds a landing root.

    Args:
        s3: how S3 is reached, if the root lies there.

    Raises:
        ConfigurationError: the root is a URI of a kind that is not supported.
    """
    text = str(landing_root)
    if is_s3(text):
        return _ObjectStore(S3Folder(text, s3))
    if "://" in text:
        raise ConfigurationError(
            f"the landing root {text} is neither a folder nor in S3. Set LAKESMITH__LANDING_ROOT to one."
        )
    return _LocalStore(text)


def shown(path: str) -> str:
    """A path for messages: one that holds line breaks, control characters or the like is quoted."""
    return path if path.isprintable() else repr(path)


@dataclass(frozen=True)
class _LocalStore:
    """A landing root in the local file system."""

    root: str

    def entries(self, folder: str) -> list[Entry]:
        try:
            with self._parent(folder) as (parent, name):
                handle = os.open(name, os.O_RDONLY | _FOLDER, dir_fd=parent)
            try:
                with os.scandir(handle) as found:
                    return [Entry(entry.name, _is_folder(entry), entry.is_symlink()) for entry in found]
            finally:
                os.close(handle)
        except PermissionError as error:
            raise LandingUnreadable(folder, "is a folder that this user may not list") from error
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR) and not self._is_link(folder):
                return []
            raise self._unreadable(folder, error) from error

    def has(self, path: str) -> bool:
        return os.path.lexists(os.path.join(self.root, path))  # noqa: PTH118  # as below

    def facts(self, path: str) -> FileFacts:
        try:
            with self._parent(path) as (parent, name):
                return _regular(path, os.stat(name, dir_fd=parent, follow_symlinks=False))
        except OSError as error:
            raise self._unreadable(path, error) from error

    def open(self, path: str) -> BufferedReader:
        try:
            with self._parent(path) as (parent, name):
                handle = os.open(name, _FILE, dir_fd=parent)
        except OSError as error:
            raise self._unreadable(path, error) from error
        try:
            _regular(path, os.fstat(handle))
            return os.fdopen(handle, "rb")
        except BaseException:
            os.close(handle)
            raise

    @contextmanager
    def _parent(self, path: str) -> Iterator[tuple[int, str]]:
        """The folder that a path leads to, open, and the name there.

        No link is followed on the way: the path is resolved, so one that is met was put in place meanwhile.
        """
        root = os.path.realpath(self.root)
        *folders, name = self._resolve(root, path).split("/")
        parent = os.open(root, os.O_PATH | _FOLDER)
        try:
            for folder in folders:
                below = os.open(folder, os.O_PATH | _FOLDER, dir_fd=parent)
                os.close(parent)
                parent = below
            yield parent, name
        finally:
            os.close(parent)

    def _resolve(self, root: str, path: str) -> str:
        """The path relative to the root without links; `.` for the root itself."""
        resolved = os.path.realpath(os.path.join(root, path))  # noqa: PTH118  # Path() would drop a `..`
        inside = root.rstrip(os.sep) + os.sep
        if resolved != root and not resolved.startswith(inside):
            raise LandingEscape(path, self.root)
        return resolved.removeprefix(inside) if resolved != root else "."

    def _is_link(self, path: str) -> bool:
        return os.path.islink(os.path.join(self.root, path))  # noqa: PTH114, PTH118  # False, whatever ails it

    def _unreadable(self, path: str, error: OSError) -> LandingUnreadable:
        if isinstance(error, PermissionError):
            return LandingUnreadable(path, "may not be read by this user")
        if isinstance(error, FileNotFoundError):
            return LandingUnreadable(path, "is a link to nothing" if self._is_link(path) else "is gone")
        return LandingUnreadable(path, f"can't be opened ({os.strerror(error.errno or 0)})")


@dataclass(frozen=True)
class _ObjectStore:
    """A landing root in S3."""

    objects: S3Folder

    def entries(self, folder: str) -> list[Entry]:
        folders, files = self.objects.entries(folder)
        return [
            *(Entry(name, folder=True, link=False) for name in folders),
            *(Entry(file.path.rpartition("/")[2], False, False, _facts(file)) for file in files),
        ]

    def has(self, path: str) -> bool:
        return self.objects.look(path) is not None

    def facts(self, path: str) -> FileFacts:
        return _facts(self._look(path))

    def open(self, path: str) -> BufferedReader:
        return self.objects.open(self._look(path))

    def _look(self, path: str) -> S3Object:
        found = self.objects.look(path)
        if found is None:
            raise LandingUnreadable(path, "is gone")
        return found


def _facts(found: S3Object) -> FileFacts:
    # The store tells whole seconds; the ETag tells apart what was written within one.
    return FileFacts(found.size, int(found.modified.timestamp()) * 1_000_000_000, found.etag)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or to where this user may not look
        return False


def _regular(path: str, found: os.stat_result) -> FileFacts:
    if stat.S_ISLNK(found.st_mode):  # in a circle, or put in place meanwhile
        raise OSError(errno.ELOOP, path)
    if stat.S_ISDIR(found.st_mode):
        raise LandingUnreadable(path, "is a folder, not a file")
    if not stat.S_ISREG(found.st_mode):
        raise LandingUnreadable(path, "is a pipe, socket or device, not a file")
    return FileFacts(found.st_size, found.st_mtime_ns)
