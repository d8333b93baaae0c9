"""Endpoints of a former run of the server: they come up again, and what was under way is done."""

from __future__ import annotations

import shutil
from typing import Any

from featuremill.sagemaker_local.endpoints.documents import counts
from featuremill.sagemaker_local.endpoints.fleet import Fleet
from featuremill.sagemaker_local.endpoints.service import Job, Service
from featuremill.sagemaker_local.endpoints.work import activate, create, delete, reason, update

Document = dict[str, Any]


def resume(service: Service, document: Document) -> None:
    """Take up an endpoint that a former run of the server had."""
    name, status = document["EndpointName"], document["EndpointStatus"]
    if status == "Failed":
        return
    if status == "Deleting":
        service.context.workers.spawn(f"delete-{name}", lambda _: delete(service, name))
        return
    if status == "Creating":
        service.begin(name, "create", lambda job: create(service, name, job))
        return
    fleet = _bring_up(service, document)
    if fleet is not None and status != "InService":
        service.begin(name, "resume", lambda job: _finish(service, fleet, document, job))


def _bring_up(service: Service, document: Document) -> Fleet | None:
    """Start the active fleet and give it the traffic: requests wait until it is healthy. None if it cannot be had."""
    name, capacity = document["EndpointName"], document.get("wanted") or document["capacity"]
    live = service.open(name)
    try:
        fleet = Fleet(service.context, service.settings, name, document["deployed"], live.changed, gives_up=False)
        fleet.prepare()
    except Exception as error:
        service.set(name, EndpointStatus="Failed", FailureReason=reason(error), pending=None, wanted=None)
        return None
    fleet.scale(counts(capacity))
    fleet.gives_up = True
    service.set(name, capacity=capacity, wanted=None)
    activate(service, live, fleet, capacity)
    _forget_other_fleets(service, name, fleet)
    return fleet


def _finish(service: Service, fleet: Fleet, document: Document, job: Job) -> None:
    """Do what was under way, once the fleet is healthy again."""
    fleet.wait_healthy(job.check)
    if document["EndpointStatus"] == "Updating" and document.get("pending"):
        update(service, document["EndpointName"], job)
    else:
        service.set(document["EndpointName"], EndpointStatus="InService", pending=None)


def _forget_other_fleets(service: Service, name: str, fleet: Fleet) -> None:
    for folder in service.folder(name).iterdir():
        if folder != fleet.folder:
            shutil.rmtree(folder, ignore_errors=True)
