"""`<pipeline>`: land, ingest, snapshot, a model where one is due, predictions, publication, monitoring."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable, TaskGroup

from airflow_dags import parts
from airflow_dags.provided import Work, made
from airflow_dags.running import DS_PARAM, default_args, give_params, limits
from airflow_dags.spark import ScoreOperator
from airflow_dags.stages import DueDailyOperator, MonitorOperator, TrainingRunOperator
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
        **limits(),
        max_active_runs=4,
        is_paused_upon_creation=outline.schedule is not None,
        default_args=default_args(outline.owner),
        tags=["featuremill", name, *(["model"] if outline.learns else [])],
    ) as dag:
        before = parts.land(root, outline) >> parts.ingests(root, outline)
        tables = [parts.spark(Work(root, name, table)) for table in outline.tables]
        for ingest in before:
            ingest >> tables
        outlets = [parts.asset(name, table) for table in outline.tables]
        last: list[Any] = tables
        if outline.predicts:
            score = parts.spark(Work(root, name, "score"), ScoreOperator, trigger_rule="none_failed")
            if outline.learns:
                tables >> _model(root, outline) >> score
            else:
                tables >> score
            last = [score]
            outlets.append(parts.asset(name, "predictions"))
        published = parts.publish(root, outline, outline.tables, outlets)
        last >> published
        if outline.monitors:
            published >> made(MonitorOperator, Work(root, name, "monitor"), task_id="monitor")
    give_params(dag, {"ds": DS_PARAM})
    return dag


def _model(project: str, outline: Outline) -> TaskGroup:
    """Has the training DAG make a model where one is due, and waits for it."""
    with TaskGroup("model", tooltip="A model, if one is due") as group:
        work = Work(project, outline.pipeline)
        due = made(DueDailyOperator, work, task_id="is_due")
        train = made(
            TrainingRunOperator,
            work,
            task_id="train",
            retries=0,
            # The run that it triggers tells what went wrong itself.
            on_failure_callback=None,
            execution_timeout=timedelta(hours=36),
        )
        due >> train
    return group
