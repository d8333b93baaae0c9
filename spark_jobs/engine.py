"""Spark as one of the two engines of a run."""

from __future__ import annotations

import time

from pyspark.sql import SparkSession

from featuremill.steps.jobs import ExpectJob, IngestJob, IngestReport, QualityReport, ScoreJob, TableJob, TableReport
from spark_jobs.features import build
from spark_jobs.ingest import ingest
from spark_jobs.session import SparkSettings, build_session


class SparkEngine:
    """Starts (or reaches) Spark at the first job, and keeps the session until `close`."""

    name = "spark"

    def __init__(self, settings: SparkSettings | None = None) -> None:
        self._settings = settings or SparkSettings()
        self._session: SparkSession | None = None
        self._is_own = False

    @property
    def session(self) -> SparkSession:
        """Raises ServiceError where Spark cannot be reached."""
        if self._session is None:
            before = time.time()
            self._session = build_session(self._settings)
            # Within one process there is one Spark: a notebook's, say, is taken as it is, and not ours to stop.
            self._is_own = self._settings.remote is not None or self._session.sparkContext.startTime >= before * 1000
        return self._session

    def ingest(self, job: IngestJob) -> IngestReport:
        return ingest(self.session, job)

    def expect(self, job: ExpectJob) -> QualityReport:
        # Great Expectations takes seconds to import.
        from spark_jobs.expectations import check_with_spark

        return check_with_spark(self.session, job)

    def build(self, job: TableJob) -> TableReport:
        return build(self.session, job)

    def score(self, job: ScoreJob) -> TableReport:
        from spark_jobs.scoring import score

        return score(self.session, job)

    def close(self) -> None:
        """Stop Spark where this engine started it, or leave the server's session; one that was there before runs on."""
        if self._session is not None and self._is_own:
            self._session.stop()
        self._session = None
