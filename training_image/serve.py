"""The `serve` program: the endpoint over HTTP, pre-forked worker processes, until SIGTERM.

`python -m training_image.serve`; the environment says the rest, see serving/settings.py. Exit code 0 after SIGTERM or
SIGINT: running requests have up to 30 seconds to end. 1 with a sentence on standard error for a model that cannot be
used, or when workers die as soon as they start.
"""

from __future__ import annotations

import logging.config
import os
import resource
import shutil
import sys
import tempfile
from pathlib import Path

from granian.constants import HTTPModes, Interfaces, Loops, RuntimeModes
from granian.http import HTTP1Settings
from granian.server import Server

from training_image.serving.journal import configuration, logger
from training_image.serving.settings import FAILURE, STATE, Settings, SettingsError

GRACE_SECONDS = 30
HEADER_SECONDS = 75
"""Within which a request's headers must come; an idle connection is closed then: longer than proxies keep theirs."""
CONNECTIONS = 8192
"""At once, all workers together; more wait to be accepted."""


def main() -> int:
    logging.config.dictConfig(configuration())
    try:
        settings = Settings.read(os.environ)
    except SettingsError as error:
        logger.error("%s", error)
        return 1
    _many_files()
    state = Path(tempfile.mkdtemp(prefix="featuremill-serve-"))
    os.environ[STATE] = str(state)
    # A booster's threads that spin while they wait would take the core from the next request.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        return _serve(settings, state)
    finally:
        shutil.rmtree(state, ignore_errors=True)


def _serve(settings: Settings, state: Path) -> int:
    server = Server(
        "training_image.serving.worker:create",
        factory=True,
        address=settings.host,
        port=settings.port,
        interface=Interfaces.RSGI,
        workers=settings.workers,
        runtime_mode=RuntimeModes.st,
        loop=Loops.asyncio,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000),
        websockets=False,
        backlog=4096,
        backpressure=max(CONNECTIONS // settings.workers, 64),
        respawn_failed_workers=True,
        workers_kill_timeout=GRACE_SECONDS,
        log_dictconfig=configuration(),
    )
    try:
        server.serve()
    except SystemExit as error:
        return int(error.code or 0) if isinstance(error.code, int | None) else 1
    reason = state / FAILURE
    if reason.exists():
        logger.error("%s", reason.read_text())
        return 1
    return 0


def _many_files() -> None:
    """A connection is a file: the soft limit is often 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 1024 if hard == resource.RLIM_INFINITY else min(hard, CONNECTIONS + 1024)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
