"""What a contract says, as frozen values.

Owns the vocabulary of tables, inputs, sources and suites. How they are written in YAML and JSON, and every error
message about that, is `lakesmith.contracts.load`; nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from lakesmith.contracts.days import BatchRange
from lakesmith.contracts.declaration import ModelDeclaration
from lakesmith.contracts.types import ColumnType, PrimitiveType
from lakesmith.contracts.windows import Window

__all__ = [
    "BATCH_DATE",
    "CHANGES",
    "DELETED",
    "IS_CURRENT",
    "KEY_BUCKET",
    "MODEL_VERSION",
    "SERVED_BY",
    "VALID_FROM",
    "VALID_TO",
    "Baseline",
    "Calendar",
    "Column",
    "Completion",
    "Contract",
    "Expectation",
    "Extraction",
    "Fallback",
    "FullDump",
    "Input",
    "Judged",
    "Keyed",
    "Mode",
    "ModelRole",
    "OnMissing",
    "Partition",
    "Profile",
    "QuarantineLimit",
    "Rows",
    "Severity",
    "Source",
    "SourceColumn",
    "SourceFormat",
    "SourceKind",
    "Suite",
    "Watched",
]

BATCH_DATE = "batch_date"
"""The partition column that every batch table has; contracts do not list it."""

CHANGES = "changes"
"""The layer of the tables that hold the changes of keyed tables; they have no contracts of their own."""

KEY_BUCKET = "key_bucket"
"""The partition column of keyed tables: a stable hash of the key, modulo the number of buckets."""

VALID_FROM, VALID_TO, IS_CURRENT = "valid_from", "valid_to", "is_current"
"""The columns that Lakesmith adds to a keyed table with history: the days on which a row holds, and whether it still does."""

DELETED = "_deleted"
"""The column of the changes of a keyed table that marks a deleted key."""

MODEL_VERSION = "model_version"
"""The column of a table of scores that says which version gave a score."""

SERVED_BY = "served_by"
"""The column of a table of scores that says what gave a score: the champion, a challenger or a fallback."""


class Mode(StrEnum):
    """How a job takes a range: whole, or one batch after the other inside one session."""

    RANGE = "range"
    PER_BATCH = "per_batch"


class Rows(StrEnum):
    """Whether every row read must be published, quarantined or dropped with a reason."""

    PRESERVING = "preserving"
    ANY = "any"


class Severity(StrEnum):
    """Great Expectations' own: a failed critical expectation blocks the batch, the others are recorded."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class SourceFormat(StrEnum):
    """How the records of a landing file are written; `delta` is a table of somebody else instead of files."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    DELTA = "delta"


class SourceKind(StrEnum):
    """Where a source's files come from: others deliver them, or `lakesmith extract` lands the answer of a query."""

    FILES = "files"
    JDBC = "jdbc"


class OnMissing(StrEnum):
    """What an open day without a file means; of a database, an open day of which the query has no row."""

    ERROR = "error"
    EMPTY = "empty"


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Args:
        subject: the column names or identifies a person; no statistics, samples or logs of its values.
        scale: decimals to which a derived double is rounded before it is staged.
        unit: what a number counts or measures, for people (`GBP`, `days`).
        trends: it drifts by construction, as what adds up since a first day or goes with the seasons does; drift is judged
            against its trend.
    """

    name: str
    type: ColumnType
    description: str = ""
    nullable: bool = True
    subject: bool = False
    scale: int | None = None
    unit: str | None = None
    trends: bool = False


class ModelRole(StrEnum):
    """Whose scores a table holds: the champion's, or those that the challenger would have given."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


class Fallback(StrEnum):
    """What stands in for a champion that cannot score."""

    PREVIOUS_CHAMPION = "previous_champion"
    LAST_SCORES = "last_scores"


@dataclass(frozen=True)
class Input:
    """One input of a job: a table with a window, or a source or a model (always the batch's own day).

    Args:
        name: the name of the transform's parameter.
        table: `layer.name`; None for a source or a model.
        source: the name of a source contract.
        model: the name of a model's declaration.
        role: of a model, which of its versions scores.
        fallbacks: of a model, what stands in for it, in the order of trying.
        score: of a model, the column of the table that holds its scores.
        optional: what is not there is left out instead of waited for; only of inputs that follow from other contracts.
        baseline: of a model, only what is kept of its training is read, by which later batches are judged; it scores nothing.
    """

    name: str
    window: Window
    table: str | None = None
    source: str | None = None
    model: str | None = None
    role: ModelRole = ModelRole.CHAMPION
    fallbacks: tuple[Fallback, ...] = ()
    score: str = "score"
    optional: bool = False
    baseline: bool = False

    @property
    def target(self) -> str:
        """The table or the source that is read; a model as `models.<name>`."""
        return f"models.{self.model}" if self.model else self.table or self.source or ""


