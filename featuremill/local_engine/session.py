"""DuckDB connections of the local engine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class LocalSettings:
    """How much of the machine the local engine may use.

    `scratch` is a folder for what does not fit into memory and for temporary copies of raw files; it should lie on the
    staging area's file system. `memory_limit` is DuckDB's text (`4GB`); left out, 80% of the memory. `threads` left
    out: all cores.
    """

    scratch: Path
    memory_limit: str | None = None
    threads: int | None = None


def connect(settings: LocalSettings) -> duckdb.DuckDBPyConnection:
    """An in-memory database in UTC that keeps the order of rows and spills into the scratch folder."""
    import duckdb

    spill = settings.scratch / "duckdb"
    spill.mkdir(parents=True, exist_ok=True)
    config: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": str(spill),
        "preserve_insertion_order": True,
        "autoinstall_known_extensions": False,
    }
    if settings.memory_limit is not None:
        config["memory_limit"] = settings.memory_limit
    if settings.threads is not None:
        config["threads"] = settings.threads
    connection = duckdb.connect(config=config)
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")
    return connection
