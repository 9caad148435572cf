"""The jars that Spark needs and pyspark does not carry: which, where, and whether they are the right bytes.

Owns `requirements/jars.lock` (SHA-256, Maven coordinate, file name), the folder it is fetched into, and an
installation's `spark-defaults.conf`, which names the jars and the Python. Imports no pyspark: jars are
fetched before a session can start. Ivy does the resolving, out of the jar that pyspark ships.

    python -m lakesmith.lake.jars fetch --into .jars
    python -m lakesmith.lake.jars fetch --into .jars/s3 --lock requirements/jars-s3.lock
    python -m lakesmith.lake.jars configure --jars .jars
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import logging
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import quoteattr

from lakesmith.errors import ConfigurationError, LakesmithError
from lakesmith.lake.java import java_home

if TYPE_CHECKING:
    from py4j.java_gateway import JavaGateway
    from pyspark import SparkContext

__all__ = [
    "Jar",
    "JarMismatch",
    "JarsMissing",
    "JarsUnreachable",
    "configure",
    "delta_on_classpath",
    "fetch",
    "jar_paths",
    "read_lock",
    "s3_on_classpath",
    "verify",
]

log = logging.getLogger(__name__)

LOCK_NAME = "jars.lock"
S3_FOLDER = "s3"
"""Below the folder of all jars: those that only a lake or landing files in S3 need, by a lock of their own."""

# The class that `spark.sql.extensions` names; where it is found, the rest of delta-spark is.
_DELTA_RESOURCE = "io/delta/sql/DeltaSparkSessionExtension.class"
_S3_RESOURCE = "org/apache/hadoop/fs/s3a/S3AFileSystem.class"

# The default resolver only: a local Maven repository, which Spark's own resolving asks first, may hold poms
# without their jars, and then the resolution fails.
_IVY_SETTINGS = """\
<ivysettings>
  <settings defaultResolver="central"/>
  <resolvers>
    <ibiblio name="central" m2compatible="true"/>
  </resolvers>
</ivysettings>
"""


# Only errors, so that a job's own log can be read; and not those that quote the values of a row that failed.
_LOG4J = """\
# Written by `make env` (lakesmith.lake.jars).
rootLogger.level = error
rootLogger.appenderRef.stderr.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %p %c: %m%n%ex
logger.executor.name = org.apache.spark.executor.Executor
logger.executor.level = off
logger.tasks.name = org.apache.spark.scheduler.TaskSetManager
logger.tasks.level = off
"""


class JarsMissing(ConfigurationError):
    """A session needs jars that were never fetched, or not all of them."""

    def __init__(self, jars_dir: Path, missing: Sequence[str]) -> None:
        self.jars_dir = jars_dir
        self.missing = tuple(missing)
        super().__init__(f"{jars_dir} lacks {', '.join(missing)}. Fetch the jars: make env")


class JarMismatch(LakesmithError):
    """A jar's bytes are not those that the lock names; the file was deleted."""

    def __init__(self, path: Path, expected: str, found: str) -> None:
        self.path = path
        self.expected = expected
        self.found = found
        super().__init__(
            f"{path}: SHA-256 is {found}, the lock says {expected}; the file was deleted. "
            f"Fetch it again: make env. If it differs again, do not use what was served."
        )


class JarsUnreachable(LakesmithError):
    """Maven Central could not be reached, or does not have a jar that the lock names."""

    retryable = True

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(f"Ivy could not fetch the jars:\n{detail}\nWith the network up, try again: make env")


@dataclass(frozen=True)
class Jar:
    """One line of the lock."""

    sha256: str
    organisation: str
    module: str
    revision: str
    file: str

    @classmethod
    def parse(cls, line: str, where: str) -> Jar:
        """Read `<sha256> <organisation>:<module>:<revision> <file name>`."""
        match line.split():
            case [sha256, coordinate, file] if len(sha256) == 64 and coordinate.count(":") == 2:
                organisation, module, revision = coordinate.split(":")
                return cls(sha256, organisation, module, revision, file)
            case _:
                expected = "<sha256> <organisation>:<module>:<revision> <file name>"
                raise ConfigurationError(f"{where}: expected `{expected}`, found {line!r}.")


