"""What taking in a landing means, in slow and obvious Python. Both engines are compared with it.

One character (one byte) at a time for the grammar, one value at a time for the types.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from featuremill.spec.models import Column, CsvConnector, Source

MAX_LINE_BYTES = 1 << 20

TOO_LONG = "line is longer than 1 MiB; its first 1 MiB is kept here"
NOT_UTF8 = "line is not valid UTF-8"
BAD_QUOTING = "bad quoting"

WORDS = {"boolean": "a boolean", "int": "an int", "bigint": "a bigint", "double": "a double"}


@dataclass(frozen=True)
class ReferenceFile:
    """A plain UTF-8 file; `fields` as in RawFile."""

    name: str
    data: bytes
    fields: tuple[str | None, ...]
    header: bool = True


@dataclass
class Ingested:
    """`typed`: values in the table's order; `quarantine`: raw_line, kind, reason, file, line_number."""

    typed: list[tuple[Any, ...]] = field(default_factory=list)
    quarantine: list[tuple[str, str, str, str, int]] = field(default_factory=list)

    def count(self, *kinds: str) -> int:
        return sum(row[1] in kinds for row in self.quarantine)


@dataclass(frozen=True)
class RawRecord:
    line_number: int
    raw: bytes
    fields: list[bytes]
    problem: str | None


def ingest(source: Source, required: tuple[str, ...], files: list[ReferenceFile]) -> Ingested:
    """The typed rows in the order of the files, and the quarantine in the order of files and lines."""
    good: list[tuple[Any, tuple[Any, ...], str, int, str]] = []
    quarantine: list[tuple[int, tuple[str, str, str, str, int]]] = []
    for number, file in enumerate(files):
        for record in records_of(file, source.connector):
            raw_line = shown(record.raw)
            if record.problem is not None:
                row = (raw_line, "malformed", record.problem, file.name, record.line_number)
                quarantine.append((number, row))
                continue
            texts = {name: text.decode() for name, text in zip(file.fields, record.fields, strict=True) if name}
            values, reasons, kind = typed_row(source, required, texts)
            if reasons:
                quarantine.append((number, (raw_line, kind, "; ".join(reasons), file.name, record.line_number)))
                continue
            key = values[0] if source.key is None else values[list(source.columns).index(source.key)]
            good.append((key, values, raw_line, record.line_number, file.name))
    last = {key: position for position, (key, *_) in enumerate(good)}
    names = [file.name for file in files]
    result = Ingested()
    for position, (key, values, raw_line, line_number, name) in enumerate(good):
        if last[key] == position:
            result.typed.append(values)
        else:
            _, _, _, last_line, last_name = good[last[key]]
            reason = f"key {shorten(key_text(key))} comes again in line {last_line} of {last_name}"
            quarantine.append((names.index(name), (raw_line, "duplicate", reason, name, line_number)))
    result.quarantine = [row for _, row in sorted(quarantine, key=lambda entry: (entry[0], entry[1][4]))]
    return result


def shown(raw: bytes) -> str:
    return raw[:MAX_LINE_BYTES].decode("utf-8", "backslashreplace")


def shorten(text: str) -> str:
    return text if len(text) <= 60 else text[:60] + "…"


def key_text(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, datetime):
        return key.strftime("%Y-%m-%d %H:%M:%S.%f").rjust(26, "0")
    return str(key)


# --- records ---------------------------------------------------------------------------------------------------------


def records_of(file: ReferenceFile, connector: CsvConnector) -> list[RawRecord]:
    """The records of a file without its header and its blank lines."""
    data = file.data.removeprefix(b"\xef\xbb\xbf")
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    result = []
    number = 0
    while number < len(lines):
        record, used = read_record(lines, number, connector, len(file.fields))
        if record is not None:
            result.append(record)
        number += used
    return result[1:] if file.header else result


def read_record(
    lines: list[bytes], number: int, connector: CsvConnector, expected: int
) -> tuple[RawRecord | None, int]:
    """The record that starts in a line (None: the line is blank) and how many physical lines it takes."""
    delimiter, quote = connector.delimiter.encode(), connector.quote.encode()
    first = lines[number].removesuffix(b"\r")
    if first == b"":
        return None, 1
    used = 1
    raw = first
    fields, problem = split(first, delimiter, quote, connector)
    if connector.multiline and quote and len(first) <= MAX_LINE_BYTES:
        while problem == "open" and number + used < len(lines):
            joined = b"\n".join(lines[number : number + used + 1]).removesuffix(b"\r")
            if len(joined) > MAX_LINE_BYTES:
                break
            used += 1
            more_fields, more_problem = split(joined, delimiter, quote, connector)
            if more_problem == BAD_QUOTING:
                break
            if more_problem != "open":
                raw, fields, problem = joined, more_fields, more_problem
    if problem in ("open", BAD_QUOTING):
        raw, used, problem = first, 1, BAD_QUOTING
    if len(raw) > MAX_LINE_BYTES:
        problem = TOO_LONG
    elif not is_utf8(raw):
        problem = NOT_UTF8
    elif problem is None and len(fields) != expected:
        problem = f"{len(fields)} fields, expected {expected}"
    return RawRecord(number + 1, raw, fields, problem), used


