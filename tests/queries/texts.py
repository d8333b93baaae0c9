"""Texts that type badly, and the columns to type them as."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from featuremill.spec.models import Column, CsvConnector
from featuremill.spec.types import ColumnType

PATTERNS: dict[str, list[str | None]] = {
    "date": ["yyyy-MM-dd", "dd/MM/yyyy", "d.M.yy", "yyyyMMdd", "MMM d, yyyy", "dd MMMM yyyy", "yyyy-MM-dd HH:mm:ss"],
    "timestamp": [
        None,
        "yyyy-MM-dd HH:mm:ss",
        "dd/MM/yyyy HH:mm",
        "yyyyMMdd'T'HHmmss",
        "M/d/yyyy h:mm:ss a",
        "yyyy-MM-dd HH:mm:ss.SSS",
        "yyyy-MM-dd''HH:mm:ss.SSSSSS",
        "d MMM yy hh a",
        "yyyy",
    ],
}
NULLS: list[tuple[str, ...]] = [("",), ("", "NA", "-"), ("NA", "0"), (), ("", "it's \\N")]

_WHOLE = [
    "0", "-0", "+5", "007", "2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "1_000", "0x1F", "0b1", "1e3", "1.0",
    "+-1", "--1", "+", "-", "٣", "1" + "0" * 40, "0" * 40 + "1", "1 2", "1L", "1d"
]  # fmt: skip
_REAL = [
    "1.5", ".5", "5.", ".", "-.5e-3", "1e400", "-1e400", "1e-400", "4.9e-324", "1.7976931348623157e308", "1e",
    "1.7976931348623159e308", "e5", "NaN", "nan", "Infinity", "-inf", "inf", "1f", "1D", "0x1p3", "1,5", "-0.0",
    "0.1", "123456789012345678901234567890", "9007199254740993", "2.2250738585072011e-308", "1e+5", "1.e5"
]  # fmt: skip
_WORDS = [
    "true", "TRUE", "t", "F", "yes", "No", "y", "n", "on", "off", "tru", "ｔrue", "2", "Yeſ"
]  # fmt: skip
_DATES = [
    "2020-02-29", "2021-02-29", "2020-1-1", "0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "-2020-01-01",
    "epoch", "infinity", "-infinity", "0001-01-01 (BC)", "today", "now", "2020-01-01T", "2020-13-01", "2020-00-10",
    "2020/01/02", "31/12/1999", "29/02/2021", "1.2.03", "01.02.03", "29.2.00", "20200102", "2020012", "20201301",
    "Jan 2, 2020", "JAN 2, 2020", "Jan 02, 2020", "Sept 2, 2020", "03 September 2020", "03 Sep 2020",
    "2020-01-01 00:00:00", "2020-01-01 10:00:00", "+2020-01-01", "12020-01-01", "2020-01"
]  # fmt: skip
_TIMES = [
    "2020-01-01T10:20", "2020-01-01 10:20:30", "2020-01-01T10:20:30Z", "2020-01-01 10:20+01:30", "2020-01-01T24:00",
    "2020-01-01T23:59:60", "2020-01-01T10:20:30.1", "2020-01-01T10:20:30.123456-14:59",
    "2020-01-01T10:20:30.1234567", "2020-01-01T10:20+15:00", "2020-01-01T10:20+01", "2020-01-01T10:20+0100",
    "2020-01-01T10:20 Z", "2020-01-01Z", "2020-01-01T10", "2020-01-01t10:20", "2020-01-01T10:20z",
    "0001-01-01T00:00+01:00", "0001-01-01T00:00-01:00", "9999-12-31T23:59:59.999999",
    "9999-12-31T23:59:59.999999-00:01", "2020-01-01  10:20", "2020-01-01T1:20", "2020-02-30T10:20",
    "2020-01-01T10:20:30.", "2020-01-01T10:20:30.120Z", "1969-12-31T23:59:59.5Z", "2020-01-01 10:20:30 UTC",
    "2020-01-01 10:20:30 Europe/Paris", "12:30", "T12:30", "20200102T030405", "31/12/1999 23:59",
    "31/12/1999 24:00", "1/2/2020 3:04:05 PM", "1/2/2020 13:04:05 PM", "1/2/2020 0:04:05 AM",
    "12/31/2020 12:00:00 AM", "1/2/2020 3:04:05 pm", "2020-01-02 03:04:05.678", "2020-01-02 03:04:05.6",
    "2020-01-02'03:04:05.678901", "5 Jan 20 07 AM", "5 Jan 20 7 AM", "2020"
]  # fmt: skip
_ODD = [
    "", " ", "\t", "NA", " NA ", "-", "it's \\N", "abc", "ab'c", "\\", "\n", "1\n", "\n1", "1\r", "\x0b1", "\xa01",
    "1\u2003", "\x001", "1\x00", "é" * 70, "😀" * 61, "x" * 60, "x" * 61, "a\nb"
]  # fmt: skip

LISTED = [*_WHOLE, *_REAL, *_WORDS, *_DATES, *_TIMES, *_ODD]


@st.composite
def texts(draw: st.DrawFn) -> str:
    """A listed text, perhaps with spaces around or one character changed; or signs of numbers and times."""
    if draw(st.integers(0, 3)) == 0:
        return draw(st.text(st.sampled_from("0123456789+-.eE:TZ/_ \t"), max_size=24))
    text = draw(st.sampled_from(LISTED))
    change = draw(st.integers(0, 5))
    if change == 0:
        return draw(st.sampled_from([" ", "\t", "  ", " \t"])) + text + draw(st.sampled_from(["", " ", "\t", "\n"]))
    if change == 1 and text:
        position = draw(st.integers(0, len(text) - 1))
        return text[:position] + draw(st.sampled_from("0129 -+.eT:Z_")) + text[position + 1 :]
    return text


@dataclass(frozen=True)
class TypingCase:
    """How a text is to be typed."""

    column: Column
    connector: CsvConnector
    required: bool


def typing_cases() -> list[TypingCase]:
    """Every type with every pattern, with and without null values, required or not."""
    kinds: list[ColumnType] = ["int", "bigint", "double", "boolean", "string"]
    columns = [Column(type=kind) for kind in kinds]
    columns += [Column(type="date", format=pattern) for pattern in PATTERNS["date"]]
    columns += [Column(type="timestamp", format=pattern) for pattern in PATTERNS["timestamp"]]
    cases: list[TypingCase] = []
    for number, column in enumerate(columns):
        plain = column.format is None or number % 3 == 0
        for nulls in NULLS if plain else NULLS[:1]:
            connector = CsvConnector(kind="csv", path="{landing}/{ds}/*.csv", null_values=nulls)
            cases.append(TypingCase(column, connector, required=len(cases) % 2 == 0))
    return cases
