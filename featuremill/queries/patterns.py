"""Date and time patterns of raw files: the letters of Spark's patterns that both engines read alike."""

from __future__ import annotations

import re

from featuremill.errors import UsageError

_STRPTIME = {
    "yyyy": "%Y",
    "yy": "%y",
    "MMMM": "%B",
    "MMM": "%b",
    "MM": "%m",
    "M": "%-m",
    "dd": "%d",
    "d": "%-d",
    "HH": "%H",
    "H": "%-H",
    "hh": "%I",
    "h": "%-I",
    "a": "%p",
    "mm": "%M",
    "m": "%-M",
    "ss": "%S",
    "s": "%-S",
    "SSSSSS": "%f",
    "SSS": "%g",
}
_TOKEN = re.compile(
    r"(?P<letters>(?P<letter>[A-Za-z])(?P=letter)*)|'(?P<quoted>(?:[^']|'')*)'|(?P<reserved>[\[\]{}#'])"
)


def to_strptime(pattern: str) -> str:
    """The strptime form of a Spark pattern.

    `yy` means 2000 to 2099, in Spark as here; the caller of strptime, for whom it is 1969 to 2068, has to mend that.
    Raises UsageError for a letter that is not among those both engines read alike.
    """
    result: list[str] = []
    position = 0
    for match in _TOKEN.finditer(pattern):
        result.append(pattern[position : match.start()].replace("%", "%%"))
        position = match.end()
        if match["letters"]:
            if match["letters"] not in _STRPTIME:
                raise _unknown(pattern, match["letters"])
            result.append(_STRPTIME[match["letters"]])
        elif match["reserved"]:
            raise _unknown(pattern, match["reserved"])
        else:
            result.append((match["quoted"].replace("''", "'") or "'").replace("%", "%%"))
    result.append(pattern[position:].replace("%", "%%"))
    text = "".join(result)
    _check_hours(pattern, text)
    return text


def _check_hours(pattern: str, strptime: str) -> None:
    half_day = "%I" in strptime or "%-I" in strptime
    if half_day != ("%p" in strptime):
        raise UsageError(f"the pattern {pattern!r} needs both an hour of the half day (hh) and its half (a), or HH")
    if not ("%Y" in strptime or "%y" in strptime):
        raise UsageError(f"the pattern {pattern!r} has no year (yyyy)")


def _unknown(pattern: str, part: str) -> UsageError:
    known = ", ".join(_STRPTIME)
    return UsageError(
        f"{part!r} in the pattern {pattern!r} is not supported; known are {known} and texts in single quotes. "
        "ISO 8601 times, with or without an offset, need no pattern."
    )
