"""Texts and names as DuckDB's SQL has them."""

from __future__ import annotations


def sql_text(text: str) -> str:
    """A string literal."""
    return "'" + text.replace("'", "''") + "'"


def sql_name(name: str) -> str:
    """A column name; hyphens and reserved words are allowed."""
    return '"' + name.replace('"', '""') + '"'
