"""Whose Spark it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spark_jobs.engine import SparkEngine

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def test_a_session_that_was_there_before_is_not_stopped(spark: SparkSession) -> None:
    engine = SparkEngine()
    assert engine.session.sparkContext.applicationId == spark.sparkContext.applicationId
    engine.close()
    assert spark.range(3).count() == 3
