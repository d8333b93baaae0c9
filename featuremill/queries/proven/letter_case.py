"""lower and upper. Spark maps letters as ICU does (one letter may become several), DuckDB one letter to one."""

from __future__ import annotations

from sqlglot import exp

from featuremill.queries.proven.catalogue import prove
from featuremill.queries.proven.pieces import Piece
from featuremill.queries.proven.translation import strict

_FAMILY = "strings"
_NOTES = "all of Unicode, but for the letters named"

# Every code point is compared by a test. What the two libraries map differently beside these is in the replacements.
UPPER_DIFFERS = (
    r"[\x{149}\x{19B}\x{1F0}\x{264}\x{390}\x{3B0}\x{587}\x{1C8A}\x{1E96}-\x{1E9A}\x{1F50}-\x{1FFC}"
    r"\x{A7CD}-\x{A7DB}\x{FB00}-\x{FB17}\x{10D70}-\x{10D85}\x{16EBB}-\x{16ED3}]"
)
LOWER_DIFFERS = r"[\x{3A3}\x{1C89}\x{A7CB}-\x{A7DC}\x{10D50}-\x{10D65}\x{16EA0}-\x{16EB8}]"

LOWER = prove(
    "lower",
    _FAMILY,
    {("string",): "string"},
    aliases=("lcase",),
    notes=_NOTES,
    refuses="a text with the Greek capital sigma, whose small form depends on its place, or with letters newer than "
    "Unicode 15",
)
UPPER = prove(
    "upper",
    _FAMILY,
    {("string",): "string"},
    aliases=("ucase",),
    notes=_NOTES,
    refuses="a text with letters whose capital is several letters (ligatures, accented Greek, Armenian ech-yiwn, "
    "but not \u00df) or newer than Unicode 15",
)


def _mapped(function: str, differs: str, letter: str, letters: str) -> object:
    def render(text: Piece) -> Piece:
        refusal = f"CAST(error('{function}: only Spark maps all letters of ' || {text}) AS VARCHAR)"
        plain = f"{function}(replace({text.sql}, '{letter}', '{letters}'))"
        return Piece(
            f"CASE WHEN regexp_matches({text.sql}, '{differs}') THEN {refusal} ELSE {plain} END", "", fails=True
        )

    return render


strict(LOWER, exp.Lower, _mapped("lower", LOWER_DIFFERS, "\u0130", "i\u0307"))  # type: ignore[arg-type]
strict(UPPER, exp.Upper, _mapped("upper", UPPER_DIFFERS, "\u00df", "SS"))  # type: ignore[arg-type]
