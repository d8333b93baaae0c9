"""What List operations share: filters, order and pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import datetime
from typing import Any

from featuremill.sagemaker_local.errors import validation_error

Document = dict[str, Any]
_USUAL_PAGE = 10
_LARGEST_PAGE = 100


def page(items: list[Any], request: Document, key: str, usual: int = _USUAL_PAGE) -> Document:
    """One page of `items` as {key: [...], "NextToken": ...}; reads MaxResults and NextToken of the request.

    `usual`: the size of a page where MaxResults does not say; 10 in most of AWS's operations.
    """
    start = _position(request.get("NextToken"))
    size = min(int(request.get("MaxResults", usual)), _LARGEST_PAGE)
    end = start + size
    response: Document = {key: items[start:end]}
    if end < len(items):
        response["NextToken"] = base64.urlsafe_b64encode(f"from:{end}".encode()).decode()
    return response


def _position(token: str | None) -> int:
    if token is None:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
        if word == "from" and number.isdigit():
            return int(number)
    except (ValueError, binascii.Error):
        pass
    raise validation_error("Invalid pagination token")


def filtered(items: list[Document], request: Document, name: str, status: str | None = None) -> list[Document]:
    """The documents that meet the request's filters.

    `name` and `status` are the documents' members that NameContains and StatusEquals speak of; CreationTimeAfter,
    CreationTimeBefore, LastModifiedTimeAfter and LastModifiedTimeBefore (bounds included) those of their names.
    """
    tests: list[Callable[[Document], bool]] = []
    contains = request.get("NameContains")
    if contains is not None:
        tests.append(lambda item: contains.lower() in item[name].lower())
    wanted = request.get("StatusEquals")
    if wanted is not None and status is not None:
        tests.append(lambda item: bool(item[status] == wanted))
    for member in ("CreationTime", "LastModifiedTime"):
        tests.extend(_between(member, request.get(f"{member}After"), request.get(f"{member}Before")))
    return [item for item in items if all(test(item) for test in tests)]


def _between(member: str, after: datetime | None, before: datetime | None) -> list[Callable[[Document], bool]]:
    tests: list[Callable[[Document], bool]] = []
    if after is not None:
        tests.append(lambda item: item[member] >= after)
    if before is not None:
        tests.append(lambda item: item[member] <= before)
    return tests


def ordered(items: list[Document], request: Document, keys: dict[str, str], default: str = "CreationTime") -> list[Any]:
    """Sorted as SortBy and SortOrder say. `keys`: the documents' member for each value of SortBy.

    Ties are broken by the other members, so that pages are stable. Descending unless told, as AWS does for times.
    """
    first = keys[request.get("SortBy", default)]
    descending = request.get("SortOrder", "Descending") == "Descending"
    return sorted(items, key=lambda item: (item[first], *(str(item[key]) for key in keys.values())), reverse=descending)
