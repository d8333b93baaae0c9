from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.sagemaker_local.core.shapes import checked
from tests.sagemaker_local.local_server import LocalServer
from tests.sagemaker_local.training.programs import programs


@pytest.fixture(scope="package")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalServer]:
    """A server whose images are the small programs, with some objects to train on."""
    folder = tmp_path_factory.mktemp("training")
    running = LocalServer(folder / "state", programs(folder / "programs")).start()
    s3 = running.client("s3")
    s3.create_bucket(Bucket="data")
    for number in range(5):
        s3.put_object(Bucket="data", Key=f"train/part-{number}.csv", Body=f"{number}".encode())
    s3.put_object(Bucket="data", Key="train/deep/part-9.csv", Body=b"9")
    s3.put_object(Bucket="data", Key="one.csv", Body=b"1")
    s3.put_object(
        Bucket="data", Key="one.manifest", Body=b'[{"prefix": "s3://data/train/"}, "part-3.csv", "deep/part-9.csv"]'
    )
    yield running
    running.stop()


@pytest.fixture
def sagemaker(trainer: LocalServer) -> Any:
    """A client whose answers are checked against botocore's shapes."""
    return checked(trainer.client("sagemaker"))


@pytest.fixture
def s3(trainer: LocalServer) -> Any:
    return trainer.client("s3")
