"""Entities with 50 features and a prediction each, as a warehouse, for the lookup benchmarks.

The values are made of hashes, so that they are the same in every run and compress like real ones.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb

from featuremill.spec.models import Pipeline
from featuremill.warehouse.manifest import Manifest
from featuremill.warehouse.storage import Warehouse

PIPELINE = "credit_risk"
DAY = "2024-01-31"
FIRST_ID, STEP = 5_000_000, 3
ROW_GROUP = 20_480
KEY = f"cast({FIRST_ID} + i * {STEP} AS BIGINT)"


def feature_expressions() -> dict[str, str]:
    """Name -> SQL over the row number `i`: 20 doubles, 20 ints, 4 booleans, 4 texts, a date, a bigint with nulls."""
    found = {f"amount_mean_{n}_days": f"(hash(i * 50 + {n}) % 100000) / 997.0" for n in range(20)}
    found |= {f"loans_count_{n}_days": f"cast(hash(i * 50 + {n + 20}) % 1000 AS INT)" for n in range(20)}
    found |= {f"flag_{n}": f"hash(i * 50 + {n + 40}) % 2 = 0" for n in range(4)}
    found |= {f"category_{n}": f"'category_' || cast(hash(i * 50 + {n + 44}) % 20 AS VARCHAR)" for n in range(4)}
    found["since"] = "DATE '2020-01-01' + cast(hash(i) % 1000 AS INT)"
    found["balance"] = "CASE WHEN hash(i) % 3 = 0 THEN NULL ELSE cast(hash(i) % 100000000 AS BIGINT) END"
    return found


@dataclass(frozen=True)
class Entities:
    """The partitions of a benchmark; ids are FIRST_ID, FIRST_ID + STEP, ..."""

    warehouse: Warehouse
    pipeline: Pipeline
    snapshot: Manifest
    predictions: Manifest


def make(folder: Path, count: int, day: str = DAY) -> Entities:
    """Write a day of the warehouse of `count` entities; what is there already is used."""
    warehouse = Warehouse(folder / "warehouse")
    features = ", ".join(f'{sql} AS "{name}"' for name, sql in feature_expressions().items())
    scores = (
        "cast(hash(i) % 2 AS INT) AS predicted_label, (hash(i) % 10007) / 10007.0 AS probability,"
        " (hash(i) % 10007) / 20014.0 AS lower, 1 - (hash(i) % 10007) / 20014.0 AS upper,"
        " 'credit_risk-2024-01-31-0a1b2c3d' AS model_version"
    )
    snapshot = _partition(warehouse, "snapshot", day, features, count)
    return Entities(warehouse, _pipeline(), snapshot, _partition(warehouse, "predictions", day, scores, count))


def _partition(warehouse: Warehouse, table: str, day: str, columns: str, count: int) -> Manifest:
    fingerprint = f"{count:016d}"
    found = warehouse.find(PIPELINE, table, day, fingerprint)
    if found is not None:
        return found
    stage = warehouse.stage(PIPELINE, table, day, fingerprint)
    as_of = f"TIMESTAMPTZ '{date.fromisoformat(day) + timedelta(days=1)} 00:00:00+00'"
    query = f"SELECT {KEY} AS id, {as_of} AS as_of, {columns} FROM range({count}) r(i)"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        target = f"{stage.directory}/data_0.parquet"
        connection.execute(
            f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP})"
        )
    return warehouse.commit(stage, warehouse.describe(stage, engine="benchmark")).manifest


def _pipeline() -> Pipeline:
    source = {
        "connector": {"kind": "csv", "path": "{landing}/loans/ds={ds}/*.csv"},
        "key": "loan_id",
        "time": "granted",
        "columns": {"loan_id": "bigint", "id": "bigint", "granted": "date"},
    }
    features = [{"from": "loans", "aggregate": {"loans": {"count": "*"}}}]
    entity = {"key": "id", "type": "bigint"}
    return Pipeline.model_validate(
        {"pipeline": PIPELINE, "entity": entity, "sources": {"loans": source}, "features": features}
    )


def publish_in_process(folder: Path, count: int) -> None:
    """Publish them and print seconds and peak memory in megabytes: run in a process of its own to be measured."""
    import resource

    from featuremill.lookup.publication import publish

    made = make(folder, count)
    done = publish(made.warehouse, made.pipeline, made.snapshot, made.predictions, folder / "store")
    print(done.seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, done.manifest.size)


if __name__ == "__main__":
    publish_in_process(Path(sys.argv[1]), int(sys.argv[2]))
