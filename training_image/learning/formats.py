"""Files of a channel as Arrow tables: parquet, csv (no header) and libsvm, with the columns that are wanted, typed.

Column types are those of artefact.FeatureType; ARROW says how each stands in Arrow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from training_image.artefact import ChannelFeature, ChannelManifest, FeatureType
from training_image.learning.errors import UserError
from training_image.parameters import Task
from training_image.preparing import Floats

Format = Literal["parquet", "csv", "libsvm"]

ARROW: Mapping[FeatureType, pa.DataType] = {
    "boolean": pa.bool_(),
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "array<string>": pa.list_(pa.string()),
}
_CONTENT_TYPES: Mapping[str, Format] = {
    "text/csv": "csv",
    "csv": "csv",
    "text/libsvm": "libsvm",
    "text/x-libsvm": "libsvm",
    "libsvm": "libsvm",
    "application/x-parquet": "parquet",
    "application/vnd.apache.parquet": "parquet",
    "application/parquet": "parquet",
    "parquet": "parquet",
}
_SUFFIXES: Mapping[str, Format] = {".parquet": "parquet", ".csv": "csv", ".libsvm": "libsvm", ".svm": "libsvm"}


def format_of(content_type: str | None, files: Sequence[Path]) -> Format:
    """By the channel's ContentType, else by the first file's suffix, else parquet. UserError for another type."""
    if content_type:
        plain = content_type.split(";")[0].strip().lower()
        if plain not in _CONTENT_TYPES:
            raise UserError(
                f"ContentType {content_type} is not supported; use application/x-parquet, text/csv or text/libsvm."
            )
        return _CONTENT_TYPES[plain]
    for file in files:
        for suffix in reversed(file.suffixes):
            if suffix.lower() in _SUFFIXES:
                return _SUFFIXES[suffix.lower()]
    return "parquet"


def guess_manifest(files: Sequence[Path], kind: Format, task: Task) -> ChannelManifest | None:
    """What the columns are where no manifest says so; None without files.

    parquet: the label is the column `label`, else the first one; all others are features. csv: the label comes first,
    the features are numbers, `f0`, `f1` ... libsvm: feature `f<i>` is index i.
    """
    if not files:
        return None
    if kind == "parquet":
        return _guess_parquet(files[0])
    if kind == "csv":
        return _guess_csv(files[0], task)
    width = max(int(_load_libsvm(file)[0].shape[1]) for file in files)
    return _numbered(width, "double" if task == "regression" else "bigint")


def _numbered(width: int, label_type: FeatureType) -> ChannelManifest:
    names = tuple(f"f{index}" for index in range(width))
    features = tuple(ChannelFeature(name=name, type="double") for name in names)
    return ChannelManifest(label="label", label_type=label_type, columns=("label", *names), features=features)


def _guess_parquet(file: Path) -> ChannelManifest:
    schema = _parquet(file).schema_arrow
    types = {field.name: feature_type(field.type) for field in schema}
    for name, kind in types.items():
        if kind is None:
            raise UserError(
                f"{file.name}: column {name} is {schema.field(name).type}, which no model can use; drop it."
            )
    label = "label" if "label" in types else schema.names[0]
    features = tuple(ChannelFeature(name=n, type=t) for n, t in types.items() if n != label and t is not None)
    label_type = types[label]
    assert label_type is not None
    return ChannelManifest(label=label, label_type=label_type, features=features)


def _guess_csv(file: Path, task: Task) -> ChannelManifest:
    try:
        with pa.csv.open_csv(str(file), read_options=pa.csv.ReadOptions(autogenerate_column_names=True)) as reader:
            schema = reader.schema
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{file.name} cannot be read as csv: {error}.") from None
    kind = feature_type(schema.field(0).type)
    if kind == "int":
        kind = "bigint"
    numeric = task == "regression" or kind not in ("bigint", "double", "boolean", "string")
    return _numbered(len(schema) - 1, "double" if numeric or kind is None else kind)


def feature_type(arrow: pa.DataType) -> FeatureType | None:
    """The type of an Arrow column, None if a model cannot use it."""
    if pa.types.is_dictionary(arrow):
        return feature_type(arrow.value_type)
    if pa.types.is_list(arrow) or pa.types.is_large_list(arrow):
        return "array<string>" if feature_type(arrow.value_type) == "string" else None
    tests: tuple[tuple[bool, FeatureType], ...] = (
        (pa.types.is_boolean(arrow), "boolean"),
        (pa.types.is_integer(arrow) and arrow.bit_width < 32 or arrow == pa.int32(), "int"),
        (pa.types.is_integer(arrow), "bigint"),
        (pa.types.is_floating(arrow), "double"),
        (pa.types.is_string(arrow) or pa.types.is_large_string(arrow), "string"),
        (pa.types.is_date(arrow), "date"),
        (pa.types.is_timestamp(arrow), "timestamp"),
    )
    return next((kind for holds, kind in tests if holds), None)


def column_types(manifest: ChannelManifest, names: Sequence[str]) -> dict[str, FeatureType | None]:
    """Type by column; None for row, entity and time columns that are no feature: they stay as they are."""
    known: dict[str, FeatureType | None] = {feature.name: feature.type for feature in manifest.features}
    known[manifest.label] = manifest.label_type
    return {name: known.get(name) for name in names}


def read_batches(
    file: Path, kind: Format, manifest: ChannelManifest, columns: Sequence[str], threads: bool = True
) -> Iterator[pa.Table]:
    """The columns of one file, typed, a row group or block at a time. Raises UserError naming file and column."""
    types = column_types(manifest, columns)
    if kind == "parquet":
        batches = _parquet_batches(file, columns)
    elif kind == "csv":
        batches = _csv_batches(file, manifest, columns)
    else:
        batches = iter([_libsvm_table(file, manifest, columns)])
    for batch in batches:
        yield pa.table([_typed(batch[name], types[name], name, file) for name in columns], names=list(columns))


def _parquet(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{file.name} cannot be read as parquet: {error}") from None


def parquet_rows(file: Path) -> int:
    with _parquet(file) as opened:
        return int(opened.metadata.num_rows)


def _parquet_batches(file: Path, columns: Sequence[str]) -> Iterator[pa.Table]:
    with _parquet(file) as opened:
        names = set(opened.schema_arrow.names)
        for name in columns:
            if name not in names:
                raise UserError(f"{file.name} has no column {name}, which the manifest names.")
        for group in range(opened.num_row_groups):
            try:
                yield opened.read_row_group(group, columns=list(columns))
            except (pa.ArrowInvalid, OSError) as error:
                raise UserError(f"{file.name} is damaged in row group {group}: {error}") from None


def _csv_batches(file: Path, manifest: ChannelManifest, columns: Sequence[str]) -> Iterator[pa.Table]:
    """Lists and timestamps come as text: lists are JSON, timestamps ISO 8601 with or without a zone (then UTC)."""
    if not manifest.columns:
        raise UserError("The manifest names no `columns`, which csv files need; write it for this channel.")
    text = ("timestamp", "array<string>", None)
    types = {n: pa.string() if t in text else ARROW[t] for n, t in column_types(manifest, columns).items()}
    try:
        with pa.csv.open_csv(
            str(file),
            read_options=pa.csv.ReadOptions(column_names=list(manifest.columns), block_size=16 << 20),
            parse_options=pa.csv.ParseOptions(newlines_in_values=True),
            convert_options=pa.csv.ConvertOptions(
                column_types=types,
                include_columns=list(columns),
                null_values=["", "NULL", "null", "NaN", "nan"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        ) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])
    except (pa.ArrowInvalid, pa.ArrowKeyError, OSError) as error:
        raise UserError(f"{file.name} cannot be read as csv with the manifest's columns: {error}.") from None


def _load_libsvm(file: Path) -> tuple[Any, Floats]:
    from sklearn.datasets import load_svmlight_file

    try:
        features, label = load_svmlight_file(str(file), zero_based=True)
    except ValueError as error:
        raise UserError(f"{file.name} cannot be read as libsvm: {error}.") from None
    return features, label


def _libsvm_table(file: Path, manifest: ChannelManifest, columns: Sequence[str]) -> pa.Table:
    """Values that a line does not give are missing, as XGBoost reads the format."""
    features, label = _load_libsvm(file)
    rows = features.tocoo()
    dense = np.full((len(label), max(rows.shape[1], len(manifest.features))), np.nan)
    dense[rows.row, rows.col] = rows.data
    position = {name: index for index, name in enumerate(manifest.columns[1:] or [f.name for f in manifest.features])}
    arrays = [label if name == manifest.label else dense[:, position[name]] for name in columns]
    return pa.table([pa.array(array, from_pandas=True) for array in arrays], names=list(columns))


def _typed(column: pa.ChunkedArray, kind: FeatureType | None, name: str, file: Path) -> pa.ChunkedArray:
    if kind is None:
        return column
    target = ARROW[kind]
    if column.type == target:
        return column
    try:
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if kind == "timestamp" and pa.types.is_string(column.type):
            column = _with_zone(column)
        if kind == "array<string>" and pa.types.is_string(column.type):
            return pa.chunked_array([pa.array([_list(text) for text in column.to_pylist()], target)])
        return column.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise UserError(f"{file.name}: column {name} is {column.type} and cannot be read as {kind}: {error}.") from None


def _with_zone(column: pa.ChunkedArray) -> pa.ChunkedArray:
    zoned = pc.match_substring_regex(column, r"(Z|[+-]\d\d:?\d\d)$")
    return pc.if_else(zoned, column, pc.binary_join_element_wise(column, "Z", ""))


def _list(text: str | None) -> list[str] | None:
    if text is None:
        return None
    value = json.loads(text)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"{text!r} is not a JSON list of texts")
    return value
