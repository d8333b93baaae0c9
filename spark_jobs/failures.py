"""Spark's errors as errors that a user can mend: the sentence that says what was wrong, not the Java stack."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from pyspark.logger import PySparkLogger

from featuremill.errors import DataError, FeaturemillError

# PySpark prints an error with all its stacks before it raises it; what it says comes with the exception.
for _logger in ("SQLQueryContextLogger", "DataFrameQueryContextLogger"):
    PySparkLogger.getLogger(_logger).disabled = True

_CONDITION = re.compile(r"\[(?P<condition>[A-Z][A-Z0-9_.]+)\]\s*(?P<text>[^\n]*)")
_JAVA_ERROR = re.compile(
    r"(?:Caused by: |^: |: )?(?:[a-z]\w*\.)+[A-Z]\w*(?:Exception|Error): (?P<text>[^\n]+)", re.MULTILINE
)
_NOISE = re.compile(
    r"\s*(?:SQLSTATE: \w{5}"
    r"|If necessary set \"spark\.[\w.]+\" to \"\w+\" to bypass this error\.?)"
)
_UNREADABLE = re.compile(r"\[FAILED_READ_FILE\.?\w*\][^\n]*?file (?P<file>\S+?)\.?(?:\s|$)")
_TRUNCATED = ("Unexpected end of input stream", "EOFException", "Unexpected end of ZLIB")
_FEATURE = re.compile(r"\bAS\s+`?(?P<name>[A-Za-z_][\w-]*)`?\s*(?:,|\n|\bFROM\b|$)", re.IGNORECASE)


def first_useful_line(error: BaseException) -> str:
    """What Spark has to say, in one line: without Py4J's preamble, SQLSTATE, plan and stack."""
    text = str(error).strip()
    found = _CONDITION.search(text)
    if found and not found["condition"].startswith(("FAILED_EXECUTE", "TASK_WRITE_FAILED")):
        return _NOISE.sub("", found["text"]).strip() or found["condition"]
    java = [match["text"] for match in _JAVA_ERROR.finditer(text)]
    if java:
        return _NOISE.sub("", java[-1]).strip()
    return _NOISE.sub("", text.splitlines()[0]).strip() if text else type(error).__name__


@contextmanager
def spark_errors(doing: str, sql: str | None = None) -> Iterator[None]:
    """Raise DataError for whatever Spark raises inside: `doing` (like "ingest of loans for 2024-01-31") comes first.

    `sql` is the query that runs; from it the name of the feature that failed is read, where Spark says the place.
    """
    try:
        yield
    except FeaturemillError:
        raise
    except Exception as error:
        if not _is_from_spark(error):
            raise
        raise DataError(f"{doing}: {_explain(error, sql)}") from error


def _explain(error: Exception, sql: str | None) -> str:
    text = str(error)
    unreadable = _UNREADABLE.search(text)
    if unreadable:
        name = re.sub(r"^file:/+", "/", unreadable["file"])
        what = "ends too early (cut off?)" if any(mark in text for mark in _TRUNCATED) else "cannot be read"
        return f"file {name} {what}; put the whole file in its place and run again"
    feature = _feature(error, sql)
    return (f"feature {feature}: " if feature else "") + first_useful_line(error)


def _feature(error: Exception, sql: str | None) -> str | None:
    """The column of `sql` whose expression failed: the name after the AS that follows where Spark points."""
    if sql is None or not hasattr(error, "getQueryContext"):
        return None
    for context in error.getQueryContext():
        try:
            stop, fragment = context.stopIndex(), context.fragment()
        except Exception:  # a context of a DataFrame call has no place in the SQL
            continue
        start = stop + 1 if sql[: stop + 1].endswith(fragment) else sql.find(fragment) + len(fragment)
        found = _FEATURE.search(sql, start)
        if fragment in sql and found:
            return _outer_name(sql, found["name"], found.end())
    return None


def _outer_name(sql: str, name: str, start: int) -> str:
    """The feature that a query's inner column (two underscores and more) ends in."""
    while name.startswith("__"):
        found = re.compile(rf"\b{name}\b[^\n]*?{_FEATURE.pattern}", re.I).search(sql, start)
        if found is None:
            break
        name, start = found["name"], found.end()
    return name


def _is_from_spark(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in {"pyspark", "py4j", "grpc"}
