"""`<pipeline>__train`: the training table, a model of it, its judgement, the endpoint. By hand, or from a day's run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, Param, TaskGroup, get_current_context, task

from airflow_dags import parts
from airflow_dags.operators import TrainingJobOperator
from airflow_dags.running import (
    DS_PARAM,
    TRAINING_POOL,
    clear_errors,
    default_args,
    give_params,
    model_options,
    open_day,
    say,
)
from featuremill.tasks.outline import Outline


def train_dag(project: Path, outline: Outline) -> DAG:
    """A model that is not accepted, or that the endpoint does not take, fails the run; what served before serves on."""
    root, name = str(project), outline.pipeline
    with DAG(
        f"{name}__train",
        description=f"Trains, judges and deploys a model of {name}",
        doc_md=outline.docs,
        schedule=None,
        start_date=parts.START,
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        default_args=default_args(outline.owner),
        tags=["featuremill", name, "model"],
    ) as dag:
        due = _due(root, outline)
        ingests = parts.ingests(root, outline)
        training = parts.spark(root, outline, "training")
        parts.land(root, outline) >> due >> ingests
        for ingest in ingests:
            ingest >> training
        with TaskGroup("train", tooltip="A SageMaker training job, and its record") as train:
            job = TrainingJobOperator(
                task_id="job",
                project=root,
                pipeline=name,
                pool=TRAINING_POOL,
                execution_timeout=timedelta(hours=30),
            )
            job >> parts.stage(
                root,
                outline,
                "train",
                task_id="record",
                trigger_rule="none_failed",
                execution_timeout=timedelta(hours=30),
            )
        accept = parts.stage(root, outline, "accept")
        training >> train >> _goes_on() >> accept
        last = accept
        if outline.has_endpoint:
            last = parts.deploy(root, outline, _verify(root, outline))
            accept >> last
        last >> parts.publish(
            root, outline, ("training",), [parts.asset(name, "training")], kinds=("ingest", "training")
        )
    give_params(dag, {"ds": DS_PARAM, **_params(outline)})
    return dag


def _params(outline: Outline) -> dict[str, Param]:
    return {
        "by_hand": Param(True, type="boolean", description="Train whatever is due. Off: only if a model is due."),
        "instance_type": Param(
            None,
            type=["null", "string"],
            title="Instance type",
            description=f"What trains, like ml.m5.4xlarge. Left empty: {outline.instance_type}.",
        ),
        "instance_count": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Instances",
            description=f"How many train together. Left empty: {outline.instance_count}.",
        ),
        "stop_after_training": Param(
            False, type="boolean", description="Neither judge nor deploy the model, and publish nothing."
        ),
    }


def _due(project: str, outline: Outline) -> Any:
    @task.short_circuit(task_id="due")
    def due() -> str | None:
        context = get_current_context()
        with clear_errors():
            reason = open_day(project, outline.pipeline, context).due(model_options(context))
        say(f"a model is trained: {reason}" if reason else "no model is due")
        return reason

    return due()


def _goes_on() -> Any:
    @task.short_circuit(task_id="goes_on")
    def goes_on() -> bool:
        return not get_current_context()["params"]["stop_after_training"]

    return goes_on()


def _verify(project: str, outline: Outline) -> Any:
    def verify() -> dict[str, Any]:
        context = get_current_context()
        with clear_errors():
            return open_day(project, outline.pipeline, context).do("deploy", options=model_options(context))

    return verify
