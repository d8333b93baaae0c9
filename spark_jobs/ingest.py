"""One landing of a source on Spark: raw lines -> typed rows and quarantined lines.

The clean way is one scan that counts lines, and one that types, drops earlier rows of a key and writes. Only where
rows are missing then are the files read again, for the quarantine alone: so typed rows do not carry their raw line
through a shuffle, and nothing is cached.
"""

from __future__ import annotations

from functools import reduce

from pyspark.sql import DataFrame, Observation, SparkSession, functions

from featuremill.errors import DataError
from featuremill.steps.jobs import IngestJob, IngestReport, NumberRange
from spark_jobs.failures import spark_errors
from spark_jobs.landing import FILE, LINE, Landing
from spark_jobs.lines import steady_blocks
from spark_jobs.output import array_of, glob_safe, quoted, write_parquet

_CSV_BYTES_A_PART = 64 * 1024 * 1024
_GZIP_RATIO = 6
_NOTHING_QUARANTINED = "SELECT '' AS raw_line, '' AS kind, '' AS reason, '' AS file, 0L AS line_number WHERE false"
_NUMBERS = ("int", "bigint", "double")


def ingest(spark: SparkSession, job: IngestJob) -> IngestReport:
    """Write the typed rows (sorted by key in each part) and the quarantine (by file and line) of one landing.

    Typed: the declared columns, after `row_key` where the source names no key. Quarantine: raw_line, kind, reason,
    file (string), line_number (bigint). Raises DataError for a file that cannot be read to its end.
    """
    doing = f"{job.pipeline}.{job.source_name} ds={job.ds}"
    with spark_errors(doing), steady_blocks(spark, job.files):
        landing = Landing(spark, job)
        typed, repeated = _write_typed(spark, job, landing)
        rejected = landing.rows - typed - repeated
        _write_quarantine(spark, job, landing, rejected > 0, repeated > 0)
        kinds = _kinds(spark, job)
        if sum(kinds.values()) != rejected + repeated or kinds.get("duplicate", 0) != repeated:
            raise DataError(
                f"{doing}: of {landing.rows} rows {typed} are typed and {repeated} come again, but the quarantine has "
                f"{kinds}; did the files change while they were read? Run again"
            )
        return IngestReport(
            rows_in=landing.rows,
            rows_typed=typed,
            rows_quarantined=rejected,
            rows_duplicate=repeated,
            reasons=kinds,
            ranges=_ranges(spark, job),
        )


def _write_typed(spark: SparkSession, job: IngestJob, landing: Landing) -> tuple[int, int]:
    """Write the last row of each key, spread over the parts by the key's hash: the same bytes wherever it runs.

    Returns how many rows were written, and how many were left out because their key comes again.
    """
    rank = f"row_number() OVER (PARTITION BY {quoted(landing.key)} ORDER BY {FILE} DESC, {LINE} DESC)"
    right = Observation()
    # Counted after the shuffle, in the stage that writes: a task that runs twice there counts once.
    spread = landing.typed().select(*landing.columns, FILE, LINE).repartition(_parts(job), landing.key)
    ranked = spread.observe(right, functions.expr("count(*) AS rows")).selectExpr("*", f"{rank} AS __rank")
    rows = ranked.where("__rank = 1").sortWithinPartitions(landing.key).select(*landing.columns)
    written = write_parquet(spark, rows, job.typed_dir)
    # Of no rows at all Spark plans nothing, and an observation that never ran has no answer.
    return written, right.get["rows"] - written if written else 0


def _write_quarantine(spark: SparkSession, job: IngestJob, landing: Landing, rejected: bool, repeated: bool) -> None:
    frames = [*([landing.rejected()] if rejected else []), *([landing.repeated()] if repeated else [])]
    if not frames:
        write_parquet(spark, spark.sql(_NOTHING_QUARANTINED), job.quarantine_dir)
        return
    rows = reduce(DataFrame.unionAll, frames)
    names = array_of(file.name for file in job.files)
    columns = ("raw_line", "kind", "reason", f"{names}[{FILE}] AS file", f"{LINE} AS line_number")
    arranged = rows.repartition(_parts(job), FILE, LINE).sortWithinPartitions(FILE, LINE)
    write_parquet(spark, arranged.selectExpr(*columns), job.quarantine_dir)


def _kinds(spark: SparkSession, job: IngestJob) -> dict[str, int]:
    counted = spark.read.parquet(glob_safe(job.quarantine_dir)).groupBy("kind").count()
    return {row["kind"]: row["count"] for row in sorted(counted.collect())}


def _ranges(spark: SparkSession, job: IngestJob) -> dict[str, NumberRange]:
    """The magnitudes of the numeric columns, from what was written."""
    numbers = [name for name, column in job.source.columns.items() if column.type in _NUMBERS]
    if not numbers:
        return {}
    sizes = [f"nullif(abs(CAST({quoted(name)} AS DOUBLE)), 0D) AS {quoted(name)}" for name in numbers]
    found = spark.read.parquet(glob_safe(job.typed_dir)).selectExpr(*sizes)
    (row,) = found.selectExpr(*(f"struct(min({quoted(name)}), max({quoted(name)}))" for name in numbers)).collect()
    return {name: NumberRange(smallest=low, largest=high) for name, (low, high) in zip(numbers, row, strict=True)}


def _parts(job: IngestJob) -> int:
    size = sum(file.size * (_GZIP_RATIO if file.name.endswith((".gz", ".bz2")) else 1) for file in job.files)
    return max(1, -(-size // _CSV_BYTES_A_PART))
