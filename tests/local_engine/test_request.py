"""Raw rows of a request get the features that the same rows get in training."""

from __future__ import annotations

from pathlib import Path

import pytest

from featuremill.errors import DataError, UsageError
from featuremill.local_engine.request import features_of_rows
from featuremill.local_engine.session import LocalSettings
from featuremill.spec.loading import parse_pipeline
from featuremill.spec.models import Pipeline

TEXT = """
pipeline: visits
entity: {key: patient, type: bigint}
sources:
  visits:
    connector: {kind: csv, path: "{landing}/visits/ds={ds}/*.csv", null_values: ["", "?"]}
    key: visit
    time: day
    columns: {visit: bigint, patient: bigint, day: date, born: date, weight: double, height: double,
              ill: {type: int, outcome: true}}
    derive:
      bmi: weight / (height * height)
features:
  - from: visits
    select:
      age: floor(months_between(as_of, born) / 12)
      bmi: bmi
      heavy: if(bmi > 30, 1, 0)
label: {from: visits, column: ill, task: binary}
"""


def pipeline(text: str = TEXT) -> Pipeline:
    return parse_pipeline(text, "visits.yaml").loaded()


def test_features_are_those_of_training(tmp_path: Path) -> None:
    rows = [
        {"day": "2020-06-01", "born": "2000-06-01", "weight": "100", "height": "1.8"},
        {"day": "2020-05-31", "born": "2000-06-01", "weight": "?", "height": "1.8"},
    ]
    found = features_of_rows(pipeline(), rows, LocalSettings(tmp_path))
    assert found.table.to_pylist() == [
        {"age": 20, "bmi": pytest.approx(100 / 3.24), "heavy": 1},
        {"age": 19, "bmi": None, "heavy": 0},
    ]
    assert (found.rows, found.problems) == ((0, 1), {})


def test_without_a_time_it_is_now(tmp_path: Path) -> None:
    found = features_of_rows(
        pipeline(), [{"born": "1990-01-01", "weight": "1", "height": "1"}], LocalSettings(tmp_path)
    )
    assert found.table["age"].to_pylist()[0] >= 36


def test_wrong_values_are_told_by_row(tmp_path: Path) -> None:
    rows = [
        {"born": "2000-06-01", "weight": "heavy", "height": "1.8"},
        {"born": "2000-06-01", "weight": "70", "height": "1.8"},
        {"born": "2000-02-30", "weight": "70", "height": "0"},
    ]
    found = features_of_rows(pipeline(), rows, LocalSettings(tmp_path))
    assert found.rows == (1,) and found.table.num_rows == 1
    assert found.problems == {
        0: "weight: 'heavy' is not a double",
        2: "born: '2000-02-30' is not a date (yyyy-MM-dd)",
    }


def test_a_value_that_breaks_an_expression(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rows for visits: a value breaks an expression: .*[Dd]ivision by zero"):
        features_of_rows(pipeline(), [{"born": "2000-06-01", "weight": "1", "height": "0"}], LocalSettings(tmp_path))


def test_what_needs_the_past_is_refused(tmp_path: Path) -> None:
    text = TEXT.replace("    select:\n", '    aggregate:\n      visits: {count: "*"}\n    select:\n')
    with pytest.raises(UsageError, match="visits come from the history of an entity"):
        features_of_rows(pipeline(text), [{"born": "2000-06-01"}], LocalSettings(tmp_path))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the rows have no column height"):
        features_of_rows(pipeline(), [{"born": "2000-06-01", "weight": "1"}], LocalSettings(tmp_path))
