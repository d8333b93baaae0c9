"""The local engine: DuckDB in this process, no JVM."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from featuremill.errors import DataError
from featuremill.local_engine import tables
from featuremill.local_engine.ingest import ingest
from featuremill.local_engine.session import LocalSettings, connect
from featuremill.steps.jobs import ExpectJob, IngestJob, IngestReport, QualityReport, ScoreJob, TableJob, TableReport


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
        with clear_errors(f"{job.pipeline}.{job.source_name} ds={job.ds}", self._settings):
            return ingest(job, self._settings)

    def expect(self, job: ExpectJob) -> QualityReport:
        from featuremill.quality.duckdb_batch import check_with_duckdb

        with (
            clear_errors(f"{job.pipeline}.{job.source_name} ds={job.ds}", self._settings),
            connect(self._settings) as connection,
        ):
            return check_with_duckdb(connection, job)

    def build(self, job: TableJob) -> TableReport:
        with (
            clear_errors(f"{job.pipeline.pipeline}.{job.table} ds={job.ds}", self._settings),
            connect(self._settings) as connection,
        ):
            return tables.build(connection, job)

    def score(self, job: ScoreJob) -> TableReport:
        # XGBoost takes a second to import.
        from featuremill.local_engine.scoring import score

        with clear_errors(f"{job.pipeline}.predictions ds={job.ds}", self._settings):
            return score(job)

    def close(self) -> None:
        """Nothing stays open between steps."""


@contextmanager
def clear_errors(doing: str, settings: LocalSettings) -> Iterator[None]:
    """What goes wrong inside DuckDB or on the disk, as an error that says what to do."""
    import duckdb

    try:
        yield
    except (duckdb.IOException, OSError) as error:
        raise DataError(
            f"{doing}: reading or writing failed: {_first_line(error)}. If the disk is full (the warehouse's, or that "
            f"of {settings.scratch}), free some space, then run again"
        ) from error
    except duckdb.OutOfMemoryException as error:
        raise DataError(
            f"{doing}: the memory does not suffice: {_first_line(error)}. Free some, or use --engine spark; then run "
            "again"
        ) from error
    except (duckdb.DataError, duckdb.InvalidInputException) as error:
        raise DataError(f"{doing}: a value breaks an expression: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
