"""The pipeline files that come with the project: they load, and they fit the files they are for."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import featuremill.spec
from featuremill.samples.loan_lines import COLUMNS
from featuremill.scaffold.values import fits
from featuremill.spec.columns import AggregateColumn, feature_columns
from featuremill.spec.loading import load_pipeline
from featuremill.spec.models import Pipeline, Source

FOLDER = Path(__file__).resolve().parents[2] / "configuration" / "pipelines"
NAMES = ["credit_risk", "crimes", "heart"]
BY_TYPE = {"boolean": ("boolean", "int"), "date": ("date",), "timestamp": ("timestamp",)}


def read(name: str) -> Pipeline:
    """A pipeline of the project, loaded with all the rules."""
    return load_pipeline(FOLDER / f"{name}.yaml")


def only_source(pipeline: Pipeline) -> Source:
    (source,) = pipeline.sources.values()
    return source


@pytest.mark.parametrize("name", NAMES)
class TestEveryFile:
    def test_it_is_named_as_its_pipeline(self, name: str) -> None:
        assert read(name).pipeline == name

    def test_its_expectations_are_known(self, name: str) -> None:
        catalogue = json.loads((Path(featuremill.spec.__file__).parent / "expectation_catalogue.json").read_text())
        for expectation in only_source(read(name)).expect:
            arguments = catalogue["expectations"][expectation.name]["arguments"]
            assert set(expectation.arguments) <= set(arguments)

    def test_the_label_is_an_outcome(self, name: str) -> None:
        pipeline = read(name)
        source = only_source(pipeline)
        assert pipeline.label is not None
        column = source.columns.get(pipeline.label.column) or source.derive[pipeline.label.column]
        assert column.outcome

    def test_it_reads_well(self, name: str) -> None:
        lines = (FOLDER / f"{name}.yaml").read_text().splitlines()
        assert all(len(line) <= 120 for line in lines)
        assert lines[0].startswith("# ")


class TestCreditRisk:
    def test_columns_are_the_sample_s(self) -> None:
        assert tuple(only_source(read("credit_risk")).columns) == COLUMNS

    def test_everything_is_described(self) -> None:
        pipeline = read("credit_risk")
        assert all(column.description for column in only_source(pipeline).columns.values())
        for feature in feature_columns(pipeline):
            described = feature.aggregate if isinstance(feature, AggregateColumn) else feature.select
            assert described.description, feature.name

    def test_the_features_that_others_rely_on(self) -> None:
        names = {feature.name for feature in feature_columns(read("credit_risk"))}
        promised = "nb_previous_loans avg_amount_loans_previous loans_30d loans_90d loans_365d bad_loans_365d age"
        assert set(promised.split()) <= names

    def test_bad_loans_are_used_only_once_known(self) -> None:
        for feature in feature_columns(read("credit_risk")):
            if (
                isinstance(feature, AggregateColumn)
                and "status" in f"{feature.aggregate.argument} {feature.aggregate.where}"
            ):
                assert str(feature.aggregate.known_after) == "60d", feature.name


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("crimes", "rochester_crimes_2020-04-04.csv"),
        ("heart", "heart_train.csv"),
        ("heart", "heart_test.csv"),
    ],
)
def test_real_files_fit(name: str, file: str, shared_data: Path) -> None:
    """The header names every column, and every value is of its column's type or a null."""
    source = only_source(read(name))
    with (shared_data / file).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [column.header or column_name for column_name, column in source.columns.items()] == list(rows[0])
    for column_name, column in source.columns.items():
        if column.type == "string":
            continue
        wanted = BY_TYPE.get(column.type, (column.type,))
        for row in rows:
            text = row[column.header or column_name]
            assert text in source.connector.null_values or fits(text).intersection(wanted), (column_name, text)


def test_crimes_are_burglaries_and_larcenies(shared_data: Path) -> None:
    """The place is missing for few, and the kinds of crime that `where` keeps are as many as published."""
    with (shared_data / "rochester_crimes_2020-04-04.csv").open(newline="") as stream:
        kinds = [row["Statute_Text"] for row in csv.DictReader(stream)]
    assert (kinds.count("Larceny"), kinds.count("Burglary")) == (686, 148)
    assert only_source(read("crimes")).where == "statute_text in ('Larceny', 'Burglary')"
