"""The one door to landing files: list, look, open, and nothing outside the landing root.

Owns the guard: every path is resolved, links included, and refused when it leads out of the root; whatever is
not a regular file is refused before a byte is read. Paths are relative to the root, with `/`. A hard link
can't be told from a file: whoever can write into the landing root is trusted that far. An object store is a
second class with the same three methods.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from lakesmith.errors import ConfigurationError, DataRejected, InputMissing

__all__ = ["Entry", "FileFacts", "LandingEscape", "LandingStore", "LandingUnreadable", "landing_store"]


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
    """

    name: str
    folder: bool
    link: bool


@dataclass(frozen=True)
class FileFacts:
    """What a store knows of a file without reading it: bytes, and nanoseconds since 1970."""

    size: int
    modified_ns: int


class LandingStore(Protocol):
    """What reading a landing root needs; paths are relative to the root."""

    def entries(self, folder: str) -> list[Entry]:
        """The names in a folder, in no order; none when there is no such folder."""
        ...

    def facts(self, path: str) -> FileFacts:
        """Size and time of a file."""
        ...

    def open(self, path: str) -> BufferedReader:
        """The file's bytes; seekable."""
        ...


def landing_store(landing_root: str | Path) -> LandingStore:
    """The store that holds a landing root.

    Raises:
        ConfigurationError: the root is a URI of a kind that is not supported.
    """
    text = str(landing_root)
    if "://" in text:
        raise ConfigurationError(
            f"the landing root {text} is not a local folder. Set LAKESMITH__LANDING_ROOT to one."
        )
    return _LocalStore(text)


@dataclass(frozen=True)
class _LocalStore:
    """A landing root in the local file system."""

    root: str

    def entries(self, folder: str) -> list[Entry]:
        try:
            with os.scandir(self._resolve(folder)) as found:
                return [Entry(entry.name, _is_folder(entry), entry.is_symlink()) for entry in found]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except PermissionError as error:
            raise LandingUnreadable(folder, "is a folder that this user may not list") from error

    def facts(self, path: str) -> FileFacts:
        resolved = self._file(path)
        try:
            return _regular(path, resolved.stat())
        except OSError as error:
            raise _unreadable(path, error) from error

    def open(self, path: str) -> BufferedReader:
        resolved = self._file(path)
        try:
            # The path is resolved, so a link here was put in place meanwhile; O_NONBLOCK: a pipe would block.
            handle = os.open(resolved, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise _unreadable(path, error) from error
        try:
            _regular(path, os.fstat(handle))
            return os.fdopen(handle, "rb")
        except BaseException:
            os.close(handle)
            raise

    def _file(self, path: str) -> Path:
        try:
            return self._resolve(path, strict=True)
        except FileNotFoundError as error:
            link = Path(self.root, path).is_symlink()
            raise LandingUnreadable(path, "is a link to nothing" if link else "is gone") from error
        except OSError as error:
            raise _unreadable(path, error) from error

    def _resolve(self, path: str, *, strict: bool = False) -> Path:
        root = os.path.realpath(self.root)
        joined = os.path.join(root, path)  # noqa: PTH118  # Path() would drop a `..` before it is judged
        resolved = os.path.realpath(joined)
        if resolved != root and not resolved.startswith(root.rstrip(os.sep) + os.sep):
            raise LandingEscape(path, self.root)
        return Path(os.path.realpath(joined, strict=True) if strict else resolved)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle, or to where this user may not look
        return False


def _regular(path: str, found: os.stat_result) -> FileFacts:
    if stat.S_ISDIR(found.st_mode):
        raise LandingUnreadable(path, "is a folder, not a file")
    if not stat.S_ISREG(found.st_mode):
        raise LandingUnreadable(path, "is a pipe, socket or device, not a file")
    return FileFacts(found.st_size, found.st_mtime_ns)


def _unreadable(path: str, error: OSError) -> LandingUnreadable:
    if isinstance(error, PermissionError):
        return LandingUnreadable(path, "may not be read by this user")
    if isinstance(error, FileNotFoundError):
        return LandingUnreadable(path, "is gone")
    return LandingUnreadable(path, f"can't be opened ({os.strerror(error.errno or 0)})")
