"""The doctor: whether this machine, project and environment can run, and what to do where they can't.

Owns the checks, as values; how they are shown is the command line's. Every check stands alone, so that one
mistake never hides another, and none changes anything but for a probe file that it removes.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit

from lakesmith.aws.clients import AwsError
from lakesmith.aws.s3 import S3Folder, is_s3
from lakesmith.config.load import load_settings
from lakesmith.config.secrets import revealed
from lakesmith.config.settings import Settings
from lakesmith.contracts.project import Project
from lakesmith.contracts.service_levels import load_service_levels
from lakesmith.engine.context import Context
from lakesmith.engine.doctor_s3 import commits_by_deltalake, leases_by_boto3, stages_by_spark
from lakesmith.engine.submit import checked_project
from lakesmith.errors import ConfigurationError, InvalidProject, InvalidSettings, LakesmithError
from lakesmith.ledger.fingerprint import SCHEME
from lakesmith.ledger.location import LakeLocation
from lakesmith.ledger.manifest import DayState
from lakesmith.ledger.ops import OPS_TABLES
from lakesmith.shipping.command import spark_submit

__all__ = ["Check", "Verdict", "examine"]

_PYTHON = ((3, 11), (3, 13))
_PAIRS = {"4.0": "4.0.", "4.1": "4.4.0"}
"""Which Delta goes with which Spark (DESIGN, section 12)."""

_EXTRAS = {
    "spark": ("pyspark", "delta-spark"),
    "quality": ("great-expectations", "pandas"),
    "ml": ("mlflow",),
    "aws": ("boto3",),
    "metrics": ("prometheus-client",),
    "site": ("jinja2",),
}
_NEEDED_BY = {
    "spark": "run, backfill and demo need it",
    "quality": "suites that Spark's aggregates cannot answer need it",
    "ml": "models need it",
    "aws": "lakes on S3 and alerts by SNS need it",
    "metrics": "lakesmith metrics needs it",
    "site": "the web pages need it",
}
_SAFE_SCHEMES = ("s3", "s3a")
"""Stores with a put-if-absent by which deltalake commits, tried by racing writers."""

_UNTRIED_SCHEMES = ("gs", "abfs", "abfss", "az")
"""Stores that have one, too, where nobody has raced writers against each other yet."""

_MLFLOW_SECONDS = 5

_UNSAFE_OPTION = re.compile(r"allow_unsafe_rename", re.IGNORECASE)


class Verdict(StrEnum):
    """What a check found."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Check:
    """One line of the doctor's.

    Args:
        subject: what was looked at.
        found: what it is, or what is wrong.
        next_step: the command or the change that helps; empty where none is needed.
    """

    subject: str
    verdict: Verdict
    found: str
    next_step: str = ""


def examine(environment: str | None, project_root: Path | None) -> Iterator[Check]:
    """Every check, in the order in which mistakes are best mended.

    Args:
        environment: None takes LAKESMITH_ENV, else dev.
        project_root: None looks upwards from the working folder.
    """
    yield _python()
    settings: Settings | None = None
    try:
        settings = load_settings(environment, project_root)
        yield _ok("settings", f"{settings.environment}, project {settings.project_root}")
    except InvalidSettings as error:
        yield from (
            _problem("settings", str(p), "mend it, then: lakesmith config show") for p in error.problems
        )
    except ConfigurationError as error:
        yield _problem("project", str(error), "lakesmith doctor --project DIR")
    yield from _packages()
    if settings is None:
        return
    yield from _spark(settings)
    project: Project | None = None
    try:
        project = checked_project(settings)
        load_service_levels(settings.project_root, project.graph)
        rules = sum(len(c.suite.expectations) for c in project.graph.contracts.values())
        tables, sources = len(project.graph.contracts), len(project.graph.sources)
        yield _ok("contracts", f"{tables} tables of {sources} sources, {rules} expectations")
    except InvalidProject as error:
        yield from (_problem("contracts", str(p), "mend it, then: lakesmith doctor") for p in error.problems)
    except LakesmithError as error:
        yield _problem("contracts", str(error))
    if project is not None:
        yield from _jobs(project, settings)
    yield from _landing(settings, project)
    yield from _lake(settings, project)
    yield from _mlflow(settings)


