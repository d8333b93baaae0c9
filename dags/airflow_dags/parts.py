"""What several DAGs are made of."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.apache.hive.sensors.named_hive_partition import NamedHivePartitionSensor
from airflow.sdk import Asset, BaseOperator, PokeReturnValue, TaskGroup, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException

from airflow_dags.operators import EndpointConfigOperator, EndpointOperator, ModelOperator, SparkStepOperator
from airflow_dags.running import SPARK_POOL, clear_errors, model_options, open_day, run_type, say
from featuremill.tasks.outline import Outline

START = datetime(2000, 1, 1, tzinfo=UTC)
"""Early enough for every backfill; nothing is caught up by itself."""

HIVE_METASTORE_CONN = "hive_metastore"
_LATE = timedelta(hours=12)


def asset(pipeline: str, name: str) -> Asset:
    """What other DAGs can wait for: `Asset("credit_risk.snapshot")` by its name."""
    return Asset(name=f"{pipeline}.{name}", uri=f"featuremill://{pipeline}/{name}")


def land(project: str, outline: Outline) -> Any:
    """The raw files of the day are there. A scheduled run waits for them for half a day, others fail at once."""

    @task.sensor(
        task_id="land",
        poke_interval=300,
        timeout=_LATE.total_seconds(),
        mode="reschedule",
        execution_timeout=timedelta(minutes=30),
        doc_md="Waits for the raw files of the day, all sources together.",
    )
    def files_are_there() -> PokeReturnValue:
        from featuremill.errors import DataError

        context = get_current_context()
        with clear_errors():
            day = open_day(project, outline.pipeline, context)
            try:
                return PokeReturnValue(True, day.do("land"))
            except DataError as error:
                if run_type(context) != "scheduled":
                    raise AirflowFailException(str(error)) from None
                say(f"waiting: {error}")
                return PokeReturnValue(False)

    return files_are_there()


def ingests(project: str, outline: Outline) -> list[BaseOperator]:
    """Typed rows, quarantine and expectations: one task a source, for all its landings up to the day."""
    with TaskGroup("ingest", tooltip="Typed rows and quarantined lines; expectations"):
        return [spark(project, outline, "ingest", name=source, source=source) for source in outline.sources]


def spark(project: str, outline: Outline, stage: str, *, name: str | None = None, **more: Any) -> BaseOperator:
    return SparkStepOperator(
        task_id=name or stage, project=project, pipeline=outline.pipeline, stage=stage, pool=SPARK_POOL, **more
    )


def publish(project: str, outline: Outline, tables: tuple[str, ...], outlets: list[Asset], kinds: Any = None) -> Any:
    """Hive's partitions are moved, and then looked at through Hive's own service."""
    with TaskGroup("publish", tooltip="Hive's partitions are pointed at the new tables") as group:

        @task(task_id="move", outlets=outlets, trigger_rule="none_failed")
        def move() -> dict[str, Any]:
            from featuremill.tasks.notes import leave_note, note_of

            context = get_current_context()
            dag_id = context["dag"].dag_id
            with clear_errors():
                day = open_day(project, outline.pipeline, context)
                done = day.do("publish", options=model_options(context), kinds=kinds)
                leave_note(dag_id, context["run_id"], note_of(day, done), say)
                return done

        visible = NamedHivePartitionSensor(
            task_id="visible",
            partition_names=[
                f"{outline.pipeline}.{table}/ds={{{{ ti.xcom_pull(task_ids='publish.move')['ds'] }}}}"
                for table in tables
            ],
            metastore_conn_id=HIVE_METASTORE_CONN,
            poke_interval=5,
            timeout=300,
        )
        move() >> visible
    return group


def deploy(project: str, outline: Outline, look: Callable[[], dict[str, Any]]) -> TaskGroup:
    """The official operators move the endpoint; `verify` (`look`) sees what really runs, tests it, or undoes it."""
    given = {"project": project, "pipeline": outline.pipeline, "trigger_rule": "none_failed"}
    with TaskGroup("deploy", tooltip="The endpoint runs the model, tested with real rows") as group:
        model = ModelOperator(task_id="model", **given)
        config = EndpointConfigOperator(task_id="config", **given)
        endpoint = EndpointOperator(task_id="endpoint", execution_timeout=timedelta(hours=10), **given)
        # Undoing a refresh is itself a refresh: it takes as long.
        verify = task(
            task_id="verify",
            trigger_rule="none_failed",
            outlets=[asset(outline.pipeline, "endpoint")],
            execution_timeout=timedelta(hours=20),
        )(look)
        model >> config >> endpoint >> verify()
    return group


def stage(project: str, outline: Outline, name: str, *, task_id: str | None = None, **more: Any) -> Any:
    """A task for a stage that needs no Spark."""

    @task(task_id=task_id or name, **more)
    def do() -> dict[str, Any]:
        context = get_current_context()
        with clear_errors():
            return open_day(project, outline.pipeline, context).do(name, options=model_options(context))

    return do()
