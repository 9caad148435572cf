"""The spark-submit commands, word for word, and what is refused before one is made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from lakesmith.config.load import load_settings
from lakesmith.config.sections.jobs import SizeSettings
from lakesmith.config.settings import Settings
from lakesmith.errors import ConfigurationError, UsageError
from lakesmith.shipping.command import Command, Submission, compose, largest

PLACES = {"LAKESMITH__LAKE_ROOT": "/data/lake", "LAKESMITH__LANDING_ROOT": "/data/landing"}


def settings(folder: Path, text: str = "", environ: Mapping[str, str] = PLACES) -> Settings:
    """The settings of an environment `prod` that says this."""
    (folder / "conf").mkdir(exist_ok=True)
    (folder / "conf" / "base.yml").write_text("{}\n")
    (folder / "conf" / "prod.yml").write_text(text)
    return load_settings("prod", folder, environ)


def composed(
    folder: Path,
    text: str = "",
    *,
    environ: Mapping[str, str] = PLACES,
    size: SizeSettings | None = None,
    **how: str,
) -> Command:
    given = settings(folder, text, environ)
    submission = Submission(
        job=Path("/cache/0123/jobs/night.py"),
        arguments=("--date=2011-03-01", "--env", "prod"),
        archive=Path("/opt/shop/dist/lakesmith-0.1.0-0123456789ab.zip"),
        jars=(Path("/opt/shop/.jars/delta-spark.jar"), Path("/opt/shop/.jars/delta-storage.jar")),
        size=size or given.submit.sizes.medium,
        python=Path("/opt/shop/.venv/bin/python"),
    )
    return compose(given, submission, program="/spark/bin/spark-submit", environ=environ, **how)


GOLDEN = yaml.safe_load((Path(__file__).parent / "commands.yml").read_text())


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case["name"])
def test_a_command_word_for_word(tmp_path: Path, case: dict[str, str]) -> None:
    made = composed(
        tmp_path, case.get("settings", ""), environ=PLACES | case.get("variables", {}), **case["how"]
    )
    assert made.text.replace(str(tmp_path), "/opt/shop") == case["command"].rstrip("\n")


def test_a_secret_is_not_on_the_command_line(tmp_path: Path) -> None:
    secrets = {
        "LAKESMITH__STORAGE_OPTIONS__AWS_SECRET_ACCESS_KEY": "hush-1",
        "LAKESMITH__MLFLOW__TRACKING_URI": "https://user:hush-2@mlflow",
        "LAKESMITH__ALERTS__WEBHOOK__URL": "https://hooks/hush-3",
    }
    made = composed(tmp_path, "submit: {deploy_mode: cluster}", environ=PLACES | secrets, master="yarn")
    assert made.withheld == tuple(sorted(secrets))
    assert "hush" not in " ".join(made.arguments)
    # A secret in a variable that another one covers is one all the same.
    covered = {"LAKESMITH__STORAGE_OPTIONS": "{key: hush}", "LAKESMITH__STORAGE_OPTIONS__KEY": "hush"}
    made = composed(tmp_path, "submit: {deploy_mode: cluster}", environ=PLACES | covered, master="yarn")
    assert made.withheld == tuple(sorted(covered))
    # Beside a driver here there is nothing to send.
    assert composed(tmp_path, environ=PLACES | secrets, master="yarn").withheld == ()


@pytest.mark.parametrize(
    ("text", "how", "message"),
    [
        ("", {}, "which cluster.*--master URL, or set spark.master in conf/prod.yml"),
        ("", {"master": "mesos://host"}, "'mesos://host' is no master.*yarn or k8s://"),
        (
            "",
            {"master": "spark://host:7077", "deploy_mode": "cluster"},
            "no Python driver on a standalone cluster.*--deploy-mode client",
        ),
        ("", {"master": "k8s://https://host"}, "Set submit.image in conf/prod.yml"),
        (
            "submit: {image: lakesmith}",
            {"master": "k8s://https://host", "deploy_mode": "cluster"},
            "spark.kubernetes.file.upload.path: s3a://<bucket>/uploads",
        ),
        ("submit: {image: lakesmith}", {"master": "yarn"}, "only Kubernetes runs images"),
    ],
)
def test_what_no_cluster_can_do_is_refused(
    tmp_path: Path, text: str, how: dict[str, str], message: str
) -> None:
    with pytest.raises((ConfigurationError, UsageError), match=message):
        composed(tmp_path, text, **how)


def test_the_largest_size_is_taken(tmp_path: Path) -> None:
    given = settings(tmp_path, "submit: {sizes: {large: {executors: 9, memory: 30g}}}")
    large = largest(["small", "large", "medium"], given)
    assert (large.executors, large.cores, large.memory) == (9, 4, "30g")
    assert largest(["small"], given) == given.submit.sizes.small
    assert largest([], given) == given.submit.sizes.small
    with pytest.raises(ConfigurationError, match="'huge' is no size; sizes: small, medium, large"):
        largest(["small", "huge"], given)
