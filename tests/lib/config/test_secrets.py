"""References to secrets in settings: where they may stand, when they are looked up, and that nothing shows what they hold."""

from __future__ import annotations

import copy
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from amazon import REGION, Answer, answering, emulator, set_credentials
from command_lines import Ask
from lakesmith.aws.clients import AwsDenied, AwsThrottled
from lakesmith.aws.secrets import SecretUnusable, _secret
from lakesmith.config.load import load_settings
from lakesmith.config.secrets import SecretReference, revealed, unresolved
from lakesmith.config.settings import Settings
from lakesmith.errors import ExitCode, InvalidSettings

HUSH = "hush-4711"
PASSWORD = "secret://night/db#password"
EVERYWHERE = f"""
connections:
  erp:
    url: jdbc:postgresql://db/erp
    user: secret://night/db#user
    password: {PASSWORD}
    properties: {{sslkey: '{PASSWORD}'}}
storage_options: {{aws_secret_access_key: '{PASSWORD}'}}
mlflow: {{tracking_uri: 'secret://night/db#uri'}}
openlineage: {{transport: http, url: 'secret://night/db#uri', api_key: '{PASSWORD}'}}
alerts:
  webhook: {{url: 'secret://night/db#uri'}}
  email: {{host: mail, sender: a@b, to: [c@d], username: 'secret://night/db#user', password: '{PASSWORD}'}}
spark: {{conf: {{spark.hadoop.fs.s3a.secret.key: '{PASSWORD}', spark.x: y}}}}
"""
SECRET = {"user": "reader", "password": HUSH, "uri": f"https://user:{HUSH}@mlflow", "pin": 1234}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    set_credentials(monkeypatch)
    _secret.cache_clear()
    yield
    _secret.cache_clear()


@pytest.fixture
def manager() -> Iterator[str]:
    """Secrets Manager with one secret."""
    with emulator() as address:
        secrets = boto3.client("secretsmanager", REGION, endpoint_url=address)
        secrets.create_secret(Name="night/db", SecretString=json.dumps(SECRET))
        yield address


def written(folder: Path, text: str) -> Path:
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "conf" / "base.yml").write_text("{}\n")
    (folder / "conf" / "prod.yml").write_text(text)
    return folder


def loaded(folder: Path, text: str, endpoint: str = "http://127.0.0.1:1") -> Settings:
    """Settings whose Secrets Manager is there; by default nobody listens."""
    reached = f"aws: {{region: {REGION}, endpoint: '{endpoint}', attempts: 2}}\n"
    return load_settings("prod", written(folder, reached + text), {})


def test_a_reference_is_looked_up_when_it_is_used_and_once(tmp_path: Path) -> None:
    with answering(lambda _: Answer({"SecretString": json.dumps(SECRET)})) as (address, asked):
        settings = loaded(tmp_path, EVERYWHERE, address)
        settings.effective()
        repr(settings)
        copy.deepcopy(settings)
        assert asked == []

        erp = settings.connections["erp"]
        assert erp.password is not None
        assert (revealed(erp.user), erp.password.get_secret_value()) == ("reader", HUSH)
        assert revealed(settings.mlflow.tracking_uri) == f"https://user:{HUSH}@mlflow"
        assert settings.spark.revealed_conf == {"spark.hadoop.fs.s3a.secret.key": HUSH, "spark.x": "y"}
    assert [(request.operation, request.body) for request in asked] == [
        ("secretsmanager.GetSecretValue", {"SecretId": "night/db"})
    ]


def test_the_emulators_secret(tmp_path: Path, manager: str) -> None:
    settings = loaded(tmp_path, "alerts: {email: {password: 'secret://night/db#pin'}}", manager)
    assert settings.alerts.email.password is not None
    assert settings.alerts.email.password.get_secret_value() == "1234"


