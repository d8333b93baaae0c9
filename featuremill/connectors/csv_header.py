"""Matches the header of a raw file to the declared columns."""

from __future__ import annotations

import codecs
import csv
import difflib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import IO

from featuremill.connectors.csv_paths import LandedFile
from featuremill.connectors.csv_text import DAMAGED, damaged_gzip, is_utf8, open_plain
from featuremill.errors import DataError
from featuremill.spec.models import CsvConnector, Source

LONGEST_HEADER = 1 << 20

_DELIMITERS = {";": "';'", "\t": '"\\t"', "|": "'|'", ",": "','", ":": "':'"}


@dataclass(frozen=True)
class Header:
    """`fields[i]` is the declared column that the file's field `i` holds, None where nothing was declared.

    `warnings` are sentences for people, about fields that are not taken in.
    """

    fields: tuple[str | None, ...]
    warnings: tuple[str, ...] = ()


def inspect_header(file: LandedFile, source: Source) -> Header:
    """Read a file's first record and match it to the source's columns, by name.

    A column's name in the file is its `header`, or its own name: the very text first, else without regard to case and
    surrounding space. Without a header (`header: false`) the fields are the declared columns in their order.
    Raises DataError where a declared column is not there, a name comes twice, or the first line is no header at all.
    """
    if not source.connector.header:
        return Header(tuple(source.columns))
    try:
        with closing(open_plain(file)) as raw:
            names = _first_record(file, raw, source.connector)
    except DAMAGED as error:
        raise damaged_gzip(file, error) from error
    return match_header(file.uri, names, source)


def match_header(where: str, names: Sequence[str], source: Source) -> Header:
    """Match the names of a header to the source's columns; `where` is named in errors."""
    twice = [name for name, count in Counter(names).items() if count > 1 and name.strip()]
    if twice:
        raise DataError(f"{where}: the header names {_listed(twice)} more than once; header: {_shown(names)}")
    fields: list[str | None] = [None] * len(names)
    missing: list[str] = []
    for column, spec in source.columns.items():
        place = _place(where, spec.header or column, names)
        if place is None:
            missing.append(column)
        elif fields[place] is not None:
            raise DataError(f"{where}: the columns {fields[place]} and {column} both are the field {names[place]!r}")
        else:
            fields[place] = column
    if missing:
        raise DataError(_missing_message(where, missing, names, fields, source))
    extra = [name for name, field in zip(names, fields, strict=True) if field is None]
    if not extra:
        return Header(tuple(fields))
    noun = "a field that is not declared" if len(extra) == 1 else f"{len(extra)} fields that are not declared"
    return Header(tuple(fields), (f"{where} has {noun} and not taken in: {_listed(extra)}",))


def _place(where: str, wanted: str, names: Sequence[str]) -> int | None:
    if wanted in names:
        return names.index(wanted)
    alike = [place for place, name in enumerate(names) if name.strip().casefold() == wanted.strip().casefold()]
    if len(alike) > 1:
        raise DataError(
            f"{where}: {_listed([names[place] for place in alike])} could all be {wanted!r}; "
            "say which one with the column's `header:`"
        )
    return alike[0] if alike else None


def _missing_message(
    where: str, missing: list[str], names: Sequence[str], fields: Sequence[str | None], source: Source
) -> str:
    noun = "column" if len(missing) == 1 else "columns"
    message = f"{where} has no {noun} {_listed(missing)}; header: {_shown(names)}."
    delimiter = source.connector.delimiter
    if len(names) == 1:
        inside = [mark for mark in _DELIMITERS if mark != delimiter and mark in names[0]]
        if inside:
            mark = max(inside, key=names[0].count)
            return f"{message} The header is one field holding {mark!r}: set `delimiter: {_DELIMITERS[mark]}`."
    free = {name.strip().casefold(): name for name, field in zip(names, fields, strict=True) if field is None}
    hints = []
    for column in missing:
        wanted = source.columns[column].header or column
        near = difflib.get_close_matches(wanted.casefold(), free, n=1, cutoff=0.6)
        if near:
            hints.append(f"for {column} did you mean {free[near[0]]!r}? Then give it `header: {free[near[0]]}`.")
    if not hints and len(missing) == len(source.columns) and len(names) == len(missing):
        hints.append("If the file has no header line, set `header: false`.")
    return " ".join([message, *hints])


def _first_record(file: LandedFile, raw: IO[bytes], connector: CsvConnector) -> list[str]:
    """The fields of the first record that is not blank. Raises DataError if there is none or it is no text."""
    reader = csv.reader(
        _lines(file, raw, connector),
        delimiter=connector.delimiter,
        quotechar=connector.quote or None,
        quoting=csv.QUOTE_MINIMAL if connector.quote else csv.QUOTE_NONE,
        escapechar=connector.escape if connector.escape != connector.quote else None,
        doublequote=connector.escape in (None, connector.quote),
        strict=True,
    )
    try:
        for record in reader:
            if record:
                return record
    except csv.Error as error:
        raise DataError(f"{file.uri}: the first line is no CSV header ({error}). {_settings(connector)}") from error
    raise DataError(f"{file.uri} is empty: a header line was expected. Land it again, or set `header: false`.")


def _lines(file: LandedFile, raw: IO[bytes], connector: CsvConnector) -> Iterator[str]:
    """The decoded lines of the first record; the next ones only where a quoted name may go on in them."""
    encoding = connector.encoding
    if not is_utf8(encoding):
        yield from _decoded_lines(file, raw, connector)
        return
    read = 0
    while line := raw.readline(LONGEST_HEADER):
        read += len(line)
        if read >= LONGEST_HEADER:
            raise DataError(f"{file.uri}: there is no header in the first megabyte. {_settings(connector)}")
        try:
            text = line.decode("utf-8-sig" if read == len(line) else "utf-8")
        except UnicodeDecodeError as error:
            raise DataError(_not_utf8(file, line, error)) from error
        yield text.rstrip("\r\n") + "\n"
        if text.strip("\r\n") and not connector.multiline:
            return


def _decoded_lines(file: LandedFile, raw: IO[bytes], connector: CsvConnector) -> Iterator[str]:
    try:
        start = raw.read(LONGEST_HEADER)
        # What is cut off within a character is left out.
        text = codecs.getincrementaldecoder(connector.encoding)().decode(start)
    except UnicodeDecodeError as error:
        raise DataError(
            f"{file.uri} is not {connector.encoding}: byte {error.start}: {error.reason}. {_settings(connector)}"
        ) from error
    for line in text.removeprefix("\ufeff").split("\n"):
        yield line.removesuffix("\r") + "\n"
        if line.strip("\r") and not connector.multiline:
            return


def _not_utf8(file: LandedFile, line: bytes, error: UnicodeDecodeError) -> str:
    if line[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return f"{file.uri} is UTF-16: set `encoding: utf-16`."
    return (
        f"{file.uri}: the header is not UTF-8 (byte {error.start}: {line[error.start : error.end].hex()}). If it is "
        "another encoding, set it, like `encoding: cp1252` or `encoding: latin-1`."
    )


def _settings(connector: CsvConnector) -> str:
    return (
        f"It was read with delimiter {connector.delimiter!r}, quote {connector.quote!r} and encoding "
        f"{connector.encoding}; see whether the source's connector says what the file is."
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(repr(name) if not name or name != name.strip() else name for name in names)


def _shown(names: Sequence[str]) -> str:
    text = ", ".join(names)
    return text if len(text) <= 300 else text[:300] + "…"
