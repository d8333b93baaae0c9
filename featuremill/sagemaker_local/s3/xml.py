"""S3's XML: answers as nested lists of (name, value), and errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.sax.saxutils import escape

from werkzeug import Response

from featuremill.sagemaker_local.context import new_id
from featuremill.sagemaker_local.errors import ApiError

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold."""

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
Value = str | int | bool | Sequence["Element"] | None
Element = tuple[str, Value]


def document(name: str, children: Sequence[Element], status: int = 200) -> Response:
    """An XML answer; children that are None are left out."""
    inner = "".join(_text(child) for child in children)
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{NAMESPACE}">{inner}</{name}>'
    return Response(text.encode("utf-8", "replace"), status, content_type="application/xml")


def error_document(error: ApiError, resource: str, with_body: bool = True) -> Response:
    """An error as S3 tells it; the answer to HEAD has no body."""
    request_id = new_id()[:16].upper()
    children: list[Element] = [
        ("Code", error.code),
        ("Message", error.message),
        ("Resource", resource),
        ("RequestId", request_id),
    ]
    inner = "".join(_text(child) for child in children)
    text = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>' if with_body else ""
    response = Response(text.encode("utf-8", "replace"), error.status, content_type="application/xml")
    response.headers["x-amz-request-id"] = request_id
    return response


def _text(element: Element) -> str:
    name, value = element
    if value is None:
        return ""
    if isinstance(value, bool):
        inner = "true" if value else "false"
    elif isinstance(value, str | int):
        inner = escape(_NOT_XML.sub("\ufffd", str(value)))
    else:
        inner = "".join(_text(child) for child in value)
    return f"<{name}>{inner}</{name}>"
