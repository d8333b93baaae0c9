"""The work on an endpoint that takes time: create, update, roll back, scale, delete."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from typing import Any

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.endpoints import alarms
from featuremill.sagemaker_local.endpoints.deployment import Counts, Plan, plan
from featuremill.sagemaker_local.endpoints.documents import KIND, Capacity, counts, weights
from featuremill.sagemaker_local.endpoints.fleet import Fleet, stop_all
from featuremill.sagemaker_local.endpoints.instance import Unhealthy
from featuremill.sagemaker_local.endpoints.live import LiveEndpoint
from featuremill.sagemaker_local.endpoints.service import Interrupted, Job, Service
from featuremill.sagemaker_local.errors import ApiError
from featuremill.sagemaker_local.models.artefacts import BrokenModel

Document = dict[str, Any]
LONGEST_REASON = 1024
_log = logging.getLogger(__name__)


class Alarmed(Unhealthy):
    """An alarm of the deployment is in ALARM, or the deployment took too long."""


def create(service: Service, name: str, job: Job) -> None:
    """Bring up the first fleet: InService, or Failed with the reason."""
    document = service.context.store.get(KIND, name)
    assert document is not None
    live = service.open(name)
    fleet: Fleet | None = None
    try:
        fleet = Fleet(service.context, service.settings, name, document["deployed"], live.changed)
        fleet.prepare()
        fleet.scale(counts(document["capacity"]))
        fleet.wait_healthy(job.check)
    except Interrupted:
        if fleet is not None:
            fleet.stop(grace=1.0)
        raise
    except Exception as error:
        if fleet is not None:
            fleet.stop()
        service.set(name, EndpointStatus="Failed", FailureReason=reason(error))
    else:
        activate(service, live, fleet, document["capacity"])
        service.set(name, EndpointStatus="InService")


def reason(error: Exception) -> str:
    """A FailureReason: the error's text, as long as AWS allows. An error nobody thought of is logged, too."""
    if isinstance(error, ApiError):
        text = error.message
    elif isinstance(error, Unhealthy | BrokenModel):
        text = str(error)
    else:
        _log.error("work on an endpoint failed", exc_info=error)
        text = f"InternalServerError: {type(error).__name__}: {error}"
    return text[:LONGEST_REASON]


def activate(service: Service, live: LiveEndpoint, fleet: Fleet, capacity: Capacity) -> Fleet | None:
    """Give all traffic to a fleet; returns the one that had it, which is out of the traffic now."""
    with live.changed:
        former, live.active, live.incoming = live.active, fleet, None
        live.share, live.by_capacity = 0.0, False
        live.weights = weights(capacity)
        service.record(live, fleet.deployed["config"])
        live.changed.notify_all()
    return former


def update(service: Service, name: str, job: Job) -> None:
    """Move an endpoint to its pending config, step by step; on any failure back to the one that runs."""
    document = service.context.store.get(KIND, name)
    assert document is not None
    live, pending = service.open(name), document["pending"]
    assert live.active is not None
    moves = plan(pending.get("deployment"), counts(pending["capacity"]), counts(document["capacity"]))
    fleet: Fleet | None = None
    try:
        fleet = Fleet(service.context, service.settings, name, pending["deployed"], live.changed)
        fleet.prepare()
        _move(service, live, fleet, pending["capacity"], moves, job)
    except Interrupted:
        _abandon(live, fleet)
        raise
    except Exception as error:
        _roll_back(service, live, fleet, document["capacity"], moves, reason(error), job)
        return
    _commit(service, live, fleet, pending, moves, job)


def _move(service: Service, live: LiveEndpoint, fleet: Fleet, capacity: Capacity, moves: Plan, job: Job) -> None:
    deadline = time.monotonic() + moves.timeout
    old = live.active
    assert old is not None

    def check() -> None:
        job.check()
        _check_alarms(service.context, moves)
        if time.monotonic() > deadline:
            raise Alarmed(f"the deployment took longer than MaximumExecutionTimeoutInSeconds ({moves.timeout:g})")

    for step in moves.steps:
        fleet.scale(step.new)
        fleet.wait_healthy(check)
        with live.changed:
            live.incoming, live.share, live.by_capacity = fleet, step.share, moves.rolling
            live.incoming_weights = weights(capacity)
            live.changed.notify_all()
        surplus = old.scale(step.old) if moves.rolling else []
        stop_all(surplus, service.settings.invocation_timeout)
        _watch(check, service.settings.seconds(step.wait))
    # A process may have answered a ping and died: what gets all the traffic must be up now.
    _wait_healthy(fleet, check)


