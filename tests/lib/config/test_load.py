"""Settings: layers, where each value came from, every refusal word for word, and secrets that stay secret."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from pydantic import ValidationError

from lakesmith.config import EffectiveSetting, Settings, load_settings
from lakesmith.config.load import find_project
from lakesmith.errors import ConfigurationError, ExitCode, InvalidSettings, ProjectNotFound, SettingMissing

Write = Callable[..., Path]

STACK = {
    "folder": ".stack",
    "bind": "127.0.0.1",
    "database": "auto",
    "airflow": ".venv-airflow",
    "dags": "airflow/dags",
    "bucket": "lakesmith",
    "patience": 600,
    "workers.count": 2,
    "workers.cores": 1,
    "workers.memory": "2g",
    "ports.postgres": 5433,
    "ports.mlflow": 5000,
    "ports.s3": 9000,
    "ports.spark_master": 7077,
    "ports.spark_master_ui": 8081,
    "ports.spark_worker_ui": 8082,
    "ports.spark_history": 18080,
    "ports.airflow": 8080,
}
AIRFLOW = {
    "schedule": "0 3 * * *",
    "timezone": "UTC",
    "start": None,
    "end": None,
    "granularity": "group",
    "connection": "spark_default",
    "command": "lakesmith",
    "outcomes": None,
    "retry_delay": 300,
    "longest_retry_delay": 3600,
    "landing.poll": 60,
    "landing.timeout": 43200,
    "blocked.poll": 600,
    "blocked.timeout": 86400,
    "deadline": None,
    "backfills": 2,
    "training": "0 6 * * 1",
    "maintenance": "0 5 * * 0",
    "approval": False,
}
EMR = {
    "application": None,
    "role": None,
    "code": None,
    "outcomes": None,
    "log_group": None,
    "log_uri": None,
    "log_key": None,
    "driver_cores": 2,
    "disk": "20g",
    "timeout": 43200,
    "poll": 5,
    "patience": 600,
    "prices.vcpu_hour": None,
    "prices.memory_gb_hour": None,
    "prices.storage_gb_hour": None,
    "prices.currency": "USD",
}
AWS = {"region": None, "endpoint": None, "attempts": 8, "connect_timeout": 10, "read_timeout": 60}
S3 = {"endpoint": None, "path_style": False, "kms_key": None}

ALERTS = {
    "log": True,
    "cool_down": 72000,
    "look_back": 7,
    "timeout": 10,
    "runbooks": "docs/runbooks",
    "quarantine_near": 0.8,
    "burn_rate": 2.0,
    "rules.batch_failed": "critical",
    "rules.batch_rejected": "critical",
    "rules.batch_blocked": "warning",
    "rules.batch_foreign": "critical",
    "rules.table_not_updated": "critical",
    "rules.report_missing": "warning",
    "rules.quarantine_share": "warning",
    "rules.critical_expectations": "critical",
    "rules.warning_expectations": "warning",
    "rules.zero_scores": "critical",
    "rules.scores_degraded": "warning",
    "rules.model_rolled_back": "critical",
    "rules.rollout_stepped_back": "warning",
    "rules.circuit_open": "critical",
    "rules.drift": "warning",
    "rules.performance": "warning",
    "rules.history_deviation": "warning",
    "rules.slo_burn": "warning",
    "rules.retraining_requested": "warning",
    "rules.task_failed": "critical",
    "rules.night_late": "critical",
    "rules.channel_failed": "critical",
    "history.weeks": 13,
    "history.least": 6,
    "history.factor": 5.0,
    "retraining.violations": 3,
    "retraining.nights": 7,
    "retraining.rules": ["drift", "performance"],
    "webhook.url": None,
    "webhook.least": "warning",
    "email.host": None,
    "email.port": 587,
    "email.security": "starttls",
    "email.username": None,
    "email.password": None,
    "email.sender": None,
    "email.to": [],
    "email.least": "warning",
    "sns.topic": None,
    "sns.region": None,
    "sns.endpoint": None,
    "sns.least": "warning",
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a project's settings files, named by keyword, and answers its folder."""

    def write_files(base: str = "", **environments: str) -> Path:
        (tmp_path / "conf").mkdir(exist_ok=True)
        for name, text in {"base": base, "dev": "", **environments}.items():
            (tmp_path / "conf" / f"{name}.yml").write_text(text, encoding="utf-8")
        return tmp_path

    return write_files


