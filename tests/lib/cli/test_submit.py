"""`submit` as a command: what it composes from an archive, and what it refuses. Jobs are run in tests/e2e/test_cluster.py."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from zipfile import ZipFile

import pytest

from command_lines import Ask
from lakesmith.config.archive import unpack
from lakesmith.shipping.packaging import build_archive
from workspaces import METERS


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The meters project with its archive, a Spark and Delta's jars; one table asks for more than the others."""
    root = tmp_path / "meters"
    shutil.copytree(METERS, root)
    contract = root / "conf" / "tables" / "gold.usage.yml"
    contract.write_text(contract.read_text() + "resources: medium\n")
    (root / "conf" / "prod.yml").write_text("clean_build: true\nspark: {master: 'spark://host:7077'}\n")
    (root / "jobs" / "night.py").write_text("night = 1\n")
    for job in (root / "jobs" / "gold" / "usage.py", root / "jobs" / "silver" / "readings.py"):
        job.write_text(job.read_text() + f"\n\nif __name__ == '__main__':\n    {job.stem}.main()\n")
    (root / ".jars").mkdir()
    (root / ".jars" / "jars.lock").write_text("")
    spark = tmp_path / "spark"
    (spark / "bin").mkdir(parents=True)
    (spark / "bin" / "spark-submit").write_text("#!/bin/sh\nexit 6\n")
    (spark / "bin" / "spark-submit").chmod(0o755)
    monkeypatch.setenv("SPARK_HOME", str(spark))
    monkeypatch.setenv("LAKESMITH_ARCHIVES", str(tmp_path / "archives"))
    monkeypatch.chdir(root)
    build_archive(root, root / "dist")
    return root


def with_commit(project: Path, commit: str, *, dirty: bool) -> None:
    """The archive in dist/ as if it had been built from that."""
    [archive] = (project / "dist").iterdir()
    with ZipFile(archive) as zipped:
        files = {name: zipped.read(name) for name in zipped.namelist()}
    files["lakesmith/_commit.json"] = json.dumps({"commit": commit, "dirty": dirty}).encode()
    with ZipFile(archive, "w") as zipped:
        for name, content in files.items():
            zipped.writestr(name, content)
    unpack.cache_clear()


def test_the_command_is_shown_and_nothing_run(ask: Ask, project: Path) -> None:
    answer = ask("submit", "gold.usage", "--date", "2024-01-01", "--master", "spark://host:7077", "--show")
    assert (answer.code, answer.err) == (0, "")
    [archive] = (project / "dist").iterdir()
    assert [line.strip(" \\") for line in answer.out.splitlines()][:7] == [
        f"LAKESMITH__LANDING_ROOT={project}/landing",
        f"LAKESMITH__LAKE_ROOT={project}/lake",
        f"{project.parent}/spark/bin/spark-submit",
        "--master spark://host:7077",
        "--deploy-mode client",
        "--name 'lakesmith usage'",
        "--driver-memory 2g",
    ]
    assert f"--py-files {archive}" in answer.out
    assert f"  {unpack(archive)}/jobs/gold/usage.py \\\n  --date=2024-01-01 \\\n  --env dev\n" in answer.out


@pytest.mark.parametrize(
    ("arguments", "cores"),
    [
        (["silver.readings"], 2),
        (["gold.usage"], 16),
        (["night"], 16),
        (["night", "--table", "silver.readings"], 2),
        (["silver.readings", "--size", "large"], 64),
    ],
)
def test_the_largest_size_of_the_tables_is_asked_for(
    ask: Ask, project: Path, arguments: list[str], cores: int
) -> None:
    answer = ask("submit", *arguments, "--date", "2024-01-01", "--master", "spark://host:7077", "--show")
    assert f"--total-executor-cores {cores} " in answer.out


def test_what_a_job_takes_besides_goes_along(ask: Ask, project: Path) -> None:
    answer = ask("submit", "night", "--master", "local[*]", "--show", "--force", "--", "one", "--promote")
    assert "jobs/night.py \\\n  one \\\n  --promote \\\n  --force \\\n  --env dev\n" in answer.out


def test_the_answer_is_the_jobs(ask: Ask, project: Path) -> None:
    assert ask("submit", "night", "--date", "2024-01-01", "--master", "local[*]").code == 6


def test_a_lake_in_s3_takes_its_jars_along(ask: Ask, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / ".jars" / "s3").mkdir()
    (project / ".jars" / "s3" / "jars.lock").write_text(
        f"{'0' * 64} org.apache.hadoop:hadoop-aws:1 s3a.jar\n"
    )
    (project / ".jars" / "s3" / "s3a.jar").touch()
    asked = ("submit", "gold.usage", "--date", "2024-01-01", "--master", "spark://host:7077", "--show")
    assert "s3a.jar" not in ask(*asked).out
    monkeypatch.setenv("LAKESMITH__LAKE_ROOT", "s3://shop-lake")
    answer = ask(*asked)
    assert (answer.code, answer.err) == (0, "")
    assert f"--jars {project}/.jars/s3/s3a.jar" in answer.out


def test_a_job_that_the_archive_does_not_hold(ask: Ask, project: Path) -> None:
    answer = ask("submit", "gold.usge", "--master", "local[*]", "--show")
    assert answer.code == 2
    assert "'gold.usge' is no job of the archive. Jobs: night, bronze.readings, " in answer.err
    assert "make package" in answer.err


def test_a_job_file_that_is_no_program_is_refused(ask: Ask, project: Path) -> None:
    answer = ask("submit", "bronze.readings", "--master", "local[*]", "--show")
    assert answer.code == 2
    assert "jobs/bronze/readings.py is no program: nothing in it calls main()." in answer.err


def test_without_an_archive_the_command_that_makes_one(ask: Ask, project: Path) -> None:
    shutil.rmtree(project / "dist")
    answer = ask("submit", "night", "--master", "local[*]", "--show")
    assert answer.code == 2
    assert f"{project}/dist holds no archive. Make it: make package." in answer.err


def test_a_machine_without_the_project_needs_the_archive_alone(
    ask: Ask, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [archive] = (project / "dist").iterdir()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("LAKESMITH__LANDING_ROOT", "/data/landing")
    monkeypatch.setenv("LAKESMITH__LAKE_ROOT", "/data/lake")
    monkeypatch.setenv("LAKESMITH__JARS_DIR", str(project / ".jars"))
    answer = ask("submit", "night", "--master", "local[*]", "--archive", str(archive), "--show")
    assert (answer.code, answer.err) == (0, "")
    assert "LAKESMITH__LAKE_ROOT=/data/lake" in answer.out


@pytest.mark.parametrize(
    ("commit", "dirty", "code"),
    [("0123456789ab", False, 0), ("0123456789ab", True, 2), ("unknown", False, 2)],
)
def test_prod_takes_what_a_commit_describes(
    ask: Ask, project: Path, commit: str, dirty: bool, code: int
) -> None:
    with_commit(project, commit, dirty=dirty)
    answer = ask("submit", "night", "--date", "2024-01-01", "--env", "prod", "--show")
    assert answer.code == code
    if code:
        assert (
            f"was built from {commit}{'+dirty' if dirty else ''}; prod takes only what a commit alone describes"
            in (answer.err)
        )
        assert "Commit the changes and build it again: make package" in answer.err
