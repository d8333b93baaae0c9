"""The committed catalogues say what the installed Spark and Great Expectations say."""

from __future__ import annotations

import json
import runpy
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest

from featuremill.spec.expectation_catalogue import expectation_catalogue
from featuremill.spec.functions import CLOCK, UNREPEATABLE, WITHOUT_BRACKETS, spark_functions
from tests.conftest import REPOSITORY

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pyspark = pytest.importorskip("pyspark")

COMMITTED: dict[str, Any] = json.loads(resources.files("featuremill.spec").joinpath("spark_functions.json").read_text())


def test_spark_functions_are_those_of_the_installed_version() -> None:
    assert COMMITTED["spark"] == pyspark.__version__, "make it anew: python scripts/generate_spark_functions.py"


def test_functions_that_are_refused_exist() -> None:
    assert set(spark_functions()) >= CLOCK | UNREPEATABLE | WITHOUT_BRACKETS


@pytest.mark.slow
def test_spark_functions_are_current(spark: SparkSession) -> None:
    generator = runpy.run_path(str(REPOSITORY / "scripts" / "generate_spark_functions.py"))
    assert generator["spark_functions"](spark) == COMMITTED


def test_expectations_are_those_of_the_installed_version() -> None:
    catalogue = pytest.importorskip("featuremill.quality.catalogue")
    installed = catalogue.make_catalogue().model_dump(mode="json")
    assert json.loads(expectation_catalogue().model_dump_json()) == installed, (
        "make it anew: python -m featuremill.quality.catalogue featuremill/spec/expectation_catalogue.json"
    )
