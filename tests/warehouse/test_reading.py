"""What a reader sees through HiveServer2, Spark's Thrift server."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from featuremill.errors import ServiceError
from featuremill.services.java import find_java
from featuremill.services.launch import java_environment, spark_home
from featuremill.warehouse.hive_objects import Column
from featuremill.warehouse.sql import QueryError, query
from featuremill.warehouse.storage import Warehouse
from featuremill.warehouse.views import latest_view, refresh_current, refresh_latest
from tests.fixtures_services import Services
from tests.warehouse.partitions import commit, loans, publish
from tests.warehouse.pipelines import credit_risk

MOVES = 50

pytestmark = pytest.mark.slow


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "ware house")


class Session:
    """One HiveServer2 session that stays open, as a BI tool's does."""

    def __init__(self, services: Services) -> None:
        from pyhive import hive

        host, port = services.hiveserver
        self.connection = hive.connect(host=host, port=port, auth="NONE", username="analyst")

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        cursor = self.connection.cursor()
        cursor.execute(sql)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.close()
        return rows

    def close(self) -> None:
        self.connection.close()


def test_every_type_arrives_as_it_was(services: Services, warehouse: Warehouse) -> None:
    moment = datetime(1999, 12, 31, 23, 59, 59, 123456, tzinfo=UTC)
    table = pa.table(
        {
            "b": pa.array([True, None]),
            "i": pa.array([-(2**31), None], pa.int32()),
            "l": pa.array([2**63 - 1, None], pa.int64()),
            "d": pa.array([0.1, None]),
            "s": pa.array(["é'\"\\ ,\n", None]),
            "day": pa.array([date(1, 1, 1), None]),
            "at": pa.array([moment, None], pa.timestamp("us", "UTC")),
            "names": pa.array([["a", "é"], None], pa.list_(pa.string())),
            "numbers": pa.array([[1, 2], None], pa.list_(pa.int64())),
            "narrowing-diagnosis": pa.array([1, None], pa.int32()),
        }
    )
    publish(services.catalog, warehouse, commit(warehouse, table, pipeline="types"))
    answer = query(*services.hiveserver, "SELECT * FROM types.loans ORDER BY b NULLS LAST")
    assert answer.columns == (*table.column_names, "ds")
    assert answer.types[:8] == ("boolean", "int", "bigint", "double", "string", "date", "timestamp", "array")
    first, second = answer.fetch_all()
    assert first[:9] == (
        True,
        -(2**31),
        2**63 - 1,
        0.1,
        "é'\"\\ ,\n",
        date(1, 1, 1),
        moment,
        ["a", "é"],
        [1, 2],
    )
    assert second == (*[None] * 10, "2024-03-01")
    assert services.query("SELECT `narrowing-diagnosis` FROM types.loans WHERE `narrowing-diagnosis` = 1") == [(1,)]


def test_an_open_session_sees_a_moved_partition_and_a_new_column(services: Services, warehouse: Warehouse) -> None:
    catalog = services.catalog
    session = Session(services)
    try:
        publish(catalog, warehouse, commit(warehouse, loans(3), pipeline="seen", version="1"))
        assert session.ask("SELECT count(*), max(value) FROM seen.loans") == [(3, 1)]
        publish(catalog, warehouse, commit(warehouse, loans(5, value=2), pipeline="seen", version="2"))
        assert session.ask("SELECT count(*), max(value) FROM seen.loans") == [(5, 2)]
        assert session.ask("SELECT count(*) FROM seen.loans WHERE ds = '2024-03-01'") == [(5,)]
        wider = loans(1).append_column("score", pa.array([0.5]))
        publish(catalog, warehouse, commit(warehouse, wider, pipeline="seen", ds="2024-03-02", version="3"))
        rows = session.ask("SELECT ds, count(*), sum(score) FROM seen.loans GROUP BY ds ORDER BY ds")
        assert rows == [("2024-03-01", 5, None), ("2024-03-02", 1, 0.5)]
        catalog.drop_partition("seen", "loans", "2024-03-01")
        assert session.ask("SELECT count(*) FROM seen.loans") == [(1,)]
    finally:
        session.close()


def test_a_folder_that_was_replaced_is_listed_again(services: Services, warehouse: Warehouse) -> None:
    """Same path, other files: what happens when a broken partition is computed again."""
    session = Session(services)
    try:
        first = commit(warehouse, loans(3), pipeline="replaced")
        publish(services.catalog, warehouse, first)
        assert session.ask("SELECT count(*), sum(value) FROM replaced.loans") == [(3, 3)]
        shutil.rmtree(first.directory)
        commit(warehouse, loans(500, value=2), pipeline="replaced")
        assert session.ask("SELECT count(*), sum(value) FROM replaced.loans") == [(500, 1000)]
    finally:
        session.close()


