"""Staging: all rows, in order, cut evenly, the same bytes each time, and once."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from featuremill.errors import DataError
from featuremill.sagemaker import buckets
from featuremill.sagemaker.client import Clients
from featuremill.sagemaker.staging import Staged, channel_manifest, stage
from featuremill.warehouse.storage import Warehouse
from tests.sagemaker.tables import PIPELINE, partition, rows
from training_image.artefact import ChannelManifest


@pytest.fixture
def clients(clients: Clients, tmp_path: Path) -> Clients:
    """With a prefix of the test's own."""
    return Clients(clients.settings.model_copy(update={"prefix": tmp_path.name}))


def _files(clients: Clients, staged: Staged) -> list[bytes]:
    names = buckets.names(clients, staged.train_uri)
    return [buckets.read(clients, f"{staged.train_uri}{name}") or b"" for name in names]


def _tables(files: list[bytes]) -> list[pa.Table]:
    return [pq.read_table(io.BytesIO(file)) for file in files]


@pytest.mark.parametrize(
    ("parts", "hosts", "rows_per_file", "sizes"),
    [
        ([250], 1, 1000, [250]),
        ([250], 4, 1000, [62, 63, 62, 63]),
        ([100, 3, 147], 2, 1000, [125, 125]),
        ([250], 2, 60, [41, 42, 42, 41, 42, 42]),
        ([2], 3, 1000, [0, 1, 1]),
        ([1000, 1000], 1, 400, [400] * 5),
    ],
)
def test_rows_are_cut_evenly_in_their_order(
    clients: Clients, warehouse: Warehouse, parts: list[int], hosts: int, rows_per_file: int, sizes: list[int]
) -> None:
    manifest = partition(warehouse, parts)
    staged = stage(
        clients, warehouse, manifest, channel_manifest(PIPELINE, manifest), hosts, rows_per_file=rows_per_file
    )
    tables = _tables(_files(clients, staged))
    assert [table.num_rows for table in tables] == sizes
    assert (staged.files, staged.rows) == (len(sizes), sum(sizes))
    assert staged.files % hosts == 0
    assert pa.concat_tables(tables).equals(rows(sum(parts)))


def test_the_manifest_tells_what_the_columns_are(clients: Clients, warehouse: Warehouse) -> None:
    manifest = partition(warehouse, [30])
    staged = stage(clients, warehouse, manifest, channel_manifest(PIPELINE, manifest))
    content = buckets.read(clients, f"{staged.manifest_uri}manifest.json")
    channel = ChannelManifest.model_validate_json(content or b"")
    assert [(f.name, f.type, f.description) for f in channel.features] == [
        ("x", "double", "a number"),
        ("kind", "string", None),
    ]
    assert (channel.label, channel.label_type, channel.ds) == ("y", "int", "2024-01-01")
    assert (channel.row, channel.entity, channel.time) == ("event_id", "id", "as_of")
    assert channel.columns == tuple(rows(1).column_names)
    assert channel.fingerprint == manifest.fingerprint


def test_the_same_partition_is_staged_once_and_gives_the_same_bytes(clients: Clients, warehouse: Warehouse) -> None:
    manifest = partition(warehouse, [300])
    channel = channel_manifest(PIPELINE, manifest)
    first = stage(clients, warehouse, manifest, channel, 2)
    before = _files(clients, first)
    assert not first.reused
    assert stage(clients, warehouse, manifest, channel, 2) == Staged(
        **{name: getattr(first, name) for name in first.__dataclass_fields__ if name != "reused"}, reused=True
    )
    buckets.delete_below(clients, first.train_uri)
    again = stage(clients, warehouse, manifest, channel, 2)
    assert not again.reused and _files(clients, again) == before


def test_what_was_cut_off_is_staged_anew(clients: Clients, warehouse: Warehouse) -> None:
    manifest = partition(warehouse, [300])
    channel = channel_manifest(PIPELINE, manifest)
    first = stage(clients, warehouse, manifest, channel)
    before = _files(clients, first)
    buckets.write(clients, f"{first.train_uri}part-00000.parquet", b"half")
    buckets.write(clients, f"{first.train_uri}part-00009.parquet", b"left over")
    again = stage(clients, warehouse, manifest, channel)
    assert not again.reused and _files(clients, again) == before


def test_other_rows_or_another_number_of_hosts_go_elsewhere(clients: Clients, warehouse: Warehouse) -> None:
    one, other = partition(warehouse, [30]), partition(warehouse, [31], "1" * 32)
    channel = channel_manifest(PIPELINE, one)
    found = [stage(clients, warehouse, m, channel, hosts).train_uri for m, hosts in ((one, 1), (one, 2), (other, 1))]
    assert len(set(found)) == 3


def test_a_partition_that_is_gone_is_an_error(clients: Clients, warehouse: Warehouse, tmp_path: Path) -> None:
    manifest = partition(warehouse, [30])
    shutil.rmtree(tmp_path / "warehouse" / "small")
    with pytest.raises(DataError, match="it is not there"):
        stage(clients, warehouse, manifest, channel_manifest(PIPELINE, manifest))


def test_a_pipeline_without_label_has_nothing_to_train(warehouse: Warehouse) -> None:
    manifest = partition(warehouse, [30])
    with pytest.raises(DataError, match="small has no label"):
        channel_manifest(PIPELINE.model_copy(update={"label": None}), manifest)


def test_a_type_that_models_do_not_take_is_named(warehouse: Warehouse) -> None:
    manifest = partition(warehouse, [30])
    odd = json.loads(manifest.to_json())
    odd["columns"][3]["type"] = "decimal(10,2)"
    with pytest.raises(DataError, match=r"models take .*: x decimal\(10,2\)|x decimal\(10,2\) is not"):
        channel_manifest(PIPELINE, type(manifest).model_validate(odd))
