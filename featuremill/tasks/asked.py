"""What the library would ask SageMaker next, so that a scheduler's own operator can ask it.

The code that trains and deploys runs as ever, up to the call in question; that call is handed out, not sent. So there
is one place that decides and one that builds requests. When the operator has sent it, the same code runs again to its
end: it finds the job, the model or the endpoint as if an earlier run of its own had been cut off there, and goes on
with what operators do not do: look at what really runs, test it, note it, retire what is old.

Where a job or an endpoint is busy with what was asked before, the library would wait. A scheduler waits without a
process of its own for it: then the call handed out is the Describe call to repeat until it is not busy any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from featuremill.sagemaker.client import Clients
from featuremill.sagemaker.deployments import CONFIRMED
from featuremill.sagemaker.endpoints import BUSY
from featuremill.sagemaker.records import Event, EventKind, Registry
from featuremill.steps.modelling import SageMakerModels


@dataclass(frozen=True)
class Call:
    """A call of the SageMaker API: `create_model` and its request."""

    operation: str
    request: dict[str, Any]


class _Reached(BaseException):
    """Not an error, so that nobody on the way takes it for one: the call was reached; None: there is none to come."""

    def __init__(self, call: Call | None) -> None:
        self.call = call


_BUSY = {
    "describe_training_job": ("TrainingJobStatus", ("InProgress", "Stopping")),
    "describe_endpoint": ("EndpointStatus", BUSY),
}
"""Operation -> where its answer has the status, and which of them pass by themselves."""


class _Watched:
    """A boto3 client that hands out some calls instead of sending them, and does not wait."""

    def __init__(self, client: Any, operations: tuple[str, ...]) -> None:
        self._client, self._operations = client, operations

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._client, name)

        def reached(**request: Any) -> None:
            raise _Reached(Call(name, request))

        def described(**request: Any) -> Any:
            answer = operation(**request)
            key, busy = _BUSY[name]
            if answer[key] in busy:
                raise _Reached(Call(name, request))
            return answer

        return reached if name in self._operations else described if name in _BUSY else operation


class _NoMore:
    """The client to test an endpoint with: whoever gets as far has nothing more to ask, and what comes of a test is the
    business of the code that goes on.
    """

    def __getattr__(self, name: str) -> Any:
        raise _Reached(None)


class _WatchedClients(Clients):
    """The clients of an environment, with a watched one for SageMaker."""

    operations: tuple[str, ...] = ()

    def _client(self, service: str) -> Any:
        if service == "sagemaker-runtime":
            return _NoMore()
        client = super()._client(service)
        return _Watched(client, self.operations) if service == "sagemaker" else client


class _Records(Registry):
    """A refresh that is begun several times is one refresh: its intention is noted once, and nothing beyond."""

    def log(self, event: EventKind, version: str, reason: str, details: Mapping[str, Any] | None = None) -> Event:
        if event in CONFIRMED:
            raise _Reached(None)
        events = self.events()
        last = events[-1] if events else None
        if (
            event == "deploying"
            and last is not None
            and _intention(last.event, last.version, last.details) == _intention(event, version, details or {})
        ):
            return last
        return super().log(event, version, reason, details)


def _intention(event: str, version: str, details: Mapping[str, Any]) -> tuple[str, str, Any]:
    return event, version, details.get("config")


def next_call(models: SageMakerModels, work: Callable[[], object], *operations: str) -> Call | None:
    """Do `work` up to the first of these operations, or the first wait, and return that call; None if it ended without.

    `models` is what `work` works with, and is changed.
    """
    clients = _WatchedClients(models.clients.settings, models.clients.port)
    object.__setattr__(clients, "operations", operations)
    models.clients = clients
    models.registry = _Records(models.warehouse, models.pipeline.pipeline)
    try:
        work()
    except _Reached as reached:
        return reached.call
    return None
