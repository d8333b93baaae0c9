"""How raw files are read makes sense."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Literal

from featuremill.spec.models import CsvConnector
from featuremill.spec.patterns import PatternError, parse_pattern
from featuremill.spec.positions import YamlPath
from featuremill.spec.problems import Problem, a, closest
from featuremill.spec.rules.check import Check

_PLACEHOLDERS = ("landing", "ds")
_LIKELY_ENCODINGS = ("utf-8", "utf-16", "latin-1", "iso-8859-1", "iso-8859-15", "cp1252", "windows-1252", "ascii")


def _connectors(check: Check) -> Iterator[tuple[YamlPath, CsvConnector]]:
    for name, source in check.pipeline.sources.items():
        if not check.is_mended("sources", name, "connector"):
            yield ("sources", name, "connector"), source.connector


def encodings_are_known(check: Check) -> Iterator[Problem]:
    """Python has a text codec of that name."""
    for path, connector in _connectors(check):
        try:
            is_text = codecs.lookup(connector.encoding)._is_text_encoding
        except (LookupError, ValueError):
            is_text = False
        if not is_text:
            meant = closest(connector.encoding, _LIKELY_ENCODINGS)
            suggestion = f"did you mean `{meant}`?" if meant else "utf-8, latin-1 and cp1252 are common"
            message = f"unknown encoding `{connector.encoding}`"
            yield check.document.problem((*path, "encoding"), message, suggestion)


def separators_differ(check: Check) -> Iterator[Problem]:
    """Delimiter, quote and escape cannot be told apart otherwise."""
    for path, connector in _connectors(check):
        if connector.delimiter in "\r\n":
            yield check.document.problem((*path, "delimiter"), "the delimiter cannot be a line break")
        if connector.quote and connector.quote in "\r\n":
            yield check.document.problem((*path, "quote"), "the quote cannot be a line break")
        if connector.quote == connector.delimiter:
            message = f"quote and delimiter are both `{connector.quote}`"
            yield check.document.problem((*path, "quote"), message)
        if connector.escape and connector.escape == connector.delimiter:
            message = f"escape and delimiter are both `{connector.escape}`"
            yield check.document.problem((*path, "escape"), message)
        if connector.escape and connector.escape == connector.quote:
            message = f"escape and quote are both `{connector.escape}`"
            suggestion = "leave `escape` out: then a quote is written twice"
            yield check.document.problem((*path, "escape"), message, suggestion)


def path_placeholders_are_known(check: Check) -> Iterator[Problem]:
    """A path has {landing} and {ds}, and no other brackets."""
    for path, connector in _connectors(check):
        for match in re.finditer(r"\{([^{}]*)\}", connector.path):
            if match[1] not in _PLACEHOLDERS:
                meant = closest(match[1], _PLACEHOLDERS)
                suggestion = f"did you mean `{{{meant}}}`?" if meant else "known are {landing} and {ds}"
                message = f"unknown placeholder `{match[0]}` in the path"
                yield check.document.problem((*path, "path"), message, suggestion, offset=match.start())


def patterns_are_known(check: Check) -> Iterator[Problem]:
    """Date and timestamp patterns can be read by both engines."""
    for path, connector in _connectors(check):
        yield from _pattern(check, (*path, "date_format"), connector.date_format, "date")
        if connector.timestamp_format is not None:
            yield from _pattern(check, (*path, "timestamp_format"), connector.timestamp_format, "timestamp")
    for name, source in check.pipeline.sources.items():
        for column_name, column in source.columns.items():
            column_path: YamlPath = ("sources", name, "columns", column_name, "format")
            kind = check.type_of(name, column_name)
            if column.format is None or kind is None:
                continue
            if kind == "date" or kind == "timestamp":
                yield from _pattern(check, column_path, column.format, "date" if kind == "date" else "timestamp")
            else:
                message = f"`{column_name}` is {a(kind)}; `format` is for dates and timestamps"
                yield check.document.problem(column_path, message)


def _pattern(check: Check, path: YamlPath, pattern: str, kind: Literal["date", "timestamp"]) -> Iterator[Problem]:
    try:
        parse_pattern(pattern, kind)
    except PatternError as error:
        message = f"the pattern `{pattern}` cannot be used: {error}"
        yield check.document.problem(path, message, offset=error.offset)


def headers_differ(check: Check) -> Iterator[Problem]:
    """No two columns are the same field of the file."""
    for name, source in check.pipeline.sources.items():
        seen: dict[str, str] = {}
        for column_name, column in source.columns.items():
            header = column.header if column.header is not None else column_name
            path = ("sources", name, "columns", column_name, "header")
            other = seen.setdefault(header.strip().lower(), column_name)
            if other != column_name:
                message = f"`{column_name}` and `{other}` are both the field `{header}` of the file"
                yield check.document.problem(path, message, at_key=column.header is None)
            if column.header is not None and not source.connector.header:
                message = f"the files of `{name}` have no header (`header: false`), so `header: {header}` says nothing"
                yield check.document.problem(path, message, severity="warning")


RULES = (
    encodings_are_known,
    separators_differ,
    path_placeholders_are_known,
    patterns_are_known,
    headers_differ,
)
