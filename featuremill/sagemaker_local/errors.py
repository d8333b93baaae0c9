"""Errors that clients of the API see."""

from __future__ import annotations


class ApiError(Exception):
    """An AWS error answer: `code` is the error's name on the wire (`ResourceInUse`), `status` the HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def validation_error(message: str) -> ApiError:
    """SageMaker's answer to a request that breaks a rule, and to one for a resource that does not exist."""
    return ApiError("ValidationException", message)
