"""Spark's operator, told by Featuremill what to submit. It looks first whether that is done already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from airflow_dags.provided import ProvidedOperator, execute
from airflow_dags.running import clear_errors, model_options

if TYPE_CHECKING:
    from featuremill.steps.jobs import Engine
    from featuremill.tasks.day import Day

SPARK_CONN = "spark_conn"


class SparkStepOperator(ProvidedOperator):
    """One stage of a day on Spark. What is there already is not submitted.

    Preparing, the job and the commit are one task: a killed one leaves nothing that a second one could trip over. Where
    the environment names a Spark Connect server (`spark.remote`), or one of the project's own runs on this machine, the
    jobs go to that instead of to spark-submit.
    """

    official = "airflow.providers.apache.spark.operators.spark_submit.SparkSubmitOperator"

    def execute(self, context: Any) -> Any:
        from featuremill.tasks.spark_jobs import OneEngine

        work = self.work
        with clear_errors():
            day = work.day(context)
            engine = self._engine(day, context)
            try:
                return day.do(work.stage, OneEngine(engine), source=work.source, options=model_options(context))
            finally:
                engine.close()

    def _engine(self, day: Day, context: Any) -> Engine:
        from featuremill.tasks.spark_jobs import SubmittedSpark, submit_conf, with_spark_connect

        environment = with_spark_connect(day.workspace.environment)
        if environment.spark.remote is not None:
            from featuremill.cli.engines import spark_engine

            return spark_engine(environment)
        conf = submit_conf(environment, day.workspace.state)

        def submit(program: Path, arguments: Sequence[str]) -> None:
            operator = self.provided(
                conn_id=SPARK_CONN,
                name=f"{self.work.pipeline} {self.work.stage}",
                application=str(program),
                application_args=list(arguments),
                conf=conf,
            )
            execute(operator, context)

        return SubmittedSpark(submit, day.workspace.state / "scratch" / "spark")


class ScoreOperator(SparkStepOperator):
    """Predictions; skipped where there is no model for the day."""

    def execute(self, context: Any) -> Any:
        done = super().execute(context)
        if not done["steps"]:
            raise AirflowSkipException(f"nothing to predict with: {self.work.pipeline} has no model for {done['ds']}")
        return done
