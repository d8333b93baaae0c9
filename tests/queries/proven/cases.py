"""The expressions that prove each entry: a template filled for every signature, and some written out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import sqlglot

from featuremill.queries.proven import NotProven, translate
from featuremill.queries.proven.catalogue import PROVEN, Entry, Types
from tests.queries.proven.engines import Case
from tests.queries.proven.rows import TYPES

_COLUMNS: dict[str, list[tuple[str, ...]]] = {
    "boolean": [("b1", "b2", "b1")],
    "int": [("i1", "i2", "i1"), ("k1", "k2", "k1")],
    "bigint": [("n1", "n2", "n1"), ("m1", "m2", "m1")],
    "double": [("x1", "x2", "x1"), ("y1", "y2", "y1")],
    "string": [("s1", "s2", "s1")],
    "date": [("d1", "d2", "d1")],
    "timestamp": [("t1", "t2", "t1")],
    "decimal literal": [("2.5", "0.1", "3.0"), ("-0.75", "12.50", "1.5")],
    "void": [("null", "null", "null")],
    **{
        f"array<{kind}>": [(f"a_{kind}",) * 3]
        for kind in ("boolean", "int", "bigint", "double", "string", "date", "timestamp")
    },
}

_SIGNS = ["+", "-", "*", "/", "%", "div", "=", "<>", "<", "<=", ">", ">=", "<=>", "is distinct from", "and", "or"]
_ONE = [
    "abs",
    "floor",
    "ceil",
    "round",
    "sign",
    "isnan",
    "exp",
    "cbrt",
    "sin",
    "cos",
    "tan",
    "atan",
    "radians",
    "degrees",
    "sqrt",
    "ln",
    "log10",
    "log2",
    "year",
    "quarter",
    "month",
    "day",
    "dayofweek",
    "weekday",
    "dayofyear",
    "weekofyear",
    "hour",
    "minute",
    "second",
    "last_day",
    "date_from_unix_date",
    "to_date",
    "unix_timestamp",
    "unix_seconds",
    "unix_millis",
    "unix_micros",
    "timestamp_seconds",
    "timestamp_millis",
    "timestamp_micros",
    "length",
    "md5",
    "size",
    "sort_array",
    "lower",
    "upper",
]
_TWO = [
    "pow",
    "atan2",
    "nanvl",
    "date_add",
    "date_sub",
    "datediff",
    "add_months",
    "startswith",
    "endswith",
    "contains",
    "instr",
    "left",
    "right",
    "array_contains",
]

TEMPLATES: dict[str, list[str]] = {
    **{sign: [f"{{0}} {sign} {{1}}"] for sign in _SIGNS},
    **{name: [f"{name}({{0}})"] for name in _ONE},
    **{name: [f"{name}({{0}}, {{1}})"] for name in _TWO},
    "date + days": ["{0} + {1}"],
    "date - days": ["{0} - {1}"],
    "unary -": ["-{0}"],
    "column": ["{0}"],
    "not": ["not {0}", "!{0}"],
    "is null": ["{0} is null", "{0} is not null", "isnull({0})", "isnotnull({0})"],
    "is true, is false": ["{0} is true", "{0} is not false", "{0} is false"],
    "case when": ["case when b1 then {0} when b2 then {1} end", "case when b1 then {0} else null end",
            "case {0} when {1} then {0} else {1} end"],
    "if": ["if(b1, {0}, {1})", "if(b1 and b2, null, {1})"],
    "nvl2": ["nvl2(b1, {0}, {1})"],
    "coalesce": ["coalesce({0}, {1})", "nvl({0}, {1})", "ifnull({0}, {1})", "coalesce(null, {0}, {1})"],
    "nullif": ["nullif({0}, {1})"],
    "greatest": ["greatest({0}, {1})", "greatest({0}, {1}, {2}, null)"],
    "least": ["least({0}, {1})", "least({1}, null, {0})"],
    "between": ["{0} between {1} and {2}", "{0} not between {2} and {1}"],
    "in": ["{0} in ({1}, {2})", "{0} not in ({1}, null)"],
    "months_between": ["months_between({0}, {1})", "floor(months_between({0}, {1}) / 12)"],
    "make_date": ["make_date({0}, {1}, {2})", "make_date(1900 + abs(k1), k2, 28 + k1)"],
    "concat": ["concat({0}, {1})", "{0} || {1} || {0}", "concat({0}, i1, n1, b1)"],
    "concat_ws": ["concat_ws('-', {0}, {1})", "concat_ws('', {0}, 'é', i1)"],
    "replace": ["replace({0}, 'a', {1})", "replace({0}, 'b')", "replace({0}, '', 'x')", "replace({0}, 'a', '')"],
    "trim": ["trim({0})", "ltrim({0})", "rtrim({0})", "trim(both from {0})"],
    "pi": ["pi()"],
}  # fmt: skip

_CAST_SOURCES = {
    "string": {"boolean": "truths", "date": "days", "int": "numbers", "bigint": "numbers", "double": "numbers"}
}

_UNITS = ("year", "month", "week", "day", "hour", "minute", "second")
_PAIRS = ("t1, t2", "d1, t1", "t1, d2", "d1, d2")
_SHIFTS = (
    "t1 - interval 3 {}s",
    "t1 + interval '1' {}",
    "d1 + interval 13 {}",
    "interval 2 {} + d1",
    "d1 - interval '5' {}",
)


def written_out() -> list[str]:
    """The expressions of expressions.txt, one a line, and those that every unit of time takes part in."""
    lines = Path(__file__).with_name("expressions.txt").read_text(encoding="utf-8").splitlines()
    counted = [f"timestampdiff({unit}, {pair})" for unit in (*_UNITS, "quarter") for pair in _PAIRS]
    return [*lines, *counted, *(shift.format(unit) for unit in _UNITS for shift in _SHIFTS)]


def filled(entry: Entry, types: Types) -> Iterator[str]:
    """The entry's templates with columns (or literals) of these types."""
    if entry.name in ("cast", "try_cast"):
        source, target = types
        column = _CAST_SOURCES.get(source, {}).get(target)
        for name in [column] if column else [names[0] for names in _COLUMNS[source]]:
            yield f"{entry.name}({name} as {target})"
        return
    kinds = types * 3 if entry.variadic or entry.name in ("nullif", "between", "in") else types
    if not set(kinds) <= set(_COLUMNS):
        return
    # Where values are only compared or chosen, the wide columns do: they hold the narrow ones' values too.
    wide_do = entry.family in ("comparisons", "logic", "conditionals")
    variants = 1 if wide_do else max([len(_COLUMNS[kind]) for kind in kinds], default=1)
    for template in TEMPLATES.get(entry.name, []):
        for variant in range(variants):
            choices = [_COLUMNS[kind] for kind in kinds]
            yield template.format(*(choice[variant % len(choice)][place] for place, choice in enumerate(choices)))


def templated() -> list[str]:
    """Every entry's templates with every one of its signatures."""
    return [text for entry in PROVEN.values() for types in entry.signatures for text in filled(entry, types)]


def texts() -> list[str]:
    """Every expression of the differential test, each once."""
    return list(dict.fromkeys([*templated(), *written_out()]))


def proving(text: str) -> Case | None:
    """The case of an expression; None where a template made something that is not on the list."""
    try:
        translation = translate(sqlglot.parse_one(text, read="spark"), TYPES)
    except NotProven:
        return None
    refusing = any(PROVEN[use.name].may_refuse(use.types) for use in translation.uses)
    return Case(text, translation, may_refuse=refusing)