def _ok(subject: str, found: str) -> Check:
    return Check(subject, Verdict.OK, found)


def _warning(subject: str, found: str, next_step: str = "") -> Check:
    return Check(subject, Verdict.WARNING, found, next_step)


def _problem(subject: str, found: str, next_step: str = "") -> Check:
    return Check(subject, Verdict.PROBLEM, found, next_step)


def _python() -> Check:
    found = f"{'.'.join(map(str, sys.version_info[:3]))}, {sys.executable}"
    low, high = _PYTHON
    if low <= sys.version_info[:2] <= high:
        return _ok("python", found)
    supported = f"{low[0]}.{low[1]} to {high[0]}.{high[1]}"
    return _problem(
        "python", f"{found}; supported is {supported}", "make env, with a supported Python first on PATH"
    )


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _packages() -> Iterator[Check]:
    """The extras, and whether Spark and Delta fit each other."""
    for extra, packages in _EXTRAS.items():
        found = {package: _version(package) for package in packages}
        missing = [package for package, version in found.items() if version is None]
        if missing:
            said = f"{', '.join(missing)} not installed; {_NEEDED_BY[extra]}"
            yield _warning(f"extra {extra}", said, f"pip install 'lakesmith[{extra}]'")
        else:
            yield _ok(
                f"extra {extra}", ", ".join(f"{package} {version}" for package, version in found.items())
            )
    spark, delta = _version("pyspark"), _version("delta-spark")
    if spark is not None and delta is not None:
        wanted = _PAIRS.get(".".join(spark.split(".")[:2]))
        if wanted is None:
            yield _problem("spark and delta", f"Spark {spark} is not supported; 4.0 and 4.1 are", "make env")
        elif not delta.startswith(wanted):
            said = f"Spark {spark} needs delta-spark {wanted.rstrip('.')}, found {delta}"
            yield _problem("spark and delta", said, "make env")
        else:
            yield _ok(
                "spark and delta",
                f"Spark {spark} with Delta {delta}, committed to by deltalake {_version('deltalake')}",
            )
    pandas = _version("pandas")
    if pandas is not None and int(pandas.split(".")[0]) >= 3:
        yield _problem("pandas", f"pandas {pandas}: PySpark 4.0 needs one below 3", "pip install 'pandas<3'")


def _spark(settings: Settings) -> Iterator[Check]:
    """Java and the jars; nothing to say where there is no Spark to run on them."""
    if importlib.util.find_spec("pyspark") is None:
        return
    from lakesmith.lake.java import SUPPORTED, java_home

    home = java_home()
    if home is None:
        versions = " or ".join(map(str, SUPPORTED))
        yield _problem("java", f"no Java {versions} in this environment, in JAVA_HOME or on PATH", "make env")
    else:
        yield _ok("java", f"{_java_version(home)}, {home}")
    from lakesmith.lake.jars import LOCK_NAME, S3_FOLDER

    required = settings.project_root / "requirements"
    yield from _jars("jars", settings.jars_dir, required / LOCK_NAME)
    if settings.uses_s3:
        yield from _jars("jars of s3", settings.jars_dir / S3_FOLDER, required / "jars-s3.lock")
    try:
        yield _ok("spark-submit", spark_submit())
    except ConfigurationError as error:
        yield _warning("spark-submit", f"{error}", "make env")


def _java_version(home: Path) -> str:
    told = subprocess.run(
        [str(home / "bin" / "java"), "-version"], capture_output=True, text=True, check=False
    ).stderr
    found = re.search(r'version "([^"]+)"', told)
    return found.group(1) if found else "of unknown version"


