"""`<pipeline>__train`: the training table, a model of it, its judgement, the endpoint. By hand, or from a day's run."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, BaseOperator, Param, TaskGroup

from airflow_dags import parts
from airflow_dags.provided import Work, made
from airflow_dags.running import DS_PARAM, TRAINING_POOL, default_args, give_params, limits
from airflow_dags.sagemaker import TrainingJobOperator
from airflow_dags.stages import DueOperator, RecordOperator, StageOperator
from featuremill.tasks.outline import Outline


def train_dag(project: Path, outline: Outline) -> DAG:
    """A model that is not accepted, or that the endpoint does not take, fails the run; what served before serves on."""
    root, name = str(project), outline.pipeline
    work = Work(root, name)
    with DAG(
        f"{name}__train",
        description=f"Trains, judges and deploys a model of {name}",
        doc_md=outline.docs,
        schedule=None,
        start_date=parts.START,
        catchup=False,
        **limits(),
        max_active_runs=1,
        is_paused_upon_creation=False,
        default_args=default_args(outline.owner),
        tags=["featuremill", name, "model"],
    ) as dag:
        due = made(DueOperator, work, task_id="due")
        ingests = parts.ingests(root, outline)
        training = parts.spark(Work(root, name, "training"))
        parts.land(root, outline) >> due >> ingests
        for ingest in ingests:
            ingest >> training
        with TaskGroup("train", tooltip="A SageMaker training job, and its record") as train:
            long = timedelta(hours=30)
            job = made(TrainingJobOperator, work, task_id="job", pool=TRAINING_POOL, execution_timeout=long)
            job >> made(RecordOperator, work, task_id="record", trigger_rule="none_failed", execution_timeout=long)
        accept = made(StageOperator, Work(root, name, "accept"), task_id="accept")
        training >> train >> accept
        last: BaseOperator | TaskGroup = accept
        if outline.has_endpoint:
            last = parts.deploy(root, outline, StageOperator)
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
