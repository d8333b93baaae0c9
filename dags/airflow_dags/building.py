"""From a DAG file's one line to its DAGs."""

from __future__ import annotations

import os
from pathlib import Path

from airflow.sdk import DAG

from airflow_dags.daily import daily_dag
from airflow_dags.deploying import deploy_dag
from airflow_dags.maintenance import maintenance_dag
from airflow_dags.training import train_dag
from featuremill.tasks.outline import read_outline


def pipeline_dags(name: str, file: str) -> dict[str, DAG]:
    """The DAGs of `configuration/pipelines/<name>.yaml`, by their ids; `file` is the DAG file, in <project>/dags.

    Raises PipelineFileError, with every mistake and its line, which Airflow shows as the DAG file's import error.
    """
    project = _project(file)
    outline = read_outline(project, name, _cache())
    dags = [daily_dag(project, outline)]
    if outline.learns:
        dags.append(train_dag(project, outline))
    if outline.has_endpoint:
        dags.append(deploy_dag(project, outline))
    return {dag.dag_id: dag for dag in dags}


def maintenance_dags(file: str) -> dict[str, DAG]:
    dag = maintenance_dag(_project(file))
    return {dag.dag_id: dag}


def _project(file: str) -> Path:
    return Path(file).resolve().parents[1]


def _cache() -> Path:
    return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser() / "outlines"
