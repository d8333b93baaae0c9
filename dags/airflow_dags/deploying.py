"""`<pipeline>__deploy`: the endpoint runs a given model, or goes back to one that it ran before."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_dags import parts
from airflow_dags.running import default_args, give_params, limits
from airflow_dags.stages import ChoiceOperator
from featuremill.tasks.outline import Outline


def deploy_dag(project: Path, outline: Outline) -> DAG:
    root, name = str(project), outline.pipeline
    with DAG(
        f"{name}__deploy",
        description=f"Deploys a model of {name} that was trained before, or rolls back",
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
        parts.deploy(root, outline, ChoiceOperator)
    give_params(
        dag,
        {
            "action": Param("deploy", type="string", enum=["deploy", "rollback"]),
            "version": Param(
                None,
                type=["null", "string"],
                description="Left empty: the newest accepted model; to roll back, the one that served before.",
            ),
            "force": Param(False, type="boolean", description="Deploy it even if it was not accepted."),
        },
    )
    return dag
