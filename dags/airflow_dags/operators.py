"""The providers' operators, told by Featuremill what to submit and what to ask.

Each of them looks first whether its work is done, so that clearing any single task does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.providers.amazon.aws.operators.sagemaker import (
    SageMakerEndpointConfigOperator,
    SageMakerEndpointOperator,
    SageMakerModelOperator,
    SageMakerTrainingOperator,
)
from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from airflow_dags.running import clear_errors, model_options, open_day

if TYPE_CHECKING:
    from featuremill.steps.jobs import Engine
    from featuremill.tasks.asked import Call
    from featuremill.tasks.day import Day

SPARK_CONN, AWS_CONN = "spark_conn", "aws"
_LOCAL_POLL, _AWS_POLL = 1, 30

NextCall = Callable[["Day", Any], "Call | None"]


class SparkStepOperator(SparkSubmitOperator):
    """One stage of a day on Spark. What is there already is not submitted.

    Preparing, the job and the commit are one task: a killed one leaves nothing that a second one could trip over. Where
    the environment names a Spark Connect server (`spark.remote`), or one of the project's own runs on this machine, the
    jobs go to that instead of to spark-submit.
    """

    def __init__(
        self, *, project: str, pipeline: str, stage: str, source: str | None = None, skips: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(conn_id=SPARK_CONN, name=f"{pipeline} {stage}", **kwargs)
        self.project, self.pipeline, self.stage, self.source, self.skips = project, pipeline, stage, source, skips

    def execute(self, context: Any) -> Any:
        from featuremill.tasks.spark_jobs import OneEngine

        with clear_errors():
            day = open_day(self.project, self.pipeline, context)
            engine = self._engine(day, context)
            try:
                done = day.do(self.stage, OneEngine(engine), source=self.source, options=model_options(context))
            finally:
                engine.close()
        if self.skips and not done["steps"]:
            raise AirflowSkipException(f"nothing to {self.stage}: {self.pipeline} has no model for {day.ds}")
        return done

    def _engine(self, day: Day, context: Any) -> Engine:
        from featuremill.tasks.spark_jobs import SubmittedSpark, submit_conf, with_spark_connect

        environment = with_spark_connect(day.workspace.environment)
        if environment.spark.remote is not None:
            from featuremill.cli.engines import spark_engine

            return spark_engine(environment)
        self.conf = submit_conf(environment, day.workspace.state)

        def submit(program: Path, arguments: Sequence[str]) -> None:
            self.application, self.application_args, self._hook = str(program), list(arguments), None
            super(SparkStepOperator, self).execute(context)

        return SubmittedSpark(submit, day.workspace.state / "scratch" / "spark")


class _Asks:
    """What the SageMaker operators share: the request is what Featuremill would send at this very moment."""

    project: str
    pipeline: str
    next_call: NextCall

    def asked(self, context: Any) -> Call:
        """Raises AirflowSkipException where there is nothing to ask."""
        with clear_errors():
            day = open_day(self.project, self.pipeline, context)
            call = self.next_call(day, context)
        if call is None:
            raise AirflowSkipException("SageMaker has it already")
        self.is_local = day.workspace.environment.sagemaker.endpoint is not None
        return call


class TrainingJobOperator(_Asks, SageMakerTrainingOperator):
    """Starts the training job of a day's model and waits for it. A job that failed is not tried again by itself."""

    def __init__(self, *, project: str, pipeline: str, **kwargs: Any) -> None:
        super().__init__(config={}, aws_conn_id=AWS_CONN, check_if_job_exists=False, **kwargs)
        self.project, self.pipeline, self.next_call = project, pipeline, _training_call

    def execute(self, context: Any) -> Any:
        self.config = self.asked(context).request
        self.check_interval = _LOCAL_POLL if self.is_local else _AWS_POLL
        try:
            return super().execute(context)
        except AirflowException as error:
            raise AirflowFailException(str(error)) from error


class _Moves(_Asks):
    """Operators that change the endpoint. What SageMaker refuses them is left to the task `verify` to judge.

    It looks at what really runs, finishes or undoes what was begun, and fails with the reason: an operator's own
    success or failure says too little (an update that SageMaker rolled back counts as a success).
    """

    log: Any
    config: dict[str, Any]

    def move(self, execute: Callable[[Any], Any], context: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return execute(context)
        except (AirflowException, BotoCoreError, ClientError) as error:
            self.log.warning("%s; the task verify sees to it", error)
            return None


class ModelOperator(_Moves, SageMakerModelOperator):
    def __init__(self, *, project: str, pipeline: str, **kwargs: Any) -> None:
        super().__init__(config={}, aws_conn_id=AWS_CONN, **kwargs)
        self.project, self.pipeline, self.next_call = project, pipeline, _deployment_call("create_model")

    def execute(self, context: Any) -> Any:
        self.config = self.asked(context).request
        return self.move(super().execute, context)


class EndpointConfigOperator(_Moves, SageMakerEndpointConfigOperator):
    def __init__(self, *, project: str, pipeline: str, **kwargs: Any) -> None:
        super().__init__(config={}, aws_conn_id=AWS_CONN, **kwargs)
        # Without its model a configuration cannot be made; the model's task says why it is not there.
        self.project, self.pipeline = project, pipeline
        self.next_call = _deployment_call("create_endpoint_config", "create_model")

    def execute(self, context: Any) -> Any:
        call = self.asked(context)
        if call.operation != "create_endpoint_config":
            raise AirflowSkipException("its model is not there; the task verify sees to it")
        self.config = call.request
        return self.move(super().execute, context)


class EndpointOperator(_Moves, SageMakerEndpointOperator):
    def __init__(self, *, project: str, pipeline: str, **kwargs: Any) -> None:
        super().__init__(config={}, aws_conn_id=AWS_CONN, **kwargs)
        self.project, self.pipeline = project, pipeline
        self.next_call = _deployment_call(
            "create_endpoint", "update_endpoint", "create_model", "create_endpoint_config"
        )

    def execute(self, context: Any) -> Any:
        call = self.asked(context)
        if not call.operation.endswith("_endpoint"):
            raise AirflowSkipException("its model or configuration is not there; the task verify sees to it")
        self.config, self.operation = call.request, call.operation.removesuffix("_endpoint")
        self.check_interval = _LOCAL_POLL if self.is_local else _AWS_POLL
        return self.move(super().execute, context)


def _training_call(day: Day, context: Any) -> Call | None:
    from featuremill.tasks.models import training_call

    return training_call(day, model_options(context))


def _deployment_call(*operations: str) -> NextCall:
    def call(day: Day, context: Any) -> Call | None:
        from featuremill.tasks.models import deployment_call

        return deployment_call(day, wanted(context), *operations)

    return call


def wanted(context: Any) -> Any:
    """The model that the endpoint is to run: the one that somebody chose, or the day's."""
    from featuremill.tasks.models import Choice

    params = context["params"]
    if "action" in params:
        return Choice(params["action"], params.get("version") or None, bool(params.get("force")))
    return model_options(context)
