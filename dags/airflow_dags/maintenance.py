"""`featuremill_maintenance`: looks after the warehouse of the whole project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from airflow_dags import parts
from airflow_dags.provided import Work, WorkingOperator, made
from airflow_dags.running import clear_errors, default_args, limits


def maintenance_dag(project: Path) -> DAG:
    """Unpause it to have garbage deleted daily. It deletes only if all that Hive shows is there."""
    with DAG(
        "featuremill_maintenance",
        description="Checks that all that Hive shows is there, and deletes what nothing needs any more",
        schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
        start_date=parts.START,
        catchup=False,
        **limits(),
        max_active_runs=1,
        default_args=default_args("featuremill"),
        params={"keep": Param(1, type="integer", minimum=0, description="Earlier versions to keep of each day.")},
        tags=["featuremill"],
    ) as dag:
        work = Work(str(project), "")
        made(MetastoreOperator, work, task_id="metastore") >> made(GarbageOperator, work, task_id="gc")
    return dag


class MetastoreOperator(WorkingOperator):
    """Looks whether all that Hive shows is there whole."""

    def execute(self, context: Any) -> dict[str, Any]:
        from featuremill.tasks.maintenance import check_published

        with clear_errors():
            return check_published(Path(self.work.project))


class GarbageOperator(WorkingOperator):
    """Deletes what nothing needs any more."""

    def execute(self, context: Any) -> dict[str, Any]:
        from featuremill.tasks.maintenance import collect_garbage

        with clear_errors():
            return collect_garbage(Path(self.work.project), int(context["params"]["keep"]))
