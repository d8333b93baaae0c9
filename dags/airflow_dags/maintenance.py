"""`featuremill_maintenance`: looks after the warehouse of the whole project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable, Param, get_current_context, task

from airflow_dags import parts
from airflow_dags.running import clear_errors, default_args


def maintenance_dag(project: Path) -> DAG:
    """Unpause it to have garbage deleted daily. It deletes only if all that Hive shows is there."""
    with DAG(
        "featuremill_maintenance",
        description="Checks that all that Hive shows is there, and deletes what nothing needs any more",
        schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
        start_date=parts.START,
        catchup=False,
        max_active_runs=1,
        default_args=default_args("featuremill"),
        params={"keep": Param(1, type="integer", minimum=0, description="Earlier versions to keep of each day.")},
        tags=["featuremill"],
    ) as dag:

        @task
        def metastore() -> dict[str, Any]:
            from featuremill.tasks.maintenance import check_published

            with clear_errors():
                return check_published(project)

        @task
        def gc() -> dict[str, Any]:
            from featuremill.tasks.maintenance import collect_garbage

            with clear_errors():
                return collect_garbage(project, int(get_current_context()["params"]["keep"]))

        metastore() >> gc()
    return dag
