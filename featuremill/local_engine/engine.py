"""The local engine: DuckDB in this process, no JVM."""

from __future__ import annotations

from featuremill.local_engine import tables
from featuremill.local_engine.ingest import ingest
from featuremill.local_engine.session import LocalSettings, connect
from featuremill.steps.jobs import ExpectJob, IngestJob, IngestReport, QualityReport, TableJob, TableReport


class LocalEngine:
    """Runs every step that holds only expressions proven equal to Spark's; raises NotProven for the others."""

    name = "local"

    def __init__(self, settings: LocalSettings) -> None:
        self._settings = settings

    def ingest(self, job: IngestJob) -> IngestReport:
        if job.source.expect:
            # Great Expectations takes seconds to import; it is wanted next.
            from featuremill.quality.gx import preload

            preload()
        return ingest(job, self._settings)

    def expect(self, job: ExpectJob) -> QualityReport:
        from featuremill.quality.duckdb_batch import check_with_duckdb

        with connect(self._settings) as connection:
            return check_with_duckdb(connection, job)

    def build(self, job: TableJob) -> TableReport:
        with connect(self._settings) as connection:
            return tables.build(connection, job)

    def close(self) -> None:
        """Nothing stays open between steps."""