def read_lock(path: Path) -> list[Jar]:
    """The jars that a lock file names; lines that start with `#` are comments."""
    lines = enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
    return [Jar.parse(line, f"{path}:{n}") for n, line in lines if line.strip() and not line.startswith("#")]


def jar_paths(jars_dir: Path, *, s3: bool = False) -> list[Path]:
    """Absolute paths of the fetched jars, in the lock's order, for `spark.jars`.

    Args:
        s3: with those that S3 needs.

    The folder holds a copy of the lock it was filled from, written last: so a half-done fetch is no fetch,
    and a jar that an older lock left behind is never picked up.

    Raises:
        JarsMissing: the jars were not fetched, or some are gone.
    """
    lock = jars_dir / LOCK_NAME
    if not lock.is_file():
        raise JarsMissing(jars_dir, ["the jars that requirements/ names"])
    jars = read_lock(lock)
    if missing := [jar.file for jar in jars if not (jars_dir / jar.file).is_file()]:
        raise JarsMissing(jars_dir, missing)
    found = [(jars_dir / jar.file).resolve() for jar in jars]
    return [*found, *jar_paths(jars_dir / S3_FOLDER)] if s3 else found


def verify(path: Path, jar: Jar) -> None:
    """Compare a file with its line in the lock; a file that differs is deleted.

    Raises:
        JarMismatch: the bytes are others.
    """
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != jar.sha256:
        path.unlink()
        raise JarMismatch(path, jar.sha256, found)


def fetch(lock: Path, into: Path, cache: Path) -> list[Path]:
    """Make a folder hold exactly the jars of a lock, each checked; what is there already is only checked.

    Args:
        lock: the lock file.
        into: the folder; jars in it that the lock does not name are removed.
        cache: Ivy's working folder, apart from the one under HOME that other tools share.

    Raises:
        JarMismatch: a file is not the one that the lock names.
        JarsUnreachable: Ivy found no way to a jar.
    """
    jars = read_lock(lock)
    into.mkdir(parents=True, exist_ok=True)
    (into / LOCK_NAME).unlink(missing_ok=True)
    for jar in jars:
        if (into / jar.file).is_file():
            verify(into / jar.file, jar)
    if wanted := [jar for jar in jars if not (into / jar.file).is_file()]:
        _retrieve(wanted, into, cache)
    for path in into.glob("*.jar"):
        if path.name not in {jar.file for jar in jars}:
            path.unlink()
    shutil.copyfile(lock, into / LOCK_NAME)
    return jar_paths(into)


