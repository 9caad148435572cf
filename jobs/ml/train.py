"""Training a model as a Spark job; the version it makes is the challenger if every gate passes.

spark-submit jobs/ml/train.py repurchase --as-of 2011-06-30 --env dev
"""

from __future__ import annotations

import sys
from pathlib import Path

from lakesmith.engine.submit import submit_training

if __name__ == "__main__":
    sys.exit(int(submit_training(Path(__file__).resolve(), sys.argv[1:])))
