"""The text of a pipeline file, from what was seen in a CSV file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from featuremill.scaffold.dialect import Dialect
from featuremill.scaffold.guess import Roles
from featuremill.scaffold.names import feature_name
from featuremill.scaffold.profile import ColumnProfile, FileProfile
from featuremill.spec.expressions import ExpressionError, parse_expression
from featuremill.spec.models import GENERATED_KEY
from featuremill.spec.rules.names import RESERVED_COLUMNS

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
_YAML_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
_BARE_IN_SQL = re.compile(r"[a-z_][a-z0-9_]*")
_VALUES_IN_SPARK = frozenset({"user", "current_user", "session_user", "current_date", "current_timestamp", "now"})
_CATEGORIES = 50
_LISTED = 12


@dataclass(frozen=True)
class Draft:
    """Everything that the text is made of. `pattern` is the glob of the files of a landing."""

    name: str
    source: str
    file_name: str
    pattern: str
    dialect: Dialect
    file: FileProfile
    roles: Roles


def pipeline_text(draft: Draft) -> str:
    """A whole pipeline file, with comments that say what was seen and what is guessed."""
    parts = [*_head(draft), *_source(draft), *_expectations(draft), *_features(draft), *_label(draft)]
    return "\n".join(parts) + "\n"


def scalar(value: str) -> str:
    """A text as YAML, in quotes where it needs them."""
    plain = _PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS
    return value if plain else json.dumps(value, ensure_ascii=False)


def sql_name(column: str) -> str:
    """A column's name in an expression, in backticks where it would not be read as that column."""
    if _BARE_IN_SQL.fullmatch(column) and column not in _VALUES_IN_SPARK:
        try:
            expression = parse_expression(column)
        except ExpressionError:
            return f"`{column}`"
        if expression.key == "column" and expression.name == column:
            return column
    return f"`{column}`"


def _head(draft: Draft) -> Iterator[str]:
    roles, file = draft.roles, draft.file
    rows = f"{file.rows:,} rows" + (f", {file.misfits:,} more with another number of fields" if file.misfits else "")
    yield f"# Written by `featuremill new` from {_one_line(draft.file_name)}: {rows}."
    yield "# Types, key, time and entity are guesses from the data: read them through, and change what is wrong."
    yield ""
    yield f"pipeline: {scalar(draft.name)}"
    yield f"description: {scalar('Features from ' + draft.file_name + '.')}"
    if roles.time is not None:
        yield 'schedule: "@daily"'
    yield f"entity: {{key: {scalar(roles.entity_name)}, type: {roles.entity_type}}}   # what a lookup asks for"
    if roles.entity is None:
        yield f"# No column tells the rows apart: each row is known by the checksum of its text, as {GENERATED_KEY}."


def _source(draft: Draft) -> Iterator[str]:
    roles, dialect = draft.roles, draft.dialect
    yield ""
    yield "sources:"
    yield f"  {scalar(draft.source)}:"
    yield "    connector:"
    yield "      kind: csv"
    yield f'      path: "{draft.pattern}"'
    if not dialect.header:
        yield "      header: false   # the columns are taken in the order below"
    if dialect.delimiter != ",":
        yield f"      delimiter: {json.dumps(dialect.delimiter)}"
    if dialect.quote != '"':
        yield f"      quote: {json.dumps(dialect.quote)}"
    if dialect.escape is not None:
        yield f"      escape: {json.dumps(dialect.escape)}"
    if dialect.encoding not in ("utf-8", "utf-8-sig"):
        yield f"      encoding: {dialect.encoding}"
    if draft.file.nulls != ("",):
        yield f"      null_values: [{', '.join(json.dumps(text, ensure_ascii=False) for text in draft.file.nulls)}]"
    if draft.file.multiline:
        yield "      multiline: true"
    if roles.key is not None:
        yield f"    key: {scalar(roles.key.name)}   # one row a key; the newest landing wins"
    if roles.time is not None:
        unit = roles.time.unit
        name = scalar(roles.time.name)
        yield f"    time: {{column: {name}, unit: {unit}}}" if unit else f"    time: {name}"
    else:
        yield "    # No time was found: a static table, the newest landing is what is known."
    yield "    columns:"
    for column in draft.file.columns:
        outcome = roles.sure_label and column is roles.label
        yield f"      {scalar(column.name)}: {_column(column, outcome)}{_remark(column)}"


def _column(column: ColumnProfile, outcome: bool) -> str:
    parts = [f"type: {column.type}"]
    if outcome:
        parts.append("outcome: true")
    if column.header != column.name:
        parts.append(f"header: {json.dumps(column.header, ensure_ascii=False)}")
    if column.pattern is not None:
        parts.append(f"format: {json.dumps(column.pattern)}")
    return "{" + ", ".join(parts) + "}" if len(parts) > 1 else column.type


def _remark(column: ColumnProfile) -> str:
    remarks = []
    if column.unit is not None:
        remarks.append({"s": "seconds", "ms": "milliseconds", "us": "microseconds"}[column.unit] + " since 1970")
    if column.rows and column.nulls == column.rows:
        remarks.append("always empty")
    elif column.nulls:
        remarks.append(f"empty in {max(column.nulls / column.rows, 0.0001):.2%}")
    if column.pattern is not None and column.pattern[:5] in ("MM/dd", "dd/MM"):
        remarks.append("day and month: check which is which")
    return f"   # {', '.join(remarks)}" if remarks else ""


