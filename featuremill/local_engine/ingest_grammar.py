"""How the bytes of a CSV file are cut into records and fields, one record at a time.

- A physical line ends at `\\n` or at the end of the file; one `\\r` before that belongs to the line's end. Any other
  carriage return, and a NUL byte, is a character like others.
- An empty line is blank: it is skipped and not counted.
- A field that starts with the quote ends with a quote before a delimiter or the line's end. Inside it a quote is
  written by doubling it, or with the escape character if there is one; a doubled escape character is one.
- A quote inside an unquoted field is an ordinary character. Fields are not trimmed.
- With `multiline`, a quoted field may hold line breaks. Where the quotes of such a record are wrong, or it is longer
  than MAX_LINE_BYTES, only its first physical line is malformed, and reading goes on in the next line.

A malformed record's reason is the first of: too long, not UTF-8, bad quoting, the wrong number of fields.
"""

from __future__ import annotations

import mmap
import re
from dataclasses import dataclass
from functools import cached_property

from featuremill.spec.models import CsvConnector

MAX_LINE_BYTES = 1 << 20
"""A record of more bytes, its line end not counted, is malformed; so much of it is kept."""

TOO_LONG = "line is longer than 1 MiB; its first 1 MiB is kept here"
NOT_UTF8 = "line is not valid UTF-8"
BAD_QUOTING = "bad quoting"


def wrong_number_of_fields(found: int, expected: int) -> str:
    return f"{found} fields, expected {expected}"


def shown_line(raw: bytes) -> str:
    r"""A raw line as the quarantine keeps it: bytes that are not UTF-8 as `\xff`; at most MAX_LINE_BYTES of it."""
    return raw[:MAX_LINE_BYTES].decode("utf-8", "backslashreplace")


@dataclass(frozen=True)
class Record:
    """One record of a file: `data[start:end]` is its content, the next one starts at `next_start`.

    A blank line has neither fields nor a reason; a malformed record has a reason. `usual`: every reader takes it
    alike.
    """

    start: int
    end: int
    next_start: int
    fields: list[bytes] | None
    reason: str | None
    usual: bool = True


@dataclass
class _Fields:
    """The fields read so far, what is wrong with them, and whether every reader takes them alike."""

    texts: list[bytes]
    bad: str | None = None
    usual: bool = True


