"""Loading an online store from Spark tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from featuremill.lookup.keys import KeyCodec
from featuremill.lookup.publication import open_store
from featuremill.lookup.store import open_backend
from tests.lookup.building import publish_simple, simple_rows

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@pytest.mark.slow
def test_rows_of_a_data_frame(url: str, tmp_path: Path, spark: SparkSession) -> None:
    from pyspark.sql import functions

    publish_simple(tmp_path / "reference", tmp_path / "local", count=1_000, marker=6)
    local = open_store(tmp_path / "local", "credit_risk")
    snapshot, scores = simple_rows(1_000, 6)
    pq.write_table(snapshot, tmp_path / "snapshot.parquet")
    pq.write_table(scores.slice(0, 1_000), tmp_path / "scores.parquet")
    backend = open_backend(url)
    writer = backend.begin(local.manifest)
    left = spark.read.parquet(str(tmp_path / "snapshot.parquet")).drop("as_of")
    right = spark.read.parquet(str(tmp_path / "scores.parquet")).drop("as_of", "model_version")
    joined = left.join(right.withColumn("scored", functions.lit(True)), "id", "left").repartition(4)
    load = writer.arrow_loader()  # type: ignore[attr-defined]
    counted = joined.mapInArrow(load, "rows bigint, predicted bigint").groupBy().sum().collect()[0]
    pairs = [(bytearray(k), bytearray(local.get(k) or b"")) for k in [KeyCodec("bigint").from_text("1")]]
    spark.sparkContext.parallelize(pairs, 1).foreachPartition(writer.loader())  # type: ignore[attr-defined]
    assert tuple(counted) == (1_000, 1_000)
    backend.activate("credit_risk", writer.finish(predicted_rows=counted[1]).publication)
    keys = [KeyCodec("bigint").from_text(str(n)) for n in range(1, 1_001)]
    assert backend.open("credit_risk").get_many(keys) == local.get_many(keys)
