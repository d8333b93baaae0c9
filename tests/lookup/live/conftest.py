"""A project with a published store and an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from featuremill.lookup.publication import publish
from featuremill.lookup.service.app import Service
from featuremill.lookup.service.settings import ServiceSettings
from featuremill.spec.loading import read_pipeline_file
from featuremill.warehouse.storage import Warehouse
from tests.lookup.building import commit, predictions_of, with_as_of
from tests.lookup.live.fake_sagemaker import FakeSageMaker, fake_sagemaker

PIPELINE = """
pipeline: credit_risk
entity: {key: id, type: bigint}
sources:
  loans:
    connector: {kind: csv, path: "{landing}/loans/ds={ds}/*.csv", date_format: dd.MM.yyyy, null_values: ["", NA]}
    key: loan_id
    time: granted
    columns:
      loan_id: bigint
      id: bigint
      granted: date
      birthday: date
      income: double
      family: int
      car: string
      status: {type: int, outcome: true}
    derive:
      per_head: if(family > 0, income / family, null)
features:
  - from: loans
    aggregate:
      loans: {count: "*"}
    select:
      age: floor(months_between(as_of, birthday) / 12)
      head: per_head
      has_car: cast(car = 'Y' as int)
      granted_day: granted
      code: hash(car)
label: {from: loans, column: status, task: binary, available_after: 60d}
training: {}
endpoint: {}
"""


@pytest.fixture
def sagemaker() -> Iterator[FakeSageMaker]:
    with fake_sagemaker() as told:
        yield told


def snapshot() -> pa.Table:
    return with_as_of(
        pa.table(
            {
                "id": pa.array([1, 2, 3], pa.int64()),
                "loans": pa.array([3, 0, 1], pa.int64()),
                "age": pa.array([40, 50, None], pa.int64()),
                "head": pa.array([0.125, float("nan"), float("inf")], pa.float64()),
                "has_car": pa.array([1, 0, 0], pa.int32()),
                "granted_day": pa.array([19_000, 19_001, None], pa.date32()),
                "code": pa.array([5, 6, 7], pa.int32()),
            }
        )
    )


@pytest.fixture
def project(tmp_path: Path, sagemaker: FakeSageMaker) -> Path:
    """A project whose online store has ids 1, 2 and 3."""
    folder = tmp_path / "project"
    (folder / "configuration" / "pipelines").mkdir(parents=True)
    (folder / "configuration" / "environments").mkdir()
    (folder / "configuration" / "environments" / "local.yaml").write_text(
        f"sagemaker: {{endpoint: '{sagemaker.url}'}}\n"
    )
    file = folder / "configuration" / "pipelines" / "credit_risk.yaml"
    file.write_text(PIPELINE)
    warehouse = Warehouse(folder / "data" / "warehouse")
    scores = with_as_of(predictions_of(pa.array([1, 2], pa.int64()), "id", [0.1, 0.9]))
    first = commit(warehouse, "credit_risk", "snapshot", [snapshot()])
    second = commit(warehouse, "credit_risk", "predictions", [scores])
    publish(warehouse, read_pipeline_file(file).loaded(), first, second, folder / "online")
    return folder


@pytest.fixture
def service_of(project: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Service]:
    """Makes the service, with live settings as keywords (timeout_ms=300)."""

    def make(**live: Any) -> Service:
        for name, value in live.items():
            monkeypatch.setenv(f"FEATUREMILL_LOOKUP_LIVE_{name.upper()}", str(value))
        return Service(ServiceSettings(root=str(project / "online"), project=project))

    return make
