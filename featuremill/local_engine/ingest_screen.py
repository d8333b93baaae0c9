"""Looks through a raw file before DuckDB reads it: counts its records, takes out the malformed ones.

DuckDB's CSV reader is fast but takes lines that are not right (a delimiter too many at the end, spaces around quotes)
and gives up on mixed line ends. So it only gets to see lines that every reader takes alike. A file of such lines is
read where it lies. Of any other a copy is written, without the malformed lines and with the unusual ones (a quote
inside an unquoted field, another line end) written in the usual way.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from featuremill.local_engine.ingest_blocks import Block, BlockReader, Odd, RawLine
from featuremill.local_engine.ingest_grammar import Grammar

Reject = Callable[[RawLine, str], None]
"""Takes a malformed line and the reason."""

_BOM = b"\xef\xbb\xbf"


@dataclass
class ScreenedFile:
    """A raw file that is ready for DuckDB.

    `path` holds `records` good records, in the order of the raw file, after `skip` lines; its lines end with `newline`,
    its marks are those of `written_as`. `blocks` say where the records lie in the raw file, so that their lines can be
    shown later.
    """

    raw: Path
    path: Path
    grammar: Grammar
    written_as: Grammar
    newline: bytes
    skip: int
    rewritten: bool = False
    has_quotes: bool = False
    multiline: bool = False
    records: int = 0
    blocks: list[Block] = field(default_factory=list)

    def lines(self, wanted: npt.NDArray[np.int64]) -> Iterator[RawLine]:
        """The raw lines of good records; `wanted` are their numbers from 0, ascending."""
        with _bytes_of(self.raw) as data:
            reader = BlockReader(data, self.grammar, self.newline, rewrite=self.rewritten)
            first = 0
            for block in self.blocks:
                chosen = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, first + block.records)]
                if len(chosen):
                    yield from reader.good_lines(block, chosen - first)
                first += block.records


def screen(raw: Path, copy: Path, grammar: Grammar, header: bool, reject: Reject) -> ScreenedFile:
    """Look through a plain UTF-8 file; `copy` is where a mended copy may be written.

    Malformed lines go to `reject`, in the order of the file.
    """
    with _bytes_of(raw) as data:
        start, line = _data_start(data, grammar, header)
        newline = _newline_after(data, start)
        rewrite = _is_unusual(data, grammar)
        written_as = replace(grammar, escape=grammar.quote)
        if rewrite:
            written_as = replace(grammar, delimiter=b",", quote=b'"', escape=b'"')
        result = ScreenedFile(raw, raw, grammar, written_as, newline, 1 if header else 0, rewrite)
        in_place = start == 0
        if header:
            in_place = line == 2 and data[: len(_BOM)] != _BOM and _ends_with(data, start, newline)
        with _Copy(data, copy, start, written_as, newline) as mended:
            if not in_place:
                mended.begin(start)
            reader = BlockReader(data, grammar, newline, rewrite=rewrite)
            position = start
            while position < len(data):
                block, odd = reader.block_at(position, line)
                if odd:
                    mended.begin(position)
                    result.has_quotes |= any(entry.record.fields is not None for entry in odd)
                mended.add(block, odd)
                for entry in odd:
                    if entry.record.reason is not None:
                        reject(reader.raw_line(entry), entry.record.reason)
                result.records += block.records
                result.has_quotes |= block.has_quotes
                result.multiline |= block.multiline
                result.blocks.append(block)
                position, line = block.end, line + block.lines
            if mended.begun:
                result.path, result.skip = copy, 0
    return result


@contextmanager
def _bytes_of(path: Path) -> Iterator[mmap.mmap | bytes]:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield data


def _data_start(data: mmap.mmap | bytes, grammar: Grammar, header: bool) -> tuple[int, int]:
    """Where the first record after the header starts, and the number of its line."""
    position = len(_BOM) if data[: len(_BOM)] == _BOM else 0
    line = 1
    while header and position < len(data):
        record = grammar.record_at(data, position)
        line += data[record.start : record.next_start].count(b"\n")
        position = record.next_start
        if record.fields is not None or record.reason is not None:
            return position, line
    return position, line


def _newline_after(data: mmap.mmap | bytes, start: int) -> bytes:
    """How the first line from `start` on ends; for a file of one line, how the header ends."""
    end = data.find(b"\n", start)
    if end < 0:
        end = data.find(b"\n")
    return b"\r\n" if end > 0 and data[end - 1 : end] == b"\r" else b"\n"


def _ends_with(data: mmap.mmap | bytes, position: int, newline: bytes) -> bool:
    """Whether the line before `position` has the usual end."""
    return (data[max(position - 2, 0) : position] == b"\r\n") == (newline == b"\r\n")


def _is_unusual(data: mmap.mmap | bytes, grammar: Grammar) -> bool:
    """Whether DuckDB needs every record in other words.

    It takes marks of one byte only, and a carriage return inside a field only if that is quoted.
    """
    if max(len(grammar.delimiter), len(grammar.quote), len(grammar.escape)) > 1:
        return True
    if grammar.quote:
        return False
    position = data.find(b"\r")
    while position >= 0:
        if data[position + 1 : position + 2] not in (b"\n", b""):
            return True
        position = data.find(b"\r", position + 1)
    return False


class _Copy:
    """The mended copy of a file. Nothing is written before `begin`."""

    def __init__(self, data: mmap.mmap | bytes, path: Path, start: int, grammar: Grammar, newline: bytes) -> None:
        self._data = data
        self._path = path
        self._start = start
        self._grammar = grammar
        self._newline = newline
        self._file: BinaryIO | None = None

    def __enter__(self) -> _Copy:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def begun(self) -> bool:
        return self._file is not None

    def begin(self, position: int) -> None:
        """Start the copy with the file's records up to `position`, which are all right."""
        if self._file is not None:
            return
        self._file = self._path.open("wb")
        for start in range(self._start, position, 1 << 24):
            self._file.write(self._data[start : min(start + (1 << 24), position)])

    def add(self, block: Block, odd: list[Odd]) -> None:
        if self._file is None:
            return
        position = block.start
        for entry in odd:
            self._file.write(self._data[position : entry.record.start])
            if entry.record.fields is not None:
                self._file.write(self._grammar.written(entry.record.fields, self._newline))
            position = entry.record.next_start
        self._file.write(self._data[position : block.end])
