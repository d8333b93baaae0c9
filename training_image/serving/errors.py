"""Requests that cannot be answered, with the status they get."""

from __future__ import annotations

from typing import Any


class RequestError(Exception):
    """A request at fault: `status` is 4xx (507, 503: no room), the message says what is wrong and where."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def bad(message: str) -> RequestError:
    return RequestError(400, message)


def shown(value: Any) -> str:
    """A value for a message, cut to 80 characters."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