def problems(
    root: Path, environ: Mapping[str, str] | None = None, environment: str | None = None
) -> list[str]:
    with pytest.raises(InvalidSettings) as caught:
        load_settings(environment, root, environ or {})
    assert caught.value.exit_code is ExitCode.USAGE
    return [str(problem) for problem in caught.value.problems]


def test_later_layers_lie_on_earlier_ones_and_origins_say_which(write: Write) -> None:
    root = write(
        base="spark:\n  driver_memory: 1g\n  shuffle_partitions: 4\n  conf: {a.b: x, c.d: y}\n"
        "publish: {attempts: 7}\n",
        dev="spark:\n  shuffle_partitions: 6\n  conf: {c.d: z}\nlake_root: lake\n",
    )
    environ = {"LAKESMITH__SPARK__SHUFFLE_PARTITIONS": "9", "LAKESMITH__LANDING_ROOT": "s3://bucket/landing/"}
    settings = load_settings(project_root=root, environ=environ)
    assert settings.spark.driver_memory == "1g"
    assert settings.spark.shuffle_partitions == 9
    assert settings.spark.conf == {"a.b": "x", "c.d": "z"}
    assert settings.publish.attempts == 7
    assert settings.lake_root == str(root / "lake")
    assert settings.landing_root == "s3://bucket/landing"
    assert settings.origins == {
        "environment": "default",
        "project_root": "argument",
        "spark.driver_memory": "conf/base.yml:2",
        "spark.shuffle_partitions": "variable LAKESMITH__SPARK__SHUFFLE_PARTITIONS",
        "spark.conf.a.b": "conf/base.yml:4",
        "spark.conf.c.d": "conf/dev.yml:3",
        "publish.attempts": "conf/base.yml:5",
        "lake_root": "conf/dev.yml:4",
        "landing_root": "variable LAKESMITH__LANDING_ROOT",
    }


SIZES = {"small": (1, 2, "4g"), "medium": (4, 4, "8g"), "large": (16, 4, "16g")}


