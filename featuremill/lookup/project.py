"""What the service knows of the project whose store it serves: pipeline files, warehouse, metastore, SageMaker.

All of it is read when it is first asked for, since plain lookups need none of it.
"""

from __future__ import annotations

import os
import threading
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from featuremill.errors import FeaturemillError, ServiceError
from featuremill.lookup.service.errors import Problem

if TYPE_CHECKING:
    from featuremill.spec.environment import Environment
    from featuremill.spec.models import Pipeline
    from featuremill.warehouse.hive import HiveCatalog
    from featuremill.warehouse.storage import Warehouse

_METASTORE_SECONDS = 5.0


class ServedProject:
    """A project's folder as a running service sees it. May be used from several threads."""

    def __init__(self, directory: Path, environment: str) -> None:
        self.directory = directory
        self._name = environment
        self._lock = threading.Lock()
        self._pipelines: dict[str, tuple[object, Pipeline]] = {}

    @cached_property
    def environment(self) -> Environment:
        """Raises UsageError or EnvironmentFileError where it cannot be read."""
        from featuremill.spec.environment import load_environment

        return load_environment(self.directory, self._name)

    @cached_property
    def warehouse(self) -> Warehouse:
        from featuremill.warehouse.storage import Warehouse

        return Warehouse(self.environment.warehouse)

    def catalog(self) -> HiveCatalog:
        """Raises ServiceError where no metastore is known to run."""
        from featuremill.warehouse.hive import HiveCatalog

        port = self._port("metastore", self.environment.metastore.port)
        if port is None:
            raise ServiceError("the metastore of this project does not run; start it: ./start.sh")
        return HiveCatalog(self.environment.metastore.host, port, _METASTORE_SECONDS)

    def sagemaker_port(self) -> int | None:
        """The port of the local SageMaker, if one runs or the environment fixes it."""
        return self._port("sagemaker", self.environment.sagemaker.port)

    def _port(self, name: str, configured: int | str) -> int | None:
        from featuremill.services.records import read_record

        record = read_record(Path(self.environment.state).absolute(), name)
        if record is not None and record.runs:
            return record.port
        return configured if isinstance(configured, int) else None

    def pipeline(self, name: str) -> tuple[Pipeline, object]:
        """A pipeline file as it is now, and a stamp that differs when it changed.

        Raises PipelineFileError where it has errors, and Problem 503 where there is no such file.
        """
        from featuremill.spec.loading import read_pipeline_file
        from featuremill.spec.project import PIPELINES

        path = self.directory / PIPELINES / f"{name}.yaml"
        try:
            status = os.stat(path)
        except OSError as error:
            raise Problem(503, "no-pipeline-file", f"{name} has no pipeline file in this project") from error
        stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
        with self._lock:
            known = self._pipelines.get(name)
            if known is None or known[0] != stamp:
                known = (stamp, read_pipeline_file(path).loaded())
                self._pipelines[name] = known
        return known[1], stamp


def unavailable(error: FeaturemillError, kind: str) -> Problem:
    """An error of the project's services or files as an answer: not the caller's fault, and it may pass."""
    return Problem(503, kind, str(error), headers=[("retry-after", "1")])