def is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def split(line: bytes, delimiter: bytes, quote: bytes, connector: CsvConnector) -> tuple[list[bytes], str | None]:
    """Fields and problem; the problem `open` says that the line ends inside quotes."""
    escape = (connector.escape or connector.quote).encode()
    fields: list[bytes] = []
    position = 0
    while True:
        if quote and line.startswith(quote, position):
            position += len(quote)
            text = b""
            while True:
                if position >= len(line):
                    return fields, "open"
                if escape != quote and line.startswith((escape + quote, escape + escape), position):
                    position += len(escape)
                    taken = quote if line.startswith(quote, position) else escape
                elif escape == quote and line.startswith(quote + quote, position):
                    position += len(quote)
                    taken = quote
                elif line.startswith(quote, position):
                    position += len(quote)
                    break
                else:
                    taken = line[position : position + 1]
                text += taken
                position += len(taken)
            fields.append(text)
            if position < len(line) and not line.startswith(delimiter, position):
                return fields, BAD_QUOTING
        else:
            end = line.find(delimiter, position)
            end = len(line) if end < 0 else end
            fields.append(line[position:end])
            # In a record of several lines an unquoted field ends with its line.
            if b"\n" in fields[-1]:
                return fields, BAD_QUOTING
            position = end
        if position >= len(line):
            return fields, None
        position += len(delimiter)


# --- values ----------------------------------------------------------------------------------------------------------


def typed_row(
    source: Source, required: tuple[str, ...], texts: dict[str, str]
) -> tuple[tuple[Any, ...], list[str], str]:
    """The values of a row (and its row_key if the source names no key), why it is rejected, and the kind of that."""
    values: list[Any] = []
    reasons: list[str] = []
    kind = "missing"
    for name, column in source.columns.items():
        value, reason = typed_value(name, texts[name], column, source.connector, name in required)
        values.append(value)
        if reason is not None:
            reasons.append(reason)
            if not reason.endswith(" is missing"):
                kind = "invalid"
    if source.key is None:
        raw = [
            "" if means_null(texts[name], c, source.connector) else texts[name] for name, c in source.columns.items()
        ]
        values.insert(0, hashlib.md5("\x1f".join(raw).encode()).hexdigest())
    return tuple(values), reasons, kind


def means_null(text: str, column: Column, connector: CsvConnector) -> bool:
    return text in connector.null_values or (column.type != "string" and text.strip(" \t") in connector.null_values)


def typed_value(
    name: str, text: str, column: Column, connector: CsvConnector, required: bool
) -> tuple[Any, str | None]:
    """The value, and the reason if it is none."""
    if means_null(text, column, connector):
        return None, f"{name} is missing" if required else None
    if column.type == "string":
        return text, None
    value = parse(text.strip(" \t"), column, connector)
    if value is not None:
        return value, None
    return None, f"{name}: '{shorten(text)}' is not {expected_form(column, connector)}"


def expected_form(column: Column, connector: CsvConnector) -> str:
    if column.type == "date":
        return f"a date ({column.format or connector.date_format})"
    if column.type == "timestamp":
        return f"a timestamp ({column.format or connector.timestamp_format or 'ISO 8601'})"
    return WORDS[column.type]


def parse(text: str, column: Column, connector: CsvConnector) -> Any:
    """The value of a trimmed text, or None."""
    if column.type in ("int", "bigint"):
        bits = 31 if column.type == "int" else 63
        if not re.fullmatch(r"[+-]?[0-9]+", text):
            return None
        number = int(text)
        return number if -(2**bits) <= number < 2**bits else None
    if column.type == "double":
        if not re.fullmatch(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
            return None
        return float(text) + 0.0 if math.isfinite(float(text)) else None
    if column.type == "boolean":
        word = text.lower()
        if word in ("true", "t", "yes", "y", "1"):
            return True
        return False if word in ("false", "f", "no", "n", "0") else None
    if column.type == "date":
        moment = parse_pattern(text, column.format or connector.date_format)
        return moment.date() if moment is not None and moment.time() == datetime.min.time() else None
    pattern = column.format or connector.timestamp_format
    moment = parse_pattern(text, pattern) if pattern else parse_iso(text)
    return moment.replace(tzinfo=UTC) if moment is not None else None


ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6}))?)?(Z|[+-](\d\d):(\d\d))?)?", re.ASCII
)