def test_effective_lists_every_setting_with_its_origin(write: Write) -> None:
    root = write(
        dev="lease: {wait: 5m}\nquality:\n  expectation_modules: [my.rules]\nparameters: {vat: 0.2}\n"
    )
    environ = {"LAKESMITH__STORAGE_OPTIONS__AWS_SECRET_ACCESS_KEY": "hush"}
    assert load_settings(project_root=root, environ=environ).effective() == [
        EffectiveSetting("environment", "dev", "default"),
        EffectiveSetting("project_root", str(root), "argument"),
        EffectiveSetting("landing_root", None, "default"),
        EffectiveSetting("lake_root", None, "default"),
        EffectiveSetting("jars_dir", str(root / ".jars"), "default"),
        EffectiveSetting("clean_build", False, "default"),
        EffectiveSetting("spark.master", None, "default"),
        EffectiveSetting("spark.driver_memory", "2g", "default"),
        EffectiveSetting("spark.shuffle_partitions", None, "default"),
        EffectiveSetting("spark.shuffle_bytes", 8_388_608, "default"),
        EffectiveSetting("spark.event_log", None, "default"),
        EffectiveSetting("spark.history_url", None, "default"),
        EffectiveSetting("submit.deploy_mode", "client", "default"),
        EffectiveSetting("submit.archive", None, "default"),
        EffectiveSetting("submit.environment", None, "default"),
        EffectiveSetting("submit.image", None, "default"),
        EffectiveSetting("submit.python", None, "default"),
        EffectiveSetting("submit.driver_python", None, "default"),
        *(
            EffectiveSetting(f"submit.sizes.{size}.{key}", value, "default")
            for size, values in SIZES.items()
            for key, value in zip(("executors", "cores", "memory"), values, strict=True)
        ),
        EffectiveSetting("log.format", "text", "default"),
        EffectiveSetting("log.folder", None, "default"),
        EffectiveSetting("lease.wait", 300, "conf/dev.yml:1"),
        EffectiveSetting("lease.expiry", 60, "default"),
        EffectiveSetting("publish.attempts", 5, "default"),
        EffectiveSetting("staging.rows_per_file", 1_000_000, "default"),
        EffectiveSetting("quality.expectation_modules", ["my.rules"], "conf/dev.yml:3"),
        EffectiveSetting("serving.failures_to_open", 3, "default"),
        EffectiveSetting("serving.oldest_scores_days", 7, "default"),
        EffectiveSetting("retention.nights", 90, "default"),
        EffectiveSetting("retention.versions", 7, "default"),
        EffectiveSetting("maintenance.file_size", 134_217_728, "default"),
        EffectiveSetting("monitoring.drift.effect", 0.1, "default"),
        EffectiveSetting("monitoring.drift.false_discovery", 0.01, "default"),
        EffectiveSetting("monitoring.drift.least_rows", 500, "default"),
        EffectiveSetting("monitoring.drift.windows", [1, 7, 28], "default"),
        EffectiveSetting("monitoring.drift.usual_factor", 3.0, "default"),
        EffectiveSetting("monitoring.drift.trend_effect", 0.1, "default"),
        EffectiveSetting("monitoring.drift.trend_days", 28, "default"),
        EffectiveSetting("monitoring.performance.effect", 0.05, "default"),
        EffectiveSetting("monitoring.performance.least_entities", 500, "default"),
        EffectiveSetting("monitoring.performance.windows", [1, 7, 28], "default"),
        EffectiveSetting("mlflow.tracking_uri", None, "default"),
        EffectiveSetting("openlineage.transport", None, "default"),
        EffectiveSetting("openlineage.namespace", "lakesmith", "default"),
        EffectiveSetting("openlineage.path", None, "default"),
        EffectiveSetting("openlineage.url", None, "default"),
        EffectiveSetting("openlineage.endpoint", "api/v1/lineage", "default"),
        EffectiveSetting("openlineage.timeout", 5, "default"),
        EffectiveSetting("openlineage.api_key", None, "default"),
        *(EffectiveSetting(f"alerts.{key}", value, "default") for key, value in ALERTS.items()),
        *(EffectiveSetting(f"stack.{key}", value, "default") for key, value in STACK.items()),
        *(EffectiveSetting(f"airflow.{key}", value, "default") for key, value in AIRFLOW.items()),
        *(EffectiveSetting(f"aws.{key}", value, "default") for key, value in AWS.items()),
        *(EffectiveSetting(f"s3.{key}", value, "default") for key, value in S3.items()),
        *(EffectiveSetting(f"emr.{key}", value, "default") for key, value in EMR.items()),
        EffectiveSetting(
            "storage_options.aws_secret_access_key",
            "********",
            "variable LAKESMITH__STORAGE_OPTIONS__AWS_SECRET_ACCESS_KEY",
        ),
        EffectiveSetting("parameters.vat", 0.2, "conf/dev.yml:4"),
    ]


def test_settings_of_models_are_laid_over_each_other_key_by_key(write: Write) -> None:
    root = write(
        base="models:\n  churn:\n    seed: 1\n    split: {step: 7d, gap: 30d}\n    metric: {a: 1}\n    limits: x\n",
        dev="models:\n  churn:\n    split:\n      gap: 14d\n      test:\n    metric: brier\n    limits: {b: 2}\n  lapse:\n",
    )
    environ = {
        "LAKESMITH__MODELS__CHURN__SPLIT__STEP": "1d",
        "LAKESMITH__MODELS__CHURN__SEARCH__regParam": "[0.1, 1]",
        "LAKESMITH__MODELS__CHURN__SEED": "",
    }
    settings = load_settings(project_root=root, environ=environ)
    assert settings.models == {
        "churn": {
            "seed": 1,
            "split": {"step": "1d", "gap": "14d"},
            "metric": "brier",
            "limits": {"b": 2},
            "search": {"regParam": [0.1, 1]},
        }
    }
    assert {e.key: (e.value, e.origin) for e in settings.effective() if e.key.startswith("models.")} == {
        "models.churn.seed": (1, "conf/base.yml:3"),
        "models.churn.split.step": ("1d", "variable LAKESMITH__MODELS__CHURN__SPLIT__STEP"),
        "models.churn.split.gap": ("14d", "conf/dev.yml:4"),
        "models.churn.metric": ("brier", "conf/dev.yml:6"),
        "models.churn.limits.b": (2, "conf/dev.yml:7"),
        "models.churn.search.regParam": ([0.1, 1], "variable LAKESMITH__MODELS__CHURN__SEARCH__regParam"),
    }
    assert [
        key for key in settings.origins if key.startswith(("models.churn.metric.", "models.churn.limits"))
    ] == ["models.churn.limits.b"]


