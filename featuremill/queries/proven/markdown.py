"""The list of what is proven as a page for people, `docs/functions.md`."""

from __future__ import annotations

from collections.abc import Iterable

from featuremill.queries.proven.catalogue import Entry, Types, proven_functions

_HEAD = """# What the local engine may evaluate

Expressions in a pipeline file are Spark SQL. The local engine (DuckDB) evaluates an expression only if every function,
operator, cast and literal in it is listed here for the types at hand. Each row of these tables is proven equal to
Spark 4.2 (ANSI mode, time zone UTC) by a test that runs both engines over the same rows: equal values (doubles to
1e-9), equal nulls, equal types, and an error in the same rows. Everything else runs on Spark, with a notice that names
the part.

*Refuses* names rows for which the local engine stops with an error although Spark has a value; it never gives another
value. A decimal literal is a number like `3.7`: Spark reads it as an exact decimal; write `3.7D` for a double.

This page is generated: `python -m featuremill.queries.proven docs/functions.md`.
"""


def render_markdown() -> str:
    """The whole page."""
    entries = proven_functions()
    parts = [_HEAD]
    for family in dict.fromkeys(entry.family for entry in entries):
        parts.append(f"\n## {family[0].upper()}{family[1:]}\n\n| what | types | notes |\n|---|---|---|\n")
        parts.extend(_row(entry) for entry in entries if entry.family == family)
    return "".join(parts)


def _row(entry: Entry) -> str:
    names = ", ".join(f"`{name}`" for name in (entry.name, *entry.aliases))
    notes = entry.notes + ("; " if entry.notes and entry.refuses else "")
    notes += f"*refuses* {entry.refuses}" if entry.refuses else ""
    cells = (names, "<br>".join(_grouped(entry)), notes)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _grouped(entry: Entry) -> Iterable[str]:
    """Signatures with the same result and all but the last argument alike stand in one line."""
    lines: dict[tuple[Types, str], list[str]] = {}
    same = [types for types, result in entry.signatures.items() if types == (result,)]
    if len(same) == len(entry.signatures) > 1:
        yield f"{', '.join(types[0] for types in same)}: the type itself"
        return
    for types, result in entry.signatures.items():
        lines.setdefault((types[:-1], result), []).append(types[-1] if types else "")
    merged: dict[tuple[str, str], list[str]] = {}
    for (first, result), lasts in lines.items():
        merged.setdefault((" or ".join(lasts), result), []).append(", ".join(first))
    for (last, result), firsts in merged.items():
        before = " or ".join(firsts)
        yield f"({before + '; ' if before else ''}{last}) → {result}"