@dataclass(frozen=True)
class QuarantineLimit:
    """The most rows of a batch that may be quarantined before the whole batch is rejected.

    Args:
        share: of the rows read, 0 to 1.
        rows: an absolute number; None sets no such limit.
    """

    share: float = 0.05
    rows: int | None = None

    def exceeded_by(self, quarantined: int, read: int) -> bool:
        """True when so many of the rows read are too many."""
        if self.rows is not None and quarantined > self.rows:
            return True
        return quarantined > self.share * read


@dataclass(frozen=True)
class Expectation:
    """One Great Expectations expectation, as its native JSON has it.

    Args:
        type: `expect_...`, in snake_case.
        kwargs: its parameters, `mostly` included.
        meta: its meta; `on_failure: quarantine` makes a row rule, `rule` names it.
        rule: the stable name under which its results and quarantined rows are kept; unique in a suite.
    """

    type: str
    kwargs: Mapping[str, Any]
    rule: str
    severity: Severity = Severity.CRITICAL
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def quarantines(self) -> bool:
        """True for a row rule: rows that break it are quarantined, the others go on."""
        return self.meta.get("on_failure") == "quarantine"


@dataclass(frozen=True)
class Suite:
    """The expectations of one table, in file order."""

    name: str
    expectations: tuple[Expectation, ...] = ()
    file: str = ""

    @property
    def row_rules(self) -> tuple[Expectation, ...]:
        """The expectations that quarantine rows."""
        return tuple(e for e in self.expectations if e.quarantines)

    @property
    def gate(self) -> tuple[Expectation, ...]:
        """The expectations that judge a batch as a whole."""
        return tuple(e for e in self.expectations if not e.quarantines)


@dataclass(frozen=True)
class FullDump:
    """Batches of changes that list every key there is, so that a key that is absent is deleted.

    Args:
        least_share: a dump with fewer rows than this share of the dump before it is rejected.
    """

    least_share: float = 0.5


@dataclass(frozen=True)
class Keyed:
    """What makes a table keyed: it holds the state that follows from a log of changes.

    Args:
        scd: 1 keeps the last row of every key, 2 every version of it with the days on which it held.
        sequence: columns of the changes that order those of one key and day; the last wins.
        delete_column: the column of the changes that may mark a key as deleted; None when none does.
        delete_values: the values of that column that do.
        buckets: how many parts the keys are spread over; a run rewrites the parts that it touches.
        full_dump: set when every batch lists all keys.
    """

    scd: int
    sequence: tuple[str, ...]
    delete_column: str | None = None
    delete_values: tuple[str | int | bool, ...] = ()
    buckets: int = 16
    full_dump: FullDump | None = None

    @property
    def keeps_history(self) -> bool:
        """True when a row says on which days it held."""
        return self.scd == 2

    @property
    def generated(self) -> tuple[Column, ...]:
        """The columns that Lakesmith adds to those of the contract."""
        return _GENERATED if self.keeps_history else ()


_GENERATED = (
    Column(VALID_FROM, PrimitiveType("date"), "The first day on which the row holds.", nullable=False),
    Column(
        VALID_TO,
        PrimitiveType("date"),
        "The first day on which the row no longer holds; null while it does.",
    ),
    Column(IS_CURRENT, PrimitiveType("boolean"), "True while the row holds.", nullable=False),
)


@dataclass(frozen=True)
class Baseline:
    """What the batches of a profiled table are compared with: what a model was trained on, or batches of the table itself.

    Args:
        model: the name of the model's declaration.
        days: the batches; batches after them are counted on their bins.
    """

    model: str | None = None
    days: BatchRange | None = None