def _wait_healthy(fleet: Fleet, check: Callable[[], None]) -> None:
    """Wait for instances that have been healthy before, as long as a new one may take. Raises Unhealthy."""
    patience = max(variant.health_timeout for variant in fleet.variants.values())
    deadline = time.monotonic() + patience

    def limited() -> None:
        check()
        if time.monotonic() > deadline:
            raise Unhealthy(f"instances of config {fleet.config_name} were not all healthy within {patience:g} s")

    fleet.wait_healthy(limited)


def _watch(check: Callable[[], None], seconds: float) -> None:
    end = time.monotonic() + seconds
    while True:
        check()
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(0.1, left))


def _check_alarms(context: Context, moves: Plan) -> None:
    if not moves.alarms:
        return
    states = alarms.states(context, moves.alarms)
    ringing = [name for name, state in states.items() if state == "ALARM"]
    missing = [name for name, state in states.items() if state is None]
    if ringing:
        raise Alarmed(f"One or more configured alarm(s) have gone into ALARM state: [{', '.join(ringing)}]")
    if missing:
        raise Alarmed(f"The alarm(s) [{', '.join(missing)}] of the deployment do not exist")


def _commit(service: Service, live: LiveEndpoint, fleet: Fleet, pending: Document, moves: Plan, job: Job) -> None:
    former = activate(service, live, fleet, pending["capacity"])
    changes: Document = {
        "deployed": pending["deployed"],
        "capacity": pending["capacity"],
        "LastDeploymentConfig": pending.get("deployment"),
        "pending": None,
        "FailureReason": None,
    }
    try:
        service.set(live.name, **changes)
        _watch(job.check, service.settings.seconds(moves.termination_wait))
    finally:
        if former is not None:
            former.stop(drain=service.settings.invocation_timeout)
    service.set(live.name, EndpointStatus="InService")


def _roll_back(
    service: Service,
    live: LiveEndpoint,
    fleet: Fleet | None,
    capacity: Capacity,
    moves: Plan,
    why: str,
    job: Job,
) -> None:
    """The old fleet to its old size, batch by batch if it has shrunk, then all traffic to it; the new one goes."""
    old = live.active
    assert old is not None
    try:
        service.set(live.name, EndpointStatus="RollingBack", FailureReason=why, pending=None)
        if moves.rolling and old.counts() != counts(capacity):
            _grow_back(old, fleet, counts(capacity), moves, service.settings.invocation_timeout, job)
    finally:
        _abandon(live, fleet, drain=service.settings.invocation_timeout)
    service.set(live.name, EndpointStatus="InService")


def _grow_back(old: Fleet, new: Fleet | None, wanted: Counts, moves: Plan, drain: float, job: Job) -> None:
    batch = moves.rollback[0]
    old.gives_up = False  # this is what has to run: its instances try for as long as it takes
    while old.counts() != wanted:
        room, target = batch, {}
        for variant, count in old.counts().items():
            more = min(room, wanted[variant] - count)
            target[variant], room = count + more, room - more
        old.scale(target)
        with contextlib.suppress(Unhealthy):
            _wait_healthy(old, job.check)
        if new is not None:
            stop_all(new.scale(_less(new.counts(), batch)), drain)
    old.gives_up = True


def _less(counts_: Counts, batch: int) -> Counts:
    taken = {}
    for variant, count in counts_.items():
        fewer = min(count, batch)
        taken[variant], batch = count - fewer, batch - fewer
    return taken


def _abandon(live: LiveEndpoint, fleet: Fleet | None, drain: float = 0.0) -> None:
    with live.changed:
        live.incoming, live.share, live.by_capacity = None, 0.0, False
        live.changed.notify_all()
    if fleet is not None:
        fleet.stop(drain=drain)


def rescale(service: Service, name: str, wanted: Capacity, job: Job) -> None:
    """Bring the active fleet to other counts and weights; back to the former ones if the instances do not come up."""
    document = service.context.store.get(KIND, name)
    live = service.open(name)
    assert document is not None and live.active is not None
    fleet, former = live.active, fleet_counts(live)
    removed = fleet.scale(counts(wanted))
    try:
        stop_all(removed, service.settings.invocation_timeout)
        fleet.wait_healthy(job.check)
    except Unhealthy as error:
        # The newest go first, and those are the ones that did not come up.
        stop_all(fleet.scale(former), 0.0)
        service.set(name, EndpointStatus="InService", FailureReason=reason(error), wanted=None)
        return
    with live.changed:
        live.weights = weights(wanted)
    service.set(name, EndpointStatus="InService", FailureReason=None, capacity=wanted, wanted=None)


def fleet_counts(live: LiveEndpoint) -> Counts:
    """How many instances the active fleet has."""
    return live.active.counts() if live.active is not None else {}


def delete(service: Service, name: str) -> None:
    """Stop everything of an endpoint and forget it."""
    service.cancel(name)
    service.close(name)
    service.context.tags.forget(service.context.arn("endpoint", name))
    service.context.store.delete(KIND, name)
