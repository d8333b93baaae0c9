"""Spark SQL expressions -> DuckDB SQL with the same value, type and errors, or a refusal.

Nothing passes through: every node of the tree has a handler of its own here, and every handler asks the list of what
is proven before it answers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from sqlglot import exp

from featuremill.queries.proven.catalogue import PROVEN, Entry, Use
from featuremill.queries.proven.pieces import NotProven, Piece, duckdb_type, text_of

Handler = Callable[["Translator", exp.Expr], Piece]
Render = Callable[..., "Piece | str"]

HANDLERS: dict[type[exp.Expr] | str, Handler] = {}
"""sqlglot node, or lower-case name of a function that sqlglot does not know -> handler."""

LONGEST_SQL = 60_000
"""Characters. Arguments that are written several times multiply when calls are nested deeply."""


@dataclass(frozen=True)
class Translation:
    """A proven expression: DuckDB SQL, the Spark type of its value, and the entries it rests on."""

    sql: str
    type: str
    uses: frozenset[Use]


def translate(expression: exp.Expr, types: Mapping[str, str]) -> Translation:
    """Translate an expression read with sqlglot (`read="spark"`) over columns of the given Spark types.

    `types`: column name -> boolean, int, bigint, double, string, date, timestamp or array<...> of one of them. In
    DuckDB a timestamp column is a TIMESTAMP in UTC, and so is a timestamp result. Raises NotProven.
    """
    translator = Translator(types)
    piece = translator.piece(expression)
    try:
        duckdb_type(piece.type)
    except KeyError:
        raise NotProven(
            text_of(expression),
            f"its type is {piece.type}, which no column can have; cast it, like cast(... as double)",
        ) from None
    if len(piece.sql) > LONGEST_SQL:
        raise NotProven(text_of(expression), "calls are nested so deeply that the query becomes too long")
    return Translation(piece.sql, piece.type, frozenset(translator.uses))


class Translator:
    """One translation under way: the columns' types, and the entries used so far."""

    def __init__(self, types: Mapping[str, str]) -> None:
        self.types = {name.lower(): kind.lower() for name, kind in types.items()}
        self.uses: set[Use] = set()

    def piece(self, node: exp.Expr) -> Piece:
        """Translate one part. Raises NotProven."""
        name = str(node.this).lower() if isinstance(node, exp.Anonymous) else ""
        handler = HANDLERS.get(name) if name else HANDLERS.get(type(node))
        if handler is None:
            what = f"the function {name}" if name else f"`{type(node).__name__}`"
            raise NotProven(text_of(node), f"{what} is not proven equal on both engines")
        return handler(self, node)

    def use(self, entry: Entry | str, types: Sequence[str], node: exp.Expr) -> str:
        """Note that an entry is needed for these types; gives the result type. Raises NotProven if it is not listed."""
        found = PROVEN[entry] if isinstance(entry, str) else entry
        use = Use(found.name, tuple(types))
        if use.types not in found.signatures:
            raise NotProven(text_of(node), _unlisted(found, use))
        self.uses.add(use)
        return found.signatures[use.types]

    def coerce(self, piece: Piece, target: str, node: exp.Expr) -> Piece:
        """The implicit cast that Spark puts around an argument. Raises NotProven if it is not listed."""
        if piece.type == target:
            return piece
        self.use("implicit cast", (piece.type, target), node)
        if piece.is_literal and target == "double":
            return double_literal(str(piece.literal))
        return piece.but(sql=f"CAST({piece.sql} AS {duckdb_type(target)})", type=target, atom=True, literal=None)


def double_literal(digits: str) -> Piece:
    """A whole or decimal number as a DOUBLE literal of DuckDB, which reads it to the nearest double as Java does."""
    value = float(digits)
    sql = f"{digits}e0" if "e" not in digits.lower() else digits
    return Piece(sql, "double", atom=not sql.startswith("-"), bound=abs(value), literal=Decimal(digits))


def handles(*keys: type[exp.Expr] | str) -> Callable[[Handler], Handler]:
    """Register a handler for nodes, or for names of functions that sqlglot does not know."""

    def register(handler: Handler) -> Handler:
        for key in keys:
            if key in HANDLERS:
                raise ValueError(f"{key} is handled twice")
            HANDLERS[key] = handler
        return handler

    return register


def only(node: exp.Expr, arguments: Sequence[str], flags: Sequence[str] = ()) -> None:
    """Refuse a node that carries more than the named arguments; `flags` are marks of the parser without meaning."""
    known = {*arguments, *flags}
    for key, value in node.args.items():
        if key not in known and value not in (None, False, []):
            raise NotProven(text_of(node), f"this form (with {key}) is not proven equal on both engines")


def strict(
    entry: Entry,
    keys: type[exp.Expr] | str,
    render: Render,
    *,
    arguments: Sequence[str] = ("this",),
    flags: Sequence[str] = (),
    literals: Sequence[int] = (),
    fails: bool = False,
    right_first: bool = False,
) -> None:
    """Register a function of which any null argument makes null.

    `arguments` are the node's keys in order (of an unknown function: its position in the call), `literals` the
    positions that must be written out. `render` makes DuckDB SQL (an atom) or a Piece from the arguments' pieces; a
    ValueError of it says why this call is not proven. `right_first`: Spark evaluates the second argument first.
    """

    def handler(translator: Translator, node: exp.Expr) -> Piece:
        nodes = argument_nodes(node, arguments, flags)
        pieces = []
        for position, inner in enumerate(nodes):
            piece = translator.piece(inner)
            if position in literals and not piece.is_literal:
                raise NotProven(text_of(inner), f"of {entry.name} this argument must be written out, not computed")
            pieces.append(piece)
        result = translator.use(entry, [piece.type for piece in pieces], node)
        try:
            made = render(*pieces)
        except ValueError as error:
            raise NotProven(text_of(node), str(error)) from None
        body = made if isinstance(made, Piece) else Piece(made, result)
        body = body.but(type=result, fails=body.fails or fails or any(piece.fails for piece in pieces))
        return guarded(body, list(reversed(pieces)) if right_first else pieces)

    handles(keys)(handler)


def argument_nodes(node: exp.Expr, arguments: Sequence[str], flags: Sequence[str]) -> list[exp.Expr]:
    """The given arguments of a node, in order; a call of a function unknown to sqlglot must have exactly as many."""
    if isinstance(node, exp.Anonymous):
        if len(node.expressions) != len(arguments):
            raise NotProven(text_of(node), f"proven with {len(arguments)} arguments only")
        return list(node.expressions)
    only(node, arguments, flags)
    return [node.args[key] for key in arguments if node.args.get(key) is not None]


def guarded(body: Piece, in_order: Sequence[Piece]) -> Piece:
    """Spark stops at the first null argument; what comes after it cannot fail. DuckDB evaluates all arguments."""
    for position in range(len(in_order) - 1, 0, -1):
        if not in_order[position].fails:
            continue
        earlier = [piece for piece in in_order[:position] if not piece.is_literal]
        if earlier:
            condition = " AND ".join(f"{piece} IS NOT NULL" for piece in earlier)
            body = body.but(sql=f"CASE WHEN {condition} THEN {body.sql} END", atom=True)
    return body


def _unlisted(entry: Entry, use: Use) -> str:
    given = ", ".join(use.types) or "no arguments"
    listed = " or ".join(entry.lines()[:6]) + (" and others" if len(entry.signatures) > 6 else "")
    hint = f" ({entry.notes})" if entry.notes else ""
    return f"{entry.name} is not proven for ({given}), only for {listed}{hint}"
