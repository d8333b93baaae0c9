"""The endpoint refresh: a new model goes live without a failed request, or the old one keeps serving.

    note the intention -> model -> configuration -> update -> verify which configuration runs -> smoke test
    -> note the success -> autoscaling -> retire what is old

The records and the endpoint itself say how far an interrupted refresh came; running it again goes on from there. A
configuration counts as good only once its success is noted. SageMaker reports an update that it rolled back as a
success, so the configuration that runs is always looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from featuremill.errors import FeaturemillError, UsageError
from featuremill.sagemaker import endpoints
from featuremill.sagemaker.client import Clients
from featuremill.sagemaker.deployments import (
    DeploymentPlan,
    confirmed_configs,
    deployed_versions,
    noted_plans,
    plan,
    unconfirmed_configs,
)
from featuremill.sagemaker.endpoints import EndpointFailed, EndpointState
from featuremill.sagemaker.records import ModelVersion, Registry
from featuremill.sagemaker.requests.serving import Traffic
from featuremill.sagemaker.retirement import KEEP, retire
from featuremill.sagemaker.smoke import Probe, smoke
from featuremill.spec.models import Endpoint

Outcome = Literal["unchanged", "created", "updated", "finished"]
"""`finished`: an earlier run had moved the endpoint and was cut off; this one tested and noted it."""

_FAILED_BEYOND_UPDATE = ("Failed", "OutOfService")


@dataclass(frozen=True)
class Deployment:
    """What a refresh did. `retired`: configurations that were deleted."""

    outcome: Outcome
    endpoint: str
    version: str
    config: str
    retired: tuple[str, ...]


def deploy(
    clients: Clients,
    registry: Registry,
    model: ModelVersion,
    spec: Endpoint,
    probe: Probe | None,
    *,
    reason: str,
    on_status: Callable[[str], None] | None = None,
    keep: int = KEEP,
) -> Deployment:
    """Have the pipeline's endpoint run a model. Does nothing if it does.

    `probe`: real rows and the artefact's own numbers for them; None leaves the smoke test out.
    Raises EndpointFailed with the reason if the new model does not come to serve or does not answer as it should; then
    what served before serves again, and that was looked at too. Raises ServiceError if SageMaker does not answer.
    """
    refresh = _Refresh(clients, registry, plan(clients, model, spec), spec, on_status)
    return refresh.run(probe, spec.traffic, "deployed", reason, keep)


def rollback(
    clients: Clients,
    registry: Registry,
    spec: Endpoint,
    version: str | None = None,
    probe: Callable[[ModelVersion], Probe | None] | None = None,
    *,
    reason: str = "asked for",
    on_status: Callable[[str], None] | None = None,
    keep: int = KEEP,
) -> Deployment:
    """Go back to a version, or to the one that was deployed before the one that serves. All traffic moves at once.

    The configuration is exactly the one that ran then, made anew if it was retired. Raises UsageError if there is
    nothing to go back to, and as `deploy` does.
    """
    events = registry.events()
    model = registry.version(version or _version_before(registry))
    plans = noted_plans(events)
    own = [config for config in confirmed_configs(events) if config in plans and plans[config].version == model.version]
    wanted = plans[own[-1]] if own else plan(clients, model, spec)
    refresh = _Refresh(clients, registry, wanted, spec, on_status)
    return refresh.run(probe(model) if probe else None, "all_at_once", "rolled_back", reason, keep)


def _version_before(registry: Registry) -> str:
    live = registry.current()
    if live is None:
        raise UsageError(f"{registry.pipeline}: no model is deployed, so there is none to go back from")
    order = deployed_versions(registry.events())
    before = order[: order.index(live.version)] if live.version in order else order
    if not before:
        raise UsageError(
            f"{registry.pipeline}: {live.version} is the first model that was deployed; "
            "name the one to go to: `featuremill models` shows them"
        )
    return before[-1]


@dataclass
class _Refresh:
    clients: Clients
    registry: Registry
    plan: DeploymentPlan
    spec: Endpoint
    on_status: Callable[[str], None] | None

    @property
    def endpoint(self) -> str:
        return self.plan.endpoint

    def run(
        self,
        probe: Probe | None,
        traffic: Traffic,
        success: Literal["deployed", "rolled_back"],
        reason: str,
        keep: int,
    ) -> Deployment:
        state = self._settled()
        live = self.registry.current()
        runs = state is not None and state.status == "InService" and state.config == self.plan.config
        outcome: Outcome = "finished"
        if runs and live is not None and live.config == self.plan.config:
            outcome = "unchanged"
        else:
            fallback = self._fallback(state)
            if not runs:
                self.registry.log("deploying", self.plan.version, reason, self.plan.details())
                outcome = self._move(state, fallback, traffic)
            self._test(probe, fallback)
            self.registry.log(success, self.plan.version, reason, {"config": self.plan.config})
        endpoints.scale(self.clients, self.endpoint, self.spec.instances)
        retired = retire(self.clients, self.registry, self.endpoint, keep)
        return Deployment(outcome, self.endpoint, self.plan.version, self.plan.config, tuple(retired))

    def _settled(self) -> EndpointState | None:
        return endpoints.settled(self.clients, self.endpoint, self.on_status)

    def _fallback(self, state: EndpointState | None) -> str | None:
        """The configuration to go back to: what runs, unless nobody ever found it good; else the last good one."""
        events = self.registry.events()
        doubtful = unconfirmed_configs(events) | {self.plan.config}
        if state is not None and state.status in endpoints.SERVES and state.config not in doubtful:
            return state.config
        good = [config for config in confirmed_configs(events) if config != self.plan.config]
        for config in reversed(good):
            if endpoints.config_instance_type(self.clients, config) is not None:
                return config
        return None

    def _move(self, state: EndpointState | None, fallback: str | None, traffic: Traffic) -> Outcome:
        """Have the endpoint run the new configuration, or raise EndpointFailed with the old one running."""
        try:
            self._make()
            created = state is None or state.status in _FAILED_BEYOND_UPDATE
            if created:
                self._create(state)
            else:
                self._update(state, traffic)
        except FeaturemillError as error:
            self._note_failure(str(error))
            self._scale_again()
            raise
        self._verify(fallback)
        return "created" if created else "updated"

    def _make(self) -> None:
        """The model and the configuration."""
        sagemaker, plan = self.clients.sagemaker, self.plan
        endpoints.ensure(
            self.clients, sagemaker.describe_model, sagemaker.create_model, "ModelName", plan.model_request
        )
        endpoints.ensure(
            self.clients,
            sagemaker.describe_endpoint_config,
            sagemaker.create_endpoint_config,
            "EndpointConfigName",
            plan.config_request,
        )

    def _create(self, state: EndpointState | None) -> None:
        if state is not None:
            endpoints.unscale(self.clients, self.endpoint)
            endpoints.delete(self.clients, self.endpoint)
        endpoints.create(self.clients, self.endpoint, self.plan.config, {"pipeline": self.registry.pipeline})

    def _update(self, state: EndpointState | None, traffic: Traffic) -> None:
        scaled = endpoints.is_scaled(self.clients, self.endpoint)
        before = endpoints.config_instance_type(self.clients, state.config) if state and state.config else None
        same_type = before == self.spec.instances.type
        if scaled and not same_type:
            endpoints.unscale(self.clients, self.endpoint)
        endpoints.update(self.clients, self.endpoint, self.plan.config, traffic, keep_instances=scaled and same_type)

    def _verify(self, fallback: str | None) -> None:
        """Raise EndpointFailed unless the endpoint is in service with the new configuration."""
        state = self._settled()
        if state is not None and state.status == "InService" and state.config == self.plan.config:
            return
        reason = (state.reason if state else "it is gone") or "SageMaker gave no reason"
        self._give_up(state, fallback, f"endpoint {self.endpoint} did not take {self.plan.version}: {reason}")

    def _test(self, probe: Probe | None, fallback: str | None) -> None:
        if probe is None:
            return
        try:
            smoke(self.clients, self.endpoint, probe)
        except Exception as error:  # whatever it is, what was not tested must not serve
            reason = str(error) or type(error).__name__
            self._give_up(endpoints.look(self.clients, self.endpoint), fallback, reason, error)

    def _give_up(
        self, state: EndpointState | None, fallback: str | None, reason: str, cause: Exception | None = None
    ) -> None:
        """Bring back what served before, look whether it does, note it, and raise EndpointFailed."""
        self._note_failure(reason)
        serving = state is not None and state.status in endpoints.SERVES
        if serving and state is not None and state.config == fallback:
            after = f"{fallback} keeps serving"
        elif fallback is None or not serving:
            after = self._take_away(state)
        else:
            after = self._restore(fallback)
        self._scale_again()
        raise EndpointFailed(f"{reason}; {after}") from cause

    def _take_away(self, state: EndpointState | None) -> str:
        """There is nothing to go back to: an endpoint that answers wrongly is worse than none."""
        if state is not None:
            endpoints.unscale(self.clients, self.endpoint)
            endpoints.delete(self.clients, self.endpoint)
        if self.registry.current() is not None:
            self.registry.log("rolled_back", self.plan.version, "the endpoint is gone, nothing serves", {})
        return "nothing served before, so the endpoint was deleted"

    def _restore(self, fallback: str) -> str:
        noted = noted_plans(self.registry.events()).get(fallback)
        endpoints.update(self.clients, self.endpoint, fallback, "all_at_once", keep_instances=False)
        state = self._settled()
        if state is None or state.status != "InService" or state.config != fallback:
            now = f"it is {state.status} with {state.config}" if state else "it is gone"
            return f"going back to {fallback} failed too: {now}; run `featuremill rollback`"
        version = noted.version if noted else fallback
        self.registry.log("rolled_back", version, f"{self.plan.version} failed", {"config": fallback})
        return f"{fallback} serves again"

    def _scale_again(self) -> None:
        """Autoscaling may have been taken away for the update that failed."""
        state = endpoints.look(self.clients, self.endpoint)
        if state is not None and state.status in endpoints.SERVES:
            endpoints.scale(self.clients, self.endpoint, self.spec.instances)

    def _note_failure(self, reason: str) -> None:
        self.registry.log("failed", self.plan.version, reason, {"config": self.plan.config})
