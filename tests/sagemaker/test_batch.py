"""Batch transform on a real (local) SageMaker: the numbers of the endpoint, in the order of the rows."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from featuremill.errors import DataError
from featuremill.sagemaker import batch, buckets
from featuremill.sagemaker.batch import BatchRequest, TransformFailed, batch_predict
from featuremill.sagemaker.client import Clients
from featuremill.sagemaker.records import ModelVersion
from featuremill.sagemaker.requests.training import Hosts
from tests.sagemaker.container import artefact, predictions

ROWS = pa.table({"x": [number / 100 - 5 for number in range(1000)], "name": ["é\n" * (i % 3) for i in range(1000)]})


def _request(clients: Clients, folder: Path, name: str, behaviour: str = "", **changes: Any) -> BatchRequest:
    buckets.ensure_bucket(clients)
    version = f"{name}-2024-01-01-00000001"
    address = buckets.uri(clients, name, "models", version, "model.tar.gz")
    buckets.upload(clients, artefact(folder / f"{name}.tar.gz", 0.5, behaviour), address)
    model = ModelVersion(
        version=version,
        pipeline=name,
        ds="2024-01-01",
        task="binary",
        fingerprint="0" * 32,
        data_fingerprint="0" * 32,
        artefact_uri=address,
        created=datetime(2024, 1, 1, tzinfo=UTC),
    )
    given: dict[str, Any] = {
        "model": model,
        "ds": "2024-01-01",
        "fingerprint": "a" * 32,
        "features": ["x", "name"],
        "label": "y",
        "label_type": pa.int32(),
        "hosts": Hosts("ml.m5.large", 1),
    }
    return BatchRequest(**(given | changes))


def _expected() -> pa.Table:
    table = pa.Table.from_pylist(predictions(ROWS.to_pylist(), 0.5))
    return table.set_column(0, "predicted_label", table.column("predicted_label").cast(pa.int32()))


def test_all_rows_are_predicted_in_order_and_once(
    clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "ROWS_PER_FILE", 300)
    request = _request(clients, tmp_path, "batch", hosts=Hosts("ml.m5.large", 2))
    heard: list[str] = []
    found = batch_predict(clients, request, ROWS.to_batches(max_chunksize=70), heard.append)
    assert found.equals(_expected())
    assert heard[-1] == "Completed"

    def unread() -> Any:
        raise AssertionError("rows that were staged are not read again")
        yield

    assert batch_predict(clients, request, unread()).equals(found)
    jobs = clients.sagemaker.list_transform_jobs(NameContains="batch-2024")["TransformJobSummaries"]
    assert len(jobs) == 1


def test_files_stay_under_their_size(clients: Clients, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "BYTES_PER_FILE", 5_000)
    request = _request(clients, tmp_path, "sizes")
    assert batch_predict(clients, request, ROWS.to_batches()).equals(_expected())
    base = buckets.uri(clients, "sizes", "transform")
    inputs = [name for name in buckets.names(clients, base) if "/input/" in name]
    assert len(inputs) > 5
    assert all((buckets.size(clients, f"{base}/{name}") or 0) <= 5_000 for name in inputs)


def test_a_failure_has_its_reason_and_is_tried_anew(clients: Clients, tmp_path: Path) -> None:
    request = _request(clients, tmp_path, "failing", "error")
    for _ in range(2):
        with pytest.raises(TransformFailed, match="failing-2024-01-01-00000001-.* failed: .+"):
            batch_predict(clients, request, ROWS.to_batches())
    jobs = clients.sagemaker.list_transform_jobs(NameContains="failing-2024")["TransformJobSummaries"]
    assert len(jobs) == 2


def test_no_rows_are_an_error(clients: Clients, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows to predict for"):
        batch_predict(clients, _request(clients, tmp_path, "empty"), [])
