"""Which snapshot a day is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featuremill.sagemaker.records import ModelVersion, Registry
from featuremill.spec.models import Pipeline
from featuremill.steps.fingerprints import fingerprint, score_definition
from featuremill.steps.graph import LiveModel, ModelUse
from featuremill.steps.monitoring import find_reference
from featuremill.warehouse.storage import Warehouse
from tests.lookup.building import pipeline_of
from tests.warehouse.partitions import commit

D1, D2, D3, D4 = (f"2024-01-0{day}" for day in range(1, 5))
MODEL = LiveModel(version="risk-2024-01-02-0a1b2c3d", fingerprint="m" * 32)
ROWS = pa.table({"id": [1, 2]})


class Made:
    """A warehouse of `risk`, whose model learned from the second day."""

    def __init__(self, folder: Path) -> None:
        self.warehouse = Warehouse(folder)
        self.pipeline: Pipeline = pipeline_of("risk")
        self.training = self.partition("training", D2, "t", {"loans@2024-01-02": "first"})
        version = ModelVersion(
            version=MODEL.version,
            pipeline="risk",
            ds=D2,
            task="binary",
            fingerprint=MODEL.fingerprint,
            data_fingerprint=self.training,
            artefact_uri="s3://b/k",
            created=datetime(2024, 1, 3, tzinfo=UTC),
        )
        Registry(self.warehouse, "risk").add(version, "test")

    def partition(self, table: str, ds: str, version: str, inputs: Mapping[str, str] | None = None) -> str:
        made = commit(self.warehouse, ROWS, name=table, ds=ds, version=f"{table} {ds} {version}", inputs=inputs)
        return made.manifest.fingerprint

    def snapshot(self, ds: str, version: str = "1", **inputs: str) -> str:
        return self.partition("snapshot", ds, version, {f"loans@{ds}": text for text in inputs.values()})

    def predictions(self, ds: str, snapshot: str) -> str:
        """Those that the model makes of a snapshot."""
        made = fingerprint(score_definition(self.pipeline), {f"snapshot@{ds}": snapshot, "model": MODEL.fingerprint})
        stage = self.warehouse.stage("risk", "predictions", ds, made)
        pq.write_table(ROWS, Path(stage.directory) / "data.parquet")
        self.warehouse.commit(stage, self.warehouse.describe(stage, engine="test"))
        return made

    def of_model(self, ds: str) -> tuple[str, str, str | None] | None:
        found = find_reference(self.warehouse, self.pipeline, ds, ModelUse(live=MODEL), None)
        if found is None:
            return None
        predicted = found.predictions.fingerprint if found.predictions is not None else None
        return found.features.ds, found.features.fingerprint, predicted


@pytest.fixture
def made(tmp_path: Path) -> Made:
    return Made(tmp_path)


def test_the_model_s_own_day_with_its_predictions(made: Made) -> None:
    made.snapshot(D1)
    own = made.snapshot(D2, landed="first")
    made.snapshot(D3)
    assert made.of_model(D4) == (D2, own, None)
    predicted = made.predictions(D2, own)
    assert made.of_model(D4) == made.of_model(D2) == (D2, own, predicted)


def test_the_snapshot_of_the_rows_it_learned_from_goes_before_a_corrected_one(made: Made) -> None:
    own = made.snapshot(D2, "1", landed="first")
    corrected = made.snapshot(D2, "2", landed="corrected")
    assert own != corrected and made.of_model(D4) == (D2, own, None)


def test_where_only_corrected_ones_are_left_the_newest_counts(made: Made) -> None:
    corrected = made.snapshot(D2, "2", landed="corrected")
    assert made.of_model(D4) == (D2, corrected, None)


def test_where_the_model_s_day_has_none_the_first_after_it_stands_in(made: Made) -> None:
    made.snapshot(D1)
    assert made.of_model(D3) is None, "an earlier day is none that it learned from"
    third = made.snapshot(D3)
    assert made.of_model(D3) is None, "a day is not its own reference because nothing else is there"
    made.snapshot(D4)
    assert made.of_model(D4) == (D3, third, None)


def test_a_model_that_nobody_recorded_has_no_reference(made: Made) -> None:
    made.snapshot(D2)
    unknown = ModelUse(live=LiveModel(version="x", fingerprint="x" * 32))
    assert find_reference(made.warehouse, made.pipeline, D4, unknown, None) is None


def test_without_a_model_the_newest_published_day_before(made: Made) -> None:
    first = made.snapshot(D1)
    made.snapshot(D2, "1")
    second = made.snapshot(D2, "2")
    made.snapshot(D3)

    def found(ds: str, shown: Mapping[str, str | None] | None) -> tuple[str, str] | None:
        reference = find_reference(made.warehouse, made.pipeline, ds, None, shown)
        return None if reference is None else (reference.features.ds, reference.features.fingerprint)

    assert found(D1, None) is None
    assert found(D2, None) == (D1, first)
    shown = {D1: first, D2: second, D4: "f" * 32}
    assert found(D4, shown) == found(D3, shown) == (D2, second), "the third is not published"
    assert found(D3, {D1: first, D2: "gone"}) == (D1, first)
    assert found(D3, {}) is None
