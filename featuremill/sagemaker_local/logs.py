"""CloudWatch Logs: lines of jobs and endpoints, in files that stay, shown through moto's Logs API.

A stream is the file <root>/<group>/<stream>.log, names percent-encoded, a line an event: milliseconds since 1970 and
the message. moto keeps what it shows in memory, so its streams are filled from the files at the first call of that API.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

_SHOWN = 20_000
_LARGEST = 64 * 1024 * 1024
Event = dict[str, Any]


class Logs:
    """Writes lines to streams of log groups; safe from any thread."""

    def __init__(self, root: Path, region: str, account: str) -> None:
        self.root = root
        self._region = region
        self._account = account
        self._lock = threading.RLock()
        self._shown = False

    def path(self, group: str, stream: str) -> Path:
        """The file of a stream."""
        return self.root / quote(group, safe="") / f"{quote(stream, safe='')}.log"

    def write(self, group: str, stream: str, lines: Iterable[str]) -> None:
        """Append lines, with the time of now. Beyond 64 MB a stream's older half is kept in a file beside it (.1)."""
        now = time.time_ns() // 1_000_000
        events = [{"timestamp": now, "message": line} for text in lines for line in text.splitlines() or [""]]
        path = self.path(group, stream)
        with self._lock:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and path.stat().st_size > _LARGEST:
                path.replace(path.with_suffix(".log.1"))
            with path.open("a", encoding="utf-8") as file:
                file.writelines(f"{event['timestamp']} {event['message']}\n" for event in events)
            if self._shown:
                self._show(group, stream, events)

    def read(self, group: str, stream: str) -> list[Event]:
        """The newest 20,000 events of a stream, oldest first: timestamp (ms) and message."""
        events: deque[Event] = deque(maxlen=_SHOWN)
        path = self.path(group, stream)
        for file in (path.with_suffix(".log.1"), path):
            if file.exists():
                with file.open(encoding="utf-8", errors="replace", newline="\n") as lines:
                    events.extend(_event(line) for line in lines)
        return list(events)

    def streams(self) -> list[tuple[str, str]]:
        """(group, stream) of all streams, sorted."""
        files = sorted(self.root.glob("*/*.log"))
        return [(unquote(file.parent.name), unquote(file.name.removesuffix(".log"))) for file in files]

    def show(self) -> None:
        """Fill moto's Logs backend from the files; later lines are added as they come. Does so once."""
        with self._lock:
            if not self._shown:
                for group, stream in self.streams():
                    self._show(group, stream, self.read(group, stream))
                self._shown = True

    def _show(self, group: str, stream: str, events: list[Event]) -> None:
        from moto.logs.models import logs_backends

        backend = logs_backends[self._account][self._region]
        if group not in backend.groups:
            backend.create_log_group(group, {})
        streams = backend.groups[group].streams
        if stream not in streams:
            backend.groups[group].create_log_stream(stream)
        if events:
            streams[stream].put_log_events(events)
            del streams[stream].events[:-_SHOWN]


def _event(line: str) -> Event:
    stamp, _, message = line.rstrip("\n").partition(" ")
    return {"timestamp": int(stamp) if stamp.isdigit() else 0, "message": message}
