"""Environment files."""

from __future__ import annotations

from pathlib import Path

import pytest

from featuremill.errors import UsageError
from featuremill.spec.environment import Environment, load_environment
from featuremill.spec.problems import EnvironmentFileError
from tests.conftest import REPOSITORY


def load(tmp_path: Path, text: str, **variables: str) -> Environment:
    folder = tmp_path / "configuration" / "environments"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "local.yaml").write_text(text)
    return load_environment(tmp_path, "local", variables)


def said(tmp_path: Path, text: str, **variables: str) -> list[str]:
    with pytest.raises(EnvironmentFileError) as raised:
        load(tmp_path, text, **variables)
    prefix = f"{tmp_path}/configuration/environments/local.yaml:"
    return [str(problem).removeprefix(prefix) for problem in raised.value.problems]


def test_the_projects_own_file_says_the_defaults(tmp_path: Path) -> None:
    assert load_environment(REPOSITORY) == Environment(
        landing=f"{REPOSITORY}/data/landing", warehouse=f"{REPOSITORY}/data/warehouse", state=f"{REPOSITORY}/data/state"
    )


def test_placeholders(tmp_path: Path) -> None:
    environment = load(
        tmp_path,
        """\
landing: "{project}/raw"
warehouse: s3://${BUCKET}/warehouse
state: ${STATE:-state of things}
engine: ${ENGINE:-local}
spark: {conf: {spark.x: "${X:-}y", spark.log: "{not ours}"}}
metastore: {host: "${HOST:-db}", port: "${PORT:-9083}"}
""",
        BUCKET="mill",
        ENGINE="spark",
        X="x",
    )
    assert environment.landing == f"{tmp_path}/raw"
    assert environment.warehouse == "s3://mill/warehouse"
    assert environment.state == f"{tmp_path}/state of things"
    assert environment.engine == "spark"
    assert environment.spark.conf == {"spark.x": "xy", "spark.log": "{not ours}"}
    assert (environment.metastore.host, environment.metastore.port) == ("db", 9083)
    assert environment.hiveserver.port == "auto"


def test_all_mistakes_are_told_at_their_places(tmp_path: Path) -> None:
    text = """\
landing: "{prject}/raw"
warehose: /w
state: /x/${NOT_SET}/state
engine: duckdb
spark: {master: 5, driver_memory: lots, remote: localhost, conf: [a]}
metastore: {host: db, port: 99999}
hiveserver: {port: autoo, hst: x}
"""
    assert said(tmp_path, text) == [
        "1:11: unknown placeholder `{prject}`; known is {project}",
        "2:1: unknown key `warehose` in the file, did you mean `warehouse`?",
        "3:11: the environment variable NOT_SET is not set; set it, or give a default: ${NOT_SET:-...}",
        "4:9: unknown engine `duckdb`; it is one of local, spark",
        "5:17: `spark.master` should be text, not `5`",
        "5:35: 'lots' is not an amount of memory; write a number and k, m, g or t, like 4g",
        "5:49: 'localhost' is not the address of a Spark Connect server; write it like sc://host:15002",
        "5:66: `spark.conf` should be a mapping, not a list",
        "6:29: 99999 is not a port; write a number from 1 to 65535, or auto",
        "7:20: unknown port `autoo`, did you mean `auto`?",
        "7:27: unknown key `hst` in `hiveserver`, did you mean `host`?",
    ]


def test_wrong_yaml(tmp_path: Path) -> None:
    assert said(tmp_path, "landing: {project}/raw\n") == ["1:10: a text that starts with `{` needs quotes"]
    assert said(tmp_path, "a: 1\na: 2\n")[-1] == "2:1: `a` is written twice, first on line 1"


def test_an_environment_that_is_not_there(tmp_path: Path) -> None:
    load(tmp_path, "engine: local\n")
    with pytest.raises(UsageError, match=r"no environment 'aws': there is no .*aws.yaml; known are local"):
        load_environment(tmp_path, "aws")
