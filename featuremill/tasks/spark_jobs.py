"""Spark by submitted jobs: each call of the engine becomes a job file, a program that reads it, and a report file."""

from __future__ import annotations

import json
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from featuremill.errors import DataError, FeaturemillError, ServiceError, UsageError
from featuremill.services.launch import LOOPBACK
from featuremill.spec.environment import Environment
from featuremill.steps.graph import Step
from featuremill.steps.jobs import (
    Engine,
    ExpectJob,
    IngestJob,
    IngestReport,
    QualityReport,
    ScoreJob,
    Scores,
    TableJob,
    TableReport,
)

Submit = Callable[[Path, Sequence[str]], None]
"""(program, arguments): runs a program of `spark_jobs` by spark-submit and raises if it ends with an error."""

Report = TypeVar("Report", bound=BaseModel)

_PROGRAMS = Path(__file__).resolve().parents[2] / "spark_jobs"
_ANYWHERE = ("spark.ui.showConsoleProgress", "spark.sql.catalogImplementation")
_KINDS: dict[str, type[FeaturemillError]] = {
    kind.__name__: kind for kind in (DataError, ServiceError, UsageError, FeaturemillError)
}


class SubmittedSpark:
    """An engine whose every call is one spark-submit. Job and report files lie in `folder` and are deleted after."""

    name = "spark"

    def __init__(self, submit: Submit, folder: Path) -> None:
        self._submit, self._folder = submit, folder

    def ingest(self, job: IngestJob) -> IngestReport:
        return self._run("ingest_job.py", job, IngestReport)

    def expect(self, job: ExpectJob) -> QualityReport:
        return self._run("expect_job.py", job, QualityReport)

    def build(self, job: TableJob) -> TableReport:
        return self._run("table_job.py", job, TableReport)

    def score(self, job: ScoreJob) -> TableReport:
        return self._run("score_job.py", job, TableReport)

    def close(self) -> None:
        pass

    def _run(self, program: str, job: BaseModel, kind: type[Report]) -> Report:
        """Raises the job's own error where it said one; else what `submit` raises."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="job-", dir=self._folder) as name:
            given, report, errors = (Path(name) / file for file in ("job.json", "report.json", "error.json"))
            given.write_text(job.model_dump_json(by_alias=True))
            arguments = ["--job", str(given), "--report", str(report), "--error", str(errors)]
            try:
                self._submit(_PROGRAMS / program, arguments)
            except Exception as error:
                raise _said(errors) or error from None
            try:
                return kind.model_validate_json(report.read_bytes())
            except (OSError, ValidationError) as error:
                raise ServiceError(f"{program} ended without a report: {error}; see its log") from error


def _said(file: Path) -> FeaturemillError | None:
    try:
        said = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return _KINDS.get(said.get("kind"), FeaturemillError)(said.get("message", "the job failed"))


class OneEngine:
    """The same engine for every step."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def for_step(self, step: Step) -> Engine:
        return self._engine

    def for_scoring(self, step: Step) -> Scores:
        return self._engine


def submit_conf(environment: Environment, state: Path) -> dict[str, str]:
    """Settings for spark-submit: the environment's own win. Nothing is written outside the state folder."""
    spark = environment.spark
    scratch = state / "tmp"
    scratch.mkdir(parents=True, exist_ok=True)
    conf = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.host": LOOPBACK,
        "spark.driver.bindAddress": LOOPBACK,
        "spark.local.dir": str(scratch),
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": f"file:{scratch / 'spark-warehouse'}",
        "spark.sql.shuffle.partitions": "4",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={(_PROGRAMS / 'log4j2.properties').as_uri()}",
    }
    if not spark.master.startswith("local"):
        conf = {name: value for name, value in conf.items() if name in _ANYWHERE}
    if spark.driver_memory:
        conf["spark.driver.memory"] = spark.driver_memory
    own = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in spark.conf.items()}
    return conf | own


def with_spark_connect(environment: Environment, patience: float = 120.0) -> Environment:
    """The environment with the project's own Spark Connect server as `spark.remote`, where one runs.

    One that is just being started is waited for, `patience` seconds: failing would use up a task's tries meanwhile.
    """
    from featuremill.services.supervisor import endpoints

    if environment.spark.remote is not None:
        return environment
    until = time.monotonic() + patience
    while running := endpoints(Path(environment.state)).get("spark"):
        if _listens(*running):
            spark = environment.spark.model_copy(update={"remote": f"sc://{running[0]}:{running[1]}"})
            return environment.model_copy(update={"spark": spark})
        if time.monotonic() > until:
            break
        time.sleep(0.2)
    return environment


def _listens(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError:
        return False
    return True