@pytest.mark.parametrize(
    ("argument", "environ", "expected", "origin"),
    [
        (None, {}, "dev", "default"),
        (None, {"LAKESMITH_ENV": "prod"}, "prod", "variable LAKESMITH_ENV"),
        (None, {"LAKESMITH_ENV": ""}, "dev", "default"),
        ("test", {"LAKESMITH_ENV": "prod"}, "test", "argument"),
    ],
)
def test_the_environment_is_the_argument_else_the_variable_else_dev(
    write: Write, argument: str | None, environ: dict[str, str], expected: str, origin: str
) -> None:
    root = write(prod="", test="")
    settings = load_settings(argument, root, environ)
    assert (settings.environment, settings.origins["environment"]) == (expected, origin)


@pytest.mark.parametrize("name", ["prd", "base", "../conf/dev"])
def test_an_environment_without_a_file_is_refused(write: Write, name: str) -> None:
    root = write(prod="")
    with pytest.raises(ConfigurationError) as caught:
        load_settings(name, root, {})
    hint = " Did you mean 'prod'?" if name == "prd" else ""
    assert str(caught.value) == (
        f"there is no environment {name!r} (argument); environments: dev, prod.{hint} "
        "An environment is a file conf/<name>.yml: choose one with --env or LAKESMITH_ENV."
    )