def _expectations(draft: Draft) -> Iterator[str]:
    required = {column.name for column in (draft.roles.key, draft.roles.entity, draft.roles.time) if column}
    filled = [c for c in draft.file.columns if not c.nulls and c.name not in required]
    listed = [c for c in draft.file.columns if c.type == "string" and c.values and len(c.values) <= _LISTED]
    numbers = [c for c in draft.file.columns if c.type in ("int", "bigint", "double") and c.unit is None]
    ranged = [c for c in numbers if c.low is not None and not c.constant and c.name not in required]
    remark = "Great Expectations' own names; a landing that fails is not used"
    yield f"    {'expect:' if filled else '# expect:'}   # {remark}"
    for column in filled:
        yield f"      - expect_column_values_to_not_be_null: {{column: {scalar(column.name)}}}"
    if listed or ranged:
        yield "      # Seen in this file; take away the # of those that must hold for every file."
    for column in listed:
        values = ", ".join(json.dumps(value, ensure_ascii=False) for value in column.values or ())
        arguments = f"{{column: {scalar(column.name)}, value_set: [{_one_line(values)}]}}"
        yield f"      # - expect_column_values_to_be_in_set: {arguments}"
    for column in ranged:
        arguments = f"{{column: {scalar(column.name)}, min_value: {column.low}, max_value: {column.high}}}"
        yield f"      # - expect_column_values_to_be_between: {arguments}"
    yield "    tolerate: {quarantined: 1%}   # rows that do not fit their types are set aside; more stop the run"


def _features(draft: Draft) -> Iterator[str]:
    roles = draft.roles
    taken = {roles.entity_name, *RESERVED_COLUMNS, *([roles.key.name] if roles.key else [])}
    aggregates = list(_aggregates(draft, taken)) if roles.time is not None and roles.entity_repeats else []
    selects, left_out = _selects(draft, taken)
    if not aggregates and not selects:
        # A pipeline has at least one feature, so then any column is one; failing that, that the row is there.
        outcome = roles.label if roles.sure_label else None
        other = [c for c in draft.file.columns if c.name != roles.entity_name and c is not outcome]
        selects = [(_free(feature_name(c.name), taken), sql_name(c.name)) for c in other] or [("is_known", "1 = 1")]
        left_out = {}
    yield ""
    yield "features:"
    yield f"  - from: {scalar(draft.source)}"
    if aggregates:
        yield "    aggregate:   # over earlier rows of the same entity, strictly before as_of"
        yield from aggregates
    if selects:
        yield "    select:   # the row's own values; in a snapshot those of the entity's newest row"
        for name, expression in selects:
            yield f"      {scalar(name)}: {_expression(expression)}"
    for reason, names in left_out.items():
        yield f"    # Left out, {reason}: {', '.join(names)}"


def _aggregates(draft: Draft, taken: set[str]) -> Iterator[str]:
    windows = ("7d", "30d", "365d")
    names = {"nb_previous", "days_since_previous", *(f"nb_recent_{window}" for window in windows)}
    taken |= names
    yield '      nb_previous: {count: "*"}'
    yield f'      nb_recent: {{count: "*", over: [{", ".join(windows)}]}}'
    yield '      days_since_previous: {since_last: "*"}'
    averaged = [column for column in draft.file.columns if column.type == "double" and not column.constant][:3]
    for column in averaged:
        if draft.roles.label is None or column.name != draft.roles.label.name:
            name = _free(f"avg_{feature_name(column.name)}_previous", taken)
            yield f"      {name}: {{mean: {_expression(sql_name(column.name))}}}"


def _expression(sql: str) -> str:
    """An expression as a YAML scalar."""
    return json.dumps(sql) if "`" in sql or sql in _YAML_WORDS else sql


def _selects(draft: Draft, taken: set[str]) -> tuple[list[tuple[str, str]], dict[str, list[str]]]:
    """Name and expression of each column that is a feature as it stands, and why the others are not."""
    roles = draft.roles
    selects: list[tuple[str, str]] = []
    left_out: dict[str, list[str]] = {}
    identifying = {column.name for column in (roles.key, roles.entity, roles.time) if column}
    for column in draft.file.columns:
        reason = _why_not(column, roles)
        if column.name in identifying:
            continue
        if re.search("birth|born|dob", column.name) and column.type == "date":
            selects.append((_free("age", taken), f"floor(months_between(as_of, {sql_name(column.name)}) / 12)"))
        elif reason is not None:
            left_out.setdefault(reason, []).append(column.name)
        else:
            selects.append((_free(feature_name(column.name), taken), sql_name(column.name)))
    return selects, left_out


def _why_not(column: ColumnProfile, roles: Roles) -> str | None:
    if column.constant:
        return "always the same"
    if column.is_moment:
        return "moments, which are features only in relation to as_of"
    if roles.sure_label and roles.label is not None and column.name == roles.label.name:
        return "perhaps what is to be predicted"
    if column.type == "string" and column.values is None:
        return f"more than {_CATEGORIES} different texts"
    return None


def _free(name: str, taken: set[str]) -> str:
    """A name that no other feature has, and no column that tables have anyway."""
    wanted, number = name, 2
    while name in taken:
        name, number = f"{wanted}_{number}", number + 1
    taken.add(name)
    return name


def _label(draft: Draft) -> Iterator[str]:
    label = draft.roles.label
    yield ""
    if label is None or label.values is None or draft.roles.time is None:
        yield "# To train a model, mark the column to predict with `outcome: true` and name it:"
        yield f"# label: {{from: {draft.source}, column: ..., task: binary, available_after: 0d}}"
        return
    task = "binary" if len(label.values) == 2 else "multiclass"
    yield f"# To train a model, say what to predict: perhaps {label.name}."
    if not draft.roles.sure_label:
        yield f"# Then take away its select, and make its column {{type: {label.type}, outcome: true}}."
    yield f"# label: {{from: {draft.source}, column: {label.name}, task: {task}, available_after: 0d}}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
