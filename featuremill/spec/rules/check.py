"""What the rules look at: a pipeline, the file it came from, and the expressions in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from featuremill.spec.expressions import ExpressionError, columns_of, parse_expression
from featuremill.spec.models import GENERATED_KEY, Pipeline, Source, has_entity
from featuremill.spec.positions import Document, YamlPath
from featuremill.spec.problems import shortened

Role = Literal["derive", "rows", "argument", "condition", "select"]
"""A derived column, a source's `where`, an aggregate's argument, an aggregate's `where`, a `select`."""

AS_OF = "as_of"


@dataclass(frozen=True)
class Use:
    """An expression where it is used.

    `columns` are what it may read; `later` the derived columns of the same source that come after it, or are it.
    """

    role: Role
    key: str
    text: str
    path: YamlPath
    source: str
    columns: frozenset[str]
    later: frozenset[str] = frozenset()

    @property
    def shown(self) -> str:
        """The expression with its key, as in the file."""
        return f"`{self.key}: {shortened(self.text)}`"

    @property
    def reads_as_of(self) -> bool:
        return self.role == "select"


@dataclass
class Check:
    """`mended` are the paths of values that are not the file's own (see validation): rules do not judge those."""

    pipeline: Pipeline
    document: Document
    mended: set[YamlPath] = field(default_factory=set)

    def is_mended(self, *path: str | int) -> bool:
        return any(path[: len(mended)] == mended for mended in self.mended)

    def is_lost(self, name: str) -> bool:
        """Whether something of this name was in the file, and could not be read."""
        return any(str(mended[-1]).lower() == name.lower() for mended in self.mended)

    def columns(self, source_name: str) -> frozenset[str]:
        """The columns of a source's typed table."""
        source = self.pipeline.sources[source_name]
        return frozenset(source.columns) | ({GENERATED_KEY} if source.key is None else frozenset())

    def all_columns(self, source_name: str) -> frozenset[str]:
        """The columns of a source's typed table and its derived ones."""
        return self.columns(source_name) | frozenset(self.pipeline.sources[source_name].derive)

    def type_of(self, source_name: str, column: str) -> str | None:
        """The declared type of a column; None for a derived, unknown or mended one."""
        source = self.pipeline.sources[source_name]
        path = ("sources", source_name, "columns", column)
        if column == GENERATED_KEY and source.key is None:
            return "string"
        if column not in source.columns or self.is_mended(*path, "type"):
            return None
        return source.columns[column].type

    def is_open(self, source_name: str) -> bool:
        """Whether the columns of a source are not all known, because its `columns` could not be read."""
        return self.is_mended("sources", source_name, "columns")

    def may_be_timed(self, source_name: str) -> bool:
        source = self.pipeline.sources[source_name]
        return not source.is_static or ("sources", source_name, "time") in self.mended

    def may_have_entity(self, source_name: str) -> bool:
        """Whether a source has the entity's column, or cannot be blamed for not having it."""
        return has_entity(self.pipeline, source_name) or self.is_open(source_name) or self.is_entity_unknown

    @cached_property
    def is_entity_unknown(self) -> bool:
        """Whether no source has the entity's column, which one problem says, or the file's mistakes hide it."""
        key = self.pipeline.entity.key
        nowhere = not any(has_entity(self.pipeline, name) for name in self.pipeline.sources)
        return nowhere or self.is_mended("entity", "key") or self.is_lost(key)

    @cached_property
    def uses(self) -> tuple[Use, ...]:
        """Every expression of the file."""
        return tuple(self._uses())

    def _uses(self) -> Iterator[Use]:
        for name, source in self.pipeline.sources.items():
            yield from self._uses_of_source(name, source)
        for index, block in enumerate(self.pipeline.features):
            if block.source not in self.pipeline.sources:
                continue
            columns = self.all_columns(block.source)
            path: YamlPath = ("features", index)
            for feature, aggregate in block.aggregate.items():
                place = (*path, "aggregate", feature)
                if aggregate.argument.strip() != "*":
                    kind = str(aggregate.kind)
                    key = kind if (*place, kind) in self.document.values else "argument"
                    yield Use("argument", kind, aggregate.argument, (*place, key), block.source, columns)
                if aggregate.where is not None:
                    yield Use("condition", "where", aggregate.where, (*place, "where"), block.source, columns)
            for feature, select in block.select.items():
                place = (*path, "select", feature, "expression")
                yield Use("select", feature, select.expression, place, block.source, columns)

    def _uses_of_source(self, name: str, source: Source) -> Iterator[Use]:
        path: YamlPath = ("sources", name)
        readable, later = self.columns(name), list(source.derive)
        for column, derived in source.derive.items():
            place = (*path, "derive", column, "expression")
            yield Use("derive", column, derived.expression, place, name, readable, frozenset(later))
            readable |= {column}
            later.remove(column)
        if source.where is not None:
            yield Use("rows", "where", source.where, (*path, "where"), name, readable)

    def reads(self, text: str) -> set[str]:
        """The columns an expression reads; none where it cannot be parsed."""
        try:
            return columns_of(parse_expression(text))
        except ExpressionError:
            return set()

    def readers_of(self, source_name: str, columns: set[str]) -> dict[str, str]:
        """The columns of a source that are among the given ones or computed from them -> the given one behind each."""
        source = self.pipeline.sources[source_name]
        behind = {column: column for column in columns}
        for name, derived in source.derive.items():
            for read in sorted(self.reads(derived.expression)):
                if read in behind:
                    behind.setdefault(name, behind[read])
        return behind

    def outcomes(self, source_name: str) -> dict[str, str]:
        """The outcome columns of a source, derived ones included -> the column that was marked as outcome."""
        source = self.pipeline.sources[source_name]
        marked = {name for name, column in source.columns.items() if column.outcome}
        marked |= {name for name, derived in source.derive.items() if derived.outcome}
        return self.readers_of(source_name, marked)
