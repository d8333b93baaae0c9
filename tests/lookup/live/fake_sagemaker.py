"""A small SageMaker on loopback, as `sagemaker.endpoint` of an environment: answers, sleeps or fails as it is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FakeSageMaker:
    """`features`: what its model takes. A row's probability is the sum of its numbers, modulo 1."""

    features: tuple[str, ...] | None = None
    seconds: float = 0.0
    status: int = 200
    endpoint_status: str = "InService"
    version: str = "credit-risk-2024-03-01-00112233"
    requests: list[tuple[list[dict[str, Any]], str]] = field(default_factory=list)
    url: str = ""

    def answer(self, rows: list[dict[str, Any]], attributes: str) -> tuple[int, dict[str, Any]]:
        self.requests.append((rows, attributes))
        time.sleep(self.seconds)
        if self.status != 200:
            return self.status, {"error": "out of order"}
        if self.features is not None:
            for number, row in enumerate(rows, 1):
                missing = [name for name in self.features if name not in row]
                unknown = [name for name in row if name not in self.features]
                if missing:
                    said = f"row {number}: missing {', '.join(missing)} (write null for a value that is not known)"
                    return 400, {"error": said}
                if unknown:
                    said = f"row {number}: unknown {unknown[0]!r}; expected {', '.join(self.features)}"
                    return 400, {"error": said}
        return 200, {"predictions": [self._prediction(row, "explain=true" in attributes) for row in rows]}

    @staticmethod
    def _prediction(row: dict[str, Any], explain: bool) -> dict[str, Any]:
        numbers = {n: v for n, v in row.items() if isinstance(v, (int, float)) and not isinstance(v, bool)}
        probability = sum(numbers.values()) % 1
        found: dict[str, Any] = {"predicted_label": int(probability > 0.5), "probability": probability}
        found |= {"lower": 0.0, "upper": 1.0}
        if None in row.values():
            found["flags"] = ["something is missing"]
        return found | ({"contributions": numbers, "bias": 0.25} if explain else {})


@contextmanager
def fake_sagemaker() -> Iterator[FakeSageMaker]:
    told = FakeSageMaker()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
            if "x-amz-target" in self.headers:
                self._send(
                    200,
                    {
                        "EndpointName": body["EndpointName"],
                        "EndpointConfigName": f"{told.version}-0a1b2c",
                        "EndpointStatus": told.endpoint_status,
                    },
                )
                return
            attributes = self.headers.get("x-amzn-sagemaker-custom-attributes", "")
            status, answer = told.answer(body["instances"], attributes)
            if status == 200:
                self._send(200, answer)
            else:
                said = {"OriginalStatusCode": status, "OriginalMessage": json.dumps(answer), "Message": "no"}
                self._send(424, said, {"x-amzn-errortype": "ModelError"})

        def _send(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
            body = json.dumps(document).encode()
            try:
                self.send_response(status)
                for name, value in {"content-type": "application/json", **(headers or {})}.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                self.close_connection = True

        def log_message(self, format: str, *arguments: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
