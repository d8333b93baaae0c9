"""What the library would ask SageMaker next, so that a scheduler's own operator can ask it.

The code that trains and deploys runs as ever, up to the call in question; that call is handed out, not sent. So there
is one place that decides and one that builds requests. When the operator has sent it, the same code runs again to its
end: it finds the job, the model or the endpoint as if an earlier run of its own had been cut off there, and goes on
with what operators do not do: look at what really runs, test it, note it, retire what is old.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from featuremill.sagemaker.client import Clients
from featuremill.sagemaker.records import Event, EventKind, Registry
from featuremill.steps.modelling import SageMakerModels


@dataclass(frozen=True)
class Call:
    """A call of the SageMaker API: `create_model` and its request."""

    operation: str
    request: dict[str, Any]


class _Reached(Exception):
    """Not an error: the call was reached."""

    def __init__(self, call: Call) -> None:
        self.call = call


class _Watched:
    """A boto3 client that hands out some calls instead of sending them."""

    def __init__(self, client: Any, operations: tuple[str, ...]) -> None:
        self._client, self._operations = client, operations

    def __getattr__(self, name: str) -> Any:
        if name not in self._operations:
            return getattr(self._client, name)

        def reached(**request: Any) -> None:
            raise _Reached(Call(name, request))

        return reached


class _WatchedClients(Clients):
    """The clients of an environment, with a watched one for SageMaker."""

    operations: tuple[str, ...] = ()

    def _client(self, service: str) -> Any:
        client = super()._client(service)
        return _Watched(client, self.operations) if service == "sagemaker" else client


class _Records(Registry):
    """A refresh that is begun several times is one refresh: its intention is noted once."""

    def log(self, event: EventKind, version: str, reason: str, details: Mapping[str, Any] | None = None) -> Event:
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
    """Do `work` up to the first of these operations, and return that call; None if the work ended without it.

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
