"""Checks the records of a raw file in blocks, with a few passes over the bytes of each.

Three ways, from fast to slow: a block whose records are all right is told so by the order of its delimiters, quotes
and line ends; else its lines are told apart and the odd ones read one by one; else (quoted line breaks that go wrong,
delimiters of several bytes) every record is read by itself. The grammar is that of `ingest_grammar`.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from featuremill.local_engine import ingest_grammar
from featuremill.local_engine.ingest_grammar import Grammar, Record, shown_line

BLOCK_BYTES = 1 << 18
"""Small enough for the arrays over a block to stay in the processor's cache: that doubles the speed."""

Positions = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Bytes = npt.NDArray[np.uint8]

_NEWLINE, _RETURN = 10, 13


@dataclass(frozen=True)
class RawLine:
    """A record as it stands in the file; `number` is its first physical line, from 1."""

    number: int
    text: str


@dataclass(frozen=True)
class Odd:
    """A record that DuckDB must not see as it stands: malformed (a reason), unusual (fields) or blank (neither)."""

    record: Record
    line: int


@dataclass(frozen=True)
class Block:
    """Bytes `start` to `end` of a file: whole records. `lines` are physical ones, the first has number `first_line`.

    `by_record`: its records can only be found by reading each of them.
    """

    start: int
    end: int
    first_line: int
    lines: int
    records: int
    has_quotes: bool
    multiline: bool = False
    by_record: bool = False


