"""A small model for tests of lakesmith.ml, as its declaration would be read."""

from __future__ import annotations

from lakesmith.contracts.declaration import (
    Algorithm,
    Baseline,
    Calibration,
    Candidate,
    Costs,
    Gates,
    Label,
    ModelDeclaration,
    Preparation,
    ProblemKind,
    Split,
)

__all__ = ["DECLARATION"]

DECLARATION = ModelDeclaration(
    name="repurchase",
    description="Will this customer buy again?",
    owner="retail-analytics",
    problem=ProblemKind.CLASSIFICATION,
    entity="customer_id",
    features_table="gold.customer_features",
    features=("recency_days", "orders_30d", "gap_mean_days", "last_weekday"),
    categorical=("last_weekday",),
    label=Label("gold.repurchase_labels", "repurchased", 30),
    split=Split(45, 7, 30, 3, 2, 17, 1),
    candidates=(
        Candidate(
            "logistic",
            Algorithm.LOGISTIC_REGRESSION,
            Preparation(log=True, scale=True, missing_flags=True),
            {"regParam": (0.01, 0.1)},
        ),
    ),
    trials=4,
    metric="log_loss",
    calibration=Calibration.PLATT,
    baselines=(Baseline("base_rate", ()), Baseline("recency", ("recency_days",))),
    gates=Gates(minimum={}, baselines=(), champion_metric="log_loss", champion_tolerance=0.002),
    costs=Costs(contact=1.0, gain=4.0),
    segments={},
    bootstrap=50,
    seed=7,
    intended_use="",
    limits=(),
    file="conf/models/repurchase.yml",
)
