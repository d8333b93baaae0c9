"""How a user's expression becomes SQL of an engine. Each engine brings its own compiler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Compiled:
    """An expression as SQL of one engine, and the name of the Spark type of its value."""

    sql: str
    type: str


class Compiler(Protocol):
    """Turns Spark SQL expressions of a pipeline file into an engine's SQL.

    `types` names the columns that the expression may read and their Spark types. Raises NotProven (DuckDB) where the
    engine may not evaluate the expression, and DataError where the types do not fit.
    """

    def compile(self, expression: str, types: Mapping[str, str]) -> Compiled: ...
