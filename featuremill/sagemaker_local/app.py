"""The server: one port for SageMaker, its runtime, S3 and the services that moto answers."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from werkzeug import Request, Response
from werkzeug.exceptions import HTTPException, NotFound

from featuremill.sagemaker_local import iam, protocol
from featuremill.sagemaker_local.context import Context, new_id
from featuremill.sagemaker_local.errors import ApiError
from featuremill.sagemaker_local.s3.routing import serve as serve_s3

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PARTS = ("local", "tags", "training", "models", "endpoints", "transform", "autoscaling")
"""Modules and packages of this room that register handlers when they are imported."""

_log = logging.getLogger(__name__)
_CREDENTIAL = re.compile(r"Credential=[^/]+/\d{8}/[^/]+/([^/]+)/aws4_request")


class Application:
    """The WSGI application. Make it once: it imports all parts, which register their handlers."""

    def __init__(self, context: Context) -> None:
        self.context = context
        for part in PARTS:
            if importlib.util.find_spec(f"featuremill.sagemaker_local.{part}") is not None:
                importlib.import_module(f"featuremill.sagemaker_local.{part}")
        self._routes = protocol.route_map()
        self._moto = _Moto(context)

    def start(self) -> None:
        """Let all parts take up their work again. Call it when the server listens."""
        for starter in protocol.starters:
            starter(self.context)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = Request(environ)
        try:
            answer = self._answer(request)
        except ApiError as error:
            answer = protocol.error_response(error)
        except HTTPException as error:
            answer = protocol.error_response(ApiError(error.name.replace(" ", ""), str(error), error.code or 500))
        except Exception as error:
            _log.exception("%s %s failed", request.method, request.path)
            message = f"the local SageMaker failed: {type(error).__name__}: {error}; its log has more"
            answer = protocol.error_response(ApiError("InternalFailure", message, 500))
        if isinstance(answer, Response):
            answer.headers.setdefault("x-amzn-RequestId", new_id())
        return answer(environ, start_response)

    def _answer(self, request: Request) -> Response | WSGIApplication:
        target, _, name = request.headers.get("X-Amz-Target", "").partition(".")
        if target in protocol.services_by_target():
            service = protocol.services_by_target()[target]
            if service == "sagemaker" or f"{service}.{name}" in protocol.registry:
                return protocol.call(self.context, service, name, request)
        signed_for = _signed_for(request)
        if signed_for != "s3" and (response := self._route(request)) is not None:
            return response
        if signed_for == "sagemaker":
            raise ApiError("UnknownOperationException", f"{request.method} {request.path} is not an operation", 404)
        if signed_for == "s3" or (signed_for is None and not target and not _is_form(request)):
            return serve_s3(self.context, request)
        if signed_for == "iam" and (simulated := iam.answer(request)) is not None:
            return simulated
        if signed_for == "logs":
            self._moto.load()
            self.context.logs.show()
        return self._moto.load()

    def _route(self, request: Request) -> Response | None:
        adapter = self._routes.bind_to_environ(request.environ)
        try:
            endpoint, values = adapter.match()
        except NotFound:
            return None
        return protocol.route_handler(endpoint)(self.context, request, **values)


class _Moto:
    """moto's WSGI application, loaded when it is first needed: that takes a second."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._lock = threading.Lock()
        self._application: Callable[[dict[str, Any], StartResponse], Iterable[bytes]] | None = None

    def load(self) -> WSGIApplication:
        with self._lock:
            if self._application is None:
                os.environ["MOTO_ACCOUNT_ID"] = self._context.account
                os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "false")
                from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

                self._application = DomainDispatcherApplication(create_backend_app)
        application: WSGIApplication = self._application
        return application


def _signed_for(request: Request) -> str | None:
    """The service that a request was signed for, by its header or, presigned, by its query."""
    found = _CREDENTIAL.search(request.headers.get("Authorization", ""))
    if found:
        return found.group(1).lower()
    scope = request.args.get("X-Amz-Credential", "").split("/")
    if len(scope) == 5:
        return scope[3].lower()
    return "s3" if "AWSAccessKeyId" in request.args else None


def _is_form(request: Request) -> bool:
    return request.method == "POST" and request.mimetype == "application/x-www-form-urlencoded"
