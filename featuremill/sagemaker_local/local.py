"""What is not AWS's: whether the server is up, and what it is."""

from __future__ import annotations

import os

from werkzeug import Request, Response

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.protocol import json_response, registry, route


@route("GET", "/_local/health")
def health(context: Context, request: Request) -> Response:
    """{"status": "ok", "root": ..., "pid": ..., "operations": [...]}."""
    state = {"status": "ok", "root": str(context.root), "pid": os.getpid(), "region": context.region}
    return json_response(state | {"operations": sorted(registry)})
