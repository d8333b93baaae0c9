"""What several DAGs are made of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.apache.hive.sensors.named_hive_partition import NamedHivePartitionSensor
from airflow.sdk import Asset, BaseOperator, TaskGroup

from airflow_dags.provided import Work, made
from airflow_dags.running import SPARK_POOL
from airflow_dags.sagemaker import EndpointConfigOperator, EndpointOperator, ModelOperator
from airflow_dags.spark import SparkStepOperator
from airflow_dags.stages import LandSensor, PublishOperator
from featuremill.tasks.outline import Outline

START = datetime(2000, 1, 1, tzinfo=UTC)
"""Early enough for every backfill; nothing is caught up by itself."""

HIVE_METASTORE_CONN = "hive_metastore"
_LATE = timedelta(hours=12)


def asset(pipeline: str, name: str) -> Asset:
    """What other DAGs can wait for: `Asset("credit_risk.snapshot")` by its name.

    Of an URI that does not begin with `x-` Airflow asks all providers what they make of it, which imports boto3.
    """
    return Asset(name=f"{pipeline}.{name}", uri=f"x-featuremill://{pipeline}/{name}")


def land(project: str, outline: Outline) -> BaseOperator:
    return made(
        LandSensor,
        Work(project, outline.pipeline),
        task_id="land",
        poke_interval=300,
        timeout=_LATE.total_seconds(),
        mode="reschedule",
        execution_timeout=timedelta(minutes=30),
        doc_md="Waits for the raw files of the day, all sources together.",
    )


def ingests(project: str, outline: Outline) -> list[BaseOperator]:
    """Typed rows, quarantine and expectations: one task a source, for all its landings up to the day."""
    with TaskGroup("ingest", tooltip="Typed rows and quarantined lines; expectations"):
        return [
            spark(Work(project, outline.pipeline, "ingest", source=source), task_id=source)
            for source in outline.sources
        ]


def spark(work: Work, kind: type[SparkStepOperator] = SparkStepOperator, **arguments: Any) -> BaseOperator:
    return made(kind, work, pool=SPARK_POOL, **{"task_id": work.stage, **arguments})


def publish(
    project: str,
    outline: Outline,
    tables: tuple[str, ...],
    outlets: list[Asset],
    kinds: tuple[str, ...] | None = None,
) -> TaskGroup:
    """Hive's partitions are moved, and then looked at through Hive's own service."""
    with TaskGroup("publish", tooltip="Hive's partitions are pointed at the new tables") as group:
        work = Work(project, outline.pipeline, "publish", kinds=kinds)
        move = made(PublishOperator, work, task_id="move", outlets=outlets, trigger_rule="none_failed")
        day = "{{ ti.xcom_pull(task_ids='publish.move')['ds'] }}"
        visible = NamedHivePartitionSensor(
            task_id="visible",
            partition_names=[f"{outline.pipeline}.{table}/ds={day}" for table in tables],
            metastore_conn_id=HIVE_METASTORE_CONN,
            poke_interval=5,
            timeout=300,
        )
        move >> visible
    return group


def deploy(project: str, outline: Outline, verify: type[BaseOperator]) -> TaskGroup:
    """The official operators move the endpoint; `verify` sees what really runs, tests it, or undoes it."""
    work, when = Work(project, outline.pipeline, "deploy"), {"trigger_rule": "none_failed"}
    with TaskGroup("deploy", tooltip="The endpoint runs the model, tested with real rows") as group:
        model = made(ModelOperator, work, task_id="model", **when)
        config = made(EndpointConfigOperator, work, task_id="config", **when)
        endpoint = made(EndpointOperator, work, task_id="endpoint", execution_timeout=timedelta(hours=10), **when)
        # Undoing a refresh is itself a refresh: it takes as long.
        last = made(
            verify,
            work,
            task_id="verify",
            outlets=[asset(outline.pipeline, "endpoint")],
            execution_timeout=timedelta(hours=20),
            **when,
        )
        model >> config >> endpoint >> last
    return group