@dataclass(frozen=True)
class Profile:
    """That the batches of a table are profiled, and how.

    Args:
        columns: what is profiled; none means all.
        slices: Spark SQL expressions over the columns; each value of each is profiled by itself, too.
        baseline: None compares with the period before only.
        repeated: the batches hold the same entities again and again, so that several have no more independent rows than one.
        windows: lengths in batches that are judged together, ascending; none means those of the settings.
        effect: the least population stability index that counts as drift; None means that of the settings.
    """

    columns: tuple[str, ...] = ()
    slices: tuple[str, ...] = ()
    baseline: Baseline = Baseline()
    repeated: bool = False
    windows: tuple[int, ...] = ()
    effect: float | None = None


@dataclass(frozen=True)
class Watched:
    """A table whose batches a table of profiles profiles.

    Args:
        table: its name.
        profile: how.
        columns: those that are profiled.
        score: the column that holds the scores of the baseline's model; None in any other table.
        rows: the input that is the batch itself.
        past: the input that is the batches of the baseline; None without such.
        model: the input that is the baseline's model; None without one.
    """

    table: str
    profile: Profile
    columns: tuple[Column, ...]
    rows: str
    score: str | None = None
    past: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class Judged:
    """A table of a model's scores that are judged once their labels are known.

    Args:
        table: its name.
        model: the model, with every feature named.
        role: whose scores they are.
        score: the column that holds them.
        scores: the input that is the scores.
        labels: the input that is their labels.
        features: the input that the model's segments are cut from; None without segments.
    """

    table: str
    model: ModelDeclaration
    role: ModelRole
    score: str
    scores: str
    labels: str
    features: str | None = None


@dataclass(frozen=True)
class Contract:
    """One table: what it holds, what it is made of, who answers for it.

    Args:
        table: `layer.name`.
        job: the job's file, relative to the project.
        key: columns that together are unique within a batch; of a keyed table, that name what its rows are about.
        columns: in the table's order, without the partition column; of a keyed table with those that Lakesmith adds.
        lag_days: the night of N owns the batch N - lag_days.
        rows_per_file: most rows of one data file; None leaves it to the settings.
        retries: how often a scheduler may try again.
        timeout: longest run, in seconds.
        resources: the name of a size that a scheduler knows.
        keyed: set for a keyed table.
        horizon_days: late changes of inputs older than this are listed, not repaired on their own; None repairs all.
        profile: set when the table's batches are profiled.
        profiles: its rows are the profiles of all tables that ask for them; its inputs follow from theirs.
        watched: of such a table, those tables.
        judges: its rows say how models do on labels that came since; its inputs follow from the models.
        judged: of such a table, the tables of scores.
        file: the contract's own file, relative to the project.
    """

    table: str
    description: str
    owner: str
    job: str
    inputs: tuple[Input, ...]
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    suite: Suite
    rows: Rows = Rows.ANY
    mode: Mode = Mode.RANGE
    lag_days: int = 0
    rows_per_file: int | None = None
    retries: int = 0
    timeout: int = 3600
    resources: str = "small"
    quarantine_limit: QuarantineLimit = QuarantineLimit()
    change_data_feed: bool = False
    horizon_days: int | None = None
    keyed: Keyed | None = None
    profile: Profile | None = None
    profiles: bool = False
    watched: tuple[Watched, ...] = ()
    judges: bool = False
    judged: tuple[Judged, ...] = ()
    file: str = ""

    @property
    def layer(self) -> str:
        """The part of the table's name before the dot."""
        return self.table.split(".")[0]

    @property
    def name(self) -> str:
        """The part of the table's name after the dot."""
        return self.table.split(".")[1]

    @property
    def quarantine_table(self) -> str:
        """Where rejected rows and the reasons go; those of a keyed table are rows of its changes."""
        if self.layer == CHANGES:
            return f"quarantine.{self.name}"
        return f"quarantine.{self.layer}_{self.name}"

    @property
    def changes_table(self) -> str:
        """Where the changes are kept that a keyed table has taken in, batch by batch."""
        return f"{CHANGES}.{self.layer}_{self.name}"

    @property
    def written_tables(self) -> tuple[str, ...]:
        """All tables that its runs write: itself, the changes of a keyed one, the quarantine."""
        changes = (self.changes_table,) if self.keyed is not None else ()
        return (self.table, *changes, self.quarantine_table)

    @property
    def change_columns(self) -> tuple[Column, ...]:
        """The columns that the job returns: all but those that Lakesmith adds."""
        added = self.keyed.generated if self.keyed else ()
        return tuple(c for c in self.columns if c not in added)

    @property
    def partitioned_by(self) -> str:
        """The one partition column."""
        return KEY_BUCKET if self.keyed else BATCH_DATE

    @property
    def model_input(self) -> Input | None:
        """The model whose scores the table holds; it has one at most."""
        return next((i for i in self.inputs if i.model and not i.baseline), None)

    @property
    def enough(self) -> tuple[tuple[str, ...], ...]:
        """Of optional inputs, the names of those one group of which must be there for a batch to hold anything."""
        return (*((w.rows,) for w in self.watched), *((j.scores, j.labels) for j in self.judged))

    @property
    def repeats_scores(self) -> bool:
        """True when a batch that cannot be scored repeats the last scores."""
        return self.model_input is not None and Fallback.LAST_SCORES in self.model_input.fallbacks

    @property
    def reads_itself(self) -> bool:
        """True when yesterday's rows are an input; such a table goes batch by batch."""
        return any(i.table == self.table for i in self.inputs)

    def column(self, name: str) -> Column:
        """The column of that name; KeyError when the contract has none."""
        return {c.name: c for c in self.columns}[name]

    def owned_by(self, nights: BatchRange) -> BatchRange:
        """The batches that those nights own."""
        return nights.shifted(-self.lag_days)


