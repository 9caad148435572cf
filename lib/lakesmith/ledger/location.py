"""Where the tables of a lake are, and how deltalake opens them.

Owns the path of a table and the check that a table uses only what this version supports.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from lakesmith.aws.s3 import S3_BY_DEFAULT, S3Access, S3Folder, is_s3
from lakesmith.config.settings import Settings
from lakesmith.errors import UnsupportedTable

__all__ = ["LakeLocation", "open_delta"]

_READER_VERSION = 1
# Writer 2 is the baseline; 4 only adds the change data feed, which a contract may ask for.
_WRITER_VERSIONS = (2, 4)
_LISTINGS = 20


@dataclass(frozen=True)
class LakeLocation:
    """The root of a lake.

    Args:
        root: a folder, or a URI such as `s3://bucket/prefix`.
        storage_options: what deltalake needs to reach it; never printed.
        s3: how everything else reaches it where it lies in S3.
    """

    root: str
    storage_options: Mapping[str, str] = field(default_factory=dict, repr=False)
    s3: S3Access = S3_BY_DEFAULT

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The lake of an environment."""
        options = settings.s3_access.deltalake_options() if is_s3(settings.lake_root) else {}
        given = {key: value.get_secret_value() for key, value in settings.storage_options.items()}
        return cls(settings.lake_root, {**options, **given}, settings.s3_access)

    @property
    def objects(self) -> S3Folder | None:
        """The root as objects of S3; None where it is no such place."""
        return S3Folder(self.root, self.s3) if is_s3(self.root) else None

    def path(self, table: str) -> str:
        """The folder or URI of `layer.name`."""
        return f"{self.root.rstrip('/')}/{self.folder(table)}"

    @staticmethod
    def folder(table: str) -> str:
        """The folder of `layer.name`, relative to the root."""
        layer, name = table.split(".")
        return f"{layer}/{name}"

    def open(self, table: str, version: int | None = None) -> DeltaTable | None:
        """The table, at a version or at its newest; None when it was never made.

        Raises:
            UnsupportedTable: somebody switched on a Delta feature that would be misread or damaged.
        """
        opened = open_delta(self.path(table), self.storage_options, version)
        if opened is None:
            return None
        protocol = opened.protocol()
        features = sorted({*(protocol.reader_features or ()), *(protocol.writer_features or ())})
        if (
            protocol.min_reader_version != _READER_VERSION
            or protocol.min_writer_version not in _WRITER_VERSIONS
        ):
            listed = f" with the features {', '.join(features)}" if features else ""
            raise UnsupportedTable(
                table,
                f"its protocol is reader {protocol.min_reader_version}, writer {protocol.min_writer_version}{listed}; "
                f"supported is reader {_READER_VERSION}, writer {' or '.join(map(str, _WRITER_VERSIONS))}. "
                f"Somebody switched a Delta feature on at {self.path(table)}; copy the rows to a table without it.",
            )
        return opened


def open_delta(
    path: str, storage_options: Mapping[str, str], version: int | None = None
) -> DeltaTable | None:
    """A Delta table, at a version or at its newest; None where there is none.

    The listing of a folder is no snapshot: while others commit in quick succession it may hold a commit and lack the one before.
    Such a gap is gone when the folder is listed again; one that stays is the table's own.

    Raises:
        DeltaError: the table cannot be read.
    """
    for left in reversed(range(_LISTINGS)):
        try:
            return DeltaTable(path, version=version, storage_options=dict(storage_options))
        except TableNotFoundError:
            return None
        except DeltaError as error:
            if not left or "found gap" not in str(error):
                raise
    return None  # pragma: no cover  # the last listing returns or raises
