"""Keys of whole entity columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from featuremill.lookup.keys import double_key, text_key
from featuremill.spec.types import ColumnType

_SIGN = np.uint64(1 << 63)


def column_keys(column: pa.Array, kind: ColumnType) -> list[bytes]:
    """The keys of an entity column without nulls, in its order: those of `KeyCodec.from_value` of each value."""
    if kind == "string":
        return [text_key(text) for text in column.to_pylist()]
    if kind == "double":
        return [double_key(value) for value in column.to_pylist()]
    if kind == "date":
        column = column.cast(pa.int32())
    elif kind == "timestamp":
        column = pc.cast(column, pa.timestamp("us", tz=column.type.tz))
    whole = column.cast(pa.int64()).to_numpy(zero_copy_only=False)
    packed = (whole.view(np.uint64) ^ _SIGN).astype(">u8").tobytes()
    return [packed[start : start + 8] for start in range(0, len(packed), 8)]
