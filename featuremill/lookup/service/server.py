"""Running the service: granian with worker processes that share one port and the page cache."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path

from featuremill.lookup.service.settings import LOG_KEY_VARIABLE, ServiceSettings

_TARGET = "featuremill.lookup.service.worker:application"
_HEADER_SECONDS = 10
_STOP_SECONDS = 15


def serve(settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT. A worker that dies is started anew; requests that are being answered end first.

    Raises UsageError, before anything starts, if the tokens or the root cannot be used.
    """
    from granian import Granian
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings

    from featuremill.lookup.service.auth import Tokens
    from featuremill.lookup.store import open_backend

    open_backend(settings.root)
    if settings.tokens is not None:
        Tokens(settings.tokens)
    if settings.request_log == "hash" and not os.environ.get(LOG_KEY_VARIABLE):
        # All workers hash alike; without a key of the user's, hashes of two runs cannot be told to be of one id.
        os.environ[LOG_KEY_VARIABLE] = secrets.token_hex(32)
    with tempfile.TemporaryDirectory(prefix="featuremill-lookup-") as runtime:
        settings.model_copy(update={"runtime": Path(runtime)}).to_environment()
        Granian(
            _TARGET,
            address=settings.host,
            port=settings.port,
            interface=Interfaces.RSGI,
            http=HTTPModes.http1,
            workers=settings.workers,
            factory=True,
            websockets=False,
            backlog=2048,
            respawn_failed_workers=True,
            respawn_interval=0.5,
            workers_kill_timeout=_STOP_SECONDS,
            http1_settings=HTTP1Settings(header_read_timeout=_HEADER_SECONDS * 1000, max_buffer_size=65_536),
            log_access=False,
        ).serve()
