"""Files below the root of a lake, on a disk or in an object store, through one small door."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

from pyarrow import fs

from lakesmith.ledger.location import LakeLocation

__all__ = ["LakeFiles"]


class LakeFiles:
    """Reads, sizes and copies files by their path (or URI) in the lake."""

    def __init__(self, lake: LakeLocation) -> None:
        self._lake = lake

    @cached_property
    def _filesystem(self) -> fs.FileSystem:
        filesystem, _ = fs.FileSystem.from_uri(self._lake.root)
        return filesystem

    def read(self, path: str) -> bytes:
        """The whole content of a small file."""
        with self._filesystem.open_input_stream(self._bare(path)) as stream:
            return bytes(stream.read())

    def sizes(self, paths: Iterable[str]) -> list[int | None]:
        """The size of each file in bytes; None for one that does not exist."""
        found = self._filesystem.get_file_info([self._bare(path) for path in paths])
        return [info.size if info.type is fs.FileType.File else None for info in found]

    def copy(self, source: str, target: str) -> None:
        """Copies one file; the folders above the target are made."""
        bare = self._bare(target)
        self._filesystem.create_dir(bare.rsplit("/", 1)[0], recursive=True)
        self._filesystem.copy_file(self._bare(source), bare)

    def _bare(self, path: str) -> str:
        return path.split("://", 1)[1] if "://" in path else path
