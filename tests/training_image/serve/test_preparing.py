"""Preparation: one row gives the same numbers alone as among others, and the same as the parts' definition."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training_image.serve.artefacts import ARROW, FEATURES, PREPARATION, TOWNS
from tests.training_image.serve.bodies import plain
from training_image.artefact import Categorical, Feature, FeatureType, Numeric, Preparation, Tags
from training_image.preparing import InputError, Preparer
from training_image.row_preparing import LARGEST
from training_image.serving.fields import JSON

TIMES = st.datetimes(datetime.datetime(1900, 1, 1), datetime.datetime(2200, 1, 1), timezones=st.just(datetime.UTC))
VALUES: dict[FeatureType, st.SearchStrategy[Any]] = {
    "int": st.integers(-(2**31), 2**31 - 1),
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "string": st.sampled_from([*TOWNS, "elsewhere", ""]) | st.text(max_size=5),
    "date": st.dates(datetime.date(1, 1, 1), datetime.date(9999, 12, 31)),
    "timestamp": TIMES,
    "array<string>": st.lists(st.sampled_from(["red", "green", "blue", "mauve"]), max_size=5),
}
ROWS = st.lists(st.fixed_dictionaries({f.name: st.none() | VALUES[f.type] for f in FEATURES}), min_size=1, max_size=6)


def table_of(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.table({f.name: pa.array([row[f.name] for row in rows], ARROW[f.type]) for f in FEATURES})


@settings(max_examples=150, deadline=None)
@given(ROWS)
def test_a_row_alone_gives_the_same_bits_as_among_others(rows: list[dict[str, Any]]) -> None:
    preparer = Preparer(FEATURES, PREPARATION)
    together = preparer.prepare(table_of(rows))
    assert together.dtype == np.float32 and together.flags.c_contiguous
    for number, row in enumerate(rows):
        values = [JSON[feature.type](plain(row[feature.name])) for feature in FEATURES]
        np.testing.assert_array_equal(preparer.prepare_row(values)[0], together[number])


def prepared(part: Preparation, kind: FeatureType, values: list[Any]) -> list[list[float]]:
    preparer = Preparer([Feature(name="x", type=kind)], [part])
    found: list[list[float]] = preparer.prepare(pa.table({"x": pa.array(values, ARROW[kind])})).tolist()
    return found


def test_numbers_are_clipped_then_filled_then_scaled() -> None:
    part = Numeric(feature="x", clip=(0, 10), fill=20, offset=4, factor=2, indicator=True)
    assert prepared(part, "double", [12.0, None, -3.0, 5.0]) == [[3, 0], [8, 1], [-2, 0], [0.5, 0]]


def test_a_number_beyond_float32_becomes_the_largest() -> None:
    assert prepared(Numeric(feature="x"), "double", [1e300, -np.inf]) == [[LARGEST], [-LARGEST]]


def test_dates_are_days_and_times_are_seconds() -> None:
    assert prepared(Numeric(feature="x"), "date", [datetime.date(1970, 1, 3)]) == [[2]]
    assert prepared(Numeric(feature="x"), "timestamp", [datetime.datetime(1970, 1, 1, 0, 1, tzinfo=datetime.UTC)]) == [
        [60]
    ]


def test_texts_are_looked_up() -> None:
    part = Categorical(
        feature="x", encoding="target", columns=("x",), table={"a": (0.25,)}, unknown=(0.5,), missing=(0.75,)
    )
    assert prepared(part, "string", ["a", "b", None]) == [[0.25], [0.5], [0.75]]
    preparer = Preparer([Feature(name="x", type="string")], [part])
    dictionary = pa.DictionaryArray.from_arrays(pa.array([1, 0, None, 2]), pa.array(["a", "b", None]))
    assert preparer.prepare(pa.table({"x": dictionary}))[:, 0].tolist() == [0.5, 0.25, 0.75, 0.75]


def test_sets_count_each_value_once() -> None:
    part = Tags(feature="x", values=("p", "q"))
    assert prepared(part, "array<string>", [["p", "p", "r", None], None, [], ["q", "p"]]) == [
        [1, 0, 2],
        [0, 0, 0],
        [0, 0, 0],
        [1, 1, 2],
    ]
    # Null lists that still have values below them, and slices.
    lists = pa.ListArray.from_arrays(
        pa.array([0, 2, 3, 4]), pa.array(["p", "q", "q", "p"]), mask=pa.array([True, False, False])
    )
    preparer = Preparer([Feature(name="x", type="array<string>")], [part])
    assert preparer.prepare(pa.table({"x": lists})).tolist() == [[0, 0, 0], [0, 1, 1], [1, 0, 1]]
    assert preparer.prepare(pa.table({"x": lists}).slice(1, 1)).tolist() == [[0, 1, 1]]


def test_columns_know_their_feature() -> None:
    preparer = Preparer(FEATURES, PREPARATION)
    assert preparer.names[:3] == ("age", "age is missing", "income")
    assert preparer.names[-4:] == ("tags has red", "tags has green", "tags has blue", "tags count")
    assert [FEATURES[i].name for i in preparer.feature_of[:3]] == ["age", "age", "income"]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"y": [1]}), "lacks the feature x"),
        (pa.table({"x": ["1"]}), "column x is of Arrow type string; the model's feature is of type int"),
        (pa.table({"x": [1.5]}), "row 1: x is 1.5, not a whole number"),
        (pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["x", "x"]), "column x more than once"),
    ],
)
def test_rows_that_do_not_fit_say_so(table: pa.Table, message: str) -> None:
    preparer = Preparer([Feature(name="x", type="int")], [Numeric(feature="x")])
    with pytest.raises(InputError, match=message):
        preparer.prepare(table)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Numeric(feature="y"), "'y', which is not among the features"),
        (Numeric(feature="x", factor=0), "factor 0"),
        (Tags(feature="x", values=()), "of type int, its preparation is tags"),
    ],
)
def test_parts_that_do_not_fit_say_so(part: Preparation, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preparer([Feature(name="x", type="int")], [part])
