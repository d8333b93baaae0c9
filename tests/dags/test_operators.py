"""Which operators do the tasks: those of Airflow's own providers, a few stages aside."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import BaseOperator, BaseSensorOperator
from airflow_dags import maintenance_dags, pipeline_dags
from airflow_dags.provided import ProvidedOperator

SPARK = "apache.spark.operators.spark_submit.SparkSubmitOperator"
HIVE = "apache.hive.sensors.named_hive_partition.NamedHivePartitionSensor"
AMAZON = "amazon.aws.operators.sagemaker.SageMaker"
DEPLOY = {
    "deploy.model": f"{AMAZON}ModelOperator",
    "deploy.config": f"{AMAZON}EndpointConfigOperator",
    "deploy.endpoint": f"{AMAZON}EndpointOperator",
    "deploy.verify": None,
}
OFFICIAL: dict[str, dict[str, str | None]] = {
    "credit_risk": {
        "land": None,
        "ingest.loans": SPARK,
        "snapshot": SPARK,
        "model.is_due": None,
        "model.train": "standard.operators.trigger_dagrun.TriggerDagRunOperator",
        "score": SPARK,
        "publish.move": None,
        "publish.visible": HIVE,
        "monitor": None,
    },
    "credit_risk__train": {
        "land": None,
        "due": None,
        "ingest.loans": SPARK,
        "training": SPARK,
        "train.job": f"{AMAZON}TrainingOperator",
        "train.record": None,
        "accept": None,
        **DEPLOY,
        "publish.move": None,
        "publish.visible": HIVE,
    },
    "credit_risk__deploy": DEPLOY,
    "featuremill_maintenance": {"metastore": None, "gc": None},
}
"""DAG -> task -> the provider's operator; None is a stage of the library's, done in the task's own process."""


def _dags(project: Path) -> dict[str, Any]:
    folder = project / "dags"
    return pipeline_dags("credit_risk", str(folder / "credit_risk.py")) | maintenance_dags(str(folder / "m.py"))


def _official(task: Any) -> type[BaseOperator] | None:
    """The class of a provider that does a task: its own, an ancestor, or the one that it makes when it runs."""
    if isinstance(task, ProvidedOperator):
        module, _, name = task.official.rpartition(".")
        found: type[BaseOperator] = getattr(importlib.import_module(module), name)
        return found
    return next((kind for kind in type(task).__mro__ if kind.__module__.startswith("airflow.providers.")), None)


def test_the_tasks_use_the_operators_of_the_providers(project: Path) -> None:
    found: dict[str, dict[str, str | None]] = {}
    for dag in _dags(project).values():
        tasks = found.setdefault(dag.dag_id, {})
        for task in dag.tasks:
            official = _official(task)
            name = f"{official.__module__}.{official.__name__}" if official is not None else None
            tasks[task.task_id] = name.removeprefix("airflow.providers.") if name is not None else None
    assert found == OFFICIAL


def test_the_ui_shows_the_names_of_the_official_operators(project: Path) -> None:
    for dag in _dags(project).values():
        for task in dag.tasks:
            official = OFFICIAL[dag.dag_id][task.task_id]
            if official is not None:
                assert task.operator_name == official.rpartition(".")[2]


def test_every_other_task_is_of_airflows_own_base_classes(project: Path) -> None:
    for dag in _dags(project).values():
        for task in dag.tasks:
            assert isinstance(task, BaseSensorOperator if task.task_id == "land" else BaseOperator)


def test_what_waits_for_sagemaker_or_a_training_run_waits_in_the_triggerer(project: Path) -> None:
    """So each of them can be resumed."""
    dags = _dags(project)
    for dag, task in (
        ("credit_risk", "model.train"),
        ("credit_risk__train", "train.job"),
        ("credit_risk__train", "deploy.endpoint"),
        ("credit_risk__deploy", "deploy.endpoint"),
    ):
        assert callable(dags[dag].get_task(task).execute_complete)


@pytest.mark.parametrize("task", [task for tasks in OFFICIAL.values() for task, name in tasks.items() if name])
def test_operators_are_made_with_arguments_that_they_have(project: Path, task: str) -> None:
    """`provided` makes them when a task runs; a wrong argument would show only then."""
    for dag in _dags(project).values():
        if task in dag.task_ids and isinstance(dag.get_task(task), ProvidedOperator):
            operator: Any = dag.get_task(task)
            given = {"config": {}, "aws_conn_id": "aws"} if AMAZON in operator.official else {}
            given |= {"trigger_dag_id": "x"} if "trigger_dagrun" in operator.official else {}
            made = operator.provided(**given)
            assert type(made) is _official(operator)
            assert (made.task_id, made.execution_timeout) == (operator.task_id, operator.execution_timeout)
