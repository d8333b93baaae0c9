"""The Feast side of `lookup_feast.py`; runs in Feast's own environment and imports nothing of this project.

lookup_feast_repository.py FOLDER PARQUET sqlite|redis REDIS_PORT     writes the repository and materializes;
                                                                      prints seconds and rows
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq

_STORES = {
    "sqlite": "  type: sqlite\n  path: data/online.db\n",
    "redis": "  type: redis\n  connection_string: 127.0.0.1:{port}\n",
}
_CONFIGURATION = """project: lookup
registry: data/registry.db
provider: local
online_store:
{store}entity_key_serialization_version: 3
"""


def main() -> None:
    """Write, apply, materialize."""
    folder, parquet, store, port = Path(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
    (folder / "data").mkdir(parents=True, exist_ok=True)
    text = _CONFIGURATION.format(store=_STORES[store].format(port=port))
    (folder / "feature_store.yaml").write_text(text)

    from feast import (  # type: ignore[import-not-found]
        Entity,
        FeatureStore,
        FeatureView,
        Field,
        FileSource,
        ValueType,
    )
    from feast.types import Bool, Float64, Int32, Int64, String, UnixTimestamp  # type: ignore[import-not-found]

    kinds = {"double": Float64, "int32": Int32, "int64": Int64, "bool": Bool, "string": String}
    schema = pq.read_schema(parquet)
    names = [name for name in schema.names if name not in ("id", "as_of")]
    fields = [Field(name=name, dtype=kinds.get(str(schema.field(name).type), UnixTimestamp)) for name in names]
    features = FeatureStore(repo_path=str(folder))
    entity = Entity(name="applicant", join_keys=["id"], value_type=ValueType.INT64)
    source = FileSource(path=parquet, timestamp_field="as_of")
    view = FeatureView(name="applicants", entities=[entity], schema=fields, source=source, ttl=None)
    features.apply([entity, view])
    began = time.monotonic()
    features.materialize(datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC))
    print("materialized", time.monotonic() - began, pq.read_metadata(parquet).num_rows)


if __name__ == "__main__":
    main()
