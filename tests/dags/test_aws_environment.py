"""The environment `aws`: all of it from environment variables, connections from Secrets Manager first."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import boto3
import pytest
from moto.server import ThreadedMotoServer

from featuremill.errors import FeaturemillError
from featuremill.services.airflow_connections import connections
from featuremill.services.airflow_settings import secrets_settings
from featuremill.spec.environment import Environment, load_environment
from tests.conftest import REPOSITORY

VARIABLES = {
    "FEATUREMILL_LANDING": "s3://mill/landing",
    "FEATUREMILL_WAREHOUSE": "s3://mill/warehouse",
    "FEATUREMILL_METASTORE_HOST": "metastore.internal",
    "FEATUREMILL_HIVESERVER_HOST": "hive.internal",
    "AWS_REGION": "eu-central-1",
    "FEATUREMILL_ROLE": "arn:aws:iam::123456789012:role/mill",
    "FEATUREMILL_BUCKET": "mill-models",
    "FEATUREMILL_IMAGE": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/featuremill-training:1",
    "FEATUREMILL_LOOKUP": "dynamodb://mill",
}
CREDENTIALS = {"aws_access_key_id": "a", "aws_secret_access_key": "b"}


def _aws(**more: str) -> Environment:
    return load_environment(REPOSITORY, "aws", VARIABLES | more)


def test_everything_comes_from_variables() -> None:
    environment = _aws(FEATUREMILL_SUBNETS="subnet-1, subnet-2", FEATUREMILL_SPARK_MASTER="spark://spark:7077")
    assert (environment.landing, environment.warehouse) == ("s3://mill/landing", "s3://mill/warehouse")
    assert environment.state == f"{REPOSITORY}/data/aws"
    sagemaker = environment.sagemaker
    assert (sagemaker.endpoint, sagemaker.region, sagemaker.bucket) == (None, "eu-central-1", "mill-models")
    assert (sagemaker.role, sagemaker.image) == (VARIABLES["FEATUREMILL_ROLE"], VARIABLES["FEATUREMILL_IMAGE"])
    assert sagemaker.subnets == ("subnet-1", "subnet-2")
    assert (sagemaker.security_groups, sagemaker.kms_key) == ((), None)
    assert environment.lookup.root == "dynamodb://mill"
    assert connections(environment, {}) == {
        "spark_conn": {"conn_type": "spark", "host": "spark://spark:7077"},
        "hive_conn": {
            "conn_type": "hiveserver2",
            "host": "hive.internal",
            "port": 10000,
            "schema": "default",
            "extra": {"auth_mechanism": "NONE"},
        },
        "hive_metastore": {
            "conn_type": "hive_metastore",
            "host": "metastore.internal",
            "port": 9083,
            "extra": {"auth_mechanism": "NOSASL"},
        },
        "aws": {"conn_type": "aws", "extra": {"region_name": "eu-central-1"}},
    }


def test_each_missing_variable_is_named() -> None:
    with pytest.raises(FeaturemillError) as raised:
        load_environment(REPOSITORY, "aws", {})
    assert [name for name in VARIABLES if f"variable {name} is not set" not in str(raised.value)] == []


def test_a_variable_chooses_the_environment() -> None:
    chosen = load_environment(REPOSITORY, variables={**VARIABLES, "FEATUREMILL_ENVIRONMENT": "aws"})
    assert chosen == _aws()
    assert load_environment(REPOSITORY, variables={}).sagemaker.endpoint == "local"


def test_on_one_machine_airflow_is_told_of_no_secrets_backend() -> None:
    assert secrets_settings(Environment()) == {}


@pytest.fixture(scope="module")
def secrets_manager() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.stop()


_ASK = """
import json, sys
from airflow.sdk.configuration import ensure_secrets_loaded
if sys.argv[1] == "task":
    from airflow.sdk.execution_time.secrets import DEFAULT_SECRETS_SEARCH_PATH_WORKERS
    backends = ensure_secrets_loaded(default_backends=DEFAULT_SECRETS_SEARCH_PATH_WORKERS)
else:
    backends = ensure_secrets_loaded()
found = {}
for name in ("hive_conn", "hive_metastore"):
    for backend in backends[:2]:
        connection = backend.get_connection(name)
        if connection is not None:
            found[name] = [type(backend).__name__, connection.host, connection.password]
            break
print(json.dumps({"backends": [type(backend).__name__ for backend in backends], "found": found}))
"""


@pytest.mark.parametrize("place", ["task", "server"])
def test_connections_of_secrets_manager_go_before_those_of_the_file(secrets_manager: str, place: str) -> None:
    client = boto3.client("secretsmanager", region_name="eu-central-1", endpoint_url=secrets_manager, **CREDENTIALS)
    kept = {"conn_type": "hiveserver2", "host": "secret.internal", "port": 10001, "login": "mill", "password": "p"}
    client.create_secret(Name=f"{place}/connections/hive_conn", SecretString=json.dumps(kept))
    environment = _aws(FEATUREMILL_SECRETS=place)
    settings = secrets_settings(environment)
    settings["AIRFLOW_CONN_HIVE_METASTORE"] = json.dumps(connections(environment, {})["hive_metastore"])
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _ASK, place],
        env={
            **os.environ,
            **settings,
            "AWS_ENDPOINT_URL": secrets_manager,
            **{name.upper(): text for name, text in CREDENTIALS.items()},
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout.strip().splitlines()[-1])
    assert answer["backends"][:2] == ["SecretsManagerBackend", "EnvironmentVariablesBackend"]
    assert answer["found"] == {
        "hive_conn": ["SecretsManagerBackend", "secret.internal", "p"],
        "hive_metastore": ["EnvironmentVariablesBackend", "metastore.internal", None],
    }
