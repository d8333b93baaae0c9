"""What every handler gets: the state, the buckets, the logs, the images, and the background work."""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from featuremill.sagemaker_local.buckets import Buckets
from featuremill.sagemaker_local.images import Images
from featuremill.sagemaker_local.logs import Logs
from featuremill.sagemaker_local.store import Store
from featuremill.sagemaker_local.tags import Tags

ACCOUNT = "000000000000"
_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The time, to the millisecond, as the API tells it."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


class Workers:
    """Background threads. Each gets an event that says when to stop, and must return soon after."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._stoppers: list[Callable[[], None]] = []

    def spawn(self, name: str, target: Callable[[threading.Event], None]) -> threading.Thread:
        """Run `target(stopping)` in a thread; an exception in it is logged."""

        def run() -> None:
            try:
                target(self.stopping)
            except Exception:
                _log.exception("background work %s failed", name)
            finally:
                with self._lock:
                    self._threads.discard(threading.current_thread())

        thread = threading.Thread(target=run, name=name, daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()
        return thread

    def on_stop(self, function: Callable[[], None]) -> None:
        """Call `function` when the server stops, before the threads are waited for."""
        self._stoppers.append(function)

    def stop(self, timeout: float = 30.0) -> None:
        """Tell all to stop and wait for them, `timeout` seconds each at most."""
        self.stopping.set()
        for function in reversed(self._stoppers):
            try:
                function()
            except Exception:
                _log.exception("stopping failed")
        with self._lock:
            threads = list(self._threads)
        for thread in threads:
            thread.join(timeout)


@dataclass
class Context:
    """The server's parts. `url` is where it listens, for programs that it starts."""

    root: Path
    store: Store
    images: Images
    buckets: Buckets
    logs: Logs
    tags: Tags
    region: str = "us-east-1"
    account: str = ACCOUNT
    url: str = ""
    clock: Callable[[], datetime] = utc_now
    workers: Workers = field(default_factory=Workers)

    def arn(self, kind: str, name: str, service: str = "sagemaker") -> str:
        """`arn("training-job", "a")` is arn:aws:sagemaker:us-east-1:000000000000:training-job/a."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{kind}/{name}"


def make_context(root: Path, images: Images, region: str = "us-east-1", url: str = "") -> Context:
    """A context whose state is under `root`, which is made if it is not there."""
    root = root.absolute()
    root.mkdir(parents=True, exist_ok=True)
    store = Store(root / "state.sqlite")
    buckets = Buckets(root / "buckets", root / "temporary")
    logs = Logs(root / "logs", region, ACCOUNT)
    return Context(root, store, images, buckets, logs, Tags(store), region=region, url=url)


def new_id() -> str:
    """An id for what has no name of its own."""
    return uuid.uuid4().hex
