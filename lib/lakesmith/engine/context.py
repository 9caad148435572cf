"""What every run of one process shares: the project, the lake, the ledger, and Spark once somebody needs it."""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakesmith import __version__
from lakesmith.config.settings import Settings
from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.project import Project
from lakesmith.ledger.external import ExternalTable
from lakesmith.ledger.extracts import ExtractedFolder
from lakesmith.ledger.fingerprint import fingerprints_by
from lakesmith.ledger.history import Ledger
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.manifest import DayFiles, LandingFolder, Manifest
from lakesmith.ledger.nights import choose_night
from lakesmith.ledger.ops import Ops
from lakesmith.ledger.provenance import Provenance
from lakesmith.ledger.records import BatchRecord, Fingerprints, NightRecord
from lakesmith.ledger.source_commit import source_commit
from lakesmith.ledger.state import Judge

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from lakesmith.engine.openlineage import LineageEvents

__all__ = ["Context"]

log = logging.getLogger(__name__)


@dataclass
class Context:
    """One process at work on one project in one environment.

    Args:
        project: the checked contracts.
        settings: the environment's.
        model_versions: model -> version that scores batches, whatever they were scored with before.
        why: in the words of whoever started the process, for what it does by force.
        night: as of which the ledger is read; None for the present, which all that writes needs.
        log: the file that this process logs to; empty for none.
        columns_noted: tables with the data fingerprints whose columns are in `ops.columns` already.
    """

    project: Project
    settings: Settings
    model_versions: Mapping[str, int] = field(default_factory=dict)
    why: str = ""
    night: NightRecord | None = None
    log: str = ""
    columns_noted: set[tuple[str, str]] = field(default_factory=set)
    _fingerprints: dict[tuple[str, int], Fingerprints] = field(default_factory=dict)
    _looked_at: dict[str, LandingFolder | ExternalTable] = field(default_factory=dict)

    @cached_property
    def lake(self) -> LakeLocation:
        """The lake of the settings."""
        return LakeLocation.of(self.settings)

    @cached_property
    def ledger(self) -> Ledger:
        """The ledger of that lake."""
        return Ledger(self.lake, self.night)

    def as_of(self, night: str | None) -> Context:
        """The same project and lake, for reading only, as a night left it.

        Args:
            night: see `lakesmith.ledger.nights.choose_night`; None stays with the present.

        Raises:
            UsageError: no record ends with that night.
        """
        if night is None:
            return self
        return replace(self, night=choose_night(Ops(self.lake), night))

    def provenance(
        self, run_id: str, table: str, job: str, started: datetime, batches: Iterable[BatchRecord]
    ) -> Provenance:
        """What a commit of this process says of itself.

        Args:
            job: the job file, or the command that writes.
            batches: the records that the commit carries.
        """
        return Provenance(
            run_id=run_id,
            table=table,
            job=job,
            code_version=self.code_version,
            lakesmith_version=self.lakesmith_version,
            environment=self.settings.environment,
            started_at=started,
            batches=tuple(batches),
        )

    @cached_property
    def events(self) -> LineageEvents:
        """Where runs tell OpenLineage of themselves; nothing is told unless the settings say so."""
        from lakesmith.engine.openlineage import LineageEvents

        return LineageEvents(self)

    @cached_property
    def spark(self) -> SparkSession:
        """The session; the first use starts it, so that a night with nothing to do starts no JVM."""
        from lakesmith.lake.session import session

        return session(self.settings, "lakesmith", by_name=False)

    @property
    def spark_started(self) -> bool:
        """True once something needed Spark."""
        return "spark" in self.__dict__

    @property
    def spark_is_alive(self) -> bool:
        """True while the session that was started answers."""
        from lakesmith.lake.session import is_alive

        return self.spark_started and is_alive(self.spark)

    @cached_property
    def code_version(self) -> str:
        """The commit of the project's repository, `+dirty` when its files differ; `unknown` outside one."""
        return source_commit(self.project.root)

    @property
    def lakesmith_version(self) -> str:
        """The version of the library at work."""
        return __version__

    def folder(self, source: str) -> LandingFolder | ExternalTable:
        """The landing folder of a source, or the table of somebody else, as it is now."""
        declared = self.project.graph.sources[source]
        if declared.extraction is not None:
            return ExtractedFolder(declared, self.settings.landing_root, self.settings.s3_access)
        if not declared.is_external:
            return LandingFolder(declared, self.settings.landing_root, self.settings.s3_access)
        path = declared.path
        if "://" not in path and not Path(path).is_absolute():
            path = str(self.project.root / path)
        return ExternalTable(declared, path, self.lake.storage_options)

    def landed(self, source: str, days: BatchRange) -> Mapping[date, DayFiles]:
        """The landing files of a source's days, as they are now."""
        # Kept, so that all days of somebody else's table are pinned at the version that was looked at.
        self._looked_at[source] = self.folder(source)
        return self._looked_at[source].days(days.first, days.last)

    def pin(self, source: str, files: DayFiles, known: Manifest | None) -> Manifest:
        """The manifest of a day's files; content already known by size and time is not read again."""
        return (self._looked_at.get(source) or self.folder(source)).pin(files, known)

    def fingerprints(self, table: str, scheme: int) -> Fingerprints:
        """The fingerprints of a table as its files stand, computed once in a process."""
        key = (table, scheme)
        if key not in self._fingerprints:
            graph = self.project.graph
            self._fingerprints[key] = fingerprints_by(
                scheme, graph.contracts[table], graph.sources, self.project.root
            )
        return self._fingerprints[key]

    @property
    def judge(self) -> Judge:
        """The states of batches, from what the ledger holds at this moment."""
        parameters: Mapping[str, Any] = self.settings.of_transforms
        return Judge(
            self.project.graph,
            histories=self.ledger.history,
            live=self.ledger.live,
            look_at=self.ledger.look_at,
            landed=self.landed,
            pinned=self.pin,
            fingerprints=self.fingerprints,
            timelines=functools.cache(self.ledger.timeline),
            settings=parameters,
        )
