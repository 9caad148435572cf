"""The archive of a project for `spark-submit --py-files`: packages, contracts, suites, settings and jobs in one zip.

Owns what goes into it. How it is laid out and unpacked is `lakesmith.config.archive`.

    python -m lakesmith.shipping.packaging --into dist
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from lakesmith import __version__
from lakesmith.config.archive import ArchiveUnreadable, package_folder, unpack
from lakesmith.config.load import find_project
from lakesmith.errors import ConfigurationError, LakesmithError
from lakesmith.ledger.source_commit import COMMIT_FILE, SHIPPED_COMMIT, Build, build_of, read_build
from lakesmith.ml.code_archive import contents, is_debris, is_private, write_zip

__all__ = ["build_archive", "built_archive", "shipped_build"]

log = logging.getLogger(__name__)

_OF_PROJECT = ("conf", "jobs")


def build_archive(root: Path, into: Path) -> Path:
    """Makes the archive of a project as its files are now. Equal files at one commit give equal bytes.

    It holds the packages of the project's lib/ and the lakesmith package at work at its top, and conf/ and jobs/ beside them,
    without hidden files and `*.local` ones.

    Args:
        root: the project's folder.
        into: the folder for the archive; made where it is not there.

    Returns:
        `<into>/lakesmith-<version>-<commit>.zip`, `-dirty` at its end where the tree was.

    Raises:
        CodeNotArchivable: a file cannot be read, or there is more than code.
    """
    build = build_of(root, ["lib", *_OF_PROJECT])
    package, lib = package_folder(), root / "lib"
    files = contents(package.parent, [package], is_debris, links_within=None)
    if lib.is_dir():
        packages = [
            child for child in lib.iterdir() if child.name != "lakesmith" and not _is_debris(child.name)
        ]
        files |= contents(lib, packages, _is_debris, links_within=[lib])
    present = [root / name for name in _OF_PROJECT if (root / name).is_dir()]
    files |= contents(root, present, is_private, links_within=present)
    files[f"lakesmith/{COMMIT_FILE}"] = build.to_json().encode()
    name = f"lakesmith-{__version__}-{build.commit}{'-dirty' if build.dirty else ''}.zip"
    return write_zip(into / name, {path: files[path] for path in sorted(files)})


def built_archive(root: Path) -> Path:
    """The one archive that `make package` left in a project's dist/.

    Raises:
        ConfigurationError: there is none, or more than one.
    """
    found = sorted((root / "dist").glob("lakesmith-*.zip"))
    if len(found) == 1:
        return found[0]
    said = f"holds {', '.join(path.name for path in found)}" if found else "holds no archive"
    raise ConfigurationError(
        f"{root / 'dist'} {said}. Make it: make package. Or name one: --archive FILE, or submit.archive in the settings"
    )


def shipped_build(archive: Path) -> tuple[Path, Build]:
    """The files of an archive in a folder, and what it was built from.

    Raises:
        ArchiveUnreadable: it is none.
    """
    folder = unpack(archive)
    build = read_build(folder / SHIPPED_COMMIT)
    if build is None or not (folder / "conf" / "base.yml").is_file():
        raise ArchiveUnreadable(archive, "holds no project and no commit")
    return folder, build


def _is_debris(name: str) -> bool:
    return is_debris(name) or name.endswith(".egg-info")


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the archive of the project in the working folder."""
    parser = argparse.ArgumentParser(prog="python -m lakesmith.shipping.packaging", description=main.__doc__)
    parser.add_argument("--into", type=Path, default=Path("dist"), help="the folder for it")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        log.info("%s", build_archive(find_project(), chosen.into))
    except LakesmithError as error:
        log.error("%s", error)
        return int(error.exit_code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