def test_the_project_is_found_upwards_or_by_variable(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write()
    (deep := root / "jobs" / "gold").mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert find_project({}) == root
    assert load_settings(environ={}).origins["project_root"] == "working folder"
    monkeypatch.chdir("/")
    settings = load_settings(environ={"LAKESMITH_PROJECT": str(root)})
    assert (settings.project_root, settings.origins["project_root"]) == (root, "variable LAKESMITH_PROJECT")


def test_without_a_project_the_error_says_where_it_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (deep := tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(deep)
    with pytest.raises(ProjectNotFound) as caught:
        load_settings(environ={})
    assert caught.value.looked_in[:3] == [deep, deep.parent, tmp_path]
    listed = ", ".join(str(folder) for folder in [deep, *deep.parents])
    assert str(caught.value) == (
        f"no project: there is no conf/base.yml in {listed} (the working folder and those above it). "
        "Change into the project's folder, or name it: LAKESMITH_PROJECT=<folder>"
    )


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_named_project_is_not_looked_for_elsewhere(write: Write, by_variable: bool) -> None:
    (inside := write() / "inside").mkdir()
    environ = {"LAKESMITH_PROJECT": str(inside)} if by_variable else {}
    with pytest.raises(ProjectNotFound) as caught:
        load_settings(project_root=None if by_variable else inside, environ=environ)
    assert caught.value.looked_in == [inside]


def test_relative_places_are_below_the_project_and_uris_stay(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    root = write(dev="landing_root: ../drop\nlake_root: ~/lake\njars_dir: /opt/jars\n")
    settings = load_settings(project_root=root, environ={})
    assert settings.landing_root == str(root / "../drop")
    assert settings.lake_root == "/home/somebody/lake"
    assert settings.jars_dir == Path("/opt/jars")
    uris = {"LAKESMITH__LAKE_ROOT": "s3a://bucket/lake//", "LAKESMITH__JARS_DIR": "jars"}
    settings = load_settings(project_root=root, environ=uris)
    assert settings.lake_root == "s3a://bucket/lake"
    assert settings.jars_dir == root / "jars"


@pytest.mark.parametrize("key", ["landing_root", "lake_root"])
def test_an_open_place_is_refused_when_it_is_needed(write: Write, key: str) -> None:
    settings = load_settings("prod", write(prod=f"{key}: null\n"), {f"LAKESMITH__{key.upper()}": ""})
    with pytest.raises(SettingMissing) as caught:
        getattr(settings, key)
    assert str(caught.value) == (
        f"{key} is not set. Set the variable LAKESMITH__{key.upper()}, or {key} in conf/prod.yml."
    )
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("variable", "text", "read"),
    [
        ("SPARK__MASTER", "null", lambda s: s.spark.master is None),
        ("SPARK__MASTER", "", lambda s: s.spark.master is None),
        ("SPARK__MASTER", "local[2]", lambda s: s.spark.master == "local[2]"),
        ("SPARK__MASTER", "yes: no", lambda s: s.spark.master == "yes: no"),
        ("SPARK__DRIVER_MEMORY", "512m", lambda s: s.spark.driver_memory == "512m"),
        ("LAKE_ROOT", "/data/2011", lambda s: s.lake_root == "/data/2011"),
        (
            "SPARK__CONF",
            "{spark.a: true, spark.b: 200}",
            lambda s: s.spark.conf == {"spark.a": "true", "spark.b": "200"},
        ),
        ("SPARK__CONF__spark.sql.autoX", "10", lambda s: s.spark.conf == {"spark.sql.autoX": "10"}),
        ("QUALITY__EXPECTATION_MODULES", "[a.b, c]", lambda s: s.quality.expectation_modules == ("a.b", "c")),
        ("QUALITY", "{expectation_modules: [a]}", lambda s: s.quality.expectation_modules == ("a",)),
        ("LEASE__WAIT", "2h", lambda s: s.lease.wait == 7200),
        ("PARAMETERS__VAT_RATE", "0.2", lambda s: s.parameters == {"vat_rate": 0.2}),
        ("PARAMETERS__asOf", "'5'", lambda s: s.parameters == {"asOf": "5"}),
        ("PARAMETERS__A__B", "true", lambda s: s.parameters == {"a__b": True}),
        ("PARAMETERS", "{none: null, n: 1}", lambda s: s.parameters == {"none": None, "n": 1}),
        ("STORAGE_OPTIONS__AWS_REGION", "eu-west-1", lambda s: set(s.storage_options) == {"aws_region"}),
        ("STORAGE_OPTIONS", "{a: 30}", lambda s: s.storage_options["a"].get_secret_value() == "30"),
        ("STORAGE_OPTIONS__KEY", "007", lambda s: s.storage_options["key"].get_secret_value() == "007"),
        ("STORAGE_OPTIONS__KEY", "a: {b", lambda s: s.storage_options["key"].get_secret_value() == "a: {b"),
    ],
)
def test_a_variable_is_read_as_its_setting_asks(
    write: Write, variable: str, text: str, read: Callable[[Settings], bool]
) -> None:
    assert read(load_settings(project_root=write(), environ={f"LAKESMITH__{variable}": text}))


def test_of_two_variables_the_deeper_one_wins(write: Write) -> None:
    environ = {
        "LAKESMITH__SPARK__MASTER": "local[1]",
        "LAKESMITH__SPARK": "{master: yarn, driver_memory: 3g}",
    }
    spark = load_settings(project_root=write(), environ=environ).spark
    assert (spark.master, spark.driver_memory) == ("local[1]", "3g")


ALLOWED = (
    "landing_root, lake_root, jars_dir, clean_build, spark, submit, log, lease, publish, staging, quality, serving, "
    "retention, maintenance, monitoring, mlflow, openlineage, alerts, connections, stack, airflow, "
    "aws, s3, emr, storage_options, parameters, models"
)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "lake_rot: x",
            f"conf/dev.yml:1: lake_rot: unknown key; allowed: {ALLOWED}. Did you mean 'lake_root'?",
        ),
        (
            "spark:\n  mastr: x",
            "conf/dev.yml:2: spark.mastr: unknown key; "
            "allowed: master, driver_memory, shuffle_partitions, shuffle_bytes, event_log, history_url, conf. "
            "Did you mean 'master'?",
        ),
        (
            "environment: dev",
            "conf/dev.yml:1: environment: cannot be set here: "
            "it is chosen by --env or the variable LAKESMITH_ENV",
        ),
        (
            "project_root: .",
            "conf/dev.yml:1: project_root: cannot be set here: "
            "it is the folder that is worked in, or the variable LAKESMITH_PROJECT",
        ),
        ("origins: {}", "conf/dev.yml:1: origins: cannot be set here: it is kept by Lakesmith itself"),
        ("spark: local", "conf/dev.yml:1: spark: expected keys and values, found the text 'local'"),
        ("- spark", "conf/dev.yml:1: expected keys and values, found a list"),
        ("lake_root: 5", "conf/dev.yml:1: lake_root: expected text, found the number 5"),
        ("lake_root: ' '", "conf/dev.yml:1: lake_root: expected a folder or a URI, found an empty text"),
        ("jars_dir: [a]", "conf/dev.yml:1: jars_dir: expected text, found a list"),
        (
            "spark: {shuffle_partitions: many}",
            "conf/dev.yml:1: spark.shuffle_partitions: expected a whole number, found the text 'many'",
        ),
        (
            "stack: {bind: 0.0.0.0}",
            "conf/dev.yml:1: stack.bind: 0.0.0.0 is no address that others can be told; name one of this machine, "
            "like 127.0.0.1",
        ),
        (
            "stack: {bind: localhost}",
            "conf/dev.yml:1: stack.bind: expected an address of this machine, like 127.0.0.1",
        ),
        (
            "stack: {ports: {s3: 5000}}",
            "settings: stack: ports: mlflow and s3 are both 5000; each needs its own",
        ),
        (
            "stack: {ports: {spark_worker_ui: 8079}}",
            "settings: stack: ports: airflow and spark_worker_ui + 1 are both 8080; each needs its own",
        ),
        (
            "airflow: {start: 2011-03-02, end: 2011-03-01}",
            "settings: airflow: the last night, end: 2011-03-01, is before the first one, start: 2011-03-02",
        ),
        (
            "stack: {workers: {memory: much}}",
            "conf/dev.yml:1: stack.workers.memory: 'much' is no size of memory; write it like 4g (units: k, m, g, t)",
        ),
        (
            "spark: {shuffle_partitions: 0}",
            "conf/dev.yml:1: spark.shuffle_partitions: must be more than 0, found the number 0",
        ),
        (
            "spark: {shuffle_partitions: true}",
            "conf/dev.yml:1: spark.shuffle_partitions: expected a whole number, found true",
        ),
        (
            "spark: {driver_memory: lots}",
            "conf/dev.yml:1: spark.driver_memory: 'lots' is no size of memory; "
            "write it like 4g (units: k, m, g, t)",
        ),
        ("spark: {conf: {a: [1]}}", "conf/dev.yml:1: spark.conf.a: expected text, found a list"),
        (
            "lease: {wait: 60}",
            "conf/dev.yml:1: lease.wait: expected a duration with its unit, like 60s, 5m or 1h",
        ),
        (
            "lease: {wait: soon}",
            "conf/dev.yml:1: lease.wait: 'soon' is not a duration; "
            "write a whole number with s, m or h, like 30m",
        ),
        (
            "publish:\n  attempts: '5'",
            "conf/dev.yml:2: publish.attempts: expected a whole number, found the text '5'",
        ),
        (
            "publish: {attempts: 2.0}",
            "conf/dev.yml:1: publish.attempts: expected a whole number, found the number 2.0",
        ),
        (
            "quality: {expectation_modules: a.b}",
            "conf/dev.yml:1: quality.expectation_modules: expected a list, found the text 'a.b'",
        ),
        (
            "quality: {expectation_modules: [a.b, 3]}",
            "conf/dev.yml:1: quality.expectation_modules[1]: expected text, found the number 3",
        ),
        (
            "quality: {expectation_modules: [rules.py/x]}",
            "conf/dev.yml:1: quality.expectation_modules: 'rules.py/x' is no Python module's name; "
            "write it like company.expectations",
        ),
        (
            "mlflow: {tracking_uri: 1}",
            "conf/dev.yml:1: mlflow.tracking_uri: expected text, found the number 1",
        ),
        (
            "parameters: {a: {b: 1}}",
            "conf/dev.yml:1: parameters.a: expected text, a number, true, false or null, "
            "found keys and values",
        ),
        ("models: {churn: 3}", "conf/dev.yml:1: models.churn: expected keys and values, found the number 3"),
        ("models: [churn]", "conf/dev.yml:1: models: expected keys and values, found a list"),
        (
            "a: 1\na: 2",
            f"conf/dev.yml:2: a: the key 'a' stands twice; the first is in line 1|conf/dev.yml:1: a: "
            f"unknown key; allowed: {ALLOWED}",
        ),
        (
            "lease: {wait: 5s",
            "conf/dev.yml:1: is not YAML: did not find expected ',' or '}' "
            "(while parsing a flow mapping that begins in line 1)",
        ),
    ],
)
def test_a_mistake_in_a_file_is_reported_word_for_word(write: Write, text: str, problem: str) -> None:
    assert problems(write(dev=text)) == problem.split("|")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        (
            "LAKESMITH__SPARC__MASTER",
            "x",
            f"variable LAKESMITH__SPARC__MASTER: sparc: unknown key; allowed: {ALLOWED}. "
            "Did you mean 'spark'?",
        ),
        (
            "LAKESMITH__SPARK__MASTER__URL",
            "x",
            "variable LAKESMITH__SPARK__MASTER__URL: spark.master: holds one value and has no keys",
        ),
        (
            "LAKESMITH__SPARK",
            "x",
            "variable LAKESMITH__SPARK: spark: expected keys and values, found the text 'x'",
        ),
        (
            "LAKESMITH__PUBLISH__ATTEMPTS",
            "x",
            "variable LAKESMITH__PUBLISH__ATTEMPTS: publish.attempts: "
            "expected a whole number, found the text 'x'",
        ),
        (
            "LAKESMITH__PUBLISH__ATTEMPTS",
            "[1",
            "variable LAKESMITH__PUBLISH__ATTEMPTS: publish.attempts: is not YAML: did not find expected "
            "',' or ']' (while parsing a flow sequence that begins in line 1)",
        ),
        (
            "LAKESMITH__SPARK__DRIVER_MEMORY",
            "",
            "variable LAKESMITH__SPARK__DRIVER_MEMORY: spark.driver_memory: expected text, found nothing",
        ),
        ("LAKESMITH__", "x", f"variable LAKESMITH__: unknown key; allowed: {ALLOWED}"),
        (
            "LAKESMITH__ENVIRONMENT",
            "prod",
            "variable LAKESMITH__ENVIRONMENT: environment: cannot be set here: "
            "it is chosen by --env or the variable LAKESMITH_ENV",
        ),
        (
            "LAKESMITH_LAKE_ROOT",
            "/lake",
            "variable LAKESMITH_LAKE_ROOT: is not read: settings follow two underscores. "
            "Did you mean 'LAKESMITH__LAKE_ROOT'?",
        ),
    ],
)
def test_a_mistake_in_a_variable_is_reported_word_for_word(
    write: Write, name: str, text: str, problem: str
) -> None:
    assert problems(write(), {name: text}) == [problem]


