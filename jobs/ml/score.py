"""Scoring nights as a Spark job: the tables that read a model, and nothing else.

spark-submit jobs/ml/score.py --date 2011-06-30 --env dev
"""

from __future__ import annotations

import sys
from pathlib import Path

from lakesmith.engine.submit import submit_scores

if __name__ == "__main__":
    sys.exit(int(submit_scores(Path(__file__).resolve(), sys.argv[1:])))
