"""Hypothesis strategies for landings that go wrong in every way that a CSV file can."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from featuremill.spec.models import Source
from tests.reference_csv import ReferenceFile

TEXTS = {
    "bigint": ["1", "2", "3", "17", "-5", "+7", "007", " 4 ", "1e3", "1_0", "9223372036854775808", "x", "", "NA"],
    "double": ["0", "-0.0", "1.50", ".5", "2.", "1e400", "NaN", "\t3.25", "0x1F", "1d", "", "12,5", "abc" * 30],
    "date": [
        "2020-02-29",
        "2021-02-29",
        "2020-1-1",
        "0000-01-01",
        "9999-12-31",
        "epoch",
        "infinity",
        "",
        " 2020-01-01",
    ],
    "string": [
        "a",
        "",
        "é😀",
        'in "quotes"',
        '"',
        "a,b",
        "line\nbreak",
        "line\r\nbreak",
        "\r",
        " padded ",
        "NA",
        "'",
        "\\",
        "\0",
    ],
}
COLUMNS = {"k": "bigint", "x": "double", "d": "date", "s": "string"}
PIECES = [
    b",",
    b'"',
    b'""',
    b"\n",
    b"\r\n",
    b"\r",
    b"\\",
    b"a",
    b"1",
    b" ",
    b"\xff",
    b"\xc3\xa9",
    b"\0",
    b";",
    b"\n\n",
    b'","',
]


@dataclass(frozen=True)
class Landing:
    source: Source
    required: tuple[str, ...]
    files: tuple[ReferenceFile, ...]


@st.composite
def landings(draw: st.DrawFn) -> Landing:
    """One to three files with rows of one source; well-formed rows, mangled ones, and bytes that are no rows at all."""
    names = draw(st.sampled_from([("k", "x", "d", "s"), ("k", "s"), ("s",), ("k",), ("x", "s", "k")]))
    keyed = "k" in names and draw(st.booleans())
    connector: dict[str, Any] = {
        "kind": "csv",
        "path": "{landing}/{ds}/*.csv",
        "header": draw(st.booleans()),
        "delimiter": draw(st.sampled_from([",", ",", ",", ";", "\t", "§"])),
        "quote": draw(st.sampled_from(['"', '"', '"', "'", ""])),
        "escape": draw(st.sampled_from([None, None, None, "\\", '"'])),
        "multiline": draw(st.booleans()),
        "null_values": draw(st.sampled_from([("",), ("",), ("", "NA"), ("NA",), ()])),
    }
    source = Source.model_validate(
        {"connector": connector, "key": "k" if keyed else None, "columns": {name: COLUMNS[name] for name in names}}
    )
    required: tuple[str, ...] = ("k",) if keyed else ()
    if "s" in names and draw(st.booleans()):
        required += ("s",)
    files = tuple(draw(_file(source, f"{letter}.csv")) for letter in "abc"[: draw(st.integers(1, 3))])
    return Landing(source, required, files)


@st.composite
def _file(draw: st.DrawFn, source: Source, name: str) -> ReferenceFile:
    connector = source.connector
    fields: list[str | None] = list(source.columns)
    if draw(st.integers(0, 3)) == 0:
        fields.insert(draw(st.integers(0, len(fields))), None)
    if connector.header:
        fields = list(draw(st.permutations(fields)))
    newline = draw(st.sampled_from([b"\n", b"\n", b"\r\n"]))
    rows = [draw(_line(source, fields, newline)) for _ in range(draw(st.integers(0, 8)))]
    data = b"".join(rows)
    if connector.header:
        data = connector.delimiter.join(field or "extra" for field in fields).encode() + newline + data
    if draw(st.booleans()):
        data = data.removesuffix(b"\n").removesuffix(b"\r")
    if draw(st.integers(0, 4)) == 0:
        data = b"\xef\xbb\xbf" + data
    return ReferenceFile(name, data, tuple(fields), connector.header)


@st.composite
def _line(draw: st.DrawFn, source: Source, fields: list[str | None], newline: bytes) -> bytes:
    sort = draw(st.integers(0, 9))
    if sort == 0:
        return b"".join(draw(st.lists(st.sampled_from(PIECES), max_size=12)))
    if sort == 1:
        return draw(st.sampled_from([b"\n", b"\r\n", b"  \n", b"\t\n"]))
    texts = [draw(_text(source, field)) for field in fields]
    line = source.connector.delimiter.join(texts).encode() + newline
    if sort == 2:
        position = draw(st.integers(0, len(line)))
        cut = draw(st.integers(0, 2))
        line = line[:position] + draw(st.sampled_from([b"", *PIECES])) + line[position + cut :]
    return line


@st.composite
def _text(draw: st.DrawFn, source: Source, field: str | None) -> str:
    kind = source.columns[field].type if field is not None else "string"
    text = draw(st.sampled_from(TEXTS[kind] if draw(st.booleans()) else TEXTS[kind][:4]))
    connector = source.connector
    special = any(mark in text for mark in ("\n", "\r", connector.delimiter, connector.quote or "\n"))
    if connector.quote and (special or draw(st.integers(0, 3)) == 0) and draw(st.integers(0, 9)) > 0:
        escape = connector.escape or connector.quote
        inside = text
        if escape != connector.quote:
            inside = inside.replace(escape, escape * 2)
        return connector.quote + inside.replace(connector.quote, escape + connector.quote) + connector.quote
    return text
