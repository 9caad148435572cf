"""Running the code that a training run kept, and never another in its place.

Owns unpacking and the child process. An archive comes from a store that others write to: nothing of it lands outside its
folder, and it cannot fill the disk. That its code is then run is the point, and the caller's trust in the store.
"""

from __future__ import annotations

import logging
import os
import shutil
import signal
import stat
import subprocess
import sys
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from lakesmith.errors import LakesmithError
from lakesmith.ml.code_archive import MOST_BYTES, MOST_FILES

__all__ = ["ArchivedCodeUnusable", "ArchivedRun", "run_archived", "unpack"]

log = logging.getLogger(__name__)

_TERMINATION_SECONDS = 15
"""For a process that tidies up; within the 20 that the caller has itself (`lakesmith.engine.stopping`)."""

_LINES_REMEMBERED = 5
_ENCRYPTED = 0x1

# Says where lakesmith came from before any of it works. Must do for every Lakesmith that was ever archived:
# it asks for `lakesmith.cli.main.main(arguments)` and no more.
_CHILD = """\
import importlib, os, sys
verdict, code, *arguments = sys.argv[1:]
sys.argv[:] = ["lakesmith", *arguments]
reason = ""
try:
    for name in ("lakesmith", "lakesmith.cli.main"):
        module = importlib.import_module(name)
        if not os.path.realpath(module.__file__).startswith(os.path.join(code, "")):
            reason = f"{name} would come from {module.__file__}"
            break
except Exception as error:
    reason = f"{type(error).__name__}: {error}"
with open(verdict, "w", encoding="utf-8") as file:
    file.write(reason)
sys.exit(1 if reason else module.main(arguments))
"""


class ArchivedCodeUnusable(LakesmithError):
    """The code that a training run kept cannot be run here; what today's code gives would prove nothing."""

    def __init__(self, archive: Path, reason: str) -> None:
        self.archive = archive
        self.reason = reason
        super().__init__(
            f"{archive.name}, the code that the training run kept, cannot be run here: {reason}. Today's code was not run in "
            f"its place. Check out the commit that the run names, in an environment made from its lock file, and train there."
        )


@dataclass(frozen=True)
class ArchivedRun:
    """What came of a command of archived code.

    Args:
        code: its exit code, as a shell counts (130 for SIGINT).
        stdout: its answer.
    """

    code: int
    stdout: str


def run_archived(
    wheel: Path,
    project: Path,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    workdir: Path,
    *,
    tell: Callable[[str], None] = log.info,
) -> ArchivedRun:
    """Runs a command of the archived `lakesmith` in the archived project, in a process of its own.

    Relative places in the project's settings lie below the unpacked project: name the lake, the landing root and the jars
    that are meant by their variables (LAKESMITH__LAKE_ROOT, ...).

    Args:
        wheel: as `build_wheel` made it.
        project: as `build_project` made it.
        arguments: of the command, without the program's name.
        environment: all variables of the process; PYTHONPATH comes after the archived code, LAKESMITH_PROJECT is replaced.
        workdir: a folder for both, without `code` and `project` in it; stays as the process left it.
        tell: gets every line of the process's log while it runs.

    Raises:
        ArchivedCodeUnusable: an archive is damaged or not safe to unpack, or another lakesmith would have run.
    """
    home = Path(os.path.realpath(workdir))
    code, root, verdict = home / "code", home / "project", home / "verdict"
    unpack(wheel, code)
    if not (code / "lakesmith" / "__init__.py").is_file():
        raise ArchivedCodeUnusable(wheel, "it holds no package lakesmith")
    unpack(project, root)
    if not (root / "conf" / "base.yml").is_file():
        raise ArchivedCodeUnusable(project, "it holds no conf/base.yml")
    verdict.unlink(missing_ok=True)
    paths = [str(code), *filter(None, [environment.get("PYTHONPATH")])]
    variables = {**environment, "PYTHONPATH": os.pathsep.join(paths), "LAKESMITH_PROJECT": str(root)}
    # -P: the working folder, which `-c` would put before PYTHONPATH, is not searched.
    command = [sys.executable, "-P", "-c", _CHILD, str(verdict), str(code), *arguments]
    last: deque[str] = deque(maxlen=_LINES_REMEMBERED)

    def remember_and_tell(line: str) -> None:
        last.append(line)
        tell(line)

    answer = home / "stdout"
    with answer.open("wb") as stdout:
        ended = _run(command, root, variables, stdout.fileno(), remember_and_tell)
    if not verdict.is_file():
        said = " / ".join(last) or "nothing"
        raise ArchivedCodeUnusable(wheel, f"its process ended with {ended} before it ran; it said: {said}")
    if reason := verdict.read_text(encoding="utf-8"):
        raise ArchivedCodeUnusable(wheel, reason)
    return ArchivedRun(ended, answer.read_text(encoding="utf-8", errors="replace"))


