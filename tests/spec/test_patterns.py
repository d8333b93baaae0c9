"""Date and timestamp patterns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from featuremill.errors import UsageError
from featuremill.queries.patterns import to_strptime
from featuremill.spec.patterns import PATTERN_LETTERS, PatternError, PatternPart, parse_pattern


def test_the_parts_of_a_pattern() -> None:
    assert parse_pattern("dd.MM.yyyy'T'HH:mm", "timestamp") == (
        PatternPart("dd", "day"),
        PatternPart("."),
        PatternPart("MM", "month"),
        PatternPart("."),
        PatternPart("yyyy", "year"),
        PatternPart("T"),
        PatternPart("HH", "hour"),
        PatternPart(":"),
        PatternPart("mm", "minute"),
    )
    assert parse_pattern("yyyy''MMdd", "date")[1] == PatternPart("'")


@pytest.mark.parametrize(
    ("pattern", "type_", "message", "offset"),
    [
        ("YYYY-MM-dd", "date", "`YYYY` is not supported; known are yyyy, yy, ", 0),
        ("yyyy-MM-dd'T'HH:mmXXX", "timestamp", "`XXX` is not supported", 18),
        ("yyyy-MM-dd[ HH]", "timestamp", "`[` is not supported", 10),
        ("yyyy-MM-dd 'o", "timestamp", "`'` is not supported", 11),
        ("yyyy-MM", "date", "it has no day", 0),
        ("HH:mm", "timestamp", "it has no year and no month and no day", 0),
        ("yyyy-MM-dd yy", "date", "it has the year twice", 11),
        (
            "yyyy-MM-dd HH",
            "date",
            "it has a time of day, which a date cannot hold; declare the column as a timestamp",
            0,
        ),
        ("yyyy-MM-dd hh:mm", "timestamp", "it needs both the hour of the half day (hh) and its half (a), or HH", 0),
        ("yyyy-MM-dd HH:mm a", "timestamp", "it needs both the hour of the half day (hh) and its half (a), or HH", 0),
        ("yyyy-MM-dd HH:ss", "timestamp", "it has the second but no minute", 0),
        ("", "date", "it has no year and no month and no day", 0),
    ],
)
def test_patterns_that_cannot_be_used(pattern: str, type_: str, message: str, offset: int) -> None:
    with pytest.raises(PatternError) as raised:
        parse_pattern(pattern, type_)  # type: ignore[arg-type]
    assert str(raised.value).startswith(message)
    assert raised.value.offset == offset


pieces = st.sampled_from([*PATTERN_LETTERS, "XXX", "E", "SS", "'T'", "''", " ", "-", ":", ".", "[", "'"])


@given(st.lists(pieces, max_size=12).map("".join))
def test_what_the_file_check_lets_pass_the_engines_read(pattern: str) -> None:
    try:
        parse_pattern(pattern, "timestamp")
    except PatternError:
        return
    try:
        to_strptime(pattern)
    except UsageError as error:
        raise AssertionError(f"{pattern!r} loads, and then does not run") from error
