"""Spark ML pipelines from a declaration: preparation, algorithm, calibration.

Owns which stages a candidate has. A fitted model is Spark's own `PipelineModel` of Spark's own stages, so that whoever loads
it needs no Lakesmith; it takes the features table's columns as they are and adds `probability` or `prediction`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pyspark.ml import Estimator, Pipeline, PipelineModel, Transformer
from pyspark.ml.classification import GBTClassifier, LogisticRegression, RandomForestClassifier
from pyspark.ml.feature import (
    Imputer,
    OneHotEncoder,
    SQLTransformer,
    StandardScaler,
    StandardScalerModel,
    StringIndexer,
    VectorAssembler,
    VectorSlicer,
)
from pyspark.ml.functions import vector_to_array
from pyspark.ml.regression import (
    GBTRegressor,
    IsotonicRegression,
    LinearRegression,
    RandomForestRegressor,
)
from pyspark.ml.stat import Summarizer
from pyspark.sql import functions as F

from lakesmith.contracts.declaration import (
    Algorithm,
    Calibration,
    Candidate,
    ModelDeclaration,
    Preparation,
    ProblemKind,
    Scalar,
)
from lakesmith.contracts.model import Contract
from lakesmith.contracts.types import PrimitiveType
from lakesmith.ml.frames import LABEL, SCORE

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["MARGIN", "UNCALIBRATED", "calibrator", "importances", "join", "pipeline", "with_score"]

MARGIN = "margin"
"""What a classifier says before it is a probability: a vector, the second entry for the positive class."""

_PREFIX = "f_"
UNCALIBRATED = "uncalibrated"
"""The probability as the algorithm has it."""

_VECTOR, _ASSEMBLED, _MARGIN_OF_TRUE = "features", "assembled", "margin_of_true"

_ESTIMATORS: Mapping[tuple[ProblemKind, Algorithm], type[Any]] = {
    (ProblemKind.CLASSIFICATION, Algorithm.LOGISTIC_REGRESSION): LogisticRegression,
    (ProblemKind.CLASSIFICATION, Algorithm.GRADIENT_BOOSTED_TREES): GBTClassifier,
    (ProblemKind.CLASSIFICATION, Algorithm.RANDOM_FOREST): RandomForestClassifier,
    (ProblemKind.REGRESSION, Algorithm.LINEAR_REGRESSION): LinearRegression,
    (ProblemKind.REGRESSION, Algorithm.GRADIENT_BOOSTED_TREES): GBTRegressor,
    (ProblemKind.REGRESSION, Algorithm.RANDOM_FOREST): RandomForestRegressor,
}
_SEEDED = (Algorithm.GRADIENT_BOOSTED_TREES, Algorithm.RANDOM_FOREST)


def pipeline(
    declaration: ModelDeclaration,
    contract: Contract,
    candidate: Candidate,
    parameters: Mapping[str, Scalar],
    features: Sequence[str] | None = None,
) -> Pipeline:
    """The unfitted pipeline of a candidate with one choice of parameters, without calibration.

    Args:
        contract: of the features table, which tells which features may be null.
        features: only these; None for the declaration's.
    """
    names = tuple(declaration.features if features is None else features)
    return Pipeline(
        stages=[
            *_preparation(declaration, contract, candidate.preparation, names),
            _estimator(declaration, candidate, parameters),
        ]
    )


def _preparation(
    declaration: ModelDeclaration, contract: Contract, how: Preparation, features: Sequence[str]
) -> list[Any]:
    categorical = [name for name in features if name in declaration.categorical]
    numeric = [name for name in features if name not in declaration.categorical]
    gaps = [name for name in numeric if contract.column(name).nullable]
    flagged = gaps if how.missing_flags else []
    stages: list[Any] = [SQLTransformer(statement=_statement(contract, how, numeric, categorical, flagged))]
    if gaps:
        columns = [f"{_PREFIX}{name}" for name in gaps]
        stages.append(Imputer(strategy="median", inputCols=columns, outputCols=columns))
    if categorical:
        texts = [f"{_PREFIX}{name}" for name in categorical]
        indexed, encoded = ([f"{text}_{kind}" for text in texts] for kind in ("index", "of"))
        # A value that training never saw is a category of its own, not an error at night.
        stages += [
            StringIndexer(
                inputCols=texts, outputCols=indexed, stringOrderType="alphabetAsc", handleInvalid="keep"
            ),
            OneHotEncoder(inputCols=indexed, outputCols=encoded, handleInvalid="keep"),
        ]
    assembled = [
        *[f"{_PREFIX}{name}" for name in numeric],
        *[f"{_PREFIX}{name}_missing" for name in flagged],
        *[f"{_PREFIX}{name}_of" for name in categorical],
    ]
    last = _ASSEMBLED if how.scale else _VECTOR
    stages.append(VectorAssembler(inputCols=assembled, outputCol=last, handleInvalid="error"))
    if how.scale:
        stages.append(StandardScaler(inputCol=last, outputCol=_VECTOR, withMean=True, withStd=True))
    return stages


def _statement(
    contract: Contract,
    how: Preparation,
    numeric: Sequence[str],
    categorical: Sequence[str],
    flagged: Sequence[str],
) -> str:
    def number(name: str) -> str:
        value = f"CAST(`{name}` AS DOUBLE)"
        logged = how.log and contract.column(name).type != PrimitiveType("boolean")
        # Amounts below zero keep their sign.
        return f"SIGN({value}) * LN(1 + ABS({value}))" if logged else value

    selected = [
        *[f"{number(name)} AS {_PREFIX}{name}" for name in numeric],
        *[f"IF(`{name}` IS NULL, 1.0D, 0.0D) AS {_PREFIX}{name}_missing" for name in flagged],
        *[f"COALESCE(CAST(`{name}` AS STRING), 'null') AS {_PREFIX}{name}" for name in categorical],
    ]
    return f"SELECT *, {', '.join(selected)} FROM __THIS__"


def _estimator(
    declaration: ModelDeclaration, candidate: Candidate, parameters: Mapping[str, Scalar]
) -> Estimator[Any]:
    options: dict[str, Any] = {"featuresCol": _VECTOR, "labelCol": LABEL, **parameters}
    if candidate.algorithm in _SEEDED:
        options["seed"] = declaration.seed
    chosen: Estimator[Any] = _ESTIMATORS[declaration.problem, candidate.algorithm](**options)
    if declaration.problem is ProblemKind.CLASSIFICATION:
        # GBTClassifier has these parameters and does not take them as arguments; no class that all share has the setters.
        chosen.setRawPredictionCol(MARGIN).setProbabilityCol(UNCALIBRATED).setPredictionCol("class")  # type: ignore[attr-defined]
    return chosen


def calibrator(method: Calibration, scored: DataFrame) -> list[Transformer]:
    """Fitted stages that turn a classifier's margin into a probability.

    Platt's method is a logistic regression on the margin (Platt 1999, "Probabilistic outputs for support vector machines"),
    here on predictions that were made for dates after those trained on.

    Args:
        scored: rows with `margin` and `label` that the classifier was not fit on.
    """
    if method is Calibration.NONE:
        return [SQLTransformer(statement=f"SELECT *, {UNCALIBRATED} AS probability FROM __THIS__")]
    slicer = VectorSlicer(inputCol=MARGIN, outputCol=_MARGIN_OF_TRUE, indices=[1])
    sliced = slicer.transform(scored)
    if method is Calibration.ISOTONIC:
        isotonic = IsotonicRegression(
            featuresCol=_MARGIN_OF_TRUE, labelCol=LABEL, predictionCol="probability"
        )
        return [slicer, isotonic.fit(sliced)]
    platt = LogisticRegression(
        featuresCol=_MARGIN_OF_TRUE,
        labelCol=LABEL,
        rawPredictionCol="calibrated_margin",
        probabilityCol="probability",
        predictionCol="calibrated_class",
        tol=1e-9,
    )
    return [slicer, platt.fit(sliced)]


def join(*parts: PipelineModel | Sequence[Transformer]) -> PipelineModel:
    """One model of fitted models and stages."""
    stages: list[Transformer] = []
    for part in parts:
        stages += part.stages if isinstance(part, PipelineModel) else part
    return PipelineModel(stages)


def with_score(model: PipelineModel, rows: DataFrame) -> DataFrame:
    """The rows with `score`: the probability of the positive class, or the predicted number."""
    scored = model.transform(rows)
    kinds = dict(scored.dtypes)
    if "probability" not in kinds:
        value = F.col("prediction")
    elif kinds["probability"] == "double":
        value = F.col("probability")
    else:
        value = vector_to_array(F.col("probability"))[1]
    return scored.select(*rows.columns, value.alias(SCORE))


def importances(model: PipelineModel, rows: DataFrame) -> dict[str, float]:
    """How much each feature counts, as shares of 1, most first.

    Trees: by how much splits on it lessen the impurity. Linear models: by the size of its coefficient, times the standard
    deviation of the feature where it was not scaled, so that units do not matter.

    Args:
        rows: any rows of the features.
    """
    names = _vector_names(model, rows)
    algorithm: Any = next(
        stage
        for stage in model.stages
        if hasattr(stage, "featureImportances") or hasattr(stage, "coefficients")
    )
    if hasattr(algorithm, "featureImportances"):
        sizes = algorithm.featureImportances.toArray()
    else:
        scaled = any(isinstance(stage, StandardScalerModel) for stage in model.stages)
        spread = 1.0 if scaled else _spread(model, rows)
        sizes = abs(algorithm.coefficients.toArray()) * spread
    total = float(sum(sizes)) or 1.0
    found: dict[str, float] = {}
    for name, size in zip(names, sizes, strict=True):
        # The values of one category are one feature.
        found[name] = found.get(name, 0.0) + float(size) / total
    return dict(sorted(found.items(), key=lambda entry: (-entry[1], entry[0])))


def _spread(model: PipelineModel, rows: DataFrame) -> npt.NDArray[np.float64]:
    found = model.transform(rows).select(Summarizer.std(F.col(_VECTOR)).alias("std")).collect()[0]["std"]
    spread: npt.NDArray[np.float64] = found.toArray()
    return spread


def _vector_names(model: PipelineModel, rows: DataFrame) -> tuple[str, ...]:
    """The feature behind each entry of the vector that the algorithm sees, in their order."""
    before = next(stage for stage in model.stages if isinstance(stage, VectorAssembler))
    frame = rows.limit(0)
    for stage in model.stages:
        frame = stage.transform(frame)
        if stage is before:
            break
    names: list[str] = []
    for column in before.getInputCols():
        # An encoded category has one entry for each of its values.
        size = int(frame.schema[column].metadata.get("ml_attr", {}).get("num_attrs", 1))
        names += [_plain(column, rows.columns)] * size
    return tuple(names)


def _plain(column: str, features: Sequence[str]) -> str:
    """The feature behind a prepared column: `f_last_weekday_of` is of `last_weekday`."""
    name = column.removeprefix(_PREFIX)
    return name if name in features else name.removesuffix("_missing").removesuffix("_of")
