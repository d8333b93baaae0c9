"""The rows of a request file, CSV with a header or JSON, as texts by column name."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from featuremill.errors import DataError, UsageError
from featuremill.spec.models import Source

FileType = Literal["csv", "json"]
Record = dict[str, Any]
"""Column -> what the file says: a text, or of JSON also a number, boolean, list or null."""


@dataclass(frozen=True)
class RequestRows:
    """The records of a file and where each begins (`line 3`, `row 3`), for errors."""

    records: list[Record]
    places: list[str]


def read_request_file(path: Path, kind: FileType, delimiter: str = ",") -> RequestRows:
    """CSV (UTF-8, with a header), a JSON list of objects, one object, `{"instances": [...]}`, or an object a line.

    Raises UsageError where there is no such file, and DataError, naming the line or row, for what is not of its type.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 (byte {error.start}); save it as UTF-8") from error
    rows = _csv_rows(path, text, delimiter) if kind == "csv" else _json_rows(path, text)
    if not rows.records:
        raise DataError(f"{path} has no rows")
    return rows


def _csv_rows(path: Path, text: str, delimiter: str) -> RequestRows:
    reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
    records: list[Record] = []
    places: list[str] = []
    header: list[str] | None = None
    begins = 1
    try:
        for fields in reader:
            if fields and header is None:
                header = [name.strip() for name in fields]
                if len(set(header)) != len(header):
                    raise DataError(f"{path}: the header names a column more than once: {', '.join(header)}")
            elif fields and header is not None:
                if len(fields) != len(header):
                    raise DataError(f"{path}: line {begins} has {len(fields)} fields, the header has {len(header)}")
                records.append(dict(zip(header, fields, strict=True)))
                places.append(f"line {begins}")
            begins = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num} is no CSV: {error}") from error
    return RequestRows(records, places)


def _json_rows(path: Path, text: str) -> RequestRows:
    try:
        parsed = json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        parsed = _json_lines(path, text, error)
    if isinstance(parsed, dict):
        parsed = parsed["instances"] if set(parsed) == {"instances"} else [parsed]
    if not isinstance(parsed, list):
        raise DataError(f"{path}: a list of objects is wanted, this is a {type(parsed).__name__}")
    for number, row in enumerate(parsed, 1):
        if not isinstance(row, dict):
            raise DataError(f"{path}: row {number} is not an object with the columns as keys: {json.dumps(row)[:60]}")
    return RequestRows(parsed, [f"row {number}" for number in range(1, len(parsed) + 1)])


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is not a JSON number")


def _json_lines(path: Path, text: str, error: ValueError) -> list[Any]:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) < 2 or not all(line.lstrip().startswith("{") for _, line in lines):
        raise DataError(f"{path} is no JSON: {error}") from error
    rows = []
    for number, line in lines:
        try:
            rows.append(json.loads(line, parse_constant=_no_constant))
        except ValueError as wrong:
            raise DataError(f"{path}: line {number} is no JSON: {wrong}") from wrong
    return rows


def has_columns(rows: RequestRows, columns: Sequence[str]) -> bool:
    """Whether every row has all of some columns, by their very names."""
    return all(set(columns) <= set(record) for record in rows.records)


def as_source_rows(rows: RequestRows, source: Source) -> list[dict[str, str | None]]:
    """The records under the source's column names, values as the texts that a CSV file would hold.

    Names are matched as in a landing: the column's `header`, or its own name, without regard to case. What is not
    declared is left out.
    """
    declared = {(spec.header or name).strip().casefold(): name for name, spec in source.columns.items()}
    named = []
    for record in rows.records:
        known = {declared.get(name.strip().casefold()): value for name, value in record.items()}
        named.append({name: _text(value) for name, value in known.items() if name is not None})
    return named


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def wrong_rows(path: Path, rows: RequestRows, problems: Mapping[int, str]) -> str:
    """A message about the rows that cannot be taken."""
    shown = [f"{rows.places[number]}: {reason}" for number, reason in list(problems.items())[:5]]
    more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
    return f"{path}: " + "; ".join(shown) + more