def _run(
    command: Sequence[str],
    folder: Path,
    variables: Mapping[str, str],
    stdout: int,
    tell: Callable[[str], None],
) -> int:
    with subprocess.Popen(
        command,
        cwd=folder,
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        # Ctrl-C reaches the caller only, which tells it on once: a second signal would end the process at once.
        process_group=0,
    ) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                tell(line.rstrip("\n"))
        except BaseException:
            _end(process)
            raise
    return process.returncode if process.returncode >= 0 else 128 - process.returncode


def _end(process: subprocess.Popen[str]) -> None:
    """Ends a process whose caller was interrupted, and whatever it started where it does not end by itself."""
    process.terminate()
    try:
        process.wait(_TERMINATION_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)


def unpack(archive: Path, into: Path) -> None:
    """Unpacks a zip into a folder that is not there yet.

    Raises:
        ArchivedCodeUnusable: an entry would land elsewhere, is a link or no file, the whole is larger than an archive of code
            may be, or it is damaged.
    """
    try:
        if archive.stat().st_size > MOST_BYTES:
            raise ArchivedCodeUnusable(archive, f"it is larger than {MOST_BYTES:,} bytes")
        with ZipFile(archive) as zipped:
            entries = zipped.infolist()
            _refuse_bombs(archive, entries)
            for entry in entries:
                if reason := _unsafe(entry):
                    raise ArchivedCodeUnusable(archive, f"its entry {entry.filename!r} {reason}")
            into.mkdir(parents=True)
            for entry in entries:
                _extract(zipped, entry, into / entry.filename)
    except (OSError, BadZipFile, EOFError, NotImplementedError, ValueError, zlib.error) as error:
        raise ArchivedCodeUnusable(archive, f"{type(error).__name__}: {error}") from error


def _refuse_bombs(archive: Path, entries: Sequence[ZipInfo]) -> None:
    size = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_FILES or size > MOST_BYTES:
        raise ArchivedCodeUnusable(
            archive,
            f"it would unpack to {len(entries):,} files of {size:,} bytes (at most {MOST_FILES:,} of {MOST_BYTES:,})",
        )


def _unsafe(entry: ZipInfo) -> str | None:
    """Why an entry must not be unpacked; None for one that may."""
    name = entry.filename.removesuffix("/")
    if "\\" in name or not name.isprintable() or any(part in ("", ".", "..") for part in name.split("/")):
        return "leads out of the archive"
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFDIR if entry.is_dir() else stat.S_IFREG):
        return "is a link or no regular file"
    if entry.flag_bits & _ENCRYPTED or entry.compress_type not in (ZIP_STORED, ZIP_DEFLATED):
        return "is encrypted or compressed in an unusual way"
    return None


def _extract(zipped: ZipFile, entry: ZipInfo, target: Path) -> None:
    """Writes one entry; zipfile reads no more of it than the size it declares, and then checks its checksum."""
    if entry.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # "x": a name that is there twice is a mistake, or a trick.
    with zipped.open(entry) as source, target.open("xb") as sink:
        shutil.copyfileobj(source, sink)
