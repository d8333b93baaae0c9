"""Turns the files of a landing into typed rows and quarantined lines, with DuckDB.

Every file is looked through first (`ingest_screen`): that counts its records and takes out the malformed ones. Then one
pass of DuckDB reads the good records as texts, types them and writes those that are valid. Only if some are not does
a second pass look for them, and only if a key comes again are the earlier rows taken out.

rows_in = rows_typed + rows_quarantined + rows_duplicate holds because records are counted before DuckDB reads them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from featuremill.errors import FeaturemillError
from featuremill.local_engine.ingest_blocks import RawLine
from featuremill.local_engine.ingest_grammar import Grammar
from featuremill.local_engine.ingest_quarantine import Quarantine
from featuremill.local_engine.ingest_screen import screen
from featuremill.local_engine.ingest_stage import local_plain_file
from featuremill.local_engine.ingest_tables import ReadableFile, TypedTable
from featuremill.local_engine.session import LocalSettings, connect
from featuremill.steps.jobs import IngestJob, IngestReport

Numbers = npt.NDArray[np.int64]

PART_FILE = "part-00000.parquet"


def ingest(job: IngestJob, settings: LocalSettings) -> IngestReport:
    """Write `<typed_dir>/part-00000.parquet` and `<quarantine_dir>/part-00000.parquet`.

    The typed table holds the declared columns (first `row_key`, if the source names no key) in the order of the files
    and their lines. The same files give the same bytes, however many threads there are. Raises DataError for a damaged
    gzip file and UsageError for a date pattern that is not supported; then nothing is written.
    """
    settings.scratch.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=settings.scratch, prefix="ingest-") as folder,
        Quarantine(Path(folder), tuple(file.name for file in job.files)) as quarantine,
        connect(settings) as connection,
    ):
        scratch = Path(folder)
        table = TypedTable(job, connection, Path(job.typed_dir) / PART_FILE)
        files = _look_through(job, scratch, quarantine)
        records = sum(file.screened.records for file in files)
        typed = table.write([file for file in files if file.screened.records])
        rejected = _reject_values(table, files, records - typed, quarantine)
        summary = table.summary()
        if summary.repeated_keys:
            _reject_repeated(table, files, rejected, quarantine)
            table.drop_earlier_rows(scratch / PART_FILE)
        quarantine.write(connection, Path(job.quarantine_dir) / PART_FILE)
    counts = quarantine.counts
    return IngestReport(
        rows_in=records + counts["malformed"],
        rows_typed=typed - counts["duplicate"],
        rows_quarantined=counts["malformed"] + counts["invalid"] + counts["missing"],
        rows_duplicate=counts["duplicate"],
        reasons=dict(sorted(counts.items())),
        ranges=summary.ranges,
    )


def _look_through(job: IngestJob, scratch: Path, quarantine: Quarantine) -> list[ReadableFile]:
    files = []
    for index, raw in enumerate(job.files):

        def reject(line: RawLine, reason: str, index: int = index) -> None:
            quarantine.add(index, line.number, line.text, "malformed", reason)

        grammar = Grammar.of(job.source.connector, len(raw.fields))
        plain = local_plain_file(raw, scratch, index)
        files.append(ReadableFile(raw, screen(plain, scratch / f"mended-{index}", grammar, raw.header, reject)))
    return files


def _reject_values(table: TypedTable, files: list[ReadableFile], expected: int, quarantine: Quarantine) -> Numbers:
    """Quarantine the records that were not typed; returns their numbers. Raises if they are not as many as expected."""
    found: list[Numbers] = []
    if expected:
        for batch in table.rejected():
            numbers = np.array([rejected.record for rejected in batch], np.int64)
            lines = _lines(files, numbers)
            for rejected in batch:
                file, line = lines[rejected.record]
                quarantine.add(
                    file, line.number, line.text, "invalid" if rejected.invalid else "missing", rejected.reason
                )
            found.append(numbers)
    result = np.concatenate(found) if found else np.empty(0, np.int64)
    if len(result) != expected:
        names = ", ".join(file.raw.name for file in files)
        raise FeaturemillError(
            f"DuckDB did not read as many records as there are in {names}: {expected} were not typed, {len(result)} of "
            "them have a reason. This should not happen: please report it, with the file; Spark may take it in."
        )
    return result


def _reject_repeated(table: TypedTable, files: list[ReadableFile], rejected: Numbers, quarantine: Quarantine) -> None:
    """Quarantine the typed rows whose key comes again later."""
    # The number of typed rows before each rejected record turns a typed row's number into its record's.
    typed_before = rejected - np.arange(len(rejected))

    def records(rows: Iterable[int]) -> Numbers:
        numbers = np.array(list(rows), np.int64)
        return numbers + np.searchsorted(typed_before, numbers, side="right")

    for batch in table.repeated():
        earlier = records(repeated.row for repeated in batch)
        last = records(repeated.last_row for repeated in batch)
        lines = _lines(files, np.union1d(earlier, last))
        for repeated, record, last_record in zip(batch, earlier.tolist(), last.tolist(), strict=True):
            file, line = lines[record]
            last_file, last_line = lines[last_record]
            reason = f"key {repeated.key} comes again in line {last_line.number} of {files[last_file].raw.name}"
            quarantine.add(file, line.number, line.text, "duplicate", reason)


def _lines(files: list[ReadableFile], records: Numbers) -> dict[int, tuple[int, RawLine]]:
    """File number and raw line of good records; `records` are their numbers over all files, ascending."""
    result: dict[int, tuple[int, RawLine]] = {}
    first = 0
    for index, file in enumerate(files):
        after = first + file.screened.records
        wanted = records[np.searchsorted(records, first) : np.searchsorted(records, after)]
        if len(wanted):
            lines = file.screened.lines(wanted - first)
            result.update((record, (index, line)) for record, line in zip(wanted.tolist(), lines, strict=True))
        first = after
    return result
