"""Files below the root of a lake, on a disk or in S3, through one small door.

Tables are read and committed to by deltalake and Spark; this is for what a table's log does not answer.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from lakesmith.aws.s3 import S3Folder
from lakesmith.ledger.location import LakeLocation

__all__ = ["KeptFile", "LakeFile", "LakeFiles", "lake_files"]


@dataclass(frozen=True)
class LakeFile:
    """A file of a lake.

    Args:
        path: relative to the root, with `/`.
        size: bytes.
    """

    path: str
    size: int


@dataclass(frozen=True)
class KeptFile:
    """What a store keeps of a file that was replaced or removed.

    Args:
        file: what it was.
        read: gives its content.
        remove: removes it for good.
    """

    file: LakeFile
    read: Callable[[], bytes]
    remove: Callable[[], None]


class LakeFiles(Protocol):
    """What reading and copying files of a lake needs; paths are relative to its root."""

    def below(self, folder: str = "") -> Iterator[LakeFile]:
        """Every file below a folder, in the order of their paths; one that goes away meanwhile may be left out."""
        ...

    def sizes(self, paths: Sequence[str]) -> list[int | None]:
        """The size of each file in bytes; None for one that does not exist."""
        ...

    def open(self, path: str) -> BufferedReader:
        """A file's bytes; can be sought in.

        Raises:
            FileNotFoundError: there is none.
        """
        ...

    def read(self, path: str) -> bytes:
        """The whole content of a small file.

        Raises:
            FileNotFoundError: there is none.
        """
        ...

    def copy(self, source: str, target: str) -> None:
        """Copies one file.

        Raises:
            FileNotFoundError: there is none.
        """
        ...

    def kept(self, folder: str = "") -> Iterator[KeptFile]:
        """What the store itself keeps of files below a folder that were replaced or removed; nothing on a disk."""
        ...


def lake_files(lake: LakeLocation) -> LakeFiles:
    """The files of a lake."""
    objects = lake.objects
    return _LocalFiles(Path(lake.root)) if objects is None else _ObjectFiles(objects)


@dataclass(frozen=True)
class _LocalFiles:
    root: Path

    def below(self, folder: str = "") -> Iterator[LakeFile]:
        for parent, folders, names in os.walk(self.root / folder):
            folders.sort()
            for name in sorted(names):
                path = Path(parent) / name
                try:
                    size = path.stat().st_size
                except FileNotFoundError:
                    continue
                yield LakeFile(path.relative_to(self.root).as_posix(), size)

    def sizes(self, paths: Sequence[str]) -> list[int | None]:
        return [self._size(self.root / path) for path in paths]

    def open(self, path: str) -> BufferedReader:
        return (self.root / path).open("rb")

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def copy(self, source: str, target: str) -> None:
        (self.root / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.root / source, self.root / target)

    def kept(self, folder: str = "") -> Iterator[KeptFile]:
        return iter(())

    @staticmethod
    def _size(path: Path) -> int | None:
        try:
            return path.stat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None


@dataclass(frozen=True)
class _ObjectFiles:
    objects: S3Folder

    def below(self, folder: str = "") -> Iterator[LakeFile]:
        return (LakeFile(found.path, found.size) for found in self.objects.below(folder))

    def sizes(self, paths: Sequence[str]) -> list[int | None]:
        if len(paths) < 2:
            return [found.size if (found := self.objects.look(path)) else None for path in paths]
        # One listing instead of a question for each: what is asked for together lies together.
        folder = os.path.commonpath([path.rpartition("/")[0] for path in paths])
        known = {file.path: file.size for file in self.below(folder)}
        return [known.get(path) for path in paths]

    def open(self, path: str) -> BufferedReader:
        found = self.objects.look(path)
        if found is None:
            raise FileNotFoundError(f"{self.objects.uri}/{path}")
        return self.objects.open(found)

    def read(self, path: str) -> bytes:
        found = self.objects.read(path)
        if found is None:
            raise FileNotFoundError(f"{self.objects.uri}/{path}")
        return found.content

    def copy(self, source: str, target: str) -> None:
        self.objects.copy(source, target)

    def kept(self, folder: str = "") -> Iterator[KeptFile]:
        for version in self.objects.old_versions(folder):
            yield KeptFile(
                LakeFile(version.path, version.size),
                partial(self.objects.read_version, version),
                partial(self.objects.remove_version, version),
            )
