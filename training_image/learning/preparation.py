"""Learns the preparation parts and the features' ranges from training rows. prediction's Preparer applies them.

Several hosts learn from one and the same table (a sample gathered from all of them), so that their parts are equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from training_image.artefact import Categorical, ChannelFeature, Feature, Numeric, Preparation, Tags
from training_image.learning.encodings import Vocabulary, learn_categorical, learn_vocabulary
from training_image.learning.errors import UserError
from training_image.learning.targets import Floats
from training_image.parameters import Clip, Encode, Impute, Preprocess, RareLabels, Scale
from training_image.preparing import NUMERIC_TYPES, Column

MAX_LABELS_KEPT = 1_000


@dataclass(frozen=True)
class Settings:
    """What one feature gets: its own setting, else the common one."""

    impute: Impute
    rare_labels: RareLabels
    encode: Encode
    clip: Clip
    scale: Scale


def settings_of(preprocess: Preprocess, feature: str) -> Settings:
    own = preprocess.columns.get(feature)
    pick = {
        name: (getattr(own, name, None) if own is not None else None) or getattr(preprocess, name)
        for name in ("impute", "rare_labels", "encode", "clip", "scale")
    }
    return Settings(**pick)


def check_settings(preprocess: Preprocess, features: Sequence[ChannelFeature]) -> None:
    """Raises UserError for a setting of a feature that is not there."""
    names = {feature.name for feature in features}
    for name in preprocess.columns:
        if name not in names:
            raise UserError(f"Hyperparameter preprocess.columns names {name}, which is no feature of this channel.")


def describe(feature: ChannelFeature, column: Column) -> Feature:
    """The feature with its range or labels in these rows; other fields as given."""
    if isinstance(column, np.ndarray):
        known = column[np.isfinite(column)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (None, None)
        return Feature(**feature.model_dump(), minimum=low, maximum=high)
    texts = column.flatten() if pa.types.is_list(column.type) else column
    distinct = texts.unique().drop_null()
    labels = tuple(sorted(distinct.to_pylist())) if len(distinct) <= MAX_LABELS_KEPT else None
    return Feature(**feature.model_dump(), labels=labels)


def widen(feature: Feature, others: Sequence[tuple[float | None, float | None]]) -> Feature:
    """With the range of further rows, given as (minimum, maximum)."""
    lows = [low for low, _ in (*others, (feature.minimum, None)) if low is not None]
    highs = [high for _, high in (*others, (None, feature.maximum)) if high is not None]
    if not lows or not highs:
        return feature
    return feature.model_copy(update={"minimum": min(lows), "maximum": max(highs)})


@dataclass(frozen=True)
class Learned:
    """The parts, by feature; `vocabularies` are what target encoding of folds must have in common with the parts."""

    parts: tuple[Preparation, ...]
    vocabularies: Mapping[str, Vocabulary]

    @property
    def target_encoded(self) -> list[str]:
        return [part.feature for part in self.parts if part.kind == "categorical" and part.encoding == "target"]


def learn_parts(
    features: Sequence[ChannelFeature],
    columns: Sequence[Column],
    preprocess: Preprocess,
    outcome: Floats,
    names: Sequence[str],
) -> Learned:
    """One part a feature.

    `columns`: as read_columns gives them, n rows. `outcome` [n, k]: what target encoding averages (0 and 1 for
    classes, the number for regression), `names` the k columns' names ("" if k is 1).
    """
    parts: list[Preparation] = []
    vocabularies: dict[str, Vocabulary] = {}
    for feature, column in zip(features, columns, strict=True):
        settings = settings_of(preprocess, feature.name)
        if feature.type in NUMERIC_TYPES:
            assert isinstance(column, np.ndarray)
            parts.append(learn_numeric(feature, column, settings))
        elif feature.type == "string":
            vocabulary = learn_vocabulary(column, settings.encode.max_labels, settings.rare_labels.below)
            vocabularies[feature.name] = vocabulary
            parts.append(
                learn_categorical(feature.name, column, vocabulary, settings.encode, settings.impute, outcome, names)
            )
        else:
            parts.append(_learn_tags(feature.name, column, settings))
    return Learned(tuple(parts), vocabularies)


def relearn_targets(
    learned: Learned, columns: Mapping[str, Column], preprocess: Preprocess, outcome: Floats, names: Sequence[str]
) -> tuple[Preparation, ...]:
    """The same parts with target encodings from other rows: those outside of a fold."""
    parts: list[Preparation] = []
    for part in learned.parts:
        if isinstance(part, Categorical) and part.encoding == "target":
            settings = settings_of(preprocess, part.feature)
            vocabulary = learned.vocabularies[part.feature]
            column = columns[part.feature]
            again = learn_categorical(
                part.feature, column, vocabulary, settings.encode, settings.impute, outcome, names
            )
            parts.append(again)
        else:
            parts.append(part)
    return tuple(parts)


def learn_numeric(feature: ChannelFeature, values: Floats, settings: Settings) -> Numeric:
    """Bounds, fill and scale in this order, each from what the one before made of the known values."""
    known = values[np.isfinite(values)]
    has_missing = bool(np.isnan(values).any())
    indicator = settings.impute.missing_indicator and has_missing
    if not len(known):
        fill = settings.impute.value if settings.impute.strategy == "constant" else None
        return Numeric(feature=feature.name, fill=fill, indicator=indicator)
    clip = _bounds(known, settings.clip) if feature.type != "boolean" else None
    if clip is not None:
        known = np.clip(known, *clip)
    offset, factor = _scale(known, settings.scale)
    if feature.type == "timestamp" and settings.scale.kind == "none":
        # float32 tells seconds since 1970 apart to 128 s only; counted from the first row it is far better.
        offset = float(np.floor(known.min()))
    fill = _fill(known, settings.impute)
    return Numeric(feature=feature.name, clip=clip, fill=fill, offset=offset, factor=factor, indicator=indicator)


def _bounds(known: Floats, clip: Clip) -> tuple[float, float] | None:
    if clip.quantiles is not None:
        low, high = np.quantile(known, clip.quantiles)
    elif clip.iqr is not None:
        first, third = np.quantile(known, (0.25, 0.75))
        low, high = first - clip.iqr * (third - first), third + clip.iqr * (third - first)
    else:
        return None
    return float(low), float(high)


def _fill(known: Floats, impute: Impute) -> float | None:
    if impute.strategy == "constant":
        return impute.value
    if impute.strategy == "median":
        return float(np.median(known))
    if impute.strategy == "mean":
        return float(known.mean())
    if impute.strategy == "most_frequent":
        values, counts = np.unique(known, return_counts=True)
        return float(values[counts.argmax()])
    return None


def _scale(known: Floats, scale: Scale) -> tuple[float, float]:
    """(offset, factor) of (x - offset) / factor; the factor of a constant is 1."""
    if scale.kind == "standard":
        offset, factor = known.mean(), known.std()
    elif scale.kind == "min_max":
        offset, factor = known.min(), known.max() - known.min()
    elif scale.kind == "robust":
        first, offset, third = np.quantile(known, (0.25, 0.5, 0.75))
        factor = third - first
    else:
        return 0.0, 1.0
    return float(offset), float(factor) or 1.0


def _learn_tags(feature: str, sets: pa.ListArray, settings: Settings) -> Tags:
    """The most frequent values, at most `max_labels`, none rarer than the share of rows asked for; sorted."""
    values = sets.flatten()
    rows = len(sets)
    vocabulary = learn_vocabulary(values, settings.encode.max_labels, 0.0)
    kept = [
        v for v, n in zip(vocabulary.labels, vocabulary.counts, strict=True) if n >= settings.rare_labels.below * rows
    ]
    return Tags(feature=feature, values=tuple(sorted(kept)))
