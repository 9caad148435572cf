"""What setup.cfg cannot say: a wheel carries the commit that it was built from."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithCommit(build_py):
    """Copies the package, and writes the commit beside it."""

    def run(self) -> None:
        """As setuptools does; an editable install is the tree itself, and git is asked there."""
        super().run()
        if not self.editable_mode:
            commits = run_path(str(ROOT / "lib" / "lakesmith" / "ledger" / "source_commit.py"))
            build = commits["build_of"](ROOT, ["lib"])
            file = Path(self.build_lib) / "lakesmith" / commits["COMMIT_FILE"]
            file.write_text(build.to_json(), encoding="utf-8")


setup(cmdclass={"build_py": BuildWithCommit})
