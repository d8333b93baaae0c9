"""Small models of every task, trained in a moment on made-up rows that use every feature type."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xgboost

from training_image.artefact import (
    MANIFEST,
    Calibration,
    Categorical,
    Conformal,
    Feature,
    FeatureType,
    Head,
    ModelManifest,
    Numeric,
    Preparation,
    Tags,
    dump,
    submodel_files,
)
from training_image.parameters import Task
from training_image.preparing import Preparer

TOWNS = ("Rochester", "Syracuse", "Buffalo, NY", 'the "old" town')
FEATURES = (
    Feature(name="age", type="int", minimum=18, maximum=80),
    Feature(name="income", type="double", minimum=0.0, maximum=5e5),
    Feature(name="account", type="bigint", minimum=0, maximum=1e12),
    Feature(name="member", type="boolean", minimum=0, maximum=1),
    Feature(name="town", type="string", labels=TOWNS),
    Feature(name="born", type="date", minimum=-10957, maximum=18262),
    Feature(name="seen", type="timestamp", minimum=0, maximum=1.6e9),
    Feature(name="tags", type="array<string>", labels=("red", "green", "blue")),
)
PREPARATION: tuple[Preparation, ...] = (
    Numeric(feature="age", clip=(20, 70), fill=40.0, offset=40.0, factor=12.5, indicator=True),
    Numeric(feature="income", offset=1000.0, factor=3.0),
    Numeric(feature="account"),
    Numeric(feature="member"),
    Categorical(
        feature="town",
        encoding="one_hot",
        columns=("town=Rochester", "town=Syracuse", "town=Buffalo, NY"),
        table={TOWNS[0]: (1, 0, 0), TOWNS[1]: (0, 1, 0), TOWNS[2]: (0, 0, 1)},
        unknown=(0, 0, 0),
        missing=(None, None, None),
    ),
    Numeric(feature="born"),
    Numeric(feature="seen", offset=8e8, factor=1e6),
    Tags(feature="tags", values=("red", "green", "blue")),
)
SKILLS = ("python", "sql", "scala", "excel")
ARROW = {
    "int": pa.int32(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "string": pa.string(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "array<string>": pa.list_(pa.string()),
}


def rows(count: int, seed: int = 1) -> pa.Table:
    """Rows of FEATURES with missing values, some beyond the training ranges, unknown towns and tags."""
    random = np.random.default_rng(seed)
    epoch = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    columns: dict[str, list[Any]] = {
        "age": [int(value) for value in random.integers(10, 90, count)],
        "income": [float(value) for value in random.lognormal(10, 1, count)],
        "account": [int(value) for value in random.integers(0, 2 * 10**12, count)],
        "member": [bool(value) for value in random.integers(0, 2, count)],
        "town": [str(random.choice([*TOWNS, "Elsewhere"])) for _ in range(count)],
        "born": [epoch.date() + datetime.timedelta(days=int(value)) for value in random.integers(-12000, 18000, count)],
        "seen": [epoch + datetime.timedelta(microseconds=int(v)) for v in random.integers(0, 2 * 10**15, count)],
        "tags": [
            [str(tag) for tag in random.choice(["red", "green", "blue", "mauve"], random.integers(0, 4))]
            for _ in range(count)
        ],
    }
    return pa.table(
        {
            feature.name: pa.array(
                [None if random.random() < 0.1 else value for value in columns[feature.name]], ARROW[feature.type]
            )
            for feature in FEATURES
        }
    )


def make_model(
    folder: Path,
    task: Task = "binary",
    classes: tuple[str | int | float | bool, ...] = (0, 1),
    label_type: FeatureType = "int",
    half_width: float = 0.25,
) -> Path:
    """A model of `task` in `folder` (made), which is returned."""
    folder.mkdir(parents=True, exist_ok=True)
    preparer = Preparer(FEATURES, PREPARATION)
    matrix = preparer.prepare(rows(400))
    # What the label is made of does not matter, only that trees find splits.
    score = (
        np.nan_to_num(matrix[:, 0]) + np.nan_to_num(matrix[:, 4]) + np.random.default_rng(2).normal(size=len(matrix))
    )
    objective = {"binary": "binary:logistic", "multiclass": "multi:softprob", "regression": "reg:squarederror"}[task]
    label = {
        "binary": (score > 0).astype(float),
        "multiclass": np.digitize(score, np.quantile(score, np.linspace(0, 1, len(classes) + 1)[1:-1])),
        "regression": score * 10,
    }[task]
    extra = {"num_class": len(classes)} if task == "multiclass" else {}
    booster = train(matrix, label, objective, **extra)
    booster.save_model(folder / "model.ubj")
    head = Head(
        booster="model.ubj",
        columns=tuple(range(len(preparer.names))),
        calibration=Calibration(a=1.1, b=0.9, c=0.05),
        interval=Conformal(coverage=0.9, half_width=half_width, rows=100),
        threshold=0.4 if task == "binary" else None,
    )
    manifest = ModelManifest(
        pipeline="people",
        ds="2020-01-31",
        task=task,
        label="outcome",
        label_type=label_type,
        classes=classes if task != "regression" else (),
        features=FEATURES,
        preparation=PREPARATION,
        prepared=preparer.names,
        heads=(head,),
        rows=400,
        xgboost=xgboost.__version__,
    )
    (folder / MANIFEST).write_bytes(dump(manifest))
    return folder


def make_skills_model(folder: Path) -> Path:
    """A one_vs_rest model: profile_skills (tags) -> role_skills, a submodel a skill, each blind to its own skill."""
    (folder / "submodels").mkdir(parents=True)
    features = (Feature(name="profile_skills", type="array<string>", labels=SKILLS),)
    preparation = (Tags(feature="profile_skills", values=SKILLS),)
    preparer = Preparer(features, preparation)
    random = np.random.default_rng(3)
    table = pa.table({"profile_skills": [[s for s in SKILLS if random.random() < 0.5] for _ in range(300)]})
    matrix = preparer.prepare(table)
    for index, skill in enumerate(SKILLS):
        columns = tuple(position for position in range(len(preparer.names)) if position != index)
        label = (matrix[:, (index + 1) % len(SKILLS)] + random.normal(scale=0.4, size=len(matrix)) > 0.5).astype(float)
        booster, head = submodel_files(index)
        train(np.ascontiguousarray(matrix[:, columns]), label, "binary:logistic").save_model(folder / booster)
        (folder / head).write_bytes(
            dump(
                Head(
                    booster=booster,
                    columns=columns,
                    value=skill,
                    interval=Conformal(coverage=0.9, half_width=0.1 * (index + 1), rows=50),
                )
            )
        )
    manifest = ModelManifest(
        task="one_vs_rest",
        label="role_skills",
        label_type="array<string>",
        values=SKILLS,
        features=features,
        preparation=preparation,
        prepared=preparer.names,
        rows=300,
        xgboost=xgboost.__version__,
    )
    (folder / MANIFEST).write_bytes(dump(manifest))
    return folder


def train(matrix: np.ndarray, label: np.ndarray, objective: str, **extra: int) -> xgboost.Booster:
    parameters = {"objective": objective, "max_depth": 3, "nthread": 1, "seed": 0, **extra}
    return xgboost.train(parameters, xgboost.DMatrix(matrix, label), num_boost_round=12)
