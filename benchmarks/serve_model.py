"""The model and the rows that the serving benchmark uses: 30 features, 300 trees of depth 6."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import xgboost

from training_image.artefact import MANIFEST, Categorical, Conformal, Feature, Head, ModelManifest, Numeric, dump
from training_image.preparing import Preparer

NUMBERS = 27
TEXTS = 3
LABELS = tuple(f"label {index}" for index in range(12))
TREES = 300
DEPTH = 6

FEATURES = tuple(
    [Feature(name=f"number_{i}", type="double", minimum=-4.0, maximum=4.0) for i in range(NUMBERS)]
    + [Feature(name=f"text_{i}", type="string", labels=LABELS) for i in range(TEXTS)]
)
# Ordinal, as pandas' map() does it in the baseline: both give the booster the same 30 columns.
PREPARATION = tuple(
    [Numeric(feature=f"number_{i}") for i in range(NUMBERS)]
    + [
        Categorical(
            feature=f"text_{i}",
            encoding="ordinal",
            columns=(f"text_{i}",),
            table={label: (float(code),) for code, label in enumerate(LABELS)},
            unknown=(-1.0,),
            missing=(None,),
        )
        for i in range(TEXTS)
    ]
)


def rows(count: int, seed: int) -> pa.Table:
    random = np.random.default_rng(seed)
    columns: dict[str, pa.Array] = {f"number_{i}": pa.array(random.normal(size=count)) for i in range(NUMBERS)}
    for i in range(TEXTS):
        columns[f"text_{i}"] = pa.array([LABELS[code] for code in random.integers(0, len(LABELS), count)])
    return pa.table(columns)


def make(folder: Path) -> Path:
    """The model's folder, made."""
    folder.mkdir(parents=True)
    preparer = Preparer(FEATURES, PREPARATION)
    matrix = preparer.prepare(rows(20_000, seed=1))
    random = np.random.default_rng(2)
    score = np.sin(matrix[:, 0] * 2) + matrix[:, 1] * matrix[:, 2] + matrix[:, 27] / 6 + random.normal(size=len(matrix))
    booster = xgboost.train(
        {
            "objective": "binary:logistic",
            "max_depth": DEPTH,
            "eta": 0.1,
            "tree_method": "hist",
            "nthread": 1,
            "seed": 3,
        },
        xgboost.DMatrix(matrix, (score > 1).astype(np.float32)),
        num_boost_round=TREES,
    )
    booster.save_model(folder / "model.ubj")
    head = Head(
        booster="model.ubj",
        columns=tuple(range(len(preparer.names))),
        interval=Conformal(coverage=0.9, half_width=0.4, rows=1000),
        threshold=0.5,
    )
    manifest = ModelManifest(
        task="binary",
        label="outcome",
        label_type="int",
        classes=(0, 1),
        features=FEATURES,
        preparation=PREPARATION,
        prepared=preparer.names,
        heads=(head,),
        rows=20_000,
        xgboost=xgboost.__version__,
    )
    (folder / MANIFEST).write_bytes(dump(manifest))
    return folder


def csv_body(table: pa.Table) -> bytes:
    lines = zip(*(column.to_pylist() for column in table.columns), strict=True)
    return "".join(",".join(str(value) for value in line) + "\n" for line in lines).encode()


def json_body(table: pa.Table) -> bytes:
    return json.dumps({"instances": table.to_pylist()}).encode()
