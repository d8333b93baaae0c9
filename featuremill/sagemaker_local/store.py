"""What the server knows, on disk: JSON documents by kind and name, in one SQLite file.

A put is on disk when it returns: killing the server loses nothing.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Document = dict[str, Any]
_TIME = "$time"


class Store:
    """Documents by (kind, name). Values are JSON's plus datetimes, which come back as aware UTC datetimes.

    Every method is atomic and may be called from any thread; hold `lock` around several calls that belong together.
    """

    def __init__(self, path: Path) -> None:
        self.lock = threading.RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = normal")
        self._database.execute(
            "create table if not exists documents "
            "(kind text, name text, body text not null, primary key (kind, name)) without rowid"
        )

    def get(self, kind: str, name: str) -> Document | None:
        """The document, or None."""
        with self.lock:
            row = self._database.execute(
                "select body from documents where kind = ? and name = ?", (kind, name)
            ).fetchone()
        return None if row is None else _loads(row[0])

    def put(self, kind: str, name: str, document: Document) -> None:
        """Write the document over any former one."""
        body = json.dumps(document, default=_default, separators=(",", ":"))
        with self.lock:
            self._database.execute("insert or replace into documents values (?, ?, ?)", (kind, name, body))

    def update(self, kind: str, name: str, change: Callable[[Document], None]) -> Document:
        """Change the document in place, as one step, and return it. Raises KeyError if there is none."""
        with self.lock:
            document = self.get(kind, name)
            if document is None:
                raise KeyError(f"no {kind} named {name}")
            change(document)
            self.put(kind, name, document)
            return document

    def delete(self, kind: str, name: str) -> bool:
        """Remove the document; whether there was one."""
        with self.lock:
            cursor = self._database.execute("delete from documents where kind = ? and name = ?", (kind, name))
            return cursor.rowcount > 0

    def names(self, kind: str) -> list[str]:
        """The names of all documents of a kind, sorted."""
        with self.lock:
            rows = self._database.execute("select name from documents where kind = ? order by name", (kind,)).fetchall()
        return [name for (name,) in rows]

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        with self.lock:
            self._database.close()

    def list(self, kind: str) -> list[Document]:
        """All documents of a kind, by name."""
        with self.lock:
            rows = self._database.execute("select body from documents where kind = ? order by name", (kind,)).fetchall()
        return [_loads(body) for (body,) in rows]


def _default(value: Any) -> Any:
    if isinstance(value, datetime):
        return {_TIME: value.astimezone(UTC).isoformat()}
    raise TypeError(f"{type(value).__name__} cannot be stored")


def _loads(text: str) -> Document:
    document: Document = json.loads(text, object_hook=_decode)
    return document


def _decode(value: Document) -> Any:
    return datetime.fromisoformat(value[_TIME]) if value.keys() == {_TIME} else value
