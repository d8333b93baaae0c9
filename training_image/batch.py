"""Many rows at once: the predictions of a table's batches, beside the columns that say whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa

from training_image.prediction import Model

MODEL_VERSION = "model_version"


def scored_schema(model: Model, given: pa.Schema, keep: Sequence[str]) -> pa.Schema:
    """The columns of `score`: those kept, the model's output columns, and `model_version` (string)."""
    predicted = model.predict(given.empty_table()).schema
    kept = [given.field(name) for name in keep]
    return pa.schema([*kept, *predicted, pa.field(MODEL_VERSION, pa.string())])


def score(
    model: Model, batches: Iterable[pa.RecordBatch], schema: pa.Schema, keep: Sequence[str], version: str
) -> Iterator[pa.RecordBatch]:
    """Predict batch by batch, in order; memory grows with a batch, not with the table.

    Batches have the model's features as columns, and those of `keep`. `schema` is what `scored_schema` gave.
    """
    for batch in batches:
        if not batch.num_rows:
            continue
        given = pa.Table.from_batches([batch])
        predicted = model.predict(given)
        columns = [*(given[name] for name in keep), *predicted.columns]
        columns.append(pa.chunked_array([pa.repeat(version, batch.num_rows)]))
        table = pa.Table.from_arrays(columns, names=schema.names).cast(schema)
        yield from table.combine_chunks().to_batches()
