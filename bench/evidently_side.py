"""Evidently's drift report on two folders of Parquet: run by `bench.drift` in an environment of its own.

Reading and turning decimals into numbers are not timed: its users have a frame already.
"""

from __future__ import annotations

import json
import resource
import sys
import time

import evidently
import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset


def main() -> None:
    """Prints seconds of two reports, columns that drifted, and the process's peak memory, as one line of JSON."""
    baseline, current = (_frame(folder) for folder in sys.argv[1:3])
    numbers = list(baseline.select_dtypes("number").columns)
    definition = DataDefinition(
        numerical_columns=numbers,
        categorical_columns=[name for name in baseline.columns if name not in numbers],
    )
    seconds = []
    drifted = 0
    for _ in range(2):
        began = time.perf_counter()
        found = Report([DataDriftPreset()]).run(
            Dataset.from_pandas(current, data_definition=definition),
            Dataset.from_pandas(baseline, data_definition=definition),
        )
        told = found.dict()
        seconds.append(time.perf_counter() - began)
        drifted = int(told["metrics"][0]["value"]["count"])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        json.dumps(
            {"seconds": seconds, "drifted": drifted, "peak_mb": round(peak), "version": evidently.__version__}
        )
    )


def _frame(folder: str) -> pd.DataFrame:
    frame = pd.read_parquet(folder).drop(columns="batch_date")
    money = [name for name in frame.columns if name.startswith("money")]
    return frame.astype(dict.fromkeys(money, "float64"))


if __name__ == "__main__":
    main()