@dataclass(frozen=True)
class Grammar:
    """The delimiter, quote and escape of a source's files, as UTF-8 bytes. An empty quote: nothing is quoted."""

    delimiter: bytes
    quote: bytes
    escape: bytes
    multiline: bool
    field_count: int

    @classmethod
    def of(cls, connector: CsvConnector, field_count: int) -> Grammar:
        quote = connector.quote.encode()
        return cls(
            delimiter=connector.delimiter.encode(),
            quote=quote,
            escape=(connector.escape or connector.quote).encode() if quote else b"",
            multiline=connector.multiline and bool(quote),
            field_count=field_count,
        )

    @property
    def doubles_quotes(self) -> bool:
        return self.escape == self.quote

    @cached_property
    def _quoted(self) -> re.Pattern[bytes]:
        quote, escape = re.escape(self.quote), re.escape(self.escape)
        special = [quote] if self.doubles_quotes else [quote, escape]
        if len(self.quote) == len(self.escape) == 1:
            ordinary = b"[^" + b"".join(special) + b"]++"
        else:
            ordinary = b"(?!" + b"|".join(special) + b")."
        escaped = [escape + quote] if self.doubles_quotes else [escape + quote, escape + escape, escape]
        inside = b"(?:" + b"|".join([ordinary, *escaped]) + b")*+"
        return re.compile(quote + b"(" + inside + b")" + quote, re.DOTALL)

    def _unescape(self, inside: bytes) -> bytes:
        if self.escape not in inside:
            return inside
        if self.doubles_quotes:
            return inside.replace(self.quote * 2, self.quote)
        escape = re.escape(self.escape)
        return re.sub(b"%b(%b|%b)" % (escape, re.escape(self.quote), escape), rb"\1", inside)

    def record_at(self, data: mmap.mmap | bytes, start: int) -> Record:
        """The record that starts at `start`; `data` is the whole file."""
        line_end = data.find(b"\n", start)
        next_start = len(data) if line_end < 0 else line_end + 1
        line_end = len(data) if line_end < 0 else line_end
        if line_end > start and data[line_end - 1 : line_end] == b"\r":
            line_end -= 1
        if self.multiline and line_end - start <= MAX_LINE_BYTES and data.find(self.quote, start, line_end) >= 0:
            several = self._lines_at(data, start)
            if several is not None and several.next_start > next_start:
                return several
        return self._single(data[start:line_end], start, next_start)

    def _single(self, line: bytes, start: int, next_start: int) -> Record:
        end = start + len(line)
        if not line:
            return Record(start, end, next_start, None, None)
        return self._record(line, start, next_start, self._split(line))

    def _record(self, raw: bytes, start: int, next_start: int, fields: _Fields) -> Record:
        reason = self._reason(raw, fields)
        return Record(start, start + len(raw), next_start, None if reason else fields.texts, reason, fields.usual)

    def check(self, line: bytes) -> Record:
        """A physical line, without its end, as a record of its own; its positions are those in the line."""
        return self._single(line, 0, len(line))

    def _reason(self, raw: bytes, fields: _Fields) -> str | None:
        if len(raw) > MAX_LINE_BYTES:
            return TOO_LONG
        if not raw.isascii():
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError:
                return NOT_UTF8
        if fields.bad is not None:
            return fields.bad
        if len(fields.texts) != self.field_count:
            return wrong_number_of_fields(len(fields.texts), self.field_count)
        return None

    def _split(self, line: bytes) -> _Fields:
        """Cut a physical line at its delimiters."""
        if not self.quote or self.quote not in line:
            return _Fields(line.split(self.delimiter), usual=b"\r" not in line)
        fields = _Fields([])
        position = 0
        while True:
            if line.startswith(self.quote, position):
                after = self._quoted_field(line, position, len(line), fields)
                if after is None or not (after == len(line) or line.startswith(self.delimiter, after)):
                    fields.bad = BAD_QUOTING
                    return fields
                position = after
            else:
                end = line.find(self.delimiter, position)
                end = len(line) if end < 0 else end
                self._unquoted_field(line[position:end], fields)
                position = end
            if position == len(line):
                return fields
            position += len(self.delimiter)

    def _quoted_field(self, data: mmap.mmap | bytes, position: int, limit: int, fields: _Fields) -> int | None:
        match = self._quoted.match(data, position, limit)
        if match is None:
            return None
        inside = match[1]
        if self.escape in inside:
            fields.usual &= self.doubles_quotes
            inside = self._unescape(inside)
        fields.texts.append(inside)
        return match.end()

    def _unquoted_field(self, text: bytes, fields: _Fields) -> None:
        fields.texts.append(text)
        fields.usual &= self.quote not in text and b"\r" not in text

    def _lines_at(self, data: mmap.mmap | bytes, start: int) -> Record | None:
        """A well-quoted record that may span lines; None where the quotes are wrong or it is too long."""
        fields = _Fields([])
        position, limit = start, start + MAX_LINE_BYTES + 3
        while True:
            if data[position : position + len(self.quote)] == self.quote:
                after = self._quoted_field(data, position, limit, fields)
                if after is None:
                    return None
                position = after
            else:
                newline = data.find(b"\n", position, limit)
                if newline < 0 and limit < len(data):
                    return None
                end = data.find(self.delimiter, position, limit if newline < 0 else newline)
                if end < 0:
                    end = newline if newline >= 0 else len(data)
                    if end > position and data[end - 1 : end] == b"\r":
                        end -= 1
                self._unquoted_field(data[position:end], fields)
                position = end
            ending = _line_end(data[position : position + 2])
            if ending is not None:
                break
            if data[position : position + len(self.delimiter)] != self.delimiter:
                return None
            position += len(self.delimiter)
        if position - start > MAX_LINE_BYTES:
            return None
        return self._record(data[start:position], start, position + ending, fields)

    def written(self, fields: list[bytes], ending: bytes) -> bytes:
        """The fields as a line that every reader takes alike: all of them quoted, quotes doubled."""
        quote = self.quote
        body = self.delimiter.join(quote + field.replace(quote, quote * 2) + quote for field in fields)
        return (body if quote else self.delimiter.join(fields)) + ending


def _line_end(after: bytes) -> int | None:
    """The length of the line end that the bytes after a field begin with; None if the line goes on."""
    if after in (b"", b"\r"):
        return len(after)
    if after == b"\r\n":
        return 2
    return 1 if after[:1] == b"\n" else None
