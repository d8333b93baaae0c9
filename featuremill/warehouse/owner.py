"""Who writes into a staging folder, so that what a dead process left behind can be told from work in progress."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime, timedelta

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

OWNER_NAME = ".owner.json"
FOREIGN_STAGE_AGE = timedelta(hours=24)
"""A stage of another machine cannot be asked about; after this long without its being finished it is abandoned."""


class Owner(BaseModel):
    """A process: `started` is its start in seconds since 1970 (a pid is used again), `created` the note's time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pid: int
    host: str
    started: float
    created: datetime

    @classmethod
    def here(cls) -> Owner:
        started = psutil.Process().create_time()
        return cls(pid=os.getpid(), host=socket.gethostname(), started=started, created=datetime.now(UTC))

    def to_json(self) -> bytes:
        return self.model_dump_json().encode()

    def is_gone(self, moment: datetime) -> bool:
        """Whether nobody works in the stage any more."""
        if self.host != socket.gethostname():
            return moment - self.created > FOREIGN_STAGE_AGE
        return not is_running(self.pid, self.started)


def read_owner(content: bytes | None) -> Owner | None:
    """The owner, or None if the note is missing or torn."""
    if content is None:
        return None
    try:
        return Owner.model_validate_json(content)
    except ValidationError:
        return None


def is_running(pid: int, started: float) -> bool:
    """Whether this very process still runs; a later one with the same pid is another, a zombie is none."""
    try:
        process = psutil.Process(pid)
        # Boot time, on which start times are based, may be read a little differently each time.
        same = abs(process.create_time() - started) < 2.0
        # The first thread of a dying process may be gone before the others, which still hold its files and ports.
        gone = process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
        return same and not gone
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
