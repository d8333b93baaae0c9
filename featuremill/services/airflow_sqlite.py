"""Airflow on SQLite, with several processes that write.

Python's SQLite driver begins no transaction before a SAVEPOINT. What follows it then starts by reading, and if another
process writes before its own first write, that write fails at once with "database is locked", however long it may
wait: `airflow backfill create` for more than a dozen days never came through. So a savepoint begins a writing
transaction, which waits its turn. Airflow's processes import this module as part of their settings.
"""

from __future__ import annotations

import sqlite3
from typing import Any

SETTINGS = """from featuremill.services.airflow_sqlite import begin_before_savepoints

begin_before_savepoints()
"""
"""Airflow's `airflow_local_settings.py`."""


def begin_before_savepoints() -> None:
    from sqlalchemy import event
    from sqlalchemy.engine import Engine

    event.listen(Engine, "savepoint", _begin)


def _begin(connection: Any, name: str) -> None:
    raw = connection.connection.driver_connection
    if isinstance(raw, sqlite3.Connection) and not raw.in_transaction:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
