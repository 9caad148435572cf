"""OpenLineage events of runs and nights, for those who watch many platforms in one place.

Owns what of a run goes into an event, and that events never fail a run: a transport that does not answer is a warning, and after
some failures in a row it is left alone for the rest of the process. No event holds a value of the data.

Names: a table is the dataset `<layer>.<name>` in the namespace of the settings, a source `landing.<name>`; the job of a table has
the table's name, a night is the job `night` and the parent of its runs. The id of a run follows from Lakesmith's own
(`event_id`), which is a tag of the run, too. The official client does the talking; it is imported only where events are wanted.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lakesmith.config.secrets import revealed
from lakesmith.contracts.model import BATCH_DATE
from lakesmith.errors import ExitCode
from lakesmith.ledger.columns import ColumnsRecord, TableColumns
from lakesmith.ledger.fingerprint import SCHEME
from lakesmith.ledger.ops import now
from lakesmith.ledger.records import BatchRecord, RunOutcome, RunRecord

if TYPE_CHECKING:
    from lakesmith.contracts.days import BatchRange
    from lakesmith.contracts.model import Contract
    from lakesmith.engine.context import Context
    from lakesmith.engine.outcome import NightResult
    from lakesmith.engine.recording import RunIdentity

__all__ = ["LineageEvents", "event_id"]

log = logging.getLogger(__name__)

_IDS = uuid.UUID("5f0c6d8e-2f0a-5d0e-9a57-3f1c7d2b9e44")
_FAILURES_TO_STOP = 3
_PRODUCER = "https://github.com/lakesmith/lakesmith"
_NIGHT = "night"


def event_id(run_id: str) -> str:
    """The id, as OpenLineage wants ids, of a run of Lakesmith."""
    return str(uuid.uuid5(_IDS, run_id))


class LineageEvents:
    """The events of one process; all methods do nothing where the settings name no transport.

    Args:
        context: whose settings say where events go.
    """

    def __init__(self, context: Context) -> None:
        self._context = context
        self._settings = context.settings.openlineage
        self._client: Any = None
        self._failures = 0
        self._night: str | None = None
        self._off = self._settings.transport is None

    def night_started(self, nights: BatchRange) -> None:
        """A night or a backfill begins; runs from now on are its children."""
        if self._off:
            return
        self._night = str(uuid.uuid4())
        with self._guarded("START", _NIGHT):
            self._emit("START", self._night, _NIGHT, now(), self._nominal(nights.first, nights.last))

    def night_ended(self, night: NightResult) -> None:
        """It is over, for better or worse."""
        if self._off or self._night is None:
            return
        code, kind = night.exit_code, "COMPLETE"
        if code is not ExitCode.DONE:
            kind = "ABORT" if code in (ExitCode.INTERRUPTED, ExitCode.TERMINATED) else "FAIL"
        with self._guarded(kind, _NIGHT):
            facets = self._nominal(night.nights.first, night.nights.last)
            if kind == "FAIL":
                troubled = [table for table, result in night.tables.items() if not result.is_whole]
                facets |= self._error(f"exit code {int(code)}: {', '.join(troubled) or 'see the log'}")
            self._emit(kind, self._night, _NIGHT, now(), facets)
        self._night = None

    def run_started(self, run: RunIdentity) -> None:
        """A run begins; what it will read is known by name only."""
        if self._off:
            return
        with self._guarded("START", run.contract.table):
            self._emit(
                "START",
                event_id(run.run_id),
                run.contract.table,
                run.started,
                self._run_facets(run),
                contract=run.contract,
                inputs=[self._input(target, None, ()) for target in _targets(run.contract)],
                outputs=[self._output(run.contract, None, None, None)],
            )

    def run_ended(
        self, run: RunIdentity, record: RunRecord | None, batches: Sequence[BatchRecord] = ()
    ) -> None:
        """A run is over.

        Args:
            record: what was written down of it; None when something else does its work, in a run of its own.
            batches: what came of its batches.
        """
        if self._off:
            return
        kind = _kind(record)
        standing = [r for r in batches if r.outcome.stands]
        with self._guarded(kind, run.contract.table):
            facets = self._run_facets(run)
            if record is not None:
                said = {"outcome": str(record.outcome), "exit_code": str(record.exit_code)}
                facets |= self._tags(run, said, record)
                if kind == "FAIL":
                    refused = f"{record.batches_rejected} of {record.batches} batches were refused"
                    facets |= self._error(record.error or refused)
            self._emit(
                kind,
                event_id(run.run_id),
                run.contract.table,
                record.finished_at if record is not None else now(),
                facets,
                contract=run.contract,
                inputs=self._inputs_read(run.contract, batches),
                outputs=self._outputs(run.contract, record, standing),
            )

    # --- datasets -----------------------------------------------------------------------------------------------------

    def _inputs_read(self, contract: Contract, batches: Sequence[BatchRecord]) -> list[Any]:
        found = []
        for target in _targets(contract):
            reads = [read for record in batches for read in record.inputs if read.target == target]
            versions = [read.version for read in reads if read.version is not None]
            files = [file for read in reads for file in read.files]
            found.append(self._input(target, max(versions, default=None), files))
        return found

    def _input(self, target: str, version: int | None, files: Sequence[Any]) -> Any:
        from openlineage.client.event_v2 import InputDataset
        from openlineage.client.facet_v2 import input_statistics_input_dataset

        graph = self._context.project.graph
        if target in graph.sources:
            sizes = [int(file["size"]) for file in files if "size" in file]
            counted = input_statistics_input_dataset.InputStatisticsInputDatasetFacet(
                fileCount=len(sizes), size=sum(sizes)
            )
            folder = f"{self._context.settings.landing_root}/{target}"
            return InputDataset(
                namespace=self._settings.namespace,
                name=f"landing.{target}",
                facets=self._place(folder),
                inputFacets={"inputStatistics": counted} if sizes else {},
            )
        contract = graph.contracts.get(target)
        facets = self._table_facets(contract, version) if contract is not None else self._version(version)
        return InputDataset(namespace=self._settings.namespace, name=target, facets=facets)

    def _outputs(
        self, contract: Contract, record: RunRecord | None, standing: Sequence[BatchRecord]
    ) -> list[Any]:
        versions = [r.version for r in standing if r.version is not None]
        rows = sum(r.rows for r in standing) if standing else None
        version = record.version if record is not None else None
        columns = self._columns(contract) if standing else None
        found = [
            self._output(
                contract, version if version is not None else max(versions, default=None), rows, columns
            )
        ]
        quarantined = sum(r.quarantined for r in standing)
        if quarantined:
            found.append(self._dataset(contract.quarantine_table, {}, quarantined))
        return found

    def _output(
        self, contract: Contract, version: int | None, rows: int | None, columns: TableColumns | None
    ) -> Any:
        facets = self._table_facets(contract, version)
        if columns is not None:
            facets["columnLineage"] = self._column_lineage(columns)
        return self._dataset(contract.table, facets, rows)

    def _dataset(self, name: str, facets: dict[str, Any], rows: int | None) -> Any:
        from openlineage.client.event_v2 import OutputDataset
        from openlineage.client.facet_v2 import output_statistics_output_dataset

        counted = output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows)
        return OutputDataset(
            namespace=self._settings.namespace,
            name=name,
            facets=facets,
            outputFacets={"outputStatistics": counted} if rows is not None else {},
        )

    def _table_facets(self, contract: Contract, version: int | None) -> dict[str, Any]:
        from openlineage.client.facet_v2 import schema_dataset

        fields = [
            schema_dataset.SchemaDatasetFacetFields(
                name=column.name, type=str(column.type), description=column.description or None
            )
            for column in contract.columns
        ]
        fields.append(schema_dataset.SchemaDatasetFacetFields(name=BATCH_DATE, type="date"))
        return {
            "schema": schema_dataset.SchemaDatasetFacet(fields=fields),
            **self._place(self._context.lake.path(contract.table)),
            **self._version(version),
        }

    def _version(self, version: int | None) -> dict[str, Any]:
        from openlineage.client.facet_v2 import dataset_version_dataset

        if version is None:
            return {}
        facet = dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion=str(version))
        return {"version": facet}

    def _place(self, path: str) -> dict[str, Any]:
        """Where the files are, as Spark's own OpenLineage names them, so that the two can be joined."""
        from openlineage.client.facet_v2 import symlinks_dataset

        scheme, apart, rest = path.partition("://")
        if apart:
            bucket, _, name = rest.partition("/")
            found = symlinks_dataset.Identifier(namespace=f"{scheme}://{bucket}", name=name, type="LOCATION")
        else:
            found = symlinks_dataset.Identifier(namespace="file", name=path, type="LOCATION")
        return {"symlinks": symlinks_dataset.SymlinksDatasetFacet(identifiers=[found])}

    def _columns(self, contract: Contract) -> TableColumns | None:
        noted = self._context.ledger.ops.records(ColumnsRecord, tables=[contract.table])
        fingerprint = self._context.fingerprints(contract.table, SCHEME).data
        record = ColumnsRecord.newest(noted, fingerprint)
        return TableColumns.from_json(record.columns) if record is not None else None

    def _column_lineage(self, columns: TableColumns) -> Any:
        from openlineage.client.facet_v2 import column_lineage_dataset as facet

        def field(target: str, column: str, kind: str) -> Any:
            name = f"landing.{target}" if target in self._context.project.graph.sources else target
            how = [facet.Transformation(type=kind)]
            return facet.InputField(
                namespace=self._settings.namespace, name=name, field=column, transformations=how
            )

        return facet.ColumnLineageDatasetFacet(
            fields={
                name: facet.Fields(inputFields=[field(s.target, s.column, "DIRECT") for s in sources])
                for name, (sources, _) in columns.columns.items()
                if sources
            },
            dataset=[field(s.target, s.column, "INDIRECT") for s in columns.deciding],
        )

    # --- runs ---------------------------------------------------------------------------------------------------------

    def _run_facets(self, run: RunIdentity) -> dict[str, Any]:
        from openlineage.client.facet_v2 import parent_run

        facets = {**self._nominal(run.batches[0], run.batches[-1]), **self._tags(run, {}, None)}
        if self._night is not None:
            facets["parent"] = parent_run.ParentRunFacet(
                run=parent_run.Run(runId=self._night),
                job=parent_run.Job(namespace=self._settings.namespace, name=_NIGHT),
            )
        return facets

    def _tags(self, run: RunIdentity, more: dict[str, str], record: RunRecord | None) -> dict[str, Any]:
        from openlineage.client.facet_v2 import tags_run

        found = {"run_id": run.run_id, "first": str(run.batches[0]), "last": str(run.batches[-1]), **more}
        if record is not None:
            found |= {"code_version": record.code_version, "lakesmith_version": record.lakesmith_version}
        return {
            "tags": tags_run.TagsRunFacet(
                tags=[
                    tags_run.TagsRunFacetFields(key=f"lakesmith.{key}", value=value, source="LAKESMITH")
                    for key, value in found.items()
                ]
            )
        }

    def _nominal(self, first: date, last: date) -> dict[str, Any]:
        from openlineage.client.facet_v2 import nominal_time_run

        facet = nominal_time_run.NominalTimeRunFacet(
            nominalStartTime=_midnight(first), nominalEndTime=_midnight(last + timedelta(1))
        )
        return {"nominalTime": facet}

    def _error(self, message: str) -> dict[str, Any]:
        from openlineage.client.facet_v2 import error_message_run

        return {
            "errorMessage": error_message_run.ErrorMessageRunFacet(
                message=message, programmingLanguage="Python"
            )
        }

    def _job_facets(self, contract: Contract | None) -> dict[str, Any]:
        from openlineage.client.facet_v2 import documentation_job, job_type_job, ownership_job

        kind = "JOB" if contract is not None else "DAG"
        facets: dict[str, Any] = {
            "jobType": job_type_job.JobTypeJobFacet(
                processingType="BATCH", integration="LAKESMITH", jobType=kind
            )
        }
        if contract is not None:
            owner = ownership_job.Owner(name=contract.owner)
            facets["ownership"] = ownership_job.OwnershipJobFacet(owners=[owner])
            facets["documentation"] = documentation_job.DocumentationJobFacet(
                description=contract.description
            )
        return facets

    # --- sending ------------------------------------------------------------------------------------------------------

    def _emit(
        self,
        kind: str,
        run_id: str,
        job: str,
        moment: datetime,
        facets: dict[str, Any],
        *,
        contract: Contract | None = None,
        inputs: Sequence[Any] = (),
        outputs: Sequence[Any] = (),
    ) -> None:
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState

        if self._client is None:
            self._client = self._connected()
        self._client.emit(
            RunEvent(
                eventTime=moment.astimezone(UTC).isoformat(),
                eventType=RunState[kind],
                run=Run(runId=run_id, facets=facets),
                job=Job(namespace=self._settings.namespace, name=job, facets=self._job_facets(contract)),
                producer=_PRODUCER,
                inputs=list(inputs),
                outputs=list(outputs),
            )
        )

    @contextmanager
    def _guarded(self, kind: str, job: str) -> Iterator[None]:
        """Whatever goes wrong with an event is a warning."""
        try:
            yield
            self._failures = 0
        except Exception as error:
            self._failed(kind, job, error)

    def _failed(self, kind: str, job: str, error: Exception) -> None:
        self._failures += 1
        self._off = self._failures >= _FAILURES_TO_STOP
        more = ". No more are tried in this process" if self._off else ""
        if isinstance(error, ImportError):
            more = ". Install the client: pip install 'lakesmith[openlineage]'"
        # A URL may hold a password, and messages of transports quote it.
        log.warning(
            "the OpenLineage event %s of %s was not sent (%s)%s", kind, job, type(error).__name__, more
        )
        log.debug("the OpenLineage event was not sent", exc_info=error)

    def _connected(self) -> Any:
        from openlineage.client import OpenLineageClient
        from openlineage.client.transport.file import FileConfig, FileTransport
        from openlineage.client.transport.http import (
            ApiKeyTokenProvider,
            HttpConfig,
            HttpTransport,
            TokenProvider,
        )

        given = self._settings
        if given.transport == "file":
            path = Path(given.path or "")
            path = path if path.is_absolute() else self._context.settings.project_root / path
            path.parent.mkdir(parents=True, exist_ok=True)
            return OpenLineageClient(transport=FileTransport(FileConfig(str(path), append=True)))
        key = given.api_key.get_secret_value() if given.api_key is not None else None
        auth = ApiKeyTokenProvider({"api_key": key}) if key else TokenProvider({})
        config = HttpConfig(
            url=revealed(given.url) or "",
            endpoint=given.endpoint,
            timeout=given.timeout,
            auth=auth,
            # A night must not wait for somebody who is not there.
            retry={"total": 1, "connect": 0, "read": 0, "backoff_factor": 0.1, "allowed_methods": ["POST"]},
        )
        return OpenLineageClient(transport=HttpTransport(config))


def _targets(contract: Contract) -> list[str]:
    """What a table reads, each once."""
    return list(dict.fromkeys(entry.target for entry in contract.inputs))


def _kind(record: RunRecord | None) -> str:
    if record is None or record.outcome is RunOutcome.STOPPED:
        return "ABORT"
    return "FAIL" if record.outcome in (RunOutcome.FAILED, RunOutcome.REJECTED) else "COMPLETE"


def _midnight(day: date) -> str:
    return datetime.combine(day, time.min, UTC).isoformat()
