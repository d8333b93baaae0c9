"""Data capture: requests and answers as JSON lines in the bucket, laid out as AWS does.

    <DestinationS3Uri>/<endpoint>/<variant>/<yyyy>/<mm>/<dd>/<HH>/<MM>-<SS>-<mmm>-<uuid>.jsonl

Lines are written in files of at most 100 records, at the latest a second after the request.
"""

from __future__ import annotations

import base64
import json
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MOST_RECORDS = 100
SECONDS = 1.0


@dataclass(frozen=True)
class Exchange:
    """One request and its answer. `inference_id` and `custom_attributes` are those of the caller, if any."""

    content_type: str
    body: bytes
    accept: str
    answer: bytes
    time: datetime
    event_id: str
    inference_id: str | None = None
    custom_attributes: str | None = None


def encoding(content_type: str, config: dict[str, Any]) -> str:
    """CSV or JSON where CaptureContentTypeHeader lists the type, else BASE64: AWS's rule."""
    kind = content_type.split(";")[0].strip().lower()
    listed = config.get("CaptureContentTypeHeader") or {}
    if kind in [name.lower() for name in listed.get("CsvContentTypes", [])]:
        return "CSV"
    if kind in [name.lower() for name in listed.get("JsonContentTypes", [])]:
        return "JSON"
    return "BASE64"


def record(exchange: Exchange, config: dict[str, Any]) -> dict[str, Any]:
    """AWS's capture record (eventVersion 0) of an exchange, with the sides that CaptureOptions ask for."""
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    data: dict[str, Any] = {}
    if modes & {"Input", "InputAndOutput"}:
        data["endpointInput"] = _side(exchange.content_type, exchange.body, "INPUT", config)
    if modes & {"Output", "InputAndOutput"}:
        data["endpointOutput"] = _side(exchange.accept, exchange.answer, "OUTPUT", config)
    event: dict[str, Any] = {"eventId": exchange.event_id}
    if exchange.inference_id:
        event["inferenceId"] = exchange.inference_id
    if exchange.custom_attributes:
        event["customAttributes"] = [exchange.custom_attributes]
    event["inferenceTime"] = exchange.time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"captureData": data, "eventMetadata": event, "eventVersion": "0"}


def _side(content_type: str, body: bytes, mode: str, config: dict[str, Any]) -> dict[str, str]:
    how = encoding(content_type, config)
    text = base64.b64encode(body).decode() if how == "BASE64" else body.decode("utf-8", errors="replace")
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": how}


class Sampler:
    """Says of each request whether it belongs to the sample: evenly spread, exactly `percentage` of 100 requests."""

    def __init__(self, percentage: int) -> None:
        self._percentage = percentage
        self._seen = 0

    def take(self) -> bool:
        before = self._seen * self._percentage // 100
        self._seen += 1
        return self._seen * self._percentage // 100 > before


class Recorder:
    """Collects the records of an endpoint and writes them; `write` puts an object into the bucket, whole."""

    def __init__(self, endpoint: str, config: dict[str, Any], write: Callable[[str, bytes], None]) -> None:
        self.config = config
        self._endpoint = endpoint
        self._write = write
        self._sampler = Sampler(config["InitialSamplingPercentage"] if config.get("EnableCapture", True) else 0)
        self._lock = threading.Lock()
        self._waiting: dict[str, list[bytes]] = {}
        self._timer: threading.Timer | None = None

    def add(self, variant: str, exchange: Exchange) -> None:
        """Keep an exchange if it falls into the sample."""
        with self._lock:
            if not self._sampler.take():
                return
            lines = self._waiting.setdefault(variant, [])
            lines.append(json.dumps(record(exchange, self.config), ensure_ascii=False).encode())
            full = len(lines) >= MOST_RECORDS
            if not full and self._timer is None:
                self._timer = threading.Timer(SECONDS, self.flush)
                self._timer.daemon = True
                self._timer.start()
        if full:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        now = datetime.now(UTC)
        for variant, lines in waiting.items():
            uri = "/".join(
                [
                    self.config["DestinationS3Uri"].rstrip("/"),
                    self._endpoint,
                    variant,
                    now.strftime("%Y/%m/%d/%H"),
                    f"{now:%M-%S}-{now.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl",
                ]
            )
            self._write(uri, b"\n".join(lines) + b"\n")