def parse_iso(text: str) -> datetime | None:
    match = ISO.fullmatch(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    micros = int((match[7] or "").ljust(6, "0"))
    offset = timedelta()
    if match[9]:
        if int(match[9]) > 14 or int(match[10]) > 59:
            return None
        offset = timedelta(hours=int(match[9]), minutes=int(match[10])) * (-1 if match[8][0] == "-" else 1)
    try:
        local = datetime(year, month, day, hour, minute, second, micros)
        return local - offset
    except (ValueError, OverflowError):
        return None


MONTHS = [date(2000, month, 1).strftime("%B") for month in range(1, 13)]
LETTERS: dict[str, tuple[str, Callable[[datetime], str]]] = {
    "yyyy": (r"(?P<year>\d{4})", lambda t: f"{t.year:04}"),
    "yy": (r"(?P<short_year>\d\d)", lambda t: f"{t.year % 100:02}"),
    "MMMM": (f"(?P<month_name>{'|'.join(MONTHS)})", lambda t: MONTHS[t.month - 1]),
    "MMM": (f"(?P<month_name>{'|'.join(m[:3] for m in MONTHS)})", lambda t: MONTHS[t.month - 1][:3]),
    "MM": (r"(?P<month>\d\d)", lambda t: f"{t.month:02}"),
    "M": (r"(?P<month>\d\d?)", lambda t: str(t.month)),
    "dd": (r"(?P<day>\d\d)", lambda t: f"{t.day:02}"),
    "d": (r"(?P<day>\d\d?)", lambda t: str(t.day)),
    "HH": (r"(?P<hour>\d\d)", lambda t: f"{t.hour:02}"),
    "H": (r"(?P<hour>\d\d?)", lambda t: str(t.hour)),
    "hh": (r"(?P<half_hour>\d\d)", lambda t: f"{(t.hour - 1) % 12 + 1:02}"),
    "h": (r"(?P<half_hour>\d\d?)", lambda t: str((t.hour - 1) % 12 + 1)),
    "a": (r"(?P<half>AM|PM)", lambda t: "AM" if t.hour < 12 else "PM"),
    "mm": (r"(?P<minute>\d\d)", lambda t: f"{t.minute:02}"),
    "m": (r"(?P<minute>\d\d?)", lambda t: str(t.minute)),
    "ss": (r"(?P<second>\d\d)", lambda t: f"{t.second:02}"),
    "s": (r"(?P<second>\d\d?)", lambda t: str(t.second)),
    "SSSSSS": (r"(?P<micros>\d{6})", lambda t: f"{t.microsecond:06}"),
    "SSS": (r"(?P<millis>\d{3})", lambda t: f"{t.microsecond // 1000:03}"),
}


def parse_pattern(text: str, pattern: str) -> datetime | None:
    """By a pattern of LETTERS, other signs and texts in single quotes; must be written back as the same text."""
    expression = ""
    writers: list[Callable[[datetime], str]] = []
    for letters, literal in tokens(pattern):
        if letters:
            part, write = LETTERS[letters]
            expression += part
            writers.append(write)
        else:
            expression += re.escape(literal)
            writers.append(partial(_itself, literal))
    match = re.fullmatch(expression, text, re.ASCII)
    if match is None:
        return None
    found = match.groupdict()
    year = int(found["year"]) if found.get("year") else 2000 + int(found["short_year"])
    names = [month for month in MONTHS if found.get("month_name") and month.startswith(found["month_name"])]
    month = MONTHS.index(names[0]) + 1 if names else int(found.get("month") or 1)
    hour = int(found.get("hour") or 0)
    if found.get("half_hour"):
        if not 1 <= int(found["half_hour"]) <= 12:
            return None
        hour = int(found["half_hour"]) % 12 + (12 if found["half"] == "PM" else 0)
    micros = int(found.get("micros") or 0) + 1000 * int(found.get("millis") or 0)
    minute, second = int(found.get("minute") or 0), int(found.get("second") or 0)
    try:
        moment = datetime(year, month, int(found.get("day") or 1), hour, minute, second, micros)
    except ValueError:
        return None
    return moment if "".join(write(moment) for write in writers) == text else None


def _itself(literal: str, _: datetime) -> str:
    return literal


def tokens(pattern: str) -> list[tuple[str, str]]:
    """Runs of one letter; or, as second, texts that stand for themselves."""
    result = []
    for match in re.finditer(r"([A-Za-z])\1*|'([^']*)'|.", pattern, re.DOTALL):
        if match[1]:
            result.append((match[0], ""))
        elif match[0].startswith("'") and len(match[0]) > 1:
            result.append(("", match[2] or "'"))
        else:
            result.append(("", match[0]))
    return result