def test_other_variables_are_nobodys_business(write: Write) -> None:
    environ = {"LAKESMITH_ENV": "dev", "LAKESMITH_HOME": "x", "LAKESMITHS__A": "x", "PATH": "x"}
    assert load_settings(project_root=write(), environ=environ).environment == "dev"


def test_all_mistakes_of_all_layers_are_reported_at_once(write: Write) -> None:
    root = write(base="lease: {wait: 5}\nsparc: {}", dev="lease: {wait: 1s}\npublish: {attempts: 0}\nx: 1")
    with pytest.raises(InvalidSettings) as caught:
        load_settings(project_root=root, environ={"LAKESMITH__STAGING__ROWS_PER_FILE": "many"})
    assert str(caught.value) == (
        "4 mistakes in the settings of dev:\n"
        f"  conf/base.yml:2: sparc: unknown key; allowed: {ALLOWED}. Did you mean 'spark'?\n"
        f"  conf/dev.yml:3: x: unknown key; allowed: {ALLOWED}\n"
        "  conf/dev.yml:2: publish.attempts: must be more than 0, found the number 0\n"
        "  variable LAKESMITH__STAGING__ROWS_PER_FILE: staging.rows_per_file: expected a whole number, "
        "found the text 'many'\n"
        "Mend them, then check with: lakesmith config show --env dev"
    )


