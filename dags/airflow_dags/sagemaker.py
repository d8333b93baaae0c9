"""Amazon's SageMaker operators, told by Featuremill what to ask, and waiting in the triggerer.

Each of them looks first whether its work is done, so that clearing any single task does no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException

from airflow_dags.provided import ProvidedOperator, execute
from airflow_dags.running import clear_errors, model_options

if TYPE_CHECKING:
    from featuremill.tasks.asked import Call
    from featuremill.tasks.day import Day

AWS_CONN = "aws"
_LOCAL_POLL, _AWS_POLL = 1, 30
_MOVES = ("create_model", "create_endpoint_config", "create_endpoint", "update_endpoint")
"""The calls that change an endpoint, in their order."""

_MODULE = "airflow.providers.amazon.aws.operators.sagemaker"


class _SageMakerTask(ProvidedOperator):
    """The request is what Featuremill would send at this very moment."""

    def next_call(self, day: Day, context: Any) -> Call | None:
        raise NotImplementedError

    def asked(self, context: Any) -> Call:
        """Raises AirflowSkipException where there is nothing to ask.

        Where a job or an endpoint is busy with what was asked before, it is waited for, and this task done anew.
        """
        with clear_errors():
            day = self.work.day(context)
            self._poll = _LOCAL_POLL if day.workspace.environment.sagemaker.endpoint is not None else _AWS_POLL
            call = self.next_call(day, context)
        if call is None:
            raise AirflowSkipException("SageMaker has it already")
        if call.operation.startswith("describe_"):
            self._wait(call)
        return call

    def _wait(self, call: Call) -> None:
        from airflow.providers.amazon.aws.triggers.sagemaker import SageMakerTrigger

        kind, name = next(iter(call.request.items()))
        self.log.info("%s is busy with what was asked before", name)
        trigger = SageMakerTrigger(
            job_name=name,
            job_type="endpoint" if kind == "EndpointName" else "training",
            waiter_delay=self._poll,
            waiter_max_attempts=self.attempts,
            aws_conn_id=AWS_CONN,
        )
        self.defer(trigger=trigger, method_name="execute_anew", timeout=self.execution_timeout)

    def execute_anew(self, context: Any, event: Any = None) -> Any:
        return self.execute(context)

    @property
    def attempts(self) -> int:
        """Looks at SageMaker until the task's time is up."""
        assert self.execution_timeout is not None
        return int(self.execution_timeout.total_seconds() // self._poll)


class TrainingJobOperator(_SageMakerTask):
    """Starts the training job of a day's model and waits for it. A job that failed is not tried again by itself."""

    official = f"{_MODULE}.SageMakerTrainingOperator"

    def next_call(self, day: Day, context: Any) -> Call | None:
        from featuremill.tasks.models import training_call

        return training_call(day, model_options(context))

    def execute(self, context: Any) -> Any:
        call = self.asked(context)
        operator = self.provided(
            config=call.request,
            aws_conn_id=AWS_CONN,
            check_if_job_exists=False,
            print_log=False,  # the next task tells how it went
            check_interval=self._poll,
            max_attempts=self.attempts,
            deferrable=True,
        )
        return self._for_good(lambda: execute(operator, context))

    def execute_complete(self, context: Any, event: Any = None) -> Any:
        operator = self.provided(config={}, aws_conn_id=AWS_CONN)
        return self._for_good(lambda: operator.execute_complete(context, event))

    def _for_good(self, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except AirflowException as error:
            raise AirflowFailException(str(error)) from error


class _MovingTask(_SageMakerTask):
    """Changes the endpoint. What SageMaker refuses is left to the task `verify` to judge.

    It looks at what really runs, finishes or undoes what was begun, and fails with the reason: an operator's own
    success or failure says too little (an update that SageMaker rolled back counts as a success).
    """

    own: ClassVar[tuple[str, ...]]
    """The calls that this task's operator makes."""

    def next_call(self, day: Day, context: Any) -> Call | None:
        from featuremill.tasks.models import deployment_call

        return deployment_call(day, wanted(context), *_MOVES)

    def execute(self, context: Any) -> Any:
        call = self.asked(context)
        if call.operation not in self.own:
            is_later = _MOVES.index(call.operation) > _MOVES.index(self.own[-1])
            why = "SageMaker has it already" if is_later else "what it builds on is not there; verify sees to it"
            raise AirflowSkipException(why)
        operator = self.provided(config=call.request, aws_conn_id=AWS_CONN, **self.more(call))
        return self.left_to_verify(lambda: execute(operator, context))

    def more(self, call: Call) -> dict[str, Any]:
        """Further arguments of the operator."""
        return {}

    def left_to_verify(self, work: Callable[[], Any]) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return work()
        except (AirflowException, BotoCoreError, ClientError) as error:
            self.log.warning("%s; the task verify sees to it", error)
            return None


class ModelOperator(_MovingTask):
    official = f"{_MODULE}.SageMakerModelOperator"
    own = ("create_model",)


class EndpointConfigOperator(_MovingTask):
    official = f"{_MODULE}.SageMakerEndpointConfigOperator"
    own = ("create_endpoint_config",)


class EndpointOperator(_MovingTask):
    official = f"{_MODULE}.SageMakerEndpointOperator"
    own = ("create_endpoint", "update_endpoint")

    def more(self, call: Call) -> dict[str, Any]:
        operation = call.operation.removesuffix("_endpoint")
        return {"operation": operation, "check_interval": self._poll, "deferrable": True}

    def execute_complete(self, context: Any, event: Any = None) -> Any:
        operator = self.provided(config={}, aws_conn_id=AWS_CONN)
        return self.left_to_verify(lambda: operator.execute_complete(context, event))


def wanted(context: Any) -> Any:
    """The model that the endpoint is to run: the one that somebody chose, or the day's."""
    from featuremill.tasks.models import Choice

    params = context["params"]
    if "action" in params:
        return Choice(params["action"], params.get("version") or None, bool(params.get("force")))
    return model_options(context)
