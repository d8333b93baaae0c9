"""The live model is held to what it said of a row before it learned from it."""

from __future__ import annotations

import pyarrow as pa
import pytest

from featuremill.sagemaker.champion import champion
from featuremill.sagemaker.gate import judge
from featuremill.sagemaker.scores import Predictions
from featuremill.spec.accept import Accept


def _score(rows: pa.Table) -> Predictions:
    labels = pa.array([1] * rows.num_rows, pa.int64())
    probability = pa.array([0.99] * rows.num_rows, pa.float64())
    return Predictions(pa.table({"predicted_label": labels, "probability": probability}), (0, 1))


def _judged(keys: list[int]) -> pa.Table:
    labels = pa.array([0] * len(keys), pa.int32())
    return pa.table({"row": keys, "x": keys, "predicted_label": labels, "probability": [key / 100 for key in keys]})


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ([3, 1, 2], [0.03, 0.01, 0.02]),
        ([7, 3, 8, 1], [0.99, 0.03, 0.99, 0.01]),
        ([7, 8], [0.99, 0.99]),
        ([], []),
    ],
)
def test_recorded_predictions_come_first_and_rows_keep_their_order(keys: list[int], expected: list[float]) -> None:
    rows = pa.table({"row": pa.array(keys, pa.int64()), "x": pa.array(keys, pa.int64())})
    found = champion(_score, _judged([1, 2, 3]), "row")(rows)
    assert found.table.column("probability").to_pylist() == expected
    assert found.classes == (0, 1)


@pytest.mark.parametrize(("judged", "key"), [(None, "row"), (_judged([1]), None), (_judged([1]), "id")])
def test_without_records_every_row_is_scored(judged: pa.Table | None, key: str | None) -> None:
    assert champion(_score, judged, key) is _score


def test_a_new_model_judged_by_folds_is_not_held_against_a_memory() -> None:
    """Both models guess alike out of fold; the live one knows its own rows by heart."""
    rows = pa.table({"row": list(range(100)), "y": [key % 2 for key in range(100)]})
    guess = [0.4 + 0.2 * ((key // 2) % 2) + 0.05 * (key % 2) for key in range(100)]
    labels = pa.array([int(p >= 0.5) for p in guess])
    out_of_fold = pa.table({"row": rows.column("row"), "predicted_label": labels, "probability": guess})

    def by_heart(table: pa.Table) -> Predictions:
        answers = [key % 2 for key in table.column("row").to_pylist()]
        return Predictions(
            pa.table(
                {"predicted_label": pa.array(answers, pa.int64()), "probability": pa.array(answers, pa.float64())}
            ),
            (0, 1),
        )

    accept = Accept.model_validate({"against_live": {"auc": ">= -0.01", "prediction_psi": "<= 0.2"}})
    challenger = Predictions(out_of_fold, (0, 1))
    unfair = judge(accept, "binary", {}, rows=rows, label="y", challenger=challenger, champion=by_heart)
    fair = judge(
        accept,
        "binary",
        {},
        rows=rows,
        label="y",
        challenger=challenger,
        champion=champion(by_heart, out_of_fold, "row"),
    )
    assert not unfair.passed and fair.passed
