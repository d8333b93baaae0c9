"""A YAML file as plain data, and where in the file each of its values stands.

Booleans are `true` and `false` alone: `y`, `no`, `on` and dates stay texts, as in YAML 1.2.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from featuremill.spec.nodes import LINE_BREAK, Node, YamlError, compose
from featuremill.spec.problems import Problem, Severity, shortened, shown_path

YamlPath = tuple[str | int, ...]
"""The keys and list indices that lead to a value."""

_MOST_VALUES = 20_000
"""A file may have this many values, repetitions by alias counted."""

_NULL = re.compile("|~|null|Null|NULL")
_TRUE = re.compile("true|True|TRUE")
_FALSE = re.compile("false|False|FALSE")
_INTEGER = re.compile("[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_CORE = "tag:yaml.org,2002:"


@dataclass
class Document:
    """A file's data (dicts, lists, texts, numbers, booleans, None) and the nodes it came from."""

    file: str
    data: Any = None
    problems: list[Problem] = field(default_factory=list)
    """What is wrong with the YAML itself."""
    lines: list[str] = field(default_factory=list)
    keys: dict[YamlPath, Node] = field(default_factory=dict)
    values: dict[YamlPath, Node] = field(default_factory=dict)

    def known(self, path: YamlPath) -> YamlPath:
        """The longest part of the path, from its start, that the file has: short forms have no keys of their own."""
        while path and path not in self.values:
            path = path[:-1]
        return path

    def at_value(self, path: YamlPath) -> tuple[int, int]:
        """Line and column, from 1, of the value at a path, or of what the file has of it."""
        node = self.values.get(self.known(path))
        return (node.line + 1, node.column + 1) if node else (1, 1)

    def at_key(self, path: YamlPath) -> tuple[int, int]:
        """Line and column, from 1, of the key that a path ends with."""
        path = self.known(path)
        node = self.keys.get(path)
        return (node.line + 1, node.column + 1) if node else self.at_value(path)

    def inside(self, path: YamlPath, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of a character of the text at a path; the text's start where that cannot be told."""
        node = self.values.get(self.known(path))
        if node is None or node.kind != "scalar":
            return self.at_value(path)
        if node.style == "|":
            return self._inside_block(node, offset)
        line = self.lines[node.line] if node.line < len(self.lines) else ""
        quote = 1 if node.style else 0
        start = node.column + quote
        if node.line == node.end_line and line[start : start + len(node.text)] == node.text:
            return node.line + 1, start + min(offset, len(node.text)) + 1
        return self.at_value(path)

    def _inside_block(self, node: Node, offset: int) -> tuple[int, int]:
        before = node.text[:offset].split("\n")
        number = node.line + len(before)
        text = node.text.split("\n")[len(before) - 1]
        line = self.lines[number] if number < len(self.lines) else ""
        if text and line.endswith(text):
            return number + 1, len(line) - len(text) + len(before[-1]) + 1
        return node.line + 1, node.column + 1

    def problem(
        self,
        path: YamlPath,
        message: str,
        suggestion: str | None = None,
        *,
        at_key: bool = False,
        offset: int | None = None,
        severity: Severity = "error",
    ) -> Problem:
        """A problem at the value of a path, at its key, or at a character of its text."""
        if offset is not None:
            line, column = self.inside(path, offset)
        else:
            line, column = self.at_key(path) if at_key else self.at_value(path)
        return Problem(self.file, line, column, message, suggestion, severity)

    def rename(self, path: YamlPath, name: str) -> None:
        """Let a key be found under another name too, with all that is below it."""
        for nodes in (self.keys, self.values):
            for old in [old for old in nodes if old[: len(path)] == path]:
                nodes.setdefault((*path[:-1], name, *old[len(path) :]), nodes[old])


def read_document(path: Path) -> Document:
    """Read a YAML file. Never raises for what the file holds: `problems` says what is wrong with it.

    Raises OSError where the file cannot be read.
    """
    return parse_document(path.read_bytes(), shown_path(path))


def parse_document(raw: bytes, file: str) -> Document:
    """The document of a file's bytes; `file` is what problems call it. Anchors, aliases and merge keys are resolved."""
    document = Document(file)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = LINE_BREAK.split(raw[: error.start].decode("utf-8", "replace"))
        message = f"the byte 0x{raw[error.start]:02x} is not UTF-8"
        document.problems.append(Problem(file, len(before), len(before[-1]) + 1, message, "save the file as UTF-8"))
        return document
    document.lines = LINE_BREAK.split(text)
    try:
        root = compose(text)
    except YamlError as error:
        document.problems.append(Problem(file, error.line + 1, error.column + 1, error.message, error.suggestion))
        return document
    if root is None or (root.kind == "scalar" and not root.text and not root.style):
        document.problems.append(Problem(file, 1, 1, "the file is empty"))
    elif root.kind != "mapping":
        what = "a list" if root.kind == "list" else f"the text `{shortened(root.text)}`"
        document.problems.append(
            Problem(file, root.line + 1, root.column + 1, f"the file should hold keys and values, not {what}")
        )
    else:
        _Builder(document).build(root)
    return document


class _Builder:
    """Turns nodes into data, noting for every path its node."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.count = 0
        self.open: list[int] = []
        """Nodes that are being built, to notice one that contains itself."""

    def build(self, root: Node) -> None:
        self.document.data = self._value(root, ())

    def _problem(self, node: Node, message: str, suggestion: str | None = None) -> None:
        self.document.problems.append(Problem(self.document.file, node.line + 1, node.column + 1, message, suggestion))

    def _value(self, node: Node, path: YamlPath) -> Any:
        self.document.values[path] = node
        if self._is_too_much(node):
            return None
        if id(node) in self.open:
            self._problem(node, "this anchor contains itself")
            return None
        if node.kind == "scalar":
            return self._scalar(node)
        if node.tag not in (None, "!", _CORE + "seq", _CORE + "map"):
            self._problem(node, f"the tag {node.tag} is not known here")
        self.open.append(id(node))
        try:
            if node.kind == "list":
                return [self._value(item, (*path, index)) for index, item in enumerate(node.items)]
            return self._mapping(node, path)
        finally:
            self.open.pop()

    def _is_too_much(self, node: Node) -> bool:
        """Count one more value: a few aliases of aliases can stand for millions."""
        self.count += 1
        if self.count == _MOST_VALUES + 1:
            self._problem(node, f"the file has more than {_MOST_VALUES} values")
        return self.count > _MOST_VALUES

    def _mapping(self, node: Node, path: YamlPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[Node] = []
        first: dict[str, Node] = {}
        for key, value in self._rejoined(node):
            if key.kind == "scalar" and key.text == "<<" and not key.style:
                merged.append(value)
                continue
            name = self._key(key)
            if name is None:
                continue
            if name in first:
                self._problem(key, f"`{shortened(name)}` is written twice, first on line {first[name].line + 1}")
                continue
            first[name] = key
            self.document.keys[(*path, name)] = key
            result[name] = self._value(value, (*path, name))
        for value in merged:
            self._merge(value, path, result)
        return result

    def _rejoined(self, node: Node) -> list[tuple[Node, Node]]:
        """The pairs of a mapping; `{mean: round(amount, 2)}` without quotes has the key `2)`, which is put back."""
        pairs: list[tuple[Node, Node]] = []
        for key, value in node.pairs():
            last = pairs[-1][1] if pairs else None
            if last is None or value.end_column != value.column or not _is_cut(last, key, value):
                pairs.append((key, value))
                continue
            last.text = self.document.lines[last.line][last.column : key.end_column]
            last.end_column = key.end_column
            if not _open_brackets(last.text):
                self._problem(last, f"`{shortened(last.text)}` needs quotes: inside {{ }} a comma ends a text")
        return pairs

    def _merge(self, value: Node, path: YamlPath, result: dict[str, Any]) -> None:
        """Add the keys of `<<: *anchor` that the mapping does not have itself."""
        for source in value.items if value.kind == "list" else [value]:
            if source.kind != "mapping" or id(source) in self.open:
                self._problem(source, "`<<` takes a mapping, or a list of mappings")
                continue
            if self._is_too_much(source):
                return
            self.open.append(id(source))
            for key, inner in source.pairs():
                if key.kind == "scalar" and key.text == "<<" and not key.style:
                    self._merge(inner, path, result)
                elif (name := self._key(key)) is not None and name not in result:
                    self.document.keys[(*path, name)] = key
                    result[name] = self._value(inner, (*path, name))
            self.open.pop()

    def _key(self, node: Node) -> str | None:
        """The text of a key; None, with a problem, for another kind of key."""
        if node.kind != "scalar":
            self._problem(node, "a key is a text, not a list or mapping", "a text that starts with `{` needs quotes")
            return None
        value = self._scalar(node)
        if isinstance(value, str):
            return value
        message = f"the key `{node.text}` is not read as text" if node.text else "the key is empty"
        self._problem(node, message, f'write it in quotes: "{node.text}"' if node.text else None)
        return None

    def _scalar(self, node: Node) -> Any:
        text = node.text
        if node.tag == _CORE + "str" or (node.style and node.tag in (None, "!")):
            return text
        if node.tag not in (None, "!", *(_CORE + name for name in ("int", "float", "bool", "null"))):
            self._problem(node, f"the tag {node.tag} is not known here")
            return text
        if _NULL.fullmatch(text):
            return None
        if _TRUE.fullmatch(text) or _FALSE.fullmatch(text):
            return bool(_TRUE.fullmatch(text))
        if _INTEGER.fullmatch(text) and len(text) < 40:
            return int(text, 0 if text[:2] in ("0o", "0x") else 10)
        if _FLOAT.fullmatch(text):
            return self._float(node)
        return text

    def _float(self, node: Node) -> float | None:
        try:
            number = float(node.text)
        except ValueError:  # .inf and .nan, which Python writes without the dot
            number = math.nan
        if math.isfinite(number):
            return number
        self._problem(node, f"`{shortened(node.text)}` is not a finite number")
        return None


def _open_brackets(text: str) -> int:
    return text.count("(") - text.count(")")


def _is_cut(last: Node, key: Node, value: Node) -> bool:
    """Whether a key without value is the rest of the plain text before it, cut off within its brackets."""
    plain = all(node.kind == "scalar" and not node.style for node in (last, key, value))
    return plain and not value.text and last.line == key.end_line and _open_brackets(last.text) > 0