def test_nothing_shows_a_secret(
    tmp_path: Path, manager: str, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    settings = loaded(tmp_path, EVERYWHERE, manager)
    for connection in settings.connections.values():
        assert revealed(connection.password) == HUSH

    listed = ask("config", "show", "--env", "prod", "--project", str(tmp_path), "--json")
    values = {s["key"]: s["value"] for s in json.loads(listed.out)}
    assert values["connections.erp.password"] == "secret://night/db#password"
    assert values["mlflow.tracking_uri"] == "secret://night/db#uri"
    assert values["spark.conf.spark.hadoop.fs.s3a.secret.key"] == "secret://night/db#password"
    assert settings.spark.told_conf == {"spark.x": "y"}
    shown = [repr(settings), str(settings.model_dump()), str(settings.of_transforms), caplog.text, listed.out]
    assert [HUSH in text for text in shown] == [False] * 5


def test_a_reference_goes_to_other_processes_as_it_is(tmp_path: Path) -> None:
    variables = {"LAKESMITH__MLFLOW__TRACKING_URI": "secret://night/db#uri"}
    settings = load_settings("prod", written(tmp_path, ""), variables)

    assert settings.mlflow.tracking_uri is not None
    assert unresolved(settings.mlflow.tracking_uri) == "secret://night/db#uri"
    assert "variable LAKESMITH__MLFLOW__TRACKING_URI" in settings.plain_origins
    again = pickle.loads(pickle.dumps(settings))
    assert again == settings
    assert isinstance(again.mlflow.tracking_uri, SecretReference)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (
            "mlflow: {tracking_uri: 'secret://night'}",
            "mlflow.tracking_uri",
            "is written secret://<name>#<key>",
        ),
        (
            "mlflow: {tracking_uri: 'secret://#key'}",
            "mlflow.tracking_uri",
            "is written secret://<name>#<key>",
        ),
        ("parameters: {vat: 'secret://a#b'}", "parameters.vat", "stands where no secret belongs"),
        ("models: {m: {x: 'secret://a#b'}}", "models.m.x", "stands where no secret belongs"),
        ("lake_root: 'secret://a#b'", "lake_root", "stands where no secret belongs"),
        ("alerts: {email: {to: ['secret://a#b']}}", "alerts.email.to[0]", "stands where no secret belongs"),
        ("spark: {driver_memory: 'secret://a#b'}", "spark.driver_memory", "stands where no secret belongs"),
    ],
)
def test_a_reference_that_is_none_or_misplaced(tmp_path: Path, text: str, place: str, message: str) -> None:
    with pytest.raises(InvalidSettings) as told:
        loaded(tmp_path, text)
    assert [(problem.place, problem.line) for problem in told.value.problems] == [(place, 2)]
    assert message in told.value.problems[0].message


def of_password(folder: Path, reference: str, endpoint: str) -> str | None:
    return revealed(
        loaded(folder, f"alerts: {{email: {{password: '{reference}'}}}}", endpoint).alerts.email.password
    )


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("secret://nobody#password", "there is no such secret"),
        ("secret://night/db#pasword", "that has no key 'pasword'; keys: password, pin, uri, user"),
        ("secret://plain#password", "that is no JSON object of texts"),
        ("secret://nested#password", "that is no JSON object of texts"),
    ],
)
def test_a_secret_that_cannot_be_used(tmp_path: Path, manager: str, reference: str, reason: str) -> None:
    secrets = boto3.client("secretsmanager", REGION, endpoint_url=manager)
    secrets.create_secret(Name="plain", SecretString=HUSH)
    secrets.create_secret(Name="nested", SecretString=json.dumps({"password": {"is": HUSH}}))
    with pytest.raises(SecretUnusable) as told:
        of_password(tmp_path, reference, manager)

    name = reference.split("//")[1].split("#")[0]
    assert told.value.exit_code == ExitCode.USAGE
    assert str(told.value).startswith(
        f"alerts.email.password is in the secret {name}, and {reason}. See it: aws secrets"
    )
    assert HUSH not in "".join(traceback.format_exception(told.value))


def test_one_who_may_not_read_a_secret_is_told_which_setting_wants_it(tmp_path: Path) -> None:
    denied = Answer({"message": "not authorized"}, 400, "AccessDeniedException")
    with answering(lambda _: denied) as (address, _), pytest.raises(AwsDenied) as told:
        of_password(tmp_path, "secret://night/db#password", address)
    assert str(told.value).startswith(
        "read the secret night/db for alerts.email.password: secretsmanager does not allow it (AccessDeniedException"
    )


def test_what_failed_is_asked_again(tmp_path: Path) -> None:
    throttled = Answer({"message": "Rate exceeded"}, 400, "ThrottlingException")
    answers = [throttled, throttled, Answer({"SecretString": json.dumps(SECRET)})]
    with answering(lambda _: answers.pop(0)) as (address, _):
        with pytest.raises(AwsThrottled):
            of_password(tmp_path, "secret://night/db#password", address)
        assert of_password(tmp_path, "secret://night/db#password", address) == HUSH