class BlockReader:
    """The blocks of one file. `newline` is how its lines usually end; `rewrite`: all its records are unusual."""

    def __init__(self, data: mmap.mmap | bytes, grammar: Grammar, newline: bytes, *, rewrite: bool) -> None:
        self._data = data
        self._grammar = grammar
        self._newline = newline
        self._rewrite = rewrite
        marks = grammar.delimiter + grammar.quote + b"\r\n"
        self._not_marks = bytes(byte for byte in range(256) if byte not in marks)
        self._delimiter = grammar.delimiter[0]
        self._quote = grammar.quote[0] if grammar.quote else -1

    def block_at(self, start: int, first_line: int) -> tuple[Block, list[Odd]]:
        """The block that starts at `start`, and its odd records in order."""
        end = self._boundary(start)
        text = self._data[start:end]
        if self._rewrite or not text.endswith(b"\n"):
            return self._by_record(start, end, first_line)
        plain = self._count_if_plain(text)
        if plain is not None:
            return Block(start, end, first_line, plain, plain, False), []
        ends = self._ends_if_all_good(text)
        if ends is not None and len(ends):
            lines = len(ends) if not self._grammar.multiline else text.count(b"\n", 0, int(ends[-1]) + 1)
            has_quotes = bool(self._grammar.quote) and self._grammar.quote in text
            end = start + int(ends[-1]) + 1
            return Block(start, end, first_line, lines, len(ends), has_quotes, lines > len(ends)), []
        if self._grammar.multiline and self._grammar.quote in text:
            return self._by_record(start, end, first_line)
        return self._by_line(start, text, first_line)

    def good_lines(self, block: Block, wanted: Positions) -> Iterator[RawLine]:
        """The lines of good records of a block; `wanted` are their numbers in it from 0, ascending."""
        if block.by_record:
            yield from self._good_records(block, {int(number) for number in wanted})
            return
        text = self._data[block.start : block.end]
        newlines = np.flatnonzero(np.frombuffer(text, np.uint8) == _NEWLINE)
        ends = self._ends_if_all_good(text)
        if ends is None:
            starts, ends, good = self._good_lines_of(text, newlines, block)
            starts, ends = starts[good], ends[good]
        else:
            starts = np.concatenate([[0], ends[:-1] + 1])
        numbers = block.first_line + np.searchsorted(newlines, starts[wanted])
        for start, end, number in zip(starts[wanted], ends[wanted], numbers, strict=True):
            yield RawLine(int(number), shown_line(text[start:end].removesuffix(b"\r")))

    def raw_line(self, odd: Odd) -> RawLine:
        record = odd.record
        end = min(record.end, record.start + ingest_grammar.MAX_LINE_BYTES)
        return RawLine(odd.line, shown_line(self._data[record.start : end]))

    def _boundary(self, start: int) -> int:
        """The end of a block: after a line break, where there is one."""
        if start + BLOCK_BYTES < len(self._data):
            newline = self._data.find(b"\n", start + BLOCK_BYTES - 1)
            if newline >= 0:
                return newline + 1
        newline = self._data.rfind(b"\n", start)
        return newline + 1 if newline >= 0 else len(self._data)

    def _count_if_plain(self, text: bytes) -> int | None:
        """The number of records, if all are right and none has quotes or is very long; else None."""
        if not _is_utf8(text):
            return None
        fields = self._grammar.field_count
        marks = text.translate(None, self._not_marks)
        row = self._grammar.delimiter * (fields - 1) + self._newline
        records = len(marks) // len(row)
        if marks != row * records or (len(self._newline) == 2 and text.count(b"\r\n") != records):
            return None
        if fields == 1 and (text.startswith(self._newline) or b"\n" + self._newline in text):
            return None
        half = max(ingest_grammar.MAX_LINE_BYTES // 2, 1)
        long = any(text.find(b"\n", at, at + half) < 0 for at in range(0, len(text) - half, half))
        return None if long else records

    def _ends_if_all_good(self, text: bytes) -> Positions | None:
        """Where the records of a block end (their line breaks), if all of them are right and usual; else None.

        With quoted line breaks the last record may be incomplete, and is left out.
        """
        grammar = self._grammar
        if not _is_utf8(text):
            return None
        array = np.frombuffer(text, np.uint8)
        quoted = bool(grammar.quote) and grammar.quote in text
        if quoted:
            if not grammar.doubles_quotes and grammar.escape in text:
                return None
            marks, kinds = self._unquoted_marks(array)
        else:
            marks = np.flatnonzero((array == self._delimiter) | (array == _NEWLINE))
            kinds = array[marks]
            breaks, returns = text.count(b"\n"), text.count(b"\r")
            if returns != (breaks if self._newline == b"\r\n" else 0) or returns != text.count(b"\r\n"):
                return None
        if marks is None or kinds is None:
            return None
        fields = grammar.field_count
        if quoted and grammar.multiline:
            complete = np.flatnonzero(kinds == _NEWLINE)
            if not len(complete):
                return None
            marks, kinds = marks[: complete[-1] + 1], kinds[: complete[-1] + 1]
        ends = marks[fields - 1 :: fields]
        if len(marks) != fields * len(ends) or not (kinds[fields - 1 :: fields] == _NEWLINE).all():
            return None
        if np.count_nonzero(kinds == _NEWLINE) != len(ends):
            return None
        if len(ends) and int(np.diff(ends, prepend=-1).max()) > ingest_grammar.MAX_LINE_BYTES:
            return None
        if fields == 1 and (np.diff(ends, prepend=-1) <= len(self._newline)).any():
            return None
        return ends

    def _unquoted_marks(self, array: Bytes) -> tuple[Positions | None, Bytes | None]:
        """The delimiters and line breaks outside quotes, and which they are; None if a quote or line end is odd."""
        mask = (array == self._delimiter) | (array == _NEWLINE) | (array == self._quote) | (array == _RETURN)
        marks = np.flatnonzero(mask)
        kinds = array[marks]
        is_quote = kinds == self._quote
        inside = (np.cumsum(is_quote) & 1).astype(bool)
        if not self._grammar.multiline and (inside & (kinds == _NEWLINE)).any():
            return None, None
        if not self._quotes_are_right(array, marks[is_quote], inside[is_quote]).all():
            return None, None
        outside = ~is_quote & ~inside
        marks, kinds = marks[outside], kinds[outside]
        returns = marks[kinds == _RETURN]
        breaks = np.count_nonzero(kinds == _NEWLINE)
        expected = breaks if self._newline == b"\r\n" else 0
        if len(returns) != expected or not (array[np.minimum(returns + 1, len(array) - 1)] == _NEWLINE).all():
            return None, None
        is_mark = kinds != _RETURN
        return marks[is_mark], kinds[is_mark]

    def _quotes_are_right(self, array: Bytes, quotes: Positions, opening: Flags) -> Flags:
        """Of each quote whether it stands where an opening or closing one may, or is half of a doubled one."""
        before = array[np.maximum(quotes - 1, 0)]
        after = array[np.minimum(quotes + 1, len(array) - 1)]
        starts = (before == self._delimiter) | (before == _NEWLINE) | (quotes == 0)
        closes = (after == self._delimiter) | (after == _NEWLINE) | (after == _RETURN)
        if self._grammar.doubles_quotes:
            starts |= before == self._quote
            closes |= after == self._quote
        right: Flags = np.where(opening, starts, closes)
        return right

    def _by_line(self, start: int, text: bytes, first_line: int) -> tuple[Block, list[Odd]]:
        newlines = np.flatnonzero(np.frombuffer(text, np.uint8) == _NEWLINE)
        has_quotes = bool(self._grammar.quote) and self._grammar.quote in text
        block = Block(start, start + len(text), first_line, len(newlines), len(newlines), has_quotes)
        odd: list[Odd] = []
        records = len(newlines)
        for index, line_start, line_end in self._suspects(text, newlines):
            content = text[line_start:line_end]
            record = self._grammar.check(content.removesuffix(b"\r"))
            records -= record.fields is None
            if not self._stays(record, content, text[line_end : line_end + 1]):
                at = start + line_start
                moved = Record(at, at + record.end, start + line_end + 1, record.fields, record.reason, record.usual)
                odd.append(Odd(moved, first_line + index))
        return Block(start, block.end, first_line, block.lines, records, has_quotes), odd

    def _stays(self, record: Record, content: bytes, newline: bytes) -> bool:
        """Whether DuckDB may see the line as it stands. It skips empty lines, but not in a file of one column."""
        if record.reason is not None:
            return False
        ending = content[record.end :] + newline
        if ending not in (self._newline, b""):
            return False
        if record.fields is None:
            return self._grammar.field_count > 1
        return record.usual

    def _good_lines_of(self, text: bytes, newlines: Positions, block: Block) -> tuple[Positions, Positions, Flags]:
        good = np.ones(len(newlines), np.bool_)
        for index, line_start, line_end in self._suspects(text, newlines):
            good[index] = self._grammar.check(text[line_start:line_end].removesuffix(b"\r")).fields is not None
        return np.concatenate([[0], newlines[:-1] + 1]), newlines, good

    def _suspects(self, text: bytes, newlines: Positions) -> list[tuple[int, int, int]]:
        """The lines that need a closer look: number in the block, start and end (the line break)."""
        array = np.frombuffer(text, np.uint8)
        starts = np.concatenate([[0], newlines[:-1] + 1])
        lengths = newlines - starts
        suspect = lengths > ingest_grammar.MAX_LINE_BYTES
        returned = (lengths > 0) & (array[newlines - 1] == _RETURN)
        suspect |= ~returned if self._newline == b"\r\n" else returned

        def mark(positions: Positions) -> None:
            suspect[np.searchsorted(newlines, positions)] = True

        returns = np.flatnonzero(array == _RETURN)
        mark(returns[array[returns + 1] != _NEWLINE])
        if not _is_utf8(text):
            mark(np.flatnonzero(array >= 128))
        if not self._grammar.doubles_quotes:
            mark(np.flatnonzero(array == self._grammar.escape[0]))
        delimiters = np.flatnonzero(array == self._delimiter)
        lines_of = np.searchsorted(newlines, delimiters)
        if self._quote >= 0:
            quotes = np.flatnonzero(array == self._quote)
            quote_lines = np.searchsorted(newlines, quotes)
            per_line = np.bincount(quote_lines, minlength=len(newlines))
            suspect |= (per_line & 1).astype(bool)
            before = np.cumsum(per_line) - per_line
            opening = ((np.arange(len(quotes)) - before[quote_lines]) & 1) == 0
            mark(quotes[~self._quotes_are_right(array, quotes, opening)])
            inside = ((np.searchsorted(quotes, delimiters) - before[lines_of]) & 1).astype(bool)
            lines_of = lines_of[~inside]
        suspect |= np.bincount(lines_of, minlength=len(newlines)) != self._grammar.field_count - 1
        if self._grammar.field_count == 1:
            suspect |= lengths == returned
        chosen = np.flatnonzero(suspect)
        return list(zip(chosen.tolist(), starts[chosen].tolist(), newlines[chosen].tolist(), strict=True))

    def _by_record(self, start: int, end: int, first_line: int) -> tuple[Block, list[Odd]]:
        position, line, records, multiline = start, first_line, 0, False
        odd: list[Odd] = []
        while position < end:
            record = self._grammar.record_at(self._data, position)
            records += record.fields is not None
            quoted = bool(self._grammar.quote) and self._grammar.quote in self._data[record.start : record.end]
            tail = self._data[record.end : record.next_start]
            breaks = self._data[record.start : record.next_start].count(b"\n")
            multiline |= record.fields is not None and breaks > 1
            # At the end of a file DuckDB wants a line break after a quote.
            usual_end = tail == (b"" if record.next_start == record.end and not quoted else self._newline)
            stays = record.reason is None and usual_end and not self._rewrite and record.usual
            if record.fields is None and self._grammar.field_count == 1:
                stays = False
            if not stays:
                odd.append(Odd(record, line))
            position = record.next_start
            line += breaks
        has_quotes = bool(self._grammar.quote) and self._data.find(self._grammar.quote, start, position) >= 0
        return Block(start, position, first_line, line - first_line, records, has_quotes, multiline, True), odd

    def _good_records(self, block: Block, wanted: set[int]) -> Iterator[RawLine]:
        position, line, number = block.start, block.first_line, 0
        while position < block.end:
            record = self._grammar.record_at(self._data, position)
            if record.fields is not None:
                if number in wanted:
                    yield RawLine(line, shown_line(self._data[record.start : record.end]))
                number += 1
            line += self._data[record.start : record.next_start].count(b"\n")
            position = record.next_start


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
