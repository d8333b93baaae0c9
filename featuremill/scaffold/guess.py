"""Guesses about a file's columns: which is the key, the entity, the event time, the label."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from featuremill.errors import UsageError
from featuremill.scaffold.profile import IDENTIFIERS, ColumnProfile, FileProfile
from featuremill.scaffold.values import as_moment
from featuremill.spec.models import GENERATED_KEY

_STATES_OF_THE_PAST = re.compile(r"birth|born|dob|expir|valid|until|through|start|end$|_to$|hire|employ|join")
_NEWS = re.compile(r"report|receiv|record|creat|post|land|enter|update")
_MOMENTS = re.compile(r"time|date|stamp|_at$|_ts$|^ts$|day")
_ANSWERS = re.compile(r"^(y|class)$|target|label|outcome|status|diagnos|default|churn|fraud|response|result")
_NO_ANSWERS = re.compile(r"family|marital")
_FIRST_YEAR, _LAST_YEAR = 1970, 2100
_MOST_CLASSES = 10
_NULLS_ALLOWED = 0.01


@dataclass(frozen=True)
class Roles:
    """What the columns are for. `entity` is the generated key where no column tells rows apart.

    `sure_label`: its name says that the column is an answer, so it is not made a feature.
    """

    key: ColumnProfile | None
    entity: ColumnProfile | None
    time: ColumnProfile | None
    label: ColumnProfile | None
    sure_label: bool

    @property
    def entity_name(self) -> str:
        return self.entity.name if self.entity else GENERATED_KEY

    @property
    def entity_type(self) -> str:
        return self.entity.type if self.entity else "string"

    @property
    def entity_repeats(self) -> bool:
        return self.entity is not None and self.entity.repeats


def guess_roles(file: FileProfile, key: str | None = None, entity: str | None = None, time: str | None = None) -> Roles:
    """Guess what is not given. Names may be the column's or the header's; UsageError if there is no such column."""
    key_column = _find(file, key) if key else _guess_key(file)
    time_column = _find(file, time) if time else _guess_time(file)
    if time_column is not None and not time_column.is_moment:
        raise UsageError(f"{time_column.header!r} cannot be the event time: it holds no dates or times")
    entity_column = _find(file, entity) if entity else _guess_entity(file, key_column, time_column)
    taken = {column.name for column in (key_column, time_column, entity_column) if column}
    label, sure = _guess_label([column for column in file.columns if column.name not in taken])
    return Roles(key_column, entity_column, time_column, label, sure)


def last_day(column: ColumnProfile) -> str | None:
    """The day (YYYY-MM-DD, UTC) of the newest moment in a column."""
    moment = _moment(column, column.high)
    return moment.date().isoformat() if moment else None


def _find(file: FileProfile, name: str) -> ColumnProfile:
    for column in file.columns:
        if name in (column.name, column.header):
            return column
    known = ", ".join(column.name for column in file.columns)
    raise UsageError(f"the file has no column {name!r}; it has: {known}")


def _guess_key(file: FileProfile) -> ColumnProfile | None:
    unique = [column for column in file.columns if column.unique and column.type in ("int", "bigint", "string")]
    named = [column for column in unique if IDENTIFIERS.search(column.name)]
    return named[0] if named else None


def _guess_entity(file: FileProfile, key: ColumnProfile | None, time: ColumnProfile | None) -> ColumnProfile | None:
    """Something with an id's name whose rows come again, if there is one; else the key."""
    for column in file.columns:
        identifies = column.type in ("int", "bigint", "string") and IDENTIFIERS.search(column.name)
        many = column.repeats and column.values is None
        if column not in (key, time) and identifies and many and column.nulls <= _NULLS_ALLOWED * column.rows:
            return column
    return key


def _guess_time(file: FileProfile) -> ColumnProfile | None:
    """The column that says when the row became known, or when it happened; not birthdays, not the far future."""

    def score(column: ColumnProfile) -> int:
        return 2 * bool(_NEWS.search(column.name)) + bool(_MOMENTS.search(column.name))

    candidates = [
        column
        for column in file.columns
        if column.is_moment
        and column.nulls <= _NULLS_ALLOWED * column.rows
        and not _STATES_OF_THE_PAST.search(column.name)
        and _in_our_time(column)
    ]
    return max(candidates, key=score, default=None)


def _in_our_time(column: ColumnProfile) -> bool:
    first, last = _moment(column, column.low), _moment(column, column.high)
    return first is not None and last is not None and first.year >= _FIRST_YEAR and last.year <= _LAST_YEAR


def _moment(column: ColumnProfile, text: str | None) -> datetime | None:
    if text is None:
        return None
    if column.unit is not None:
        seconds = int(text) / {"s": 1, "ms": 1_000, "us": 1_000_000}[column.unit]
        return datetime.fromtimestamp(seconds, tz=UTC)
    return as_moment(text, column.pattern or column.type)


def _guess_label(columns: list[ColumnProfile]) -> tuple[ColumnProfile | None, bool]:
    """The last column with a few different values; one whose name says that it is an answer goes first."""
    few = [column for column in columns if column.values is not None and 2 <= len(column.values) <= _MOST_CLASSES]
    named = [column for column in few if _ANSWERS.search(column.name) and not _NO_ANSWERS.search(column.name)]
    if named:
        return named[-1], True
    return (few[-1], False) if few else (None, False)
