"""The project `tills`, whose source is a database, and what tests do with a copy of it and with the head office's tables."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from postgres import Database
from workspaces import Workspace

__all__ = ["ROOT", "SALES", "Tills"]

ROOT = Path(__file__).parents[1]

SALES = """
CREATE TABLE sales (
    id bigint PRIMARY KEY,
    shop text NOT NULL,
    article varchar(40),
    pieces int NOT NULL,
    amount numeric(12, 2) NOT NULL,
    customer text,
    sold_at timestamptz NOT NULL,
    till_time timestamp NOT NULL
);
INSERT INTO sales
SELECT day * 100 + n, 'shop ' || n % 3, 'article ' || n, n, n * 1.25, CASE WHEN n % 4 > 0 THEN 'card ' || n END,
       TIMESTAMPTZ '2024-01-01 00:00:00+00' + (day - 1) * INTERVAL '1 day' + n * INTERVAL '1 hour',
       TIMESTAMP '2024-01-01 01:00:00' + (day - 1) * INTERVAL '1 day' + n * INTERVAL '1 hour'
FROM generate_series(1, 3) AS day, generate_series(0, 9) AS n;
"""
"""Ten sales on each of three days, from Monday on."""


class Tills(Workspace):
    """A copy of the project, connected to a database."""

    def __init__(self, root: Path, database: Database) -> None:
        super().__init__(root)
        self.database = database

    @classmethod
    def made_in(cls, root: Path, database: Database) -> Tills:
        """A copy of the project, and the head office's table of sales."""
        shutil.copytree(ROOT / "tests" / "projects" / "tills", root)
        (root / ".jars").symlink_to(ROOT / ".jars")
        database.run(SALES)
        return cls(root, database)

    @property
    def landing(self) -> Path:
        return self.root / "landing" / "sales"

    def landed(self) -> list[str]:
        """Every file of the source's folder, the hidden ones too."""
        return sorted(str(p.relative_to(self.landing)) for p in self.landing.rglob("*") if p.is_file())

    def ask(self, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Runs `lakesmith ...` in a process of its own."""
        program = "import sys; from lakesmith.cli.main import main; sys.exit(main())"
        return subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=self.root,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "COLUMNS": "200", **self.database.variables(), **environ},
        )
