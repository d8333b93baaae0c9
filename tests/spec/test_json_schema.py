"""The JSON Schema for editors."""

from __future__ import annotations

import json

import jsonschema  # type: ignore[import-untyped]
import pytest
from jsonschema import Draft202012Validator

from featuremill.spec.json_schema import pipeline_schema, schema_text
from featuremill.spec.loading import parse_pipeline
from featuremill.spec.positions import parse_document
from tests.conftest import REPOSITORY
from tests.spec.example import FILES, SHOPS

COMMITTED = REPOSITORY / "configuration" / "pipeline.schema.json"


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    schema = pipeline_schema()
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def test_the_committed_schema_is_current() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == schema_text(), (
        f"make it anew: python -m featuremill.spec.json_schema {COMMITTED.relative_to(REPOSITORY)}"
    )
    assert json.loads(schema_text())["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(
    "path",
    [FILES / "credit_risk.yaml", *sorted((REPOSITORY / "configuration" / "pipelines").glob("*.yaml"))],
    ids=lambda path: path.stem,
)
def test_good_files_fit(validator: Draft202012Validator, path: object) -> None:
    document = parse_document(path.read_bytes(), "x")  # type: ignore[attr-defined]
    assert [error.message for error in validator.iter_errors(document.data)] == []


def test_the_example_fits(validator: Draft202012Validator) -> None:
    validator.validate(parse_document(SHOPS.encode(), "x").data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("pipeline: shops", "pipeline: My Shops"),
        ("order_id: bigint", "order_id: bigintt"),
        ("required: true", "requird: true"),
        ("required: true", "required: 5"),
        ("mean: amount", "meen: amount"),
        ("mean: amount", "mean: amount, sum: amount"),
        ("mean: amount, where", "where"),
        ("over: 1d", "over: 1 day"),
        ("[30d, 90d]", "[]"),
        ("[30d, 90d]", "[30d, 30d]"),
        ("quarantined: 1%", "quarantined: 2"),
        ('kind: csv, path: "{landing}/shops', 'kind: cvs, path: "{landing}/shops'),
        ("expect_column_values_to_not_be_null", "expect_column_values_to_not_be_nul"),
        ("{column: customer}", "{colum: customer}"),
        ("{column: customer}", "{}"),
        ("task: binary", "task: ternary"),
        (", task: binary", ""),
        ("  - from: shops", "  - source: shops"),
        ("features:\n", "feature:\n"),
        ("      mean_amount:", "      Mean-Amount:"),
        ("entity: {key: customer, type: bigint}", "entity: customer"),
    ],
)
def test_wrong_files_do_not_fit(validator: Draft202012Validator, old: str, new: str) -> None:
    assert SHOPS.count(old) == 1
    text = SHOPS.replace(old, new)
    assert parse_pipeline(text, "shops.yaml").pipeline is None
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(parse_document(text.encode(), "x").data)


def test_short_and_long_forms_fit(validator: Draft202012Validator) -> None:
    text = (
        SHOPS.replace("big: amount > 100", "big: {expression: amount > 100, outcome: false, description: large}")
        .replace("shop_size: size", "shop_size: {expression: size, description: how many work there}")
        .replace("time: {column: ordered, unit: ms}", "time: day")
        .replace("ordered: bigint", "ordered: bigint\n      day: {type: date, description: of the order}")
        .replace("quarantined: 1%", "quarantined: 0.01")
    )
    assert parse_pipeline(text, "shops.yaml").problems == ()
    validator.validate(parse_document(text.encode(), "x").data)
