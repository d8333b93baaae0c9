"""One published partition as one file."""

from __future__ import annotations

from pathlib import Path

from featuremill.errors import DataError
from featuremill.local_engine.location import local_folder
from featuremill.local_engine.sql import sql_text


def export_partition(location: str, file: Path) -> int:
    """Write the rows of a partition's folder to `file`, by its ending parquet or csv (with a header); returns how many.

    Timestamps are written in UTC. An existing file is replaced only when the new one is whole. Raises DataError where
    the target cannot be written.
    """
    import duckdb

    folder = local_folder(location)
    unfinished = file.with_name(f".{file.name}.unfinished")
    form = "FORMAT parquet, COMPRESSION zstd" if file.suffix == ".parquet" else "FORMAT csv, HEADER"
    pattern = sql_text(str(folder / "part-*.parquet"))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        source = f"SELECT * FROM read_parquet({pattern}, hive_partitioning = false)"
        try:
            done = connection.execute(f"COPY ({source}) TO {sql_text(str(unfinished))} ({form})").fetchone()
            unfinished.replace(file)
        except (duckdb.IOException, OSError) as error:
            unfinished.unlink(missing_ok=True)
            raise DataError(f"cannot write {file}: {str(error).splitlines()[0]}") from error
    return int(done[0]) if done else 0
