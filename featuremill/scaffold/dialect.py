"""How a CSV file is written: packing, encoding, delimiter, quotes, header."""

from __future__ import annotations

import codecs
import csv
import gzip
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from featuremill.errors import DataError, UsageError
from featuremill.scaffold.values import is_plain_text

DELIMITERS = (",", ";", "\t", "|")
_SAMPLE_LINES = 2_000
_PIECE = 1 << 20


@dataclass(frozen=True)
class Dialect:
    """How to read one file. `encoding` is a name that Python knows; `quote` is empty where nothing is quoted."""

    gzip: bool
    encoding: str
    delimiter: str
    quote: str
    escape: str | None
    header: bool


def find_dialect(path: Path, delimiter: str | None = None, header: bool | None = None) -> Dialect:
    """Look at a file; what the caller knows better is taken as given.

    The encoding is checked on the whole file, the rest on its first 2,000 lines. Raises UsageError if there is no such
    file, DataError if it is empty.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    packed = _is_gzip(path)
    encoding = _find_encoding(path, packed)
    draft = Dialect(packed, encoding, delimiter or ",", '"', None, True)
    with open_text(path, draft) as stream:
        sample = [line for line in _take(stream, _SAMPLE_LINES) if line.strip()]
    if not sample:
        raise DataError(f"{path} is empty: there is nothing to look at")
    chosen = delimiter or _find_delimiter(sample)
    quote, escape = _find_quote(sample, chosen)
    rows = list(_tokenise(sample, chosen, quote, escape))
    has_header = looks_like_header(rows) if header is None else header
    return Dialect(packed, encoding, chosen, quote, escape, has_header)


def open_text(path: Path, dialect: Dialect) -> TextIO:
    """The file as text, unpacked and decoded, a byte order mark skipped. Lines end at line feeds only."""
    if dialect.gzip:
        return cast(TextIO, gzip.open(path, "rt", encoding=dialect.encoding, newline="\n"))
    return path.open("rt", encoding=dialect.encoding, newline="\n")


def read_rows(path: Path, dialect: Dialect) -> Iterator[list[str]]:
    """The fields of each row, the header among them; blank lines are skipped."""
    with open_text(path, dialect) as stream:
        yield from _tokenise(stream, dialect.delimiter, dialect.quote, dialect.escape)


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _find_encoding(path: Path, packed: bool) -> str:
    """UTF-16 by its mark, UTF-8 if all of the file is, else Latin-1, which anything is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with cast(BinaryIO, gzip.open(path, "rb")) if packed else path.open("rb") as stream:
        piece = stream.read(_PIECE)
        if piece.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            return "utf-16"
        marked = piece.startswith(codecs.BOM_UTF8)
        try:
            while piece:
                decoder.decode(piece)
                piece = stream.read(_PIECE)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8-sig" if marked else "utf-8"


def _take(stream: Iterable[str], lines: int) -> Iterator[str]:
    for number, line in enumerate(stream):
        if number == lines:
            return
        yield line


def _find_delimiter(sample: list[str]) -> str:
    """The delimiter that cuts most lines into the same number of fields, at least two; of several the one with most."""

    def fit(delimiter: str) -> tuple[float, int]:
        widths = Counter(len(row) for row in _tokenise(sample, delimiter, '"', None))
        width, rows = max(((w, n) for w, n in widths.items() if w > 1), key=lambda pair: pair[1], default=(1, 0))
        return rows / max(sum(widths.values()), 1), width

    best = max(DELIMITERS, key=fit)
    return best if fit(best)[0] > 0.5 else ","


def _find_quote(sample: list[str], delimiter: str) -> tuple[str, str | None]:
    """The quote, or none, and the escape before a quote, if it is not doubled."""

    def regular(quote: str, escape: str | None) -> float:
        widths = Counter(len(row) for row in _tokenise(sample, delimiter, quote, escape))
        return max(widths.values(), default=0) / len(sample)

    if not any('"' in line for line in sample):
        return '"', None
    if any('\\"' in line for line in sample) and regular('"', "\\") > regular('"', None):
        return '"', "\\"
    # Quotes in the middle of text are no quoting; then reading them as such swallows line ends.
    return ("", None) if regular("", None) > regular('"', None) and _opens_nothing(sample, delimiter) else ('"', None)


def _opens_nothing(sample: list[str], delimiter: str) -> bool:
    """Whether some field begins with a quote that none ends."""
    fields = (field for line in sample for field in line.rstrip("\r\n").split(delimiter) if field.startswith('"'))
    return any(len(field) == 1 or not field.endswith('"') for field in fields)


def _tokenise(lines: Iterable[str], delimiter: str, quote: str, escape: str | None) -> Iterator[list[str]]:
    unbroken = (line if line.find("\r", 0, -2) < 0 else _without_returns(line) for line in lines)
    csv.field_size_limit(1 << 24)
    if quote:
        reader = csv.reader(
            unbroken, delimiter=delimiter, quotechar=quote, escapechar=escape, doublequote=escape is None, strict=False
        )
    else:
        reader = csv.reader(unbroken, delimiter=delimiter, quoting=csv.QUOTE_NONE)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield []  # counted as a row of the wrong width
            continue
        if row:
            yield row


def _without_returns(line: str) -> str:
    """The csv module takes a carriage return for a line's end; in a pipeline it is text like any other."""
    body = line.rstrip("\r\n")
    return body.replace("\r", " ") + "\n"


def looks_like_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns: all of it is text, and none is seen again below in its column.

    The first name may be empty, as where a table was written with its row numbers.
    """
    names, rest = [field.strip() for field in rows[0]], rows[1:]
    if not all(is_plain_text(name) for name in names[(len(names) > 1 and not names[0]) :]):
        return False
    return not any(
        any(index < len(row) and row[index].strip() == name for row in rest) for index, name in enumerate(names) if name
    )