def _retrieve(jars: Sequence[Jar], into: Path, cache: Path) -> None:
    """Let Ivy download jars; each is checked before it enters the folder."""
    arrivals = cache / "arrivals"
    shutil.rmtree(arrivals, ignore_errors=True)
    arrivals.mkdir(parents=True)
    settings, dependencies = cache / "settings.xml", cache / "dependencies.xml"
    settings.write_text(_IVY_SETTINGS, encoding="utf-8")
    dependencies.write_text(_ivy_file(jars), encoding="utf-8")
    home = java_home()
    command = [str(home / "bin" / "java") if home else "java", "-cp", str(_ivy_jar()), "org.apache.ivy.Main"]
    command += ["-settings", str(settings), "-ivy", str(dependencies), "-cache", str(cache / "artifacts")]
    # Without `-types jar` Ivy takes sources and documentation too, and fails on their equal names.
    command += ["-types", "jar", "-retrieve", f"{arrivals}/[artifact]-[revision].[ext]", "-warn"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    absent = [jar.file for jar in jars if not (arrivals / jar.file).is_file()]
    if done.returncode or absent:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise JarsUnreachable("\n".join([*lines[-20:], *(f"not retrieved: {file}" for file in absent)]))
    for jar in jars:
        try:
            verify(arrivals / jar.file, jar)
        except JarMismatch:
            # Ivy would serve the same bytes from its cache for ever.
            shutil.rmtree(cache / "artifacts", ignore_errors=True)
            raise
        (arrivals / jar.file).replace(into / jar.file)


def _ivy_file(jars: Sequence[Jar]) -> str:
    """An Ivy file that asks for these jars themselves (`master`), without what they depend on."""
    dependencies = "".join(
        f"    <dependency org={quoteattr(jar.organisation)} name={quoteattr(jar.module)} "
        f'rev={quoteattr(jar.revision)} conf="default-&gt;master" transitive="false"/>\n'
        for jar in jars
    )
    return (
        '<ivy-module version="2.0">\n  <info organisation="lakesmith" module="jars"/>\n'
        '  <configurations><conf name="default"/></configurations>\n'
        f"  <dependencies>\n{dependencies}  </dependencies>\n</ivy-module>\n"
    )


def _pyspark_home() -> Path:
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise ConfigurationError("pyspark is not installed in this environment. Install it: make env")
    return Path(spec.origin).parent


def _ivy_jar() -> Path:
    folder = _pyspark_home() / "jars"
    for path in sorted(folder.glob("ivy-*.jar")):
        return path
    raise ConfigurationError(f"{folder} holds no ivy-*.jar: this pyspark is not whole. Install it again.")


def configure(jars_dir: Path) -> Path:
    """Tell the installed pyspark its jars and its Python, so that a bare `spark-submit` has both.

    `spark.jars` in a session builder comes too late under `spark-submit`, whose JVM runs already; its driver
    and workers would take whatever `python3` is first on PATH.

    Returns:
        The `spark-defaults.conf` that was written.
    """
    python = str(Path(sys.prefix) / "bin" / "python")
    settings = {
        "spark.jars": ",".join(str(path) for path in jar_paths(jars_dir)),
        "spark.pyspark.python": python,
        "spark.pyspark.driver.python": python,
    }
    path = _pyspark_home() / "conf" / "spark-defaults.conf"
    path.parent.mkdir(exist_ok=True)
    lines = [
        "# Written by `make env` (lakesmith.lake.jars).",
        *(f"{key} {value}" for key, value in settings.items()),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    (path.parent / "log4j2.properties").write_text(_LOG4J, encoding="utf-8")
    return path


def s3_on_classpath(spark: SparkContext | JavaGateway) -> bool:
    """Whether the JVM behind a context or a gateway can load Hadoop's S3A; see `delta_on_classpath`."""
    return _on_classpath(spark, _S3_RESOURCE)


def delta_on_classpath(spark: SparkContext | JavaGateway) -> bool:
    """Whether the JVM behind a context or a gateway can load Delta Lake.

    Asked of the context class loader: that is the one which sees `--jars`, `--packages` and `spark.jars`. It
    needs no session, so the answer comes before one is half-made (Spark only warns of an extension that it
    cannot load).
    """
    return _on_classpath(spark, _DELTA_RESOURCE)


def _on_classpath(spark: SparkContext | JavaGateway, resource: str) -> bool:
    # Here, since this module also runs before pyspark is installed whole.
    from py4j.java_gateway import JavaGateway

    # By type: a gateway answers every attribute with something, `_jvm` too.
    jvm: Any = spark.jvm if isinstance(spark, JavaGateway) else spark._jvm
    loader = jvm.java.lang.Thread.currentThread().getContextClassLoader()
    return loader.getResource(resource) is not None


def main(arguments: Sequence[str] | None = None) -> int:
    """Fetch the jars, or point the installed pyspark at them."""
    parser = argparse.ArgumentParser(prog="python -m lakesmith.lake.jars", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    fetching = commands.add_parser("fetch", help="download what is missing, check everything by SHA-256")
    fetching.add_argument("--into", type=Path, default=Path(".jars"))
    fetching.add_argument("--lock", type=Path, default=Path("requirements") / LOCK_NAME)
    fetching.add_argument("--cache", type=Path, default=Path(".cache") / "ivy")
    configuring = commands.add_parser("configure", help="write the installed pyspark's spark-defaults.conf")
    configuring.add_argument("--jars", type=Path, default=Path(".jars"))
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        if chosen.command == "fetch":
            for path in fetch(chosen.lock, chosen.into, chosen.cache.absolute()):
                log.info("jar      %s", path.name)
        else:
            log.info("settings %s", configure(chosen.jars))
    except LakesmithError as error:
        log.error("%s", error)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
