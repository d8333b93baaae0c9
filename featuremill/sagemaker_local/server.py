"""Runs the application: listens, holds the folder's lock, ends in order."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

from cheroot.wsgi import Server

from featuremill.sagemaker_local.app import Application
from featuremill.sagemaker_local.context import make_context
from featuremill.sagemaker_local.images import Images

_THREADS = 64
_log = logging.getLogger(__name__)


class ServerError(Exception):
    """The server cannot start; the message says why and what to do."""


def run(root: Path, host: str, port: int, images: Images, region: str) -> None:
    """Serve until SIGTERM or SIGINT. Port 0 takes a free one, which <root>/port then tells.

    Raises ServerError if the folder is another server's, or the port taken.
    """
    root.mkdir(parents=True, exist_ok=True)
    with _lock(root):
        shown = f"[{host}]" if ":" in host else host
        context = make_context(root, images, region)
        application = Application(context)
        server = Server((host, port), application, numthreads=_THREADS, request_queue_size=256, timeout=60)
        server.shutdown_timeout = 5
        try:
            server.prepare()
        except OSError as error:
            raise ServerError(f"cannot listen on {host}:{port}: {error}; choose another --port") from error
        bound = server.bind_addr
        port = bound[1] if isinstance(bound, tuple) else port
        context.url = f"http://{shown}:{port}"
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            (root / "port").write_text(f"{port}\n")
            application.start()
            _log.info("local SageMaker on %s, state in %s", context.url, context.root)
            server.serve()
        except KeyboardInterrupt:
            _log.info("stopping")
        finally:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            context.workers.stop()
            server.stop()
            context.store.close()


@contextlib.contextmanager
def _lock(root: Path) -> Iterator[None]:
    with (root / "lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            file.seek(0)
            other = file.read().strip() or "unknown"
            raise ServerError(f"another local SageMaker ({other}) has {root}; stop it or use another --root") from error
        file.seek(0)
        file.truncate()
        file.write(f"pid {os.getpid()} on {socket.gethostname()}\n")
        file.flush()
        yield
