"""What a translated part of an expression is: SQL for DuckDB, its Spark type, and what is known about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from sqlglot import exp

from featuremill.errors import FeaturemillError

VOID = "void"
"""The type of a bare `null`."""

DECIMAL = "decimal literal"
"""The type of `3.7`: Spark reads it as an exact decimal. Only literals have it, and only beside a double."""

INTEGERS = ("int", "bigint")
NUMBERS = ("int", "bigint", "double")
TIMES = ("date", "timestamp")
PLAIN = ("boolean", "int", "bigint", "double", "string", "date", "timestamp")

DUCKDB_TYPES = {
    "boolean": "BOOLEAN",
    "int": "INTEGER",
    "bigint": "BIGINT",
    "double": "DOUBLE",
    "string": "VARCHAR",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}
"""Spark type -> DuckDB type. A timestamp is DuckDB's plain TIMESTAMP and holds the UTC wall clock."""


def duckdb_type(spark_type: str) -> str:
    """`array<int>` -> `INTEGER[]`. Raises KeyError for a type that no column can have."""
    if spark_type.startswith("array<") and spark_type.endswith(">"):
        return duckdb_type(spark_type[len("array<") : -1]) + "[]"
    return DUCKDB_TYPES[spark_type]


def element_type(spark_type: str) -> str | None:
    """`array<int>` -> `int`; None for what is no array."""
    return spark_type[len("array<") : -1] if spark_type.startswith("array<") else None


class NotProven(FeaturemillError):
    """Part of an expression is not among what is proven equal on both engines; Spark has to evaluate it.

    `part` is the smallest such part, as Spark SQL; `reason` says why, and what could be written instead.
    """

    def __init__(self, part: str, reason: str) -> None:
        super().__init__(f"`{part}` cannot be evaluated by the local engine: {reason}")
        self.part = part
        self.reason = reason


@dataclass(frozen=True)
class Piece:
    """A translated part of an expression.

    `atom`: the SQL can stand beside any operator without parentheses. `fails`: some rows may raise an error.
    `bound`: the value is finite and never larger in magnitude. `literal` is the value of a literal.
    """

    sql: str
    type: str
    atom: bool = True
    fails: bool = False
    bound: float | None = None
    literal: bool | int | Decimal | str | None = None

    def __str__(self) -> str:
        """The SQL as an operand: in parentheses unless it needs none."""
        return self.sql if self.atom else f"({self.sql})"

    @property
    def is_literal(self) -> bool:
        return self.literal is not None

    def but(self, **changes: object) -> Piece:
        return replace(self, **changes)  # type: ignore[arg-type]


def text_of(node: exp.Expr) -> str:
    """The part as a user would write it in Spark SQL, on one line."""
    shown = node.copy()
    for inner in list(shown.find_all(exp.TsOrDsToDate)):
        # sqlglot puts these around date arguments; nobody wrote them.
        if not inner.args.get("safe") and inner.parent is not None:
            inner.replace(inner.this)
    try:
        return shown.sql(dialect="spark")
    except (KeyError, AttributeError, TypeError, ValueError):
        # A call with arguments missing, which the parser lets through and the generator cannot write.
        return f"{node.key}(...)"


def quoted(text: str) -> str:
    """A string literal of DuckDB."""
    return "'" + text.replace("'", "''") + "'"
