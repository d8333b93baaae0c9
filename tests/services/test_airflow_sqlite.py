"""Several processes write to Airflow's database: each waits its turn."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from featuremill.services.airflow_sqlite import _begin

sqlalchemy = pytest.importorskip("sqlalchemy", reason="comes with Airflow")


def _database(tmp_path: Path) -> str:
    file = str(tmp_path / "airflow.db")
    with sqlite3.connect(file) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE run (day TEXT)")
    return file


@pytest.mark.parametrize("helped", [False, True])
def test_a_write_in_a_savepoint_does_not_fail_because_another_process_wrote(tmp_path: Path, helped: bool) -> None:
    file = _database(tmp_path)
    engine = sqlalchemy.create_engine(f"sqlite:///{file}?timeout=0.2")
    if helped:
        sqlalchemy.event.listen(engine, "savepoint", _begin)
    other = sqlite3.connect(file, timeout=0.2)

    def both_write() -> None:
        with engine.connect() as connection, connection.begin_nested():
            connection.exec_driver_sql("SELECT count(*) FROM run").fetchall()
            try:
                other.execute("INSERT INTO run VALUES ('other')")
                other.commit()
            except sqlite3.OperationalError:
                assert helped, "the other one waits for its turn"
                other.rollback()
            connection.exec_driver_sql("INSERT INTO run VALUES ('own')")
            connection.commit()

    try:
        if helped:
            both_write()
            other.execute("INSERT INTO run VALUES ('other')")
            other.commit()
            assert other.execute("SELECT day FROM run").fetchall() == [("own",), ("other",)]
        else:
            with pytest.raises(sqlalchemy.exc.OperationalError, match="locked"):
                both_write()
    finally:
        other.close()
        engine.dispose()
