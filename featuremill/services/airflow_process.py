"""One of Airflow's own commands (or several, with `,` between them), in a process that has loaded what tasks need.

Tasks and the reading of DAG files run in processes forked from this one. They find the modules there, in memory that
they share, instead of each loading them for seconds. A change of such a module is seen after a restart.
"""

from __future__ import annotations

import importlib
import runpy
import sys

_OF_DAG_FILES = (
    "airflow.providers.apache.hive.sensors.named_hive_partition",
    "airflow.sdk.bases.skipmixin",
    "featuremill.tasks.outline",
    "featuremill.spec.loading",
)
_GREAT_EXPECTATIONS = "featuremill.quality.gx"
"""Knows how to import it, which would take seconds of every ingest that checks something."""

_OF_TASKS = (
    "airflow.sdk.execution_time.task_runner",
    "airflow.providers.amazon.aws.operators.sagemaker",
    "airflow.providers.apache.hive.hooks.hive",
    "airflow.providers.apache.spark.operators.spark_submit",
    "airflow.providers.standard.operators.trigger_dagrun",
    "boto3",
    "duckdb",
    "featuremill.lookup.publication",
    _GREAT_EXPECTATIONS,
    "featuremill.services.supervisor",
    "featuremill.steps.model_use",
    "featuremill.tasks.day",
    "featuremill.tasks.models",
    "featuremill.tasks.notes",
    "featuremill.tasks.spark_jobs",
    "featuremill.warehouse.hive",
    "hmsclient",
    "lmdb",
    "pyarrow.parquet",
    "pyspark.sql.connect.session",
    "spark_jobs.engine",
    "training_image.prediction",
)
LOADED = {"scheduler": (*_OF_DAG_FILES, *_OF_TASKS), "dag-processor": _OF_DAG_FILES}
"""Command of Airflow -> modules."""


def main() -> None:
    for name in LOADED.get(sys.argv[1], ()):
        importlib.import_module(name)
    if _GREAT_EXPECTATIONS in sys.modules:
        sys.modules[_GREAT_EXPECTATIONS].load()
    rest = sys.argv[1:]
    while rest:
        end = rest.index(",") if "," in rest else len(rest)
        sys.argv[1:], rest = rest[:end], rest[end + 1 :]
        runpy.run_module("airflow", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
