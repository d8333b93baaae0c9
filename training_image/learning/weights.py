"""Class weights: rarer classes weigh more, so that all weigh the same in sum. No row is drawn twice or left out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training_image.learning.targets import Floats, Target


def class_weights(outcome: Floats, classes: int) -> Floats:
    """The weight of each class: rows / (classes * rows of it), 0 for one without rows."""
    counts = np.bincount(outcome.astype(np.int64), minlength=classes)
    with np.errstate(divide="ignore"):
        weights = len(outcome) / (classes * counts.astype(np.float64))
    return np.where(counts > 0, weights, 0.0)


def row_weights(outcome: Floats, weights: Floats | None) -> npt.NDArray[np.float32] | None:
    if weights is None:
        return None
    taken: npt.NDArray[np.float32] = weights[outcome.astype(np.int64)].astype(np.float32)
    return taken


def number_of_classes(target: Target) -> int:
    return 2 if target.task in ("binary", "one_vs_rest") else len(target.classes)