def test_a_file_that_is_no_utf8_is_reported(write: Write) -> None:
    root = write()
    (root / "conf/dev.yml").write_bytes("lake_root: größer".encode("latin-1"))
    assert problems(root) == ["conf/dev.yml: is not UTF-8 text"]


def test_a_heading_whose_lines_are_comments_sets_nothing(write: Write) -> None:
    settings = load_settings(project_root=write(base="spark:\n  # master: yarn\nparameters:\n"), environ={})
    assert (settings.spark.shuffle_partitions, settings.parameters) == (None, {})


SECRET = "correct-horse-battery"


def secret_settings(root: Path) -> Settings:
    environ = {
        "LAKESMITH__STORAGE_OPTIONS__AWS_SECRET_ACCESS_KEY": SECRET,
        "LAKESMITH__STORAGE_OPTIONS": f"{{aws_session_token: {SECRET}}}",
        "LAKESMITH__SPARK__CONF": f"{{spark.hadoop.fs.s3a.secret.key: {SECRET}}}",
        "LAKESMITH__MLFLOW__TRACKING_URI": f"https://somebody:{SECRET}@mlflow.example",
    }
    return load_settings(project_root=root, environ=environ)


def test_secrets_are_readable_on_purpose_only(write: Write) -> None:
    settings = secret_settings(write(dev=f"storage_options: {{password: {SECRET}}}"))
    assert {key: value.get_secret_value() for key, value in settings.storage_options.items()} == {
        "password": SECRET,
        "aws_session_token": SECRET,
        "aws_secret_access_key": SECRET,
    }
    assert settings.spark.conf == {"spark.hadoop.fs.s3a.secret.key": SECRET}
    for shown in (repr(settings), str(settings), f"{settings.spark}", repr(settings.mlflow)):
        assert SECRET not in shown
    assert SECRET not in repr(settings.effective())
    masked = {e.key: e.value for e in settings.effective() if "****" in str(e.value)}
    assert masked == {
        "spark.conf.spark.hadoop.fs.s3a.secret.key": "********",
        "mlflow.tracking_uri": "https://********@mlflow.example",
        "storage_options.password": "********",
        "storage_options.aws_session_token": "********",
        "storage_options.aws_secret_access_key": "********",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("LAKESMITH__STORAGE_OPTIONS__KEY__MORE", f"[{SECRET}"),
        ("LAKESMITH__STORAGE_OPTIONS", SECRET),
        ("LAKESMITH__STORAGE_OPTIONS", f"{{a: [{SECRET}]}}"),
        ("LAKESMITH__STORAGE_OPTIONS", f"{{a: {SECRET}"),
        ("LAKESMITH__STORAGE_OPTIONS", f"{{a: *{SECRET}}}"),
        ("LAKESMITH__STORAGE_OPTIONS", f"!{SECRET} x"),
        ("LAKESMITH__STORAGE_OPTION__KEY", SECRET),
        ("LAKESMITH_STORAGE_OPTIONS__KEY", SECRET),
    ],
)
def test_no_error_shows_a_secret(write: Write, name: str, text: str) -> None:
    root = write(base="publish: {attempts: 0}")
    environ = {name: text, "LAKESMITH__STORAGE_OPTIONS__OTHER": SECRET}
    with pytest.raises(InvalidSettings) as caught:
        load_settings(project_root=root, environ=environ)
    assert SECRET not in "".join(traceback.format_exception(caught.value))
    assert SECRET not in repr(caught.value)
    assert SECRET not in repr(caught.value.problems)
    assert caught.value.__context__ is None  # pydantic's own error would hold the values


