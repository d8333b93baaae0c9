"""What runs for all endpoints of a server: the live endpoints, the meter, one piece of work at a time an endpoint."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.endpoints import alarms
from featuremill.sagemaker_local.endpoints.capture import Recorder
from featuremill.sagemaker_local.endpoints.documents import KIND, Document
from featuremill.sagemaker_local.endpoints.live import LiveEndpoint
from featuremill.sagemaker_local.endpoints.meter import Meter
from featuremill.sagemaker_local.endpoints.settings import Settings, read_settings

STOP_GRACE = 5.0
_log = logging.getLogger(__name__)


class Interrupted(Exception):
    """The server stops, or the endpoint is deleted: leave the work as it is."""


class Job:
    """A piece of work on an endpoint: create, update, scale. `check` raises Interrupted when it has to end."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping
        self.cancelled = threading.Event()
        self.done = threading.Event()

    def check(self) -> None:
        """Raises Interrupted if the server stops or the work is cancelled."""
        if self._stopping.is_set() or self.cancelled.is_set():
            raise Interrupted


class Service:
    """The running side of all endpoints of one context; `service(context)` is the one to use."""

    def __init__(self, context: Context, settings: Settings) -> None:
        self.context = context
        self.settings = settings
        self.meter = Meter()
        self._lock = threading.Lock()
        self._live: dict[str, LiveEndpoint] = {}
        self._jobs: dict[str, Job] = {}
        context.workers.on_stop(self._stop)
        context.workers.spawn("endpoint-metrics", self._measure)

    def live(self, name: str) -> LiveEndpoint | None:
        """The running endpoint of a name, if it runs."""
        return self._live.get(name)

    def open(self, name: str) -> LiveEndpoint:
        """The running endpoint of a name; made, without a fleet, if there is none."""
        with self._lock:
            return self._live.setdefault(name, LiveEndpoint(name))

    def close(self, name: str) -> None:
        """Take an endpoint out of the traffic, drain and stop its fleets, remove its files."""
        with self._lock:
            live = self._live.pop(name, None)
        if live is not None:
            with live.changed:
                live.closed = True
                fleets = [fleet for fleet in (live.active, live.incoming) if fleet is not None]
                live.changed.notify_all()
            for fleet in fleets:
                fleet.stop(drain=self.settings.invocation_timeout)
            if live.recorder is not None:
                live.recorder.flush()
        self.meter.forget(name)
        shutil.rmtree(self.folder(name), ignore_errors=True)

    def folder(self, name: str) -> Path:
        """Where an endpoint's fleets have their files."""
        return self.context.root / "endpoints" / name

    def record(self, live: LiveEndpoint, config: Document) -> None:
        """Capture data as a config says, from now on."""
        capture = config.get("DataCaptureConfig")
        former, live.recorder = (
            live.recorder,
            Recorder(live.name, capture, self._write) if capture else None,
        )
        if former is not None:
            former.flush()

    def _write(self, uri: str, body: bytes) -> None:
        buckets = self.context.buckets
        bucket, key = buckets.parse(uri)
        buckets.create(bucket)
        temporary = buckets.temporary_file()
        temporary.write_bytes(body)
        buckets.place(temporary, bucket, key)

    def begin(self, name: str, what: str, work: Callable[[Job], None]) -> None:
        """Do a piece of work in the background; the caller has seen that none goes on for this endpoint."""
        job = Job(self.context.workers.stopping)
        with self._lock:
            self._jobs[name] = job

        def run(stopping: threading.Event) -> None:
            try:
                work(job)
            except Interrupted:
                pass
            finally:
                job.done.set()

        self.context.workers.spawn(f"{what}-{name}", run)

    def cancel(self, name: str) -> None:
        """End the work that goes on for an endpoint, if any, and wait until it has ended."""
        with self._lock:
            job = self._jobs.pop(name, None)
        if job is not None:
            job.cancelled.set()
            job.done.wait(120)

    def set(self, name: str, **changes: object) -> Document:
        """Change members of an endpoint's document (None removes one), with LastModifiedTime.

        Raises Interrupted if the endpoint is being deleted: that stays so.
        """

        def change(document: Document) -> None:
            if document["EndpointStatus"] == "Deleting":
                raise Interrupted
            for key, value in changes.items():
                if value is None:
                    document.pop(key, None)
                else:
                    document[key] = value
            document["LastModifiedTime"] = self.context.clock()

        try:
            return self.context.store.update(KIND, name, change)
        except KeyError as error:
            raise Interrupted from error

    def _measure(self, stopping: threading.Event) -> None:
        while not stopping.wait(1.0):
            try:
                alarms.publish(self.context, self.meter)
                alarms.evaluate(self.context, self.meter, self.settings.seconds)
            except Exception:
                _log.exception("CloudWatch's metrics and alarms could not be brought up to date")

    def _stop(self) -> None:
        """The server ends: all processes too, side by side. Endpoints stay InService and come up at the next start."""
        with self._lock:
            endpoints = list(self._live.values())
        threads = []
        for live in endpoints:
            with live.changed:
                live.closed = True
                fleets = [fleet for fleet in (live.active, live.incoming) if fleet is not None]
                live.changed.notify_all()
            if live.recorder is not None:
                live.recorder.flush()
            for fleet in fleets:
                keep = {"drain": STOP_GRACE, "grace": STOP_GRACE, "forget": False}
                threads.append(threading.Thread(target=fleet.stop, kwargs=keep, daemon=True))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


_services: dict[Path, Service] = {}
_services_lock = threading.Lock()


def service(context: Context) -> Service:
    """The service of a context; made at the first call, for as long as the context's workers run."""
    with _services_lock:
        found = _services.get(context.root)
        if found is None or found.context is not context:
            found = _services[context.root] = Service(context, read_settings())
        return found
