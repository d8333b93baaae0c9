"""XGBoost's parameters: what was asked for, and defaults by the number of rows.

The defaults for few rows were chosen by cross-validation on the 242 rows of a medical data set; those for many rows are
XGBoost's usual depth with a slower pace. Early stopping picks the number of rounds in both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from training_image.learning.errors import UserError
from training_image.learning.targets import Target
from training_image.parameters import Boosting, Task
from training_image.prediction import OBJECTIVES

FEW_ROWS = 20_000

_FEW: Mapping[str, Any] = {
    "max_depth": 2,
    "eta": 0.05,
    "subsample": 0.5,
    "colsample_bynode": 0.15,
    "min_child_weight": 1.0,
    # A few trees a round, each of other rows and columns: less chance in the result, at little cost with few rows.
    "num_parallel_tree": 4,
}
_MANY: Mapping[str, Any] = {"max_depth": 6, "eta": 0.1, "min_child_weight": 5.0}

_OBJECTIVE: Mapping[Task, str] = {
    "binary": "binary:logistic",
    "one_vs_rest": "binary:logistic",
    "multiclass": "multi:softprob",
    "regression": "reg:squarederror",
}
_LOSS: Mapping[Task, str] = {
    "binary": "logloss",
    "one_vs_rest": "logloss",
    "multiclass": "mlogloss",
    "regression": "rmse",
}
_OWN = ("rounds", "early_stopping_rounds", "reg_lambda", "reg_alpha")
_REFUSED = ("num_class", "nthread", "seed", "device", "process_type", "updater", "eval_metric", "base_score")


@dataclass(frozen=True)
class BoosterSettings:
    """`parameters` are xgboost.train's; `loss` is watched for early stopping, less is better."""

    parameters: Mapping[str, Any]
    rounds: int
    patience: int
    loss: str

    @property
    def draws(self) -> bool:
        """Whether rows or columns are drawn at random."""
        names = ("subsample", "colsample_bytree", "colsample_bylevel", "colsample_bynode")
        return any(float(self.parameters.get(name, 1.0)) < 1.0 for name in names)

    @property
    def objective(self) -> str:
        return str(self.parameters["objective"])


def booster_settings(boosting: Boosting, target: Target, rows: int, seed: int, threads: int) -> BoosterSettings:
    """Raises UserError for a parameter that the image itself sets, or an objective that the task cannot have."""
    asked = boosting.model_dump(exclude_none=True, exclude=set(_OWN))
    for name in _REFUSED:
        if name in asked:
            raise UserError(f"Hyperparameter xgboost.{name} cannot be set: the training program sets it.")
    objective = str(asked.pop("objective", _OBJECTIVE[target.task]))
    allowed = OBJECTIVES.get(target.task, frozenset())
    if (allowed and objective not in allowed) or (not allowed and not objective.startswith("reg:")):
        choices = ", ".join(sorted(allowed)) or "one of those that begin with reg:"
        raise UserError(f"Hyperparameter xgboost.objective is {objective}; task {target.task} needs {choices}.")
    few = rows <= FEW_ROWS
    parameters: dict[str, Any] = {
        "tree_method": "hist",
        **(_FEW if few else _MANY),
        **asked,
        "objective": objective,
        "eval_metric": _LOSS[target.task],
        "seed": seed % (1 << 31),
        # Threads that wait for each other after every little node cost more than they bring.
        "nthread": 1 if few else threads,
        "verbosity": 1,
    }
    if boosting.reg_lambda is not None:
        parameters["lambda"] = boosting.reg_lambda
    if boosting.reg_alpha is not None:
        parameters["alpha"] = boosting.reg_alpha
    if target.task == "multiclass":
        parameters["num_class"] = len(target.classes)
    rounds = boosting.rounds or (500 if few else 1_000)
    patience = boosting.early_stopping_rounds or (50 if few else 30)
    return BoosterSettings(parameters, rounds, patience, _LOSS[target.task])
