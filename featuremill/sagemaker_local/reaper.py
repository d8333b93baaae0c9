"""Ends the server's process groups once the server is gone, also if it was killed outright.

Run by processes.py as a program of its own, with nothing but the standard library. It reads "+<group>" and "-<group>"
lines from its standard input; the input ends when the server does. What is then still on the list is asked to end and
killed after some seconds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

_GRACE_SECONDS = 5.0


def main() -> None:
    """Keep the list until the input ends, then end all groups on it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        sign, group = line[0], int(line[1:])
        if sign == "+":
            groups.add(group)
        else:
            groups.discard(group)
    _send(groups, signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_SECONDS
    while groups and time.monotonic() < deadline:
        time.sleep(0.05)
        _send(groups, 0)
    _send(groups, signal.SIGKILL)


def _send(groups: set[int], number: int) -> None:
    for group in list(groups):
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            groups.discard(group)
        except PermissionError:
            with contextlib.suppress(KeyError):
                groups.remove(group)


if __name__ == "__main__":
    main()
