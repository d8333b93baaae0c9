"""XGBoost's prediction of dense rows in place, by the function of its C interface that `Booster.inplace_predict` calls.

That method looks at which of a dozen kinds of tables it was given, every time: for one row this takes longer than 300
trees do. Here the rows are always a C-contiguous float32 matrix.
"""

from __future__ import annotations

import ctypes
import json
from typing import Literal

import numpy as np
import xgboost

from training_image.number_preparing import Floats, Matrix

# XGBoost's own handle of its library, the C interface of which is documented and stable.
_LIBRARY = xgboost.core._LIB


class DensePredictor:
    """The output of one booster, all trees of it: `margin`, or `value` after the objective's transformation."""

    def __init__(self, booster: xgboost.Booster, kind: Literal["margin", "value"]) -> None:
        self._booster = booster
        settings = {
            "type": 1 if kind == "margin" else 0,
            "training": False,
            "iteration_begin": 0,
            "iteration_end": 0,
            "missing": float("nan"),
            "strict_shape": False,
            "cache_id": 0,
        }
        self._settings = json.dumps(settings).encode()

    def __call__(self, rows: Matrix) -> Floats:
        """[rows], or of multiclass [rows, classes], as float64. At least one row. Safe to call from several threads."""
        address, _ = rows.__array_interface__["data"]
        interface = b'{"data":[%d,true],"shape":[%d,%d],"strides":null,"typestr":"<f4","version":3}'
        shape, dimensions = ctypes.POINTER(ctypes.c_uint64)(), ctypes.c_uint64()
        found = ctypes.POINTER(ctypes.c_float)()
        failed = _LIBRARY.XGBoosterPredictFromDense(
            self._booster.handle,
            interface % (address, *rows.shape),
            self._settings,
            ctypes.c_void_p(),
            ctypes.byref(shape),
            ctypes.byref(dimensions),
            ctypes.byref(found),
        )
        if failed:
            raise xgboost.core.XGBoostError(_LIBRARY.XGBGetLastError().decode())
        sizes = shape[: dimensions.value]
        # XGBoost keeps the buffer for its next prediction in this thread: it is copied.
        buffer = ctypes.cast(found, ctypes.POINTER(ctypes.c_float * int(np.prod(sizes)))).contents
        output: Floats = np.frombuffer(memoryview(buffer), np.float32).astype(np.float64).reshape(sizes)
        return output