def _jars(subject: str, folder: Path, required: Path) -> Iterator[Check]:
    """Whether a folder holds the jars of its lock, and the lock is the one that the project has."""
    from lakesmith.lake.jars import LOCK_NAME, read_lock

    lock = folder / LOCK_NAME
    if not lock.is_file():
        yield _problem(
            subject, f"{folder} holds no {LOCK_NAME}: the jars were never fetched whole", "make env"
        )
        return
    try:
        jars = read_lock(lock)
    except LakesmithError as error:
        yield _problem(subject, str(error), "make env")
        return
    wrong = []
    for jar in jars:
        path = folder / jar.file
        if not path.is_file():
            wrong.append(f"{jar.file} is missing")
        elif _sha256(path) != jar.sha256:
            wrong.append(f"{jar.file} is not the file that {LOCK_NAME} names (SHA-256)")
    if required.is_file() and required.read_bytes() != lock.read_bytes():
        wrong.append(f"requirements/{required.name} asks for others than were fetched")
    delta, installed = (
        {j.revision for j in jars if j.module.startswith("delta-spark")},
        _version("delta-spark"),
    )
    if installed is not None and delta and delta != {installed}:
        wrong.append(f"the Delta jar is {', '.join(sorted(delta))}, the Python package {installed}")
    if wrong:
        yield _problem(subject, f"{folder}: {'; '.join(wrong)}", "make env")
    else:
        yield _ok("jars", f"{', '.join(jar.file for jar in jars)}: SHA-256 as locked")


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _jobs(project: Project, settings: Settings) -> Iterator[Check]:
    """Whether every job's file has the transform of its table."""
    context = Context(project, settings)
    wrong = 0
    for table in project.graph.order:
        try:
            context.fingerprints(table, SCHEME)
        except LakesmithError as error:
            wrong += 1
            yield _problem("jobs", f"{table}: {error}")
    if not wrong:
        yield _ok("jobs", f"every one of {len(project.graph.order)} tables has its transform")


def _landing(settings: Settings, project: Project | None) -> Iterator[Check]:
    """Whether the landing root can be read; it need not be writable."""
    try:
        root = settings.landing_root
    except LakesmithError as error:
        yield _problem("landing root", str(error))
        return
    wrong = _no_landing(root, settings)
    yield wrong or _ok("landing root", root)
    if wrong or project is None:
        return
    context = Context(project, settings)
    for name, source in sorted(project.graph.sources.items()):
        try:
            days = context.folder(name).all_days()
        except LakesmithError as error:
            yield _problem(f"source {name}", str(error))
            continue
        if source.is_external:
            yield from _external(context, name, days)
        elif days:
            yield _ok(f"source {name}", f"files of {len(days):,} days, {days[0]} .. {days[-1]}")
        else:
            wanted = f"{root}/{name}/{source.patterns[0]}"
            yield _warning(
                f"source {name}", f"no file like {wanted}", "deliver files there, or try: lakesmith demo"
            )


def _no_landing(root: str, settings: Settings) -> Check | None:
    """Why landing files cannot be read; None where they can."""
    if is_s3(root):
        try:
            S3Folder(root, settings.s3_access).entries()
        except AwsError as error:
            return _problem("landing root", str(error), "mend that, or set LAKESMITH__LANDING_ROOT")
        return None
    if "://" in root:
        said = f"{root} is neither a folder nor in S3"
        return _problem(
            "landing root", said, "set LAKESMITH__LANDING_ROOT to a folder, or to s3://bucket/folder"
        )
    if not Path(root).is_dir():
        said = "deliver files there, or set LAKESMITH__LANDING_ROOT"
        return _warning("landing root", f"{root} is not there", said)
    if not os.access(root, os.R_OK | os.X_OK):
        return _problem("landing root", f"{root} may not be read by this user", f"chmod u+rx {root}")
    return None


def _external(context: Context, name: str, days: Sequence[date]) -> Iterator[Check]:
    """Whether the table of somebody else can be read."""
    source = context.project.graph.sources[name]
    if days:
        yield _ok(f"source {name}", f"rows of {len(days):,} days, {days[0]} .. {days[-1]}, in {source.path}")
        return
    looked_at = context.folder(name).days(source.start, source.start)[source.start]
    reason = looked_at.reason if looked_at.state is DayState.INCOMPLETE else f"{source.path} holds no row yet"
    yield _warning(f"source {name}", reason, f"ask who makes the table, or change {source.file}")


