"""How texts become numbers: which labels are kept, and the table of numbers for each encoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from training_image.artefact import Categorical
from training_image.learning.targets import Floats
from training_image.parameters import Encode, Impute


@dataclass(frozen=True)
class Vocabulary:
    """The labels of a text that are kept, sorted, and in how many rows each is; `rare` and `missing`: rows besides."""

    labels: tuple[str, ...]
    counts: tuple[int, ...]
    rare: int
    missing: int


def learn_vocabulary(texts: pa.Array, max_labels: int, below: float) -> Vocabulary:
    """The most frequent labels (of equals the first by name), none in less than the share `below` of all rows."""
    counted = pc.value_counts(texts.drop_null())
    pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    ranked = sorted(pairs, key=lambda pair: (-pair[1], pair[0]))
    kept = sorted(pair for pair in ranked[:max_labels] if pair[1] >= below * len(texts))
    labels, counts = tuple(label for label, _ in kept), tuple(count for _, count in kept)
    known = len(texts) - texts.null_count
    return Vocabulary(labels, counts, known - sum(counts), texts.null_count)


def learn_categorical(
    feature: str,
    texts: pa.Array,
    vocabulary: Vocabulary,
    encode: Encode,
    impute: Impute,
    outcome: Floats,
    names: Sequence[str],
) -> Categorical:
    """The table of a text feature.

    Rare labels, and those unknown so far, share one entry. Missing: the most frequent label's numbers if imputed so,
    else an entry of its own, or NaN for ordinal and frequency. An indicator column follows where there were missing
    ones and either it is asked for or the encoding is one_hot. `outcome` [n, k] and `names`: see learn_parts.
    """
    columns, rows, unknown, missing = _tables(feature, texts, vocabulary, encode, outcome, names)
    if impute.strategy == "most_frequent" and vocabulary.labels:
        missing = rows[int(np.argmax(vocabulary.counts))]
    if vocabulary.missing and (impute.missing_indicator or encode.kind == "one_hot"):
        columns = [*columns, f"{feature} is missing"]
        rows = [(*row, 0.0) for row in rows]
        unknown, missing = (*unknown, 0.0), (*missing, 1.0)
    return Categorical(
        feature=feature,
        encoding=encode.kind,
        columns=tuple(columns),
        table=dict(zip(vocabulary.labels, rows, strict=True)),
        unknown=unknown,
        missing=missing,
    )


Row = tuple[float, ...]


def _tables(
    feature: str, texts: pa.Array, vocabulary: Vocabulary, encode: Encode, outcome: Floats, names: Sequence[str]
) -> tuple[list[str], list[Row], Row, tuple[float | None, ...]]:
    """Column names, a row a kept label, the row of unknown and of missing ones."""
    if encode.kind == "target":
        means = target_means(texts, vocabulary.labels, outcome, encode.smoothing)
        rows = [tuple(row) for row in means.tolist()]
        suffixes = [f" target {name}".rstrip() for name in names]
        return [feature + suffix for suffix in suffixes], rows[:-2], rows[-2], rows[-1]
    if encode.kind == "ordinal":
        codes: list[Row] = [(float(code),) for code in range(len(vocabulary.labels))]
        return [f"{feature} code"], codes, (float(len(codes)),), (None,)
    if encode.kind == "frequency":
        total = sum(vocabulary.counts) + vocabulary.rare + vocabulary.missing or 1
        shares: list[Row] = [(count / total,) for count in vocabulary.counts]
        return [f"{feature} frequency"], shares, (vocabulary.rare / total,), (None,)
    columns = [f"{feature} is {label}" for label in vocabulary.labels]
    width = len(columns) + (vocabulary.rare > 0)
    identity = [tuple(row) for row in np.eye(width).tolist()]
    none: Row = (0.0,) * width
    if vocabulary.rare:
        return [*columns, f"{feature} is another"], identity[:-1], identity[-1], none
    return columns, identity, none, none


def target_means(texts: pa.Array, labels: Sequence[str], outcome: Floats, smoothing: float) -> Floats:
    """[labels + 2, k]: the mean outcome of each label, of all others, of missing ones, drawn to the overall mean.

    (sum + smoothing * mean) / (count + smoothing): Micci-Barreca, A preprocessing scheme for high-cardinality
    categorical attributes, SIGKDD Explorations 2001.
    """
    codes = pc.index_in(texts, pa.array(labels, pa.string())).fill_null(len(labels)).to_numpy(zero_copy_only=False)
    codes = np.where(texts.is_null().to_numpy(zero_copy_only=False), len(labels) + 1, codes).astype(np.int64)
    counts: npt.NDArray[np.float64] = np.bincount(codes, minlength=len(labels) + 2)[:, None].astype(np.float64)
    width = len(labels) + 2
    sums = np.stack([np.bincount(codes, column, minlength=width) for column in outcome.T], axis=1)
    mean = outcome.mean(axis=0) if len(outcome) else np.zeros(outcome.shape[1])
    # The tiny count keeps the mean where there is neither a row nor smoothing.
    weight = max(smoothing, 1e-9)
    result: Floats = (sums + weight * mean) / (counts + weight)
    return result
