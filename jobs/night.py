"""Several tables of a night, or all of them, in one Spark session.

spark-submit jobs/night.py --date 2011-03-01 --table silver.sales_lines --table gold.daily_sales --env dev
"""

from __future__ import annotations

import sys
from pathlib import Path

from lakesmith.engine.submit import submit_night

if __name__ == "__main__":
    sys.exit(int(submit_night(Path(__file__).resolve(), sys.argv[1:])))