def _lake(settings: Settings, project: Project | None) -> Iterator[Check]:
    """Whether the lake root is of a kind on which a commit can be put-if-absent, and can be written."""
    try:
        root = settings.lake_root
    except LakesmithError as error:
        yield _problem("lake root", str(error))
        return
    unsafe = [
        key
        for key, value in settings.storage_options.items()
        if _UNSAFE_OPTION.search(key) and value.get_secret_value().lower() not in ("", "0", "false")
    ]
    if unsafe:
        said = f"storage_options.{unsafe[0]} lets two commits overwrite each other"
        yield _problem("lake root", said, "take it out of the settings")
    scheme = root.split("://", 1)[0].lower() if "://" in root else ""
    if scheme and scheme not in _SAFE_SCHEMES:
        said = (
            f"{root}: whether of two commits to {scheme}:// one is refused was never tried"
            if scheme in _UNTRIED_SCHEMES
            else f"{root}: deltalake has no put-if-absent on {scheme}://, so commits could be lost"
        )
        yield _problem(
            "lake root", said, "set LAKESMITH__LAKE_ROOT to a folder of this machine or a shared disk"
        )
        return
    lake = LakeLocation.of(settings)
    if (objects := lake.objects) is not None:
        wrong = leases_by_boto3(objects) or commits_by_deltalake(lake, objects)
        by = " by boto3 and deltalake"
    else:
        wrong, by = _probe(Path(root)), ""
    if wrong:
        yield _problem(
            "lake root", f"{root}: {wrong}", "mend that, or set LAKESMITH__LAKE_ROOT to another place"
        )
        return
    yield _ok("lake root", f"{root}: writable{by}, commits are put-if-absent")
    if objects is not None and importlib.util.find_spec("pyspark") is not None:
        wrong = stages_by_spark(settings, objects)
        yield (
            _problem("lake in spark", wrong, "mend that: make env, lakesmith config show")
            if wrong
            else _ok("lake in spark", f"{root}: written and read by S3A")
        )
    if project is not None:
        yield from _tables(Context(project, settings))


def _probe(root: Path) -> str:
    """What keeps deltalake from committing safely to a folder; empty when nothing does."""
    existing = next((folder for folder in (root, *root.parents) if folder.exists()), root)
    if not existing.is_dir():
        return f"{existing} is not a folder"
    try:
        # In the nearest folder that is there: a doctor makes no lake.
        with tempfile.TemporaryDirectory(prefix=".lakesmith-doctor-", dir=existing) as folder:
            staged, commit = Path(folder) / "staged", Path(folder) / "commit"
            staged.touch()
            commit.hardlink_to(staged)
            try:
                commit.hardlink_to(staged)
            except FileExistsError:
                pass
            else:
                return "a second commit of one version would win over the first (hard links overwrite)"
            with staged.open() as handle:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return f"{existing} cannot hold a table's log or a lease: {error.strerror or error}"
    return ""


def _mlflow(settings: Settings) -> Iterator[Check]:
    """Whether the server that keeps models answers; a store beside the lake is the lake's matter."""
    uri = revealed(settings.mlflow.tracking_uri)
    if uri is None or not uri.startswith(("http://", "https://")):
        return
    parts = urlsplit(uri)
    # Without the user and the password that may be in it.
    shown = f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
    try:
        with urllib.request.urlopen(f"{shown.rstrip('/')}/health", timeout=_MLFLOW_SECONDS):
            yield _ok("mlflow", f"{shown} answers")
    except urllib.error.HTTPError as error:
        # A server that asks who is there is there.
        yield _ok("mlflow", f"{shown} answers ({error.code})")
    except OSError as error:
        said = f"{shown} does not answer: {getattr(error, 'reason', error)}"
        yield _warning("mlflow", said, "start it, or mend LAKESMITH__MLFLOW__TRACKING_URI")


def _tables(context: Context) -> Iterator[Check]:
    """Whether every table that is there can be opened by this version."""
    wrong, there = 0, 0
    for table in (*context.project.graph.order, *OPS_TABLES):
        try:
            if table in OPS_TABLES:
                context.ledger.ops.read(OPS_TABLES[table], columns=[])
            else:
                there += context.lake.open(table) is not None
        except LakesmithError as error:
            wrong += 1
            yield _problem("tables", str(error))
    if not wrong:
        yield _ok(
            "tables", f"{there} of {len(context.project.graph.order)} are there, all of a supported kind"
        )
