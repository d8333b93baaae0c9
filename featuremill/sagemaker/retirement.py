"""Deleting the SageMaker models and endpoint configurations that nobody goes back to. Artefacts stay in the bucket."""

from __future__ import annotations

from featuremill.sagemaker import endpoints
from featuremill.sagemaker.client import Clients
from featuremill.sagemaker.deployments import confirmed_configs, noted_plans
from featuremill.sagemaker.records import Event, Registry

KEEP = 3


def retire(clients: Clients, registry: Registry, endpoint: str, keep: int = KEEP) -> list[str]:
    """Delete all configurations of ours but the one that runs and the last `keep` that went live; and their models.

    Configurations of deployments that failed go too. Returns the names of those deleted. Only what the records tell of
    is ever touched.
    """
    state = endpoints.settled(clients, endpoint)
    events = registry.events()
    plans = noted_plans(events)
    kept = set(confirmed_configs(events)[-max(1, keep) :])
    if state is not None and state.config is not None:
        kept.add(state.config)
    models_kept = {plans[config].model for config in kept if config in plans}
    deleted = []
    for config, plan in plans.items():
        if config in kept or _is_retired(events, config):
            continue
        sagemaker = clients.sagemaker
        endpoints.remove(clients, sagemaker.delete_endpoint_config, "EndpointConfigName", config)
        if plan.model not in models_kept:
            endpoints.remove(clients, sagemaker.delete_model, "ModelName", plan.model)
        registry.log("retired", plan.version, f"{len(kept)} newer configurations are kept", {"config": config})
        deleted.append(config)
    return deleted


def _is_retired(events: list[Event], config: str) -> bool:
    """Whether a configuration was deleted, and not made again since."""
    own = [event.event for event in events if event.details.get("config") == config]
    return own[-1] == "retired"
