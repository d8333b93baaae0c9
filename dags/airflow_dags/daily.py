"""`<pipeline>`: land, ingest, snapshot, a model where one is due, predictions, publication."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, TaskGroup, get_current_context, task

from airflow_dags import parts
from airflow_dags.running import DS_PARAM, clear_errors, default_args, give_params, open_day, run_type, say
from featuremill.tasks.outline import Outline


def daily_dag(project: Path, outline: Outline) -> DAG:
    """Scheduled at the end of each day (or whatever the file's `schedule` says) for the day that ended.

    What is there is not made again, so any run and any task may be repeated. Nothing is visible before `publish`.
    """
    root, name = str(project), outline.pipeline
    with DAG(
        name,
        description=outline.description or None,
        doc_md=outline.docs,
        schedule=CronDataIntervalTimetable(outline.schedule, timezone="UTC") if outline.schedule else None,
        start_date=parts.START,
        catchup=False,
        max_active_runs=4,
        is_paused_upon_creation=outline.schedule is not None,
        default_args=default_args(outline.owner),
        tags=["featuremill", name, *(["model"] if outline.learns else [])],
    ) as dag:
        before = parts.land(root, outline) >> parts.ingests(root, outline)
        tables = [parts.spark(root, outline, table) for table in outline.tables]
        for ingest in before:
            ingest >> tables
        outlets = [parts.asset(name, table) for table in outline.tables]
        last: list[Any] = tables
        if outline.learns:
            score = parts.spark(root, outline, "score", skips=True, trigger_rule="none_failed")
            tables >> _model(root, outline) >> score
            last = [score]
            outlets.append(parts.asset(name, "predictions"))
        last >> parts.publish(root, outline, outline.tables, outlets)
    give_params(dag, {"ds": DS_PARAM})
    return dag


def _model(project: str, outline: Outline) -> TaskGroup:
    """Has the training DAG make a model where one is due, and waits for it."""
    with TaskGroup("model", tooltip="A model, if one is due") as group:

        @task.short_circuit(task_id="is_due", ignore_downstream_trigger_rules=False)
        def is_due() -> dict[str, str] | None:
            from featuremill.tasks.day import ModelOptions

            context = get_current_context()
            with clear_errors():
                day = open_day(project, outline.pipeline, context)
                reason = day.due(ModelOptions(trains=True, first=run_type(context) != "backfill"))
            say(f"a model is trained: {reason}" if reason else "no model is due")
            return {"ds": day.ds, "reason": reason} if reason else None

        due = is_due()
        train = TriggerDagRunOperator(
            task_id="train",
            trigger_dag_id=f"{outline.pipeline}__train",
            trigger_run_id="{{ run_id }}",
            conf={"ds": "{{ ti.xcom_pull(task_ids='model.is_due')['ds'] }}", "by_hand": False},
            reset_dag_run=True,
            wait_for_completion=True,
            deferrable=True,
            poke_interval=5,
            retries=0,
            # The run that it triggers tells what went wrong itself.
            on_failure_callback=None,
            execution_timeout=timedelta(hours=36),
        )
        due >> train
    return group