@dataclass(frozen=True)
class SourceColumn:
    """One column of a landing file: its name in the file and the name it gets.

    Args:
        type: of a database, what the query must give; None in files of others, where every value is a text.
    """

    name: str
    header: str
    required: bool = True
    type: ColumnType | None = None


@dataclass(frozen=True)
class Calendar:
    """The days on which a source is closed.

    Args:
        weekdays: 0 is Monday.
        dates: single days.
    """

    weekdays: frozenset[int] = frozenset()
    dates: frozenset[date] = frozenset()

    def is_closed(self, day: date) -> bool:
        """True when no file is due that day."""
        return day.weekday() in self.weekdays or day in self.dates


@dataclass(frozen=True)
class Completion:
    """When the files of a day are complete; with neither, as soon as one is there.

    Args:
        marker: a path pattern with `{batch_date}`; the day is complete once that file exists.
        stable_for: the newest file must be at least this old.
    """

    marker: str | None = None
    stable_for: timedelta | None = None


@dataclass(frozen=True)
class Partition:
    """How a query is read over several connections at once.

    Args:
        column: the name in the query's answer by which rows are spread.
        parts: how many connections.
    """

    column: str
    parts: int


@dataclass(frozen=True)
class Extraction:
    """What is landed of a database each day.

    Args:
        connection: its name in the settings.
        query: SQL with the parameters of `lakesmith.contracts.queries`.
        fetch_size: rows that the driver asks for at a time.
        partition: None reads over one connection.
    """

    connection: str
    query: str
    fetch_size: int = 10_000
    partition: Partition | None = None


@dataclass(frozen=True)
class Source:
    """Where landing files come from and how they are written.

    Args:
        name: also the folder under the landing root.
        patterns: paths in that folder, with `{batch_date}`; `*` stands for any part of a file name. Of an undated source the one
            path of its file.
        start: the first day of history.
        encoding: how text is encoded; only `utf-8` (a byte order mark is dropped).
        max_record_bytes: a longer record is malformed, whatever it holds.
        path: of a Delta table of somebody else: its folder or URI; relative ones are below the project.
        date_column: of such a table, the column that says which batch a row belongs to.
        undated: it is one file that is replaced in place; what it holds is the batch of the day on which it was last written.
        extraction: of a database, what `lakesmith extract` lands as the day's file.
    """

    name: str
    description: str
    patterns: tuple[str, ...]
    format: SourceFormat
    columns: tuple[SourceColumn, ...]
    start: date
    calendar: Calendar = Calendar()
    completion: Completion = Completion()
    on_missing: OnMissing = OnMissing.ERROR
    delimiter: str = ","
    max_record_bytes: int = 1 << 20
    file: str = ""
    path: str = ""
    date_column: str = ""
    undated: bool = False
    extraction: Extraction | None = None

    @property
    def is_external(self) -> bool:
        """True for a Delta table of somebody else; there are no landing files then."""
        return self.format is SourceFormat.DELTA
