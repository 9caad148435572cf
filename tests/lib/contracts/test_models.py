"""Model declarations: every mistake word for word (tests/scenarios/models), and what a sound one says."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyspark.ml import classification, regression
from pyspark.ml.param import Param, TypeConverters

from lakesmith.config.load import load_settings
from lakesmith.contracts.declaration import (
    LESS_IS_BETTER,
    METRICS,
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
from lakesmith.contracts.estimators import SEARCHABLE
from lakesmith.contracts.load import load_project
from lakesmith.contracts.model import Input, Judged, ModelRole
from lakesmith.contracts.windows import Window
from lakesmith.errors import InvalidProject
from scenarios import project_cases
from scenarios.project_cases import read_case

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "models"
SOUND = SCENARIOS / project_cases.SOUND
CASES = sorted(SCENARIOS.glob("*.yml"))
assert len(CASES) >= 60, f"only {len(CASES)} scenarios in {SCENARIOS}"

FILE = "conf/models/returning.yml"


def changed_project(root: Path, changes: dict[str, Any]) -> Path:
    return project_cases.changed_project(SOUND, root, changes)


def models_of(root: Path, environ: dict[str, str] | None = None) -> dict[str, ModelDeclaration]:
    settings = load_settings("dev", root, environ or {})
    return dict(load_project(root, {}, settings.models, settings.origins).models)


def case_model(case: str, root: Path) -> ModelDeclaration:
    changes, expected = read_case(SCENARIOS / f"{case}.yml")
    assert expected == []
    return models_of(changed_project(root, changes))["returning"]


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_mistakes_are_reported_word_for_word(case: Path, tmp_path: Path) -> None:
    changes, expected = read_case(case)
    root = changed_project(tmp_path / "project", changes)
    reported: list[str] = []
    try:
        models_of(root)
    except InvalidProject as error:
        reported = [str(problem) for problem in error.problems]
    assert reported == expected


def test_scenarios_hold_no_file_that_the_harness_overlooks() -> None:
    assert {path.suffix for path in SCENARIOS.iterdir() if path != SOUND} == {".yml"}


def test_a_declaration_is_read_as_it_is_written() -> None:
    assert models_of(SOUND) == {
        "returning": ModelDeclaration(
            name="returning",
            description="Will this reader come back within 14 days?",
            owner="library",
            problem=ProblemKind.CLASSIFICATION,
            entity="reader_id",
            features_table="gold.reader_features",
            features=("loans_30d", "days_since_loan", "fines", "branch", "is_member"),
            categorical=("branch",),
            label=Label("gold.reader_returns", "came_back", 14),
            split=Split(
                warm_up_days=30,
                step_days=7,
                gap_days=14,
                cutoffs=2,
                dates_per_cutoff=3,
                test_days=10,
                test_step_days=2,
                at_most=52,
            ),
            candidates=(
                Candidate(
                    "linear",
                    Algorithm.LOGISTIC_REGRESSION,
                    Preparation(log=True, scale=True),
                    {"regParam": (0.01, 1.0), "fitIntercept": (True, False)},
                ),
                Candidate(
                    "trees",
                    Algorithm.GRADIENT_BOOSTED_TREES,
                    Preparation(),
                    {"maxDepth": (3, 5), "featureSubsetStrategy": ("auto", "sqrt")},
                ),
            ),
            trials=6,
            metric="log_loss",
            calibration=Calibration.ISOTONIC,
            baselines=(Baseline("base_rate", ()), Baseline("recency", ("days_since_loan",))),
            gates=Gates(
                minimum={"roc_auc": 0.7, "log_loss": 0.6},
                baselines=("roc_auc",),
                champion_metric="pr_auc",
                champion_tolerance=0.0,
                calibration=0.05,
                fresh=False,
            ),
            costs=Costs(0.5, 3.0),
            segments={"membership": "IF(is_member, 'member', 'guest')"},
            bootstrap=200,
            seed=42,
            intended_use="Remind readers of the library before they forget it.",
            limits=("Knows readers of the last 60 days only.",),
            file=FILE,
        )
    }


def test_a_number_is_the_type_that_the_estimator_takes() -> None:
    linear = models_of(SOUND)["returning"].candidates[0]
    assert [type(value) for value in linear.search["regParam"]] == [float, float]


def test_what_a_declaration_leaves_out_has_defaults(tmp_path: Path) -> None:
    model = case_model("sound_without_what_is_optional", tmp_path / "p")
    assert (model.calibration, model.segments, model.bootstrap, model.limits) == (
        Calibration.NONE,
        {},
        500,
        (),
    )
    assert (model.gates.calibration, model.gates.fresh) == (None, True)
    assert [c.preparation for c in model.candidates] == [Preparation(), Preparation()]
    assert model.candidates[1].search == {}


def test_features_left_out_are_the_columns_that_name_nobody(tmp_path: Path) -> None:
    model = case_model("sound_without_what_is_optional", tmp_path / "p")
    assert model.features == ("loans_30d", "days_since_loan", "fines", "branch", "is_member")


def test_a_regression_has_neither_costs_nor_calibration(tmp_path: Path) -> None:
    model = case_model("sound_regression", tmp_path / "p")
    assert (model.problem, model.calibration, model.costs) == (
        ProblemKind.REGRESSION,
        Calibration.NONE,
        None,
    )
    assert model.gates.minimum == {"r2": 0.1, "bias": 2.0, "spearman": -0.5}


def test_a_declaration_reaches_other_processes() -> None:
    model = models_of(SOUND)["returning"]
    assert pickle.loads(pickle.dumps(model)) == model
    assert copy.deepcopy(model) == model


def test_without_a_folder_of_models_there_is_none() -> None:
    assert load_project(SCENARIOS.parent / "contracts" / "_sound").models == {}


def test_a_table_may_read_a_model() -> None:
    scores = load_project(SOUND).graph.contract("gold.reader_scores")
    assert scores.inputs[1] == Input("model", Window.same_day(), model="returning")
    assert (scores.inputs[1].target, scores.inputs[0].target) == ("models.returning", "gold.reader_features")


def test_what_is_judged_follows_from_the_models_and_their_scores(tmp_path: Path) -> None:
    changes, _ = read_case(SCENARIOS / "judged.yml")
    root = changed_project(tmp_path / "project", changes)

    project = load_project(root)

    contract = project.graph.contract("monitoring.how_models_do")
    month = Window.last(28)
    assert contract.inputs == (
        Input("gold_reader_scores", month, table="gold.reader_scores", optional=True),
        Input("gold_reader_returns", month, table="gold.reader_returns", optional=True),
        # The model has segments, which are cut from its features.
        Input("gold_reader_features", month, table="gold.reader_features", optional=True),
        Input("model_returning", Window.same_day(), model="returning", optional=True, baseline=True),
    )
    assert contract.judged == (
        Judged(
            "gold.reader_scores",
            project.models["returning"],
            ModelRole.CHAMPION,
            "probability",
            scores="gold_reader_scores",
            labels="gold_reader_returns",
            features="gold_reader_features",
        ),
    )
    assert contract.enough == (("gold_reader_scores", "gold_reader_returns"),)
    assert project.graph.order[-1] == "monitoring.how_models_do"


def test_a_model_is_no_table_of_the_graph() -> None:
    graph = load_project(SOUND).graph
    assert graph.parents("gold.reader_scores") == ("gold.reader_features",)
    assert graph.starts["gold.reader_scores"] == graph.starts["bronze.loans"]
    assert [name for name in graph.order if "models" in name] == []


# --- what an environment changes ----------------------------------------------------------------------------------


def test_an_environment_changes_single_keys_and_whole_lists(tmp_path: Path) -> None:
    before, model = models_of(SOUND)["returning"], case_model("override_sound", tmp_path / "p")
    assert (model.split.warm_up_days, model.split.at_most, model.split.gap_days) == (10, 8, 14)
    assert [c.name for c in model.candidates] == ["linear", "trees", "forest"]
    assert (model.metric, model.gates, model.features) == ("brier", before.gates, before.features)


def test_a_variable_changes_a_model_over_the_files(tmp_path: Path) -> None:
    changes = {"conf/dev.yml": "models: {returning: {split: {warm_up: 10d, at_most: 9}}}\n"}
    root = changed_project(tmp_path / "p", changes)
    environ = {
        "LAKESMITH__MODELS__RETURNING__SPLIT__AT_MOST": "20",
        "LAKESMITH__MODELS__RETURNING__CANDIDATES__LINEAR__SEARCH__regParam": "[0.5]",
    }
    model = models_of(root, environ)["returning"]
    assert (model.split.warm_up_days, model.split.at_most) == (10, 20)
    assert model.candidates[0].search["regParam"] == (0.5,)
    with pytest.raises(InvalidProject) as caught:
        models_of(root, {"LAKESMITH__MODELS__RETURNING__SEED": "soon"})
    assert [str(problem) for problem in caught.value.problems] == [
        "variable LAKESMITH__MODELS__RETURNING__SEED: models.returning.seed: "
        "expected a whole number from 0 to 2147483647, found the text 'soon'"
    ]


def test_without_origins_a_changed_value_is_told_by_its_setting() -> None:
    overrides = {"returning": {"seed": "soon", "split": {"stepp": "7d"}}, "retuning": {"seed": 1}}
    with pytest.raises(InvalidProject) as caught:
        load_project(SOUND, {}, overrides)
    lines = (SOUND / FILE).read_text(encoding="utf-8").splitlines()
    split, seed = lines.index("split:") + 1, lines.index("seed: 42") + 1
    assert [str(problem) for problem in caught.value.problems] == [
        f"{FILE}:{split}: split.stepp: unknown key; allowed: warm_up, step, gap, validation, test, at_most "
        "(overridden by settings models.returning.split.stepp). Did you mean 'step'?",
        f"{FILE}:{seed}: seed: expected a whole number from 0 to 2147483647, found the text 'soon' "
        "(overridden by settings models.returning.seed)",
        "settings: models.retuning: there is no model 'retuning'; models are the files of conf/models. "
        "Did you mean 'returning'?",
    ]


def test_a_mistake_beside_a_changed_value_stays_where_it_is(tmp_path: Path) -> None:
    changes = {
        FILE: [{"old": "gap: 14d", "new": "gap: 14"}],
        "conf/dev.yml": "models: {returning: {split: {warm_up: 10d}}}",
    }
    with pytest.raises(InvalidProject) as caught:
        models_of(changed_project(tmp_path / "p", changes))
    [problem] = caught.value.problems
    assert (problem.file, problem.place) == (FILE, "split.gap")


# --- the table of estimators, against Spark ML ----------------------------------------------------------------------

ESTIMATORS = {
    (Algorithm.LOGISTIC_REGRESSION, ProblemKind.CLASSIFICATION): classification.LogisticRegression,
    (Algorithm.LINEAR_REGRESSION, ProblemKind.REGRESSION): regression.LinearRegression,
    (Algorithm.GRADIENT_BOOSTED_TREES, ProblemKind.CLASSIFICATION): classification.GBTClassifier,
    (Algorithm.GRADIENT_BOOSTED_TREES, ProblemKind.REGRESSION): regression.GBTRegressor,
    (Algorithm.RANDOM_FOREST, ProblemKind.CLASSIFICATION): classification.RandomForestClassifier,
    (Algorithm.RANDOM_FOREST, ProblemKind.REGRESSION): regression.RandomForestRegressor,
}
# Of each type of Spark's a value that one of the other types would not take, or would take for another.
EXAMPLES = {
    TypeConverters.toFloat: (0.25, 0.5, 1),
    TypeConverters.toInt: (3,),
    TypeConverters.toBoolean: (True,),
    TypeConverters.toString: ("auto", "gini", "squared"),
}


def test_every_estimator_is_in_the_table() -> None:
    assert ESTIMATORS.keys() == SEARCHABLE.keys()


@pytest.mark.parametrize("pair", SEARCHABLE, ids=lambda pair: f"{pair[0]}-{pair[1]}")
def test_a_search_parameter_is_one_of_spark_and_of_its_type(pair: tuple[Algorithm, ProblemKind]) -> None:
    for name, parameter in SEARCHABLE[pair].items():
        spark = getattr(ESTIMATORS[pair], name)
        assert isinstance(spark, Param), name
        read = {
            converter: [parameter.read(value) for value in values if parameter.read(value) is not None]
            for converter, values in EXAMPLES.items()
        }
        assert read[spark.typeConverter], f"{pair} {name} takes no value of {spark.typeConverter}"
        for value in (value for values in read.values() for value in values):
            assert spark.typeConverter(value) == value
            assert type(spark.typeConverter(value)) is type(value), f"{pair} {name}: {value!r}"


def test_less_is_better_for_metrics_that_there_are() -> None:
    known = {metric for metrics in METRICS.values() for metric in metrics}
    assert LESS_IS_BETTER - known == set()


# --- the reference project ------------------------------------------------------------------------------------------


def test_the_reference_model_uses_every_feature_but_the_customer() -> None:
    project = load_project(Path(__file__).parents[3])
    model = project.models["repurchase"]
    columns = [column.name for column in project.graph.contract("gold.customer_features").columns]
    assert model.features == tuple(name for name in columns if name != "customer_id")
    assert len(model.features) == 31
    assert (model.split.warm_up_days, model.split.step_days, model.split.gap_days) == (45, 7, 30)
    assert (model.split.cutoffs, model.split.dates_per_cutoff) == (3, 2)
    assert (model.split.test_days, model.split.test_step_days) == (17, 1)
    assert [(c.name, str(c.algorithm)) for c in model.candidates] == [
        ("logistic", "logistic_regression"),
        ("trees", "gradient_boosted_trees"),
        ("forest", "random_forest"),
    ]


# --- the page -------------------------------------------------------------------------------------------------------

PAGE = Path(__file__).parents[3] / "docs" / "models.md"


def test_the_keys_of_the_page_are_those_of_the_grammar(tmp_path: Path) -> None:
    """Every part of a declaration is asked for the keys that it allows."""
    values = yaml.safe_load((SOUND / FILE).read_text(encoding="utf-8"))
    values["rollout"] = {"shadow": 1, "shares": [100], "checks": {"mean_shift": 1, "psi": 1}}
    values["floors"] = {"metrics": {"r2": 0.1}, "rollback": True}
    parts = [values, values["candidates"]["linear"], values["baselines"]["recency"]]
    for part in [
        *parts,
        *(values[key] for key in ("features", "label", "split", "budget", "gates", "costs")),
        *(values[key] for key in ("rollout", "floors")),
    ]:
        part["nonsense"] = 1
    root = changed_project(tmp_path / "p", {FILE: yaml.safe_dump(values, sort_keys=False)})
    with pytest.raises(InvalidProject) as caught:
        models_of(root)
    allowed = {
        re.sub(r"\.(linear|recency)\.", ".<name>.", problem.place).removesuffix("nonsense") + key
        for problem in caught.value.problems
        if problem.message.startswith("unknown key; allowed: ")
        for key in problem.message.removeprefix("unknown key; allowed: ").split(", ")
    }
    text = PAGE.read_text(encoding="utf-8")
    rows = text[text.index("| key | | meaning |") :].partition("\n\n")[0].splitlines()[2:]
    told = {key for row in rows for key in re.findall(r"`([^`]+)`", row.split("|")[1])}
    assert told == {key for key in allowed if not any(other.startswith(f"{key}.") for other in allowed)}


def test_the_parameters_of_the_page_are_those_of_the_table() -> None:
    text = PAGE.read_text(encoding="utf-8")
    rows = text[text.index("| algorithm | parameters |") :].partition("\n\n")[0].splitlines()[2:]
    told = {parameter for row in rows for parameter in re.findall(r"`([^`]+)`", row.split("|")[2])}
    assert told == {parameter for parameters in SEARCHABLE.values() for parameter in parameters}


def test_the_example_of_the_page_is_a_sound_model(tmp_path: Path) -> None:
    text = PAGE.read_text(encoding="utf-8")
    example = text[text.index("```yaml\nmodel: ") :].removeprefix("```yaml\n").partition("```")[0]
    assert models_of(changed_project(tmp_path / "p", {FILE: example}))["returning"].entity == "reader_id"
