"""YAML text to nodes that know where they stand, with syntax errors in plain words.

PyYAML's parser gives events with marks; the tree is built here, because its composer calls itself without a limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

DEEPEST = 40
"""Mappings and lists may be nested this deep."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


class YamlError(Exception):
    """A text that is not one YAML document. `line` and `column` count from 0."""

    def __init__(self, message: str, line: int, column: int, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.message, self.line, self.column, self.suggestion = message, line, column, suggestion


@dataclass
class Node:
    """A scalar, list or mapping. Lines and columns count from 0; `style` is the scalar's quote, `|`, `>` or empty."""

    kind: Literal["scalar", "list", "mapping"]
    line: int
    column: int
    end_line: int = 0
    end_column: int = 0
    tag: str | None = None
    text: str = ""
    style: str = ""
    items: list[Node] = field(default_factory=list)
    """The items of a list; key, value, key, value ... of a mapping."""

    def pairs(self) -> Iterator[tuple[Node, Node]]:
        return zip(self.items[::2], self.items[1::2], strict=True)


def compose(text: str) -> Node | None:
    """The root node, None for a text without content. Aliases are the very node of their anchor.

    Raises YamlError for a text that is not one YAML document.
    """
    if unprintable := _UNPRINTABLE.search(text):
        before = LINE_BREAK.split(text[: unprintable.start()])
        raise YamlError(f"the character {unprintable[0]!r} cannot stand in YAML", len(before) - 1, len(before[-1]))
    try:
        return _compose(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        raise _explained(error, LINE_BREAK.split(text)) from None


def _compose(events: Iterable[Any]) -> Node | None:
    root: Node | None = None
    documents = 0
    stack: list[Node] = []
    anchors: dict[str, Node] = {}
    for event in events:
        start: Any = event.start_mark
        if isinstance(event, yaml.DocumentStartEvent):
            documents += 1
            if documents > 1:
                raise YamlError(
                    "a second YAML document starts here", start.line, start.column, "write one file a pipeline"
                )
        if isinstance(event, yaml.CollectionEndEvent):
            node = stack.pop()
            end: Any = event.end_mark
            node.end_line, node.end_column = end.line, end.column
        if not isinstance(event, yaml.NodeEvent):
            continue
        node = _alias(event, anchors) if isinstance(event, yaml.AliasEvent) else _node(event)
        if event.anchor and not isinstance(event, yaml.AliasEvent):
            anchors[event.anchor] = node
        if stack:
            stack[-1].items.append(node)
        else:
            root = node
        if isinstance(event, yaml.CollectionStartEvent):
            stack.append(node)
            if len(stack) > DEEPEST:
                raise YamlError("this is nested too deeply", start.line, start.column)
    return root


def _alias(event: Any, anchors: dict[str, Node]) -> Node:
    if event.anchor not in anchors:
        mark = event.start_mark
        raise YamlError(
            f"`*{event.anchor}` refers to an anchor that is not there",
            mark.line,
            mark.column,
            f'if it is meant as text, write "*{event.anchor}" in quotes',
        )
    return anchors[event.anchor]


def _node(event: Any) -> Node:
    start, end = event.start_mark, event.end_mark
    if isinstance(event, yaml.ScalarEvent):
        style = event.style or ""
        return Node("scalar", start.line, start.column, end.line, end.column, event.tag, event.value, style)
    kind: Literal["list", "mapping"] = "list" if isinstance(event, yaml.SequenceStartEvent) else "mapping"
    return Node(kind, start.line, start.column, tag=event.tag)


def _explained(error: yaml.MarkedYAMLError, lines: list[str]) -> YamlError:
    """The parser's complaint in plain words, at the place where the mistake is rather than where it was noticed."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    opened = error.context_mark or mark
    opened_at = (opened.line, opened.column) if opened else (line, column)
    problem, context = error.problem or "", error.context or ""
    here = lines[line][column : column + 1] if line < len(lines) else ""
    if "cannot start any token" in problem and here == "\t":
        return YamlError("a tab; YAML indents with spaces", line, column)
    if "cannot start any token" in problem:
        return YamlError(f"a text that starts with `{here}` needs quotes", line, column)
    if "mapping values are not allowed" in problem:
        return YamlError(
            "`:` is not expected here", line, column, "a text with `: ` in it needs quotes; or mind the indent"
        )
    if context == "while scanning an alias":
        return YamlError('`*` needs quotes, write "*"', *opened_at)
    if "quoted scalar" in context and "end of stream" in problem:
        return YamlError("the quote is not closed", *opened_at)
    if "',' or ']'" in problem or "',' or '}'" in problem:
        bracket = "[" if "]" in problem else "{"
        return YamlError(f"the bracket `{bracket}` is not closed, or a comma is missing inside", *opened_at)
    if "could not find expected ':'" in problem:
        return YamlError("this line has no `:` after its key", *opened_at)
    if "expected key" in problem and line < len(lines) and re.search(r":\s*\{[^}]*\}\S", lines[line]):
        return YamlError("a text that starts with `{` needs quotes", line, lines[line].index("{"))
    return YamlError(f"this is not YAML: {problem}" + (f", {context}" if context else ""), line, column)
