"""Ask HiveServer2 in SQL."""

from __future__ import annotations

import contextlib
import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from featuremill.errors import FeaturemillError, ServiceError, UsageError
from featuremill.warehouse.thrift_client import START_HINT

_CLASS = re.compile(r"^(?:[a-z_]\w*\.)+[A-Z][\w$]*(?:Exception|Error|Failure)?:\s*")
_PREFIXES = ("Error running query:", "Error operating", "java.lang.RuntimeException:")
_CONNECT_SECONDS = 10.0
_HIVE_TYPES = {
    "BOOLEAN_TYPE": "boolean",
    "TINYINT_TYPE": "tinyint",
    "SMALLINT_TYPE": "smallint",
    "INT_TYPE": "int",
    "BIGINT_TYPE": "bigint",
    "FLOAT_TYPE": "float",
    "DOUBLE_TYPE": "double",
    "STRING_TYPE": "string",
    "DATE_TYPE": "date",
    "TIMESTAMP_TYPE": "timestamp",
    "BINARY_TYPE": "binary",
    "DECIMAL_TYPE": "decimal",
    "ARRAY_TYPE": "array",
    "MAP_TYPE": "map",
    "STRUCT_TYPE": "struct",
    "NULL_TYPE": "void",
}


class QueryError(UsageError):
    """HiveServer2 did not accept or finish a query: what it said, without the Java stack."""


@dataclass
class Answer:
    """The answer to a query, read as it is iterated. `types` are Hive's, the elements of arrays not told.

    Values: bool, int, float, str, Decimal, date, datetime (UTC), list for arrays, dict for structs and maps, None.
    The connection is closed when the rows are read to the end, or by `close`.
    """

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]

    def fetch_all(self) -> list[tuple[Any, ...]]:
        return list(self.rows)

    def close(self) -> None:
        if hasattr(self.rows, "close"):
            self.rows.close()


def query(
    host: str,
    port: int,
    sql: str,
    *,
    timeout: float = 600.0,
    database: str = "default",
    settings: Mapping[str, str] | None = None,
) -> Answer:
    """Run one statement; `timeout` is in seconds, until the first row is there.

    Raises ServiceError if the server is down or does not answer in time, QueryError if it refuses the statement.
    """
    connection = _connect(host, port, database, settings)
    try:
        cursor = connection.cursor(arraysize=10_000)
        with _clear_errors(host, port):
            cursor.execute(sql.strip().rstrip(";"), async_=True)
            _wait(cursor, host, port, timeout)
            description = cursor.description or []
    except BaseException:
        _close(connection)
        raise
    types = tuple(_HIVE_TYPES.get(column[1], column[1].removesuffix("_TYPE").lower()) for column in description)
    rows = _rows(connection, cursor, types, host, port)
    if not description:
        _close(connection)
        rows = iter(())
    return Answer(tuple(column[0] for column in description), types, rows)


def _connect(host: str, port: int, database: str, settings: Mapping[str, str] | None) -> Any:
    from pyhive import hive
    from pyhive.exc import OperationalError
    from thrift.Thrift import TException
    from thrift.transport import TSocket
    from thrift_sasl import TSaslClientTransport  # type: ignore[import-untyped]

    socket = TSocket.TSocket(host, port)
    socket.setTimeout(_CONNECT_SECONDS * 1000)
    transport = TSaslClientTransport(_plain_sasl, "PLAIN", socket)
    try:
        connection = hive.connect(thrift_transport=transport, configuration=dict(settings or {}), database=database)
    except OperationalError as error:
        raise QueryError(_first_line(error)) from error
    except (TException, OSError, EOFError, AssertionError) as error:
        raise ServiceError(f"HiveServer2 at {host}:{port} does not answer; {START_HINT}") from error
    socket.setTimeout(None)
    return connection


def _plain_sasl() -> Any:
    from pyhive.sasl_compat import PureSASLClient

    return PureSASLClient("localhost", username="featuremill", password="x", service=None)


def _wait(cursor: Any, host: str, port: int, timeout: float) -> None:
    from TCLIService.ttypes import TOperationState as State

    deadline, pause = time.monotonic() + timeout, 0.005
    while True:
        status = cursor.poll()
        if status.operationState == State.FINISHED_STATE:
            return
        if status.operationState not in (State.INITIALIZED_STATE, State.PENDING_STATE, State.RUNNING_STATE):
            raise QueryError(_reduce(status.errorMessage or State._VALUES_TO_NAMES[status.operationState]))
        if time.monotonic() > deadline:
            with contextlib.suppress(Exception):
                cursor.cancel()
            raise ServiceError(f"HiveServer2 at {host}:{port} did not finish the query within {timeout:.0f} s")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)


def _rows(connection: Any, cursor: Any, types: tuple[str, ...], host: str, port: int) -> Iterator[tuple[Any, ...]]:
    try:
        while True:
            with _clear_errors(host, port):
                row = cursor.fetchone()
            if row is None:
                return
            yield tuple(_value(value, kind) for value, kind in zip(row, types, strict=True))
    finally:
        _close(connection)


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "timestamp":
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        return moment.replace(tzinfo=UTC)
    if kind == "date" and isinstance(value, str):
        return date.fromisoformat(value)
    if kind == "decimal" and isinstance(value, str):
        return Decimal(value)
    if kind in ("array", "map", "struct") and isinstance(value, str):
        with contextlib.suppress(ValueError):
            return json.loads(value)
    return value


@contextlib.contextmanager
def _clear_errors(host: str, port: int) -> Iterator[None]:
    from pyhive.exc import Error
    from thrift.Thrift import TException

    try:
        yield
    except FeaturemillError:
        raise
    except Error as error:
        raise QueryError(_first_line(error)) from error
    except (TException, OSError, EOFError) as error:
        raise ServiceError(f"HiveServer2 at {host}:{port} broke off: {error}; look into its log") from error


def _first_line(error: Exception) -> str:
    """The message in an answer of pyhive, whose errors carry the whole Thrift answer."""
    answer = error.args[0] if error.args else error
    status = getattr(answer, "status", answer)
    return _reduce(str(getattr(status, "errorMessage", None) or getattr(answer, "errorMessage", None) or answer))


def _reduce(message: str) -> str:
    """Spark's message without Java's class names and stack: up to the first blank line or stack frame."""
    text = message.strip()
    for _ in range(8):
        before = text
        for prefix in _PREFIXES:
            text = text.removeprefix(prefix).strip()
        text = _CLASS.sub("", text)
        if text == before:
            break
    # Spark repeats itself: "[CLASS] org.apache...Exception: [CLASS] message".
    text = re.sub(r"^\[[A-Z_.0-9]+\]\s+\S+(?:Exception|Error):\s+(?=\[)", "", text)
    kept: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith(("\tat ", "Caused by", "== SQL", "== DataFrame", "'")):
            break
        kept.append(line.strip())
    return re.sub(r"\s*SQLSTATE: \w+", "", " ".join(kept) or text.splitlines()[0]).rstrip("; ")


def _close(connection: Any) -> None:
    with contextlib.suppress(Exception):
        connection.close()