def test_queries_that_run_while_a_partition_moves_see_one_or_the_other(
    services: Services, warehouse: Warehouse
) -> None:
    catalog = services.catalog
    versions = [
        commit(warehouse, loans(100 * (n + 1), value=n + 1), pipeline="moved", version=str(n)) for n in range(2)
    ]
    whole = {(100, 1, 1), (200, 2, 2)}
    publish(catalog, warehouse, versions[0])
    seen: list[tuple[Any, ...]] = []
    problems: list[Exception] = []
    stop = threading.Event()

    def read() -> None:
        session = Session(services)
        try:
            while not stop.is_set():
                seen.extend(session.ask("SELECT count(*), min(value), max(value) FROM moved.loans"))
        except Exception as error:
            problems.append(error)
        finally:
            session.close()

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for move in range(MOVES):
            publish(catalog, warehouse, versions[(move + 1) % 2])
            time.sleep(0.05)
    finally:
        stop.set()
        reader.join(60)
    assert problems == []
    assert set(seen) == whole


def test_the_narrow_part_of_a_column_that_became_wide_is_read(services: Services, warehouse: Warehouse) -> None:
    for ds, column in [
        ("2024-01-01", pa.array([7, 7], pa.int32())),
        ("2024-01-02", pa.array([2**40], pa.int64())),
        ("2024-01-03", pa.array([None, 1], pa.int32())),
    ]:
        publish(services.catalog, warehouse, commit(warehouse, pa.table({"n": column}), pipeline="wide", ds=ds))
    assert services.query("SELECT n FROM wide.loans ORDER BY ds, n") == [(7,), (7,), (2**40,), (None,), (1,)]
    assert services.query("SELECT count(*) FROM wide.loans WHERE n = 7") == [(2,)]


def _landing(rows: list[tuple[int, float, int]]) -> pa.Table:
    """loan_id, amount, narrowing-diagnosis."""
    ids, amounts, diagnoses = zip(*rows, strict=True)
    return pa.table(
        {
            "loan_id": pa.array(ids, pa.int64()),
            "amount": pa.array(amounts, pa.float64()),
            "narrowing-diagnosis": pa.array(diagnoses, pa.int32()),
        }
    )


def test_current_is_the_newest_row_of_each_key(services: Services, warehouse: Warehouse) -> None:
    pipeline = credit_risk(pipeline="current_one")
    assert not refresh_current(services.catalog, pipeline, "loans")
    landings = {
        "2024-01-01": [(1, 50.0, 0), (2, 500.0, 0), (3, 1.0, 0)],
        "2024-01-02": [(2, 20.0, 1), (3, 2.0, -1)],
    }
    for ds, rows in landings.items():
        publish(services.catalog, warehouse, commit(warehouse, _landing(rows), pipeline="current_one", ds=ds))
    assert refresh_current(services.catalog, pipeline, "loans")
    assert not refresh_current(services.catalog, pipeline, "loans")
    # Loan 3's newest row is left out by `where`; its older row does not come back.
    assert services.query("SELECT * FROM current_one.loans_current ORDER BY loan_id") == [
        (1, 50.0, 0, 5000, "small", "2024-01-01"),
        (2, 20.0, 1, 2000, "small", "2024-01-02"),
    ]
    assert services.query("SELECT size FROM current_one.loans_current WHERE loan_id = 2") == [("small",)]
    described = {row[0]: row[2] for row in services.query("DESCRIBE current_one.loans_current")}
    assert described["size"] == "big or small"


def test_latest_is_the_newest_snapshot_and_its_predictions(services: Services, warehouse: Warehouse) -> None:
    pipeline = credit_risk(pipeline="latest_two")
    catalog = services.catalog
    for ds, value in [("2024-01-01", 1), ("2024-01-02", 2)]:
        publish(catalog, warehouse, commit(warehouse, loans(2, value), pipeline="latest_two", name="snapshot", ds=ds))
        refresh_latest(catalog, pipeline)
    assert services.query("SELECT id, value, ds FROM latest_two.latest ORDER BY id") == [
        (0, 2, "2024-01-02"),
        (1, 2, "2024-01-02"),
    ]
    plan = str(services.query("EXPLAIN SELECT * FROM latest_two.latest"))
    assert "2024-01-02" in plan and "PartitionFilters" in plan

    scores = pa.table({"id": pa.array([1], pa.int64()), "prediction": pa.array([0.25])})
    scored = commit(warehouse, scores, pipeline="latest_two", name="predictions", ds="2024-01-01")
    publish(catalog, warehouse, scored)
    refresh_latest(catalog, pipeline)
    assert services.query("SELECT id, value, prediction FROM latest_two.latest ORDER BY id") == [
        (0, 2, None),
        (1, 2, 0.25),
    ]


