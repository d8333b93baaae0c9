"""What a deployment consists of, and what the records say of earlier ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from featuremill.sagemaker import buckets, names
from featuremill.sagemaker.client import Clients
from featuremill.sagemaker.records import Event, ModelVersion
from featuremill.sagemaker.requests.serving import Variant, create_endpoint_config, create_model
from featuremill.spec.models import Endpoint

CONFIRMED = ("deployed", "rolled_back")
_STARTUP_SECONDS = 600
_STARTUP_SECONDS_LOCAL = 60


@dataclass(frozen=True)
class DeploymentPlan:
    """A model version on an endpoint: the requests that make its model and its configuration, named by content."""

    version: str
    endpoint: str
    model_request: dict[str, Any]
    config_request: dict[str, Any]

    @property
    def model(self) -> str:
        return str(self.model_request["ModelName"])

    @property
    def config(self) -> str:
        return str(self.config_request["EndpointConfigName"])

    def details(self) -> dict[str, Any]:
        """For the event `deploying`: enough to make the very same again."""
        return {
            "endpoint": self.endpoint,
            "config": self.config,
            "model": self.model,
            "model_request": self.model_request,
            "config_request": self.config_request,
        }


def plan(clients: Clients, model: ModelVersion, spec: Endpoint) -> DeploymentPlan:
    """What deploying a model with the environment's and the pipeline's present settings means."""
    settings = clients.settings
    labels = {"pipeline": model.pipeline, "version": model.version, "fingerprint": model.fingerprint}
    model_request = create_model("x", model.artefact_uri, settings, labels=labels)
    model_request["ModelName"] = names.by_content(model.version, model_request)
    variant = Variant(
        model=model_request["ModelName"],
        instance_type=spec.instances.type,
        instances=max(1, spec.instances.min),
        startup_timeout=_STARTUP_SECONDS_LOCAL if clients.is_local else _STARTUP_SECONDS,
    )
    config_request = create_endpoint_config(
        "x",
        [variant],
        settings,
        capture=spec.capture,
        capture_uri=buckets.uri(clients, model.pipeline, "captured"),
        labels=labels,
    )
    config_request["EndpointConfigName"] = names.by_content(model.version, config_request)
    return DeploymentPlan(model.version, names.endpoint_name(model.pipeline), model_request, config_request)


def plan_of(event: Event) -> DeploymentPlan:
    """The plan that an event `deploying` noted."""
    details = event.details
    return DeploymentPlan(event.version, details["endpoint"], details["model_request"], details["config_request"])


def noted_plans(events: Iterable[Event]) -> dict[str, DeploymentPlan]:
    """Configuration -> its plan, of all deployments that were ever begun."""
    return {event.details["config"]: plan_of(event) for event in events if event.event == "deploying"}


def confirmed_configs(events: Iterable[Event]) -> list[str]:
    """The configurations that were found to answer rightly, by when each went live last, the newest last."""
    order: dict[str, None] = {}
    for event in events:
        config = event.details.get("config")
        if event.event in CONFIRMED and config:
            order.pop(config, None)
            order[config] = None
    return list(order)


def unconfirmed_configs(events: Iterable[Event]) -> set[str]:
    """The configurations whose deployment was begun and never ended well."""
    listed = list(events)
    return set(noted_plans(listed)) - set(confirmed_configs(listed))


def deployed_versions(events: Iterable[Event]) -> list[str]:
    """The versions that were deployed, by when each went live first. Going back to one does not make it newer."""
    return list(dict.fromkeys(event.version for event in events if event.event == "deployed"))
