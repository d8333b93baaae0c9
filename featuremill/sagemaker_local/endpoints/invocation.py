"""The runtime API: InvokeEndpoint."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from werkzeug import Request, Response

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.endpoints.capture import Exchange
from featuremill.sagemaker_local.endpoints.documents import KIND
from featuremill.sagemaker_local.endpoints.instance import Answer, TookTooLong, Unreachable
from featuremill.sagemaker_local.endpoints.live import Lease, LiveEndpoint, NoInstance
from featuremill.sagemaker_local.endpoints.multimodel import ensure_loaded, forget, is_multi_model
from featuremill.sagemaker_local.endpoints.service import Service, service
from featuremill.sagemaker_local.errors import ApiError
from featuremill.sagemaker_local.protocol import json_response, route

CUSTOM_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"
_PREFIX = "X-Amzn-SageMaker-"
LONGEST_MESSAGE = 2048


@dataclass(frozen=True)
class Invocation:
    """A request to an endpoint. `target_*`: what the caller asked for by name."""

    body: bytes
    content_type: str
    accept: str | None
    custom_attributes: str | None
    target_variant: str | None
    target_model: str | None
    inference_id: str | None


class ModelError(Exception):
    """The container answered with an error, or not in time."""

    def __init__(self, variant: str, status: int, message: str, log_stream: str) -> None:
        super().__init__(message)
        self.variant = variant
        self.status = status
        self.message = message
        self.log_stream = log_stream


@route("POST", "/endpoints/<name>/invocations")
def invoke_endpoint(context: Context, request: Request, name: str) -> Response:
    """InvokeEndpoint: the container's answer; 424 ModelError for its errors, 400 ValidationError for the caller's."""
    running = service(context)
    try:
        live = _endpoint(context, running, name)
        invocation = _read(request, live, running)
        variant, answer = invoke(running, live, invocation)
    except ApiError as error:
        response = json_response({"Message": error.message, "message": error.message}, error.status)
        response.headers["x-amzn-ErrorType"] = error.code
        return response
    except ModelError as error:
        return _model_error(context, name, error)
    response = Response(answer.body, 200, content_type=answer.headers.get("content-type"))
    response.headers["x-Amzn-Invoked-Production-Variant"] = variant
    if "x-amzn-sagemaker-custom-attributes" in answer.headers:
        response.headers[CUSTOM_ATTRIBUTES] = answer.headers["x-amzn-sagemaker-custom-attributes"]
    return response


def _model_error(context: Context, name: str, error: ModelError) -> Response:
    group = f"log-group:/aws/sagemaker/Endpoints/{name}:log-stream:{error.log_stream}"
    stream = f"arn:aws:logs:{context.region}:{context.account}:{group}"
    console = f"https://{context.region}.console.aws.amazon.com/cloudwatch/home?region={context.region}"
    text = (
        f"Received server error ({error.status}) from primary with message"
        if error.status >= 500
        else f"Received client error ({error.status}) from primary with message"
    )
    body = {
        "OriginalStatusCode": error.status,
        "OriginalMessage": error.message,
        "LogStreamArn": stream,
        "Message": f'{text} "{error.message}". See {console}#logEventViewer:group=/aws/sagemaker/Endpoints/{name} '
        f"in account {context.account} for more information.",
    }
    response = json_response(body, 424)
    response.headers["x-amzn-ErrorType"] = "ModelError"
    response.headers["x-Amzn-Invoked-Production-Variant"] = error.variant
    return response


def _invalid(message: str) -> ApiError:
    return ApiError("ValidationError", message)


def _endpoint(context: Context, running: Service, name: str) -> LiveEndpoint:
    live = running.live(name)
    if live is not None and live.active is not None and not live.closed:
        return live
    document = context.store.get(KIND, name)
    if document is None:
        raise _invalid(f"Endpoint {name} of account {context.account} not found.")
    status = document["EndpointStatus"]
    if status in ("InService", "Updating", "RollingBack"):
        raise ApiError("ServiceUnavailable", f"Endpoint {name} is coming up again; try again.", 503)
    raise _invalid(f"Endpoint {name} is {status}; it takes requests when it is InService.")


def _read(request: Request, live: LiveEndpoint, running: Service) -> Invocation:
    most = running.settings.max_body
    length = request.content_length
    if length is not None and length > most:
        # Read it away, so that the caller gets to see the answer.
        while request.stream.read(1 << 20):
            pass
    body = b"" if length is not None and length > most else request.get_data(cache=False)
    if len(body) > most or (length or 0) > most:
        size = max(len(body), length or 0)
        raise _invalid(
            f"The body has {size:,} bytes; at most {most:,} are allowed. Use a batch transform job for more."
        )
    headers = request.headers
    target = headers.get(f"{_PREFIX}Target-Variant")
    if target is not None and target not in live.variants():
        known = ", ".join(live.variants())
        raise _invalid(f"Variant {target} does not exist in endpoint {live.name}; it has {known}.")
    for header in ("Target-Container-Hostname", "Inference-Component", "Session-Id", "Enable-Explanations"):
        if headers.get(f"{_PREFIX}{header}"):
            raise _invalid(f"the local SageMaker does not know {_PREFIX}{header}")
    return Invocation(
        body=body,
        content_type=headers.get("Content-Type", "application/octet-stream"),
        accept=headers.get("Accept"),
        custom_attributes=headers.get(CUSTOM_ATTRIBUTES),
        target_variant=target,
        target_model=headers.get(f"{_PREFIX}Target-Model"),
        inference_id=headers.get(f"{_PREFIX}Inference-Id"),
    )


def invoke(running: Service, live: LiveEndpoint, invocation: Invocation) -> tuple[str, Answer]:
    """The variant that answered, and its answer of status 2xx.

    A request whose instance went away is given to another one: inference changes nothing, so that asking twice is safe.
    Raises ModelError, and ApiError if no instance is healthy within the time there is for an answer.
    """
    begun = time.monotonic()
    deadline = begun + running.settings.invocation_timeout
    tried: set[str] = set()
    while True:
        try:
            patience = min(running.settings.instance_wait, deadline - time.monotonic())
            with live.lease(invocation.target_variant, tried, patience) as lease:
                answer, spent = _ask(running, lease, invocation, deadline - time.monotonic())
        except NoInstance as error:
            raise ApiError("ServiceUnavailable", f"{error}; see the logs of the endpoint", 503) from error
        except Unreachable:
            tried.add(lease.instance.id)
            time.sleep(0.02)
            continue
        except TookTooLong as error:
            spent = time.monotonic() - begun
            _count(running, live, lease, 500, spent, 0.0)
            text = f"Your invocation timed out while waiting for a response from container primary ({error})."
            raise ModelError(lease.variant, 0, text, _stream(lease)) from error
        break
    overhead = max(0.0, time.monotonic() - begun - spent)
    _count(running, live, lease, answer.status, spent, overhead)
    if not 200 <= answer.status < 300:
        message = answer.body[:LONGEST_MESSAGE].decode("utf-8", errors="replace")
        raise ModelError(lease.variant, answer.status, message, _stream(lease))
    _capture(running, live, lease, invocation, answer)
    return lease.variant, answer


def _ask(running: Service, lease: Lease, invocation: Invocation, left: float) -> tuple[Answer, float]:
    headers = {"Content-Type": invocation.content_type}
    if invocation.accept:
        headers["Accept"] = invocation.accept
    if invocation.custom_attributes:
        headers[CUSTOM_ATTRIBUTES] = invocation.custom_attributes
    if invocation.inference_id:
        headers[f"{_PREFIX}Inference-Id"] = invocation.inference_id
    if is_multi_model(lease.instance):
        if not invocation.target_model:
            raise _invalid("a multi-model endpoint needs TargetModel")
        return _ask_target(running, lease, invocation, headers, left)
    if invocation.target_model:
        raise _invalid("TargetModel is for multi-model endpoints; this endpoint has one model")
    begun = time.monotonic()
    answer = lease.instance.request("POST", "/invocations", invocation.body, headers, max(0.1, left))
    return answer, time.monotonic() - begun


def _ask_target(
    running: Service, lease: Lease, invocation: Invocation, headers: dict[str, str], left: float
) -> tuple[Answer, float]:
    target = invocation.target_model
    assert target is not None
    headers = {**headers, f"{_PREFIX}Target-Model": target}
    for again in (False, True):
        model = ensure_loaded(running.context, lease.instance, target, left)
        begun = time.monotonic()
        path = f"/models/{model}/invoke"
        answer = lease.instance.request("POST", path, invocation.body, headers, max(0.1, left))
        if answer.status == 404 and not again:
            # The container has let go of it, or another request made room: load it once more.
            forget(lease.instance, model)
            continue
        break
    return answer, time.monotonic() - begun


def _count(running: Service, live: LiveEndpoint, lease: Lease, status: int, spent: float, overhead: float) -> None:
    fleet = live.active
    instances = fleet.healthy(lease.variant) if fleet is not None and lease.variant in fleet.variants else 1
    running.meter.invocation((live.name, lease.variant), status, spent, overhead, instances, by_model=True)


def _stream(lease: Lease) -> str:
    return f"{lease.variant}/{lease.instance.id}"


def _capture(running: Service, live: LiveEndpoint, lease: Lease, invocation: Invocation, answer: Answer) -> None:
    recorder = live.recorder
    if recorder is None:
        return
    recorder.add(
        lease.variant,
        Exchange(
            content_type=invocation.content_type,
            body=invocation.body,
            accept=answer.headers.get("content-type", ""),
            answer=answer.body,
            time=running.context.clock(),
            event_id=str(uuid.uuid4()),
            inference_id=invocation.inference_id,
            custom_attributes=invocation.custom_attributes,
        ),
    )
