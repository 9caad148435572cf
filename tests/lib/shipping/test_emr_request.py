"""The request that sends a job to EMR Serverless, word for word, and what is refused before one is made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from lakesmith.config.load import load_settings
from lakesmith.config.sections.jobs import SizeSettings
from lakesmith.errors import ConfigurationError, InvalidSettings
from lakesmith.shipping.emr_request import EmrJob, EmrSubmission, compose_request

PLACES = {"LAKESMITH__LAKE_ROOT": "s3://lake/tables", "LAKESMITH__LANDING_ROOT": "s3://landing/files"}
TOKEN = "0123456789abcdef0123456789abcdef"
ROLE = "arn:aws:iam::123456789012:role/pipeline"
EMR = f"emr: {{application: 00f1, role: '{ROLE}', code: s3://code/prod/, outcomes: s3://logs/outcomes"
FILES = {
    "night.py": b"night",
    "lakesmith-0.1.0-0123.zip": b"zip",
    "delta-spark.jar": b"jar",
    "environment.tar.gz": b"tar",
}


def at(name: str) -> str:
    return f"s3://code/prod/{hashlib.sha256(FILES[name]).hexdigest()[:32]}/{name}"


def composed(
    folder: Path,
    more: str = "}",
    text: str = "",
    *,
    environ: Mapping[str, str] = PLACES,
    size: SizeSettings | None = None,
    jars: bool = True,
) -> EmrSubmission:
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "conf" / "base.yml").write_text("{}\n")
    (folder / "conf" / "prod.yml").write_text(f"{EMR}{more}\n{text}\n")
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    settings = load_settings("prod", folder, environ)
    job = EmrJob(
        job=folder / "night.py",
        arguments=("--date=2011-03-01", "--env", "prod"),
        archive=folder / "lakesmith-0.1.0-0123.zip",
        jars=(folder / "delta-spark.jar",) if jars else (),
        size=size or settings.submit.sizes.medium,
        token=TOKEN,
    )
    return compose_request(settings, job, environ)


def conf(submission: EmrSubmission) -> dict[str, str]:
    [defaults] = submission.request["configurationOverrides"]["applicationConfiguration"]
    found: dict[str, str] = defaults["properties"]
    return found


def monitoring(submission: EmrSubmission) -> dict[str, Any]:
    found: dict[str, Any] = submission.request["configurationOverrides"]["monitoringConfiguration"]
    return found


def test_a_request_word_for_word(tmp_path: Path) -> None:
    environ = {**PLACES, "LAKESMITH__SPARK__SHUFFLE_PARTITIONS": "64"}
    made = composed(tmp_path, ", log_group: /lakesmith/emr}", environ=environ)

    assert made.request == {
        "applicationId": "00f1",
        "clientToken": TOKEN,
        "executionRoleArn": ROLE,
        "name": "lakesmith night",
        "jobDriver": {
            "sparkSubmit": {
                "entryPoint": at("night.py"),
                "entryPointArguments": [
                    "--date=2011-03-01",
                    "--env",
                    "prod",
                    f"--outcome=s3://logs/outcomes/{TOKEN}.json",
                ],
            }
        },
        "configurationOverrides": {
            "applicationConfiguration": [
                {
                    "classification": "spark-defaults",
                    "properties": {
                        "spark.driver.cores": "2",
                        "spark.driver.memory": "2g",
                        "spark.emr-serverless.driver.disk": "20g",
                        "spark.executor.instances": "4",
                        "spark.executor.cores": "4",
                        "spark.executor.memory": "8g",
                        "spark.emr-serverless.executor.disk": "20g",
                        "spark.dynamicAllocation.maxExecutors": "4",
                        "spark.submit.pyFiles": at("lakesmith-0.1.0-0123.zip"),
                        "spark.jars": at("delta-spark.jar"),
                        "spark.emr-serverless.driverEnv.LAKESMITH__LAKE_ROOT": "s3://lake/tables",
                        "spark.emr-serverless.driverEnv.LAKESMITH__LANDING_ROOT": "s3://landing/files",
                        "spark.emr-serverless.driverEnv.LAKESMITH__SPARK__SHUFFLE_PARTITIONS": "64",
                    },
                }
            ],
            "monitoringConfiguration": {
                "managedPersistenceMonitoringConfiguration": {"enabled": True},
                "cloudWatchLoggingConfiguration": {
                    "enabled": True,
                    "logGroupName": "/lakesmith/emr",
                    "logStreamNamePrefix": f"lakesmith/{TOKEN}",
                },
            },
        },
        "executionTimeoutMinutes": 720,
        "tags": {"lakesmith:environment": "prod", "lakesmith:submission": TOKEN},
    }
    assert [(parcel.file.name, parcel.uri) for parcel in made.parcels] == [
        (name, at(name)) for name in ("night.py", "lakesmith-0.1.0-0123.zip", "delta-spark.jar")
    ]
    assert made.withheld == ()


def test_a_packed_environment_goes_along_or_is_there(tmp_path: Path) -> None:
    sent = composed(tmp_path, text="submit: {environment: environment.tar.gz}")
    there = composed(tmp_path, text="submit: {environment: 's3://code/environment.tar.gz'}")

    assert conf(sent)["spark.archives"] == f"{at('environment.tar.gz')}#environment"
    assert sent.parcels[-1].uri == at("environment.tar.gz")
    assert conf(there)["spark.archives"] == "s3://code/environment.tar.gz#environment"
    assert [parcel.file.name for parcel in there.parcels] == [
        parcel.file.name for parcel in sent.parcels[:-1]
    ]
    python = {key: value for key, value in conf(there).items() if "python" in key.lower()}
    assert python == dict.fromkeys(
        (
            "spark.pyspark.python",
            "spark.pyspark.driver.python",
            "spark.emr-serverless.driverEnv.PYSPARK_PYTHON",
            "spark.emr-serverless.driverEnv.PYSPARK_DRIVER_PYTHON",
            "spark.executorEnv.PYSPARK_PYTHON",
        ),
        "./environment/bin/python",
    )


def test_the_python_of_an_image(tmp_path: Path) -> None:
    made = composed(tmp_path, text="submit: {python: /opt/lakesmith/bin/python}", jars=False)
    assert conf(made)["spark.pyspark.driver.python"] == "/opt/lakesmith/bin/python"
    assert "spark.archives" not in conf(made)
    assert "spark.jars" not in conf(made)


def test_sparks_own_settings_have_the_last_word(tmp_path: Path) -> None:
    made = composed(
        tmp_path, text="spark: {conf: {spark.dynamicAllocation.maxExecutors: 9, spark.jars: /a b.jar}}"
    )
    assert conf(made)["spark.dynamicAllocation.maxExecutors"] == "9"
    assert conf(made)["spark.jars"] == "/a b.jar"


def test_what_is_too_long_or_too_many_goes_another_way(tmp_path: Path) -> None:
    jars = ",".join(f"s3://code/{number:032}/a.jar" for number in range(30))
    made = composed(tmp_path, text=f"spark: {{conf: {{spark.jars: '{jars}'}}}}")
    many = {f"spark.x{number}": "a b" for number in range(80)} | {"spark.y": "c"}
    crowded = composed(
        tmp_path, text=f"spark: {{conf: {json.dumps(many | {f'spark.z{n}': n for n in range(30)})}}}"
    )

    assert made.request["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"] == f"--conf spark.jars={jars}"
    assert "spark.jars" not in conf(made)
    assert len(conf(crowded)) == 100
    parameters = crowded.request["jobDriver"]["sparkSubmit"]["sparkSubmitParameters"]
    assert parameters.endswith(" --conf spark.z28=28 --conf spark.z29=29")
    with pytest.raises(ConfigurationError, match=r"spark.jars does not fit into a request: .*conf/prod.yml"):
        composed(tmp_path, text=f"spark: {{conf: {{spark.jars: '{jars}, a'}}}}")


def test_an_empty_variable_is_not_sent(tmp_path: Path) -> None:
    made = composed(tmp_path, environ={**PLACES, "LAKESMITH__SPARK__HISTORY_URL": ""})
    assert [key for key in conf(made) if "HISTORY" in key] == []


def test_botocore_takes_the_request(tmp_path: Path) -> None:
    made = composed(
        tmp_path,
        ", log_uri: s3://logs/emr, log_group: /a, log_key: 'arn:aws:kms:eu-west-2:123456789012:key/1'}",
    )
    shape = (
        boto3.client("emr-serverless", "eu-west-2")
        .meta.service_model.operation_model("StartJobRun")
        .input_shape
    )
    assert ParamValidator().validate(dict(made.request), shape).generate_report() == ""


def test_logs_are_kept_and_encrypted_as_settings_say(tmp_path: Path) -> None:
    key = "arn:aws:kms:eu-west-2:123456789012:key/1"
    made = composed(tmp_path, f", log_uri: s3://logs/emr, log_key: '{key}', timeout: 90m}}")
    assert monitoring(made) == {
        "managedPersistenceMonitoringConfiguration": {"enabled": True, "encryptionKeyArn": key},
        "s3MonitoringConfiguration": {"logUri": "s3://logs/emr/", "encryptionKeyArn": key},
    }
    assert made.request["executionTimeoutMinutes"] == 90


def test_a_secret_is_not_in_the_request(tmp_path: Path) -> None:
    secrets = {
        "LAKESMITH__STORAGE_OPTIONS__AWS_SECRET_ACCESS_KEY": "hush-1",
        "LAKESMITH__MLFLOW__TRACKING_URI": "https://user:hush-2@mlflow",
        "LAKESMITH__ALERTS__WEBHOOK__URL": "https://hooks/hush-3",
    }
    made = composed(tmp_path, environ=PLACES | secrets)
    assert made.withheld == tuple(sorted(secrets))
    assert "hush" not in str(made)


@pytest.mark.parametrize(
    ("text", "environ", "message"),
    [
        ("spark: {master: yarn}", {}, "spark.master and emr.application are both set.*conf/prod.yml"),
        ("submit: {image: a/b}", {}, "the image belongs to the application"),
        ("", {"LAKESMITH__LAKE_ROOT": "/data/lake"}, "lake_root is /data/lake, which a driver on EMR"),
        (
            "submit: {sizes: {medium: {cores: 3}}}",
            {},
            r"an executor \(submit.sizes\) has 3 cores;.*1, 2, 4, 8, 16",
        ),
        (
            "submit: {sizes: {medium: {cores: 2, memory: 15g}}}",
            {},
            "has 15g and needs a tenth more; with 2 cores.*16 GB",
        ),
        ("spark: {driver_memory: 16g}", {}, r"the driver \(emr.driver_cores, spark.driver_memory\) has 16g"),
    ],
)
def test_what_cannot_be_sent_is_refused(
    tmp_path: Path, text: str, environ: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        composed(tmp_path, text=text, environ=PLACES | environ)


WHOLE = {"application": "00f1", "role": ROLE, "code": "s3://code", "outcomes": "s3://logs/outcomes"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"code": "/code"}, "emr.code: expected a place on S3, like s3://bucket/folder"),
        ({"role": None, "outcomes": None}, "emr: an application needs also: role, outcomes"),
        ({"prices": {"vcpu_hour": 0.05}}, "emr.prices: a cost needs all of vcpu_hour, memory_gb_hour and"),
    ],
)
def test_settings_that_do_not_fit_together(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "base.yml").write_text("{}\n")
    (tmp_path / "conf" / "prod.yml").write_text(json.dumps({"emr": WHOLE | changed}))
    with pytest.raises(InvalidSettings) as told:
        load_settings("prod", tmp_path, PLACES)
    assert message in str(told.value)
