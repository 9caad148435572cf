"""The answers of databases, landed as the day's files.

spark-submit jobs/extract.py orders --date 2011-03-01 --env dev
"""

from __future__ import annotations

import sys
from pathlib import Path

from lakesmith.engine.submit import submit_extracts

if __name__ == "__main__":
    sys.exit(int(submit_extracts(Path(__file__).resolve(), sys.argv[1:])))
