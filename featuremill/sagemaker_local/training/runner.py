"""Runs a training job: its hosts as processes, from download to upload, with stops, limits, interruptions, restarts."""

from __future__ import annotations

import logging
import math
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.errors import ApiError
from featuremill.sagemaker_local.processes import ManagedProcess, start, stop_all
from featuremill.sagemaker_local.training import job
from featuremill.sagemaker_local.training.archives import merge, upload
from featuremill.sagemaker_local.training.channels import DownloadError, download
from featuremill.sagemaker_local.training.checkpoints import Checkpoints
from featuremill.sagemaker_local.training.command import container_command
from featuremill.sagemaker_local.training.directories import (
    HostFolder,
    environment,
    free_port,
    job_folder,
    make_folders,
    write_configuration,
)
from featuremill.sagemaker_local.training.metrics import Metrics

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
STOP_GRACE_SECONDS = 120.0
_SHUTDOWN_GRACE_SECONDS = 10.0
_PEERS_GRACE_SECONDS = 5.0
_POLL_SECONDS = 0.05
_FAILURE_CHARACTERS = 1024
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a run of the hosts ended.

    `what`: completed, failed, stopped, max_runtime, max_wait, interrupted (spot) or shutdown (of this server).
    """

    what: str
    reason: str | None = None


def launch(context: Context, name: str) -> None:
    """Run the job in the background."""
    context.workers.spawn(f"training-{name}", lambda stopping: _Run(context, name, stopping).run())


def resume(context: Context) -> None:
    """Run again what did not end before the server did: from its checkpoints in S3, if it keeps any."""
    for record in context.store.list(job.KIND):
        if record["TrainingJobStatus"] not in job.ENDED:
            name = record["TrainingJobName"]
            if record["TrainingJobStatus"] == "InProgress" and record["SecondaryStatus"] != "Starting":
                job.enter(context, name, "Interrupted")
                job.enter(context, name, "Restarting")
            launch(context, name)


class _Run:
    def __init__(self, context: Context, name: str, stopping: threading.Event) -> None:
        self._context = context
        self._name = name
        self._stopping = stopping
        self._request = job.find(context, name)["request"]
        algorithm = self._request["AlgorithmSpecification"]
        self._image = context.images.find(algorithm["TrainingImage"])
        self._metrics = Metrics(algorithm.get("MetricDefinitions", []), context.clock)
        self._hosts: list[HostFolder] = []
        self._last_lines: dict[str, str] = {}

    def run(self) -> None:
        try:
            while (outcome := self._attempt()).what == "interrupted":
                self._enter("Interrupted")
                self._enter("Restarting")
            if outcome.what != "shutdown":
                self._finish(outcome)
        except Exception as error:
            _log.exception("training job %s failed", self._name)
            reason = f"InternalServerError: {type(error).__name__}: {error}"
            job.finish(self._context, self._name, "Failed", "Failed", reason)
        finally:
            if not self._stopping.is_set():
                shutil.rmtree(job_folder(self._context, self._name), ignore_errors=True)

    def _attempt(self) -> Outcome:
        before = self._record()
        if before["stop"]:
            return Outcome("stopped")
        self._enter("Downloading")
        self._hosts = make_folders(self._context, self._request)
        checkpoints = Checkpoints(self._context, self._request.get("CheckpointConfig", {}).get("S3Uri"), self._hosts)
        try:
            for host in self._hosts:
                write_configuration(self._request, host)
            for channel in self._request.get("InputDataConfig", []):
                download(self._context, channel, self._hosts)
            checkpoints.restore()
        except DownloadError as error:
            return Outcome("failed", str(error))
        if self._record()["stop"]:
            return Outcome("stopped")
        now = self._context.clock()
        self._enter("Training", TrainingStartTime=self._record().get("TrainingStartTime", now))
        began = time.monotonic()
        processes: list[ManagedProcess] = []
        try:
            processes = self._start()
            checkpoints.begin()
            return self._watch(processes, began, before)
        except OSError as error:
            return Outcome("failed", f"ClientError: the program of the image cannot be started: {error}")
        finally:
            stop_all(processes, _PEERS_GRACE_SECONDS)
            checkpoints.finish()
            self._keep_seconds(time.monotonic() - began)

    def _start(self) -> list[ManagedProcess]:
        port = free_port()
        began = int(time.time())
        processes: list[ManagedProcess] = []
        try:
            for host in self._hosts:
                env = environment(self._context, self._request, host, self._image.environment, port)
                command = container_command(self._request["AlgorithmSpecification"], self._image.train, host.base)
                log = host.base.parent / "output.log"
                listener = _Listener(self, host.name, f"{self._name}/{host.name}-{began}")
                processes.append(start(command, env, host.base, log, listener.line))
        except OSError:
            stop_all(processes, 0)
            raise
        return processes

    def _watch(self, processes: list[ManagedProcess], began: float, before: job.Document) -> Outcome:
        """Wait for the hosts. One that fails ends all; reasons to stop from outside send SIGTERM and wait 120 s.

        `before`: the record as this attempt found it.
        """
        left = self._request["StoppingCondition"]["MaxRuntimeInSeconds"] - before["seconds"]
        while any(process.running for process in processes):
            for host, process in zip(self._hosts, processes, strict=True):
                if process.returncode not in (None, 0):
                    return self._failed(host, process)
            reason = self._reason_to_end(before["interruptions"], time.monotonic() - began > left)
            if reason is not None:
                grace = _SHUTDOWN_GRACE_SECONDS if reason == "shutdown" else STOP_GRACE_SECONDS
                stop_all(processes, grace)
                return Outcome(reason)
            time.sleep(_POLL_SECONDS)
        for host, process in zip(self._hosts, processes, strict=True):
            if process.returncode != 0:
                return self._failed(host, process)
        return Outcome("stopped" if self._record()["stop"] else "completed")

    def _reason_to_end(self, interruptions: int, too_long: bool) -> str | None:
        if self._stopping.is_set():
            return "shutdown"
        record = self._record()
        if record["stop"]:
            return "stopped"
        if too_long:
            return "max_runtime"
        wait = self._request["StoppingCondition"].get("MaxWaitTimeInSeconds", math.inf)
        if (self._context.clock() - record["CreationTime"]).total_seconds() > wait:
            return "max_wait"
        return "interrupted" if record["interruptions"] > interruptions else None

    def _failed(self, host: HostFolder, process: ManagedProcess) -> Outcome:
        code = process.returncode
        text = _failure(host.failure)
        if not text:
            last = self._last_lines.get(host.name)
            text = f"the program wrote no failure file; its last line was: {last}" if last else "the program was silent"
        suffix = f", exit code: {code}"
        return Outcome("failed", f"AlgorithmError: {text}"[: _FAILURE_CHARACTERS - len(suffix)] + suffix)

    def _finish(self, outcome: Outcome) -> None:
        metrics = self._metrics.final()
        if outcome.what == "failed":
            self._upload_output()
            job.finish(self._context, self._name, "Failed", "Failed", outcome.reason, FinalMetricDataList=metrics)
            return
        self._enter("Uploading")
        try:
            self._upload_model(always=outcome.what == "completed")
            self._upload_output()
        except (OSError, ApiError) as error:
            reason = f"ClientError: the artefacts cannot be uploaded: {error}"
            job.finish(self._context, self._name, "Failed", "Failed", reason, FinalMetricDataList=metrics)
            return
        status, secondary = {
            "completed": ("Completed", "Completed"),
            "stopped": ("Stopped", "Stopped"),
            "max_runtime": ("Stopped", "MaxRuntimeExceeded"),
            "max_wait": ("Stopped", "MaxWaitTimeExceeded"),
        }[outcome.what]
        job.finish(self._context, self._name, status, secondary, FinalMetricDataList=metrics)

    def _upload_model(self, always: bool) -> None:
        files = self._merged([host.model for host in self._hosts])
        if not (files or always):
            return
        uri = job.model_uri(self._context, self._request)
        upload(self._context, files, uri, job.is_compressed(self._request))

    def _upload_output(self) -> None:
        files = self._merged([host.output for host in self._hosts])
        if not files:
            return
        compressed = job.is_compressed(self._request)
        top = job.output_uri(self._context, self._request)
        uri = self._context.buckets.join(top, "output.tar.gz" if compressed else "data")
        upload(self._context, files, uri, compressed)

    def _merged(self, folders: list[Path]) -> dict[str, Path]:
        files, differing = merge(folders)
        if differing:
            first = self._hosts[0].name
            line = f"hosts wrote different files of one name, the first host's is kept: {', '.join(differing)}"
            self._context.logs.write(LOG_GROUP, f"{self._name}/{first}-upload", [line])
        return files

    def _record(self) -> job.Document:
        return job.find(self._context, self._name)

    def _enter(self, secondary: str, **members: object) -> None:
        job.enter(self._context, self._name, secondary, **members)

    def _keep_seconds(self, seconds: float) -> None:
        def add(record: job.Document, now: object) -> None:
            record["seconds"] += seconds

        job.change(self._context, self._name, add)

    def heard(self, host: str, stream: str, line: str) -> None:
        """A line of a host's program: to its log stream, and read for metrics."""
        if line.strip():
            self._last_lines[host] = line.strip()
        self._metrics.add(line)
        self._context.logs.write(LOG_GROUP, stream, [line])


@dataclass(frozen=True)
class _Listener:
    run: _Run
    host: str
    stream: str

    def line(self, line: str) -> None:
        self.run.heard(self.host, self.stream, line)


def _failure(file: Path) -> str:
    try:
        return file.read_bytes()[: 4 * _FAILURE_CHARACTERS].decode(errors="replace")[:_FAILURE_CHARACTERS].strip()
    except OSError:
        return ""
