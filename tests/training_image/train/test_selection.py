"""Which prepared columns stay: a column that varies anywhere does, though its first rows are alike."""

from __future__ import annotations

import numpy as np
import pytest

from training_image.learning.errors import UserError
from training_image.learning.selection import GLANCE, select_columns
from training_image.parameters import SelectFeatures

ROWS = 3 * GLANCE


def selected(matrix: np.ndarray) -> list[int]:
    label = np.zeros(len(matrix), np.float32)
    columns = np.arange(matrix.shape[1])
    chosen = select_columns(matrix, label, True, columns, SelectFeatures(), lambda m, y: {}, 0)
    return [int(column) for column in chosen]


def test_constant_columns_go_and_others_stay() -> None:
    matrix = np.zeros((ROWS, 6), np.float32)
    matrix[0, 1] = 1.0  # at once
    matrix[-1, 2] = 1.0  # in the last row only
    matrix[:, 3] = np.nan  # always missing
    matrix[:-1, 4] = np.nan  # known in the last row only
    matrix[GLANCE, 5] = np.nan  # missing once
    assert selected(matrix) == [1, 2, 4, 5]


def test_nothing_to_learn_from_is_said() -> None:
    with pytest.raises(UserError, match="No feature is left to learn from"):
        selected(np.ones((ROWS, 2), np.float32))