def test_a_view_is_read_under_utc_whatever_the_session_says(services: Services, warehouse: Warehouse) -> None:
    publish(services.catalog, warehouse, commit(warehouse, loans(1), pipeline="zoned"))
    columns = [Column("day", "date")]
    services.catalog.create_or_replace_view("zoned", "days", "SELECT to_date(`at`) AS `day` FROM zoned.loans", columns)
    session = Session(services)
    try:
        session.ask("SET spark.sql.session.timeZone=Asia/Tokyo")
        assert [str(row[0]) for row in session.ask("SELECT day FROM zoned.days")] == ["2024-03-01"]
    finally:
        session.close()


def test_the_view_that_is_printed_is_the_view_that_is_made() -> None:
    view = latest_view(credit_risk(), "2024-03-01", [Column("id", "bigint")], "2024-02-29", [Column("score", "double")])
    assert view.sql == (
        "SELECT f.`id`, f.`ds`, p.`score` FROM (SELECT * FROM `risk`.snapshot WHERE `ds` = '2024-03-01') f "
        "LEFT JOIN (SELECT * FROM `risk`.predictions WHERE `ds` = '2024-02-29') p ON f.`id` = p.`id`"
    )


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT nothing", r"^\[UNRESOLVED_COLUMN.WITHOUT_SUGGESTION\] .*`nothing` cannot be resolved"),
        ("SELEC 1", r"^\[PARSE_SYNTAX_ERROR\] Syntax error at or near 'SELEC'"),
        ("SELECT * FROM no.where", r"^\[TABLE_OR_VIEW_NOT_FOUND\] .*`no`.`where`"),
        ("SELECT cast('x' AS int)", r"^\[CAST_INVALID_INPUT\] "),
        ("SELECT raise_error('mine')", "mine"),
    ],
)
def test_an_error_is_one_message_without_a_stack(services: Services, sql: str, said: str) -> None:
    with pytest.raises(QueryError, match=said) as caught:
        query(*services.hiveserver, sql).fetch_all()
    text = str(caught.value)
    assert "\n" not in text and "org.apache" not in text and "\tat " not in text


def test_statements_without_rows_and_answers_left_unread(services: Services) -> None:
    assert query(*services.hiveserver, "SET spark.sql.ansi.enabled").fetch_all() == [
        ("spark.sql.ansi.enabled", "true"),
    ]
    assert query(*services.hiveserver, "CREATE DATABASE IF NOT EXISTS made_by_sql;").fetch_all() == []
    answer = query(*services.hiveserver, "SELECT id FROM range(100000)")
    assert next(answer.rows) == (0,)
    answer.close()
    assert len(query(*services.hiveserver, "SELECT id FROM range(25000)").fetch_all()) == 25000


def test_a_query_that_takes_too_long_is_given_up(services: Services) -> None:
    slow = "SELECT count(*) FROM range(10000000) a CROSS JOIN range(1000000) b WHERE (a.id + b.id) % 3 = 1"
    began = time.monotonic()
    with pytest.raises(ServiceError, match="did not finish the query within 1 s"):
        query(*services.hiveserver, slow, timeout=1)
    assert time.monotonic() - began < 15


def test_a_server_that_is_down_is_named_with_what_to_do() -> None:
    with pytest.raises(ServiceError, match=r"HiveServer2 at 127.0.0.1:9 does not answer; start it with ./start.sh"):
        query("127.0.0.1", 9, "SELECT 1")


def test_beeline_reads_tables_and_views(services: Services, warehouse: Warehouse) -> None:
    publish(services.catalog, warehouse, commit(warehouse, loans(2), pipeline="beeline"))
    services.catalog.create_or_replace_view(
        "beeline", "ids", "SELECT `id`, `narrowing-diagnosis` FROM `beeline`.`loans`", [
            Column("id", "bigint"), Column("narrowing-diagnosis", "double"),
        ],
    )  # fmt: skip
    host, port = services.hiveserver
    command = [
        str(spark_home() / "bin" / "beeline"),
        *("-u", f"jdbc:hive2://{host}:{port}/beeline", "-n", "analyst", "--silent=true", "--outputformat=csv2"),
        *("-e", "SELECT id, `narrowing-diagnosis` FROM ids ORDER BY id"),
    ]
    environment = {**os.environ, **java_environment(find_java(services.state))}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
    # beeline repeats its prompt before the first line.
    lines = [line.rpartition("> ")[2] for line in done.stdout.splitlines() if line.strip()]
    assert lines == ["id,narrowing-diagnosis", "0,0.5", "1,0.5"], done.stderr