def test_settings_are_frozen_and_closed(write: Write) -> None:
    settings = load_settings(project_root=write(), environ={})
    with pytest.raises(ValidationError):
        settings.environment = "prod"
    with pytest.raises(ValidationError):
        settings.spark.master = "yarn"
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Settings.model_validate({"environment": "dev", "project_root": Path(), "more": 1})


def test_settings_reach_other_processes(write: Write) -> None:
    settings = secret_settings(write())
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert copy.deepcopy(settings) == settings


@pytest.mark.parametrize("environment", ["dev", "prod"])
def test_the_environments_of_the_repository_load(environment: str) -> None:
    settings = load_settings(environment, Path(__file__).parents[3], {})
    if environment == "dev":
        root = settings.project_root
        assert settings.landing_root == str(root / ".lake/landing")
        assert settings.lake_root == str(root / ".lake")
    else:
        assert (settings.landing, settings.lake) == (None, None)


def test_a_password_of_a_connection_is_taken_word_for_word_and_never_shown(write: Write) -> None:
    url = "connections: {erp: {url: 'jdbc:postgresql://db/erp', properties: {ApplicationName: lake, sslpassword: x}}}"
    root = write(base=url)
    for password in ("007", "null?", "[x: 1", "{a", "# b", "'", " end ", 'wie\'s "soll"'):
        settings = load_settings("dev", root, {"LAKESMITH__CONNECTIONS__ERP__PASSWORD": password})
        erp = settings.connections["erp"]
        assert erp.password is not None
        assert erp.password.get_secret_value() == password
        assert (erp.driver_class, erp.timeout) == ("org.postgresql.Driver", 3600)
        shown = {s.key: s.value for s in settings.effective() if s.key.startswith("connections")}
        assert shown == {
            "connections.erp.url": "jdbc:postgresql://db/erp",
            "connections.erp.user": None,
            "connections.erp.password": "********",
            "connections.erp.driver": None,
            "connections.erp.timeout": 3600,
            "connections.erp.properties.ApplicationName": "lake",
            "connections.erp.properties.sslpassword": "********",
        }
        assert "sslpassword" not in repr(settings)
