"""What leaks would claim: the reference model trained and measured honestly, and with leaks that look like good results.

    .venv/bin/python bench/leakage.py [--env dev] [--as-of 2011-06-30]

needs a lake with gold.customer_features and gold.repurchase_labels; docs/models.md shows the table that it printed. For each
leak it prints what its own test claims, and what the same fitted model gives on honest rows. Nothing is kept.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from pyspark.ml import PipelineModel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lakesmith.contracts.days import parse_night
from lakesmith.contracts.declaration import Algorithm, Calibration, Candidate, Preparation, Scalar
from lakesmith.contracts.model import BATCH_DATE
from lakesmith.engine.context import Context
from lakesmith.engine.submit import open_context
from lakesmith.engine.training import pin_rows, rows_of
from lakesmith.ml import pipelines
from lakesmith.ml.fitting import evaluate
from lakesmith.ml.frames import collect_predictions, in_order

DEEP = Candidate("deep forest", Algorithm.RANDOM_FOREST, Preparation(), {})
DEEP_PARAMETERS: dict[str, Scalar] = {"maxDepth": 20, "numTrees": 60, "minInstancesPerNode": 1}
SHALLOW = Candidate("forest", Algorithm.RANDOM_FOREST, Preparation(), {})
SHALLOW_PARAMETERS: dict[str, Scalar] = {"maxDepth": 6, "numTrees": 100, "minInstancesPerNode": 50}
LEAK_DAYS = 7


@dataclass
class Laboratory:
    """The rows of one training, and what is done with them."""

    context: Context
    night: date

    def __post_init__(self) -> None:
        self.declaration = replace(self.context.project.model("repurchase"), bootstrap=200)
        self.contract = self.context.project.graph.contract(self.declaration.features_table)
        self.pinned = pin_rows(self.context, self.declaration, self.night)
        self.dates = self.pinned.dates

    def rows(self, days: tuple[date, ...]) -> DataFrame:
        """Features and labels of some dates, as a training has them."""
        found = rows_of(self.context, self.declaration, self.pinned.versions, days)
        return in_order(found, self.declaration, 1).persist()

    def rows_that_know_later(self, days: tuple[date, ...]) -> DataFrame:
        """Population and label of D, features of D + 7."""
        entity = self.declaration.entity
        known = self.rows(days).select(entity, BATCH_DATE, "label")
        later = rows_of(
            self.context,
            self.declaration,
            self.pinned.versions,
            tuple(d + timedelta(LEAK_DAYS) for d in days),
        ).drop("label")
        shifted = later.withColumn(BATCH_DATE, F.date_sub(BATCH_DATE, LEAK_DAYS))
        return in_order(known.join(shifted, [entity, BATCH_DATE]), self.declaration, 1).persist()

    def fit(self, candidate: Candidate, parameters: dict[str, Scalar], rows: DataFrame) -> PipelineModel:
        """A candidate with fixed parameters, not calibrated."""
        fitted = pipelines.pipeline(self.declaration, self.contract, candidate, parameters).fit(rows)
        return pipelines.join(fitted, pipelines.calibrator(Calibration.NONE, rows))

    def measured(self, model: PipelineModel, rows: DataFrame) -> str:
        """ROC AUC with its interval, PR AUC and the rows, as text."""
        count = rows.count()
        found = evaluate(
            self.declaration,
            collect_predictions(self.declaration, pipelines.with_score(model, rows), count),
            None,
        )
        roc, pr = (found.metrics[name] for name in ("roc_auc", "pr_auc"))
        return f"{roc.value:.3f} ({roc.low:.3f} .. {roc.high:.3f})  {pr.value:.3f}  {count:>6,}"


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--env", default="dev")
    parser.add_argument("--as-of", default="2011-06-30")
    asked = parser.parse_args()
    lab = Laboratory(open_context(asked.env, Path(__file__).parents[1]), parse_night(asked.as_of))
    train, test = lab.rows(lab.dates.train), lab.rows(lab.dates.test)

    print(f"{'':34}  {'ROC AUC':23}  PR AUC    rows")

    def show(name: str, measure: Callable[[], str]) -> None:
        print(f"{name:34}  {measure()}", flush=True)

    for candidate, parameters in ((SHALLOW, SHALLOW_PARAMETERS), (DEEP, DEEP_PARAMETERS)):
        honest = lab.fit(candidate, parameters, train)
        show(f"{candidate.name}: honest", lambda m=honest: lab.measured(m, test))  # type: ignore[misc]
        # Rows of one customer, days apart, are nearly the same row: a random split puts one on each side.
        pool = train.unionByName(test)
        chance = F.pmod(
            F.xxhash64(F.lit(lab.declaration.seed), lab.declaration.entity, BATCH_DATE), F.lit(10)
        )
        mine, theirs = (
            in_order(pool.where(part), lab.declaration, 1).persist() for part in (chance < 7, chance >= 7)
        )
        random_split = lab.fit(candidate, parameters, mine)
        show("  random row split claims", lambda m=random_split, r=theirs: lab.measured(m, r))  # type: ignore[misc]
        peeking = lab.fit(candidate, parameters, lab.rows_that_know_later(lab.dates.train))
        leaky = lab.rows_that_know_later(lab.dates.test)
        show("  features up to D+7 claim", lambda m=peeking, r=leaky: lab.measured(m, r))  # type: ignore[misc]
        show("  ... and give in production", lambda m=peeking: lab.measured(m, test))  # type: ignore[misc]
        # Training dates up to the day before the test, whose labels are decided inside it.
        first = lab.dates.test[0]
        close = tuple(first - timedelta(7 * week + 1) for week in range(len(lab.dates.train)))
        no_gap = lab.fit(candidate, parameters, lab.rows(tuple(sorted(close))))
        show("  no gap before the test claims", lambda m=no_gap: lab.measured(m, test))  # type: ignore[misc]


if __name__ == "__main__":
    main()
