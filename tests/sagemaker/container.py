"""A small training image: one number learned, one formula served. Also misbehaves, as its hyperparameters say.

`python -m tests.sagemaker.container train|serve`. train writes model.json {"mean": .., "behaviour": ..}; serve answers
probability = 1 / (1 + exp(-(x - mean))) for each row. Behaviours: `fail` (training fails), `hang` (training waits to be
stopped), `die` (serve ends at once), `mute` (serve never answers /ping), `wrong` (serve adds 0.01), `error` (500).
"""

from __future__ import annotations

import json
import math
import os
import sys
import tarfile
import time
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


def probability(x: float, mean: float) -> float:
    return 1 / (1 + math.exp(-(x - mean)))


def predictions(rows: Sequence[dict[str, Any]], mean: float, extra: float = 0.0) -> list[dict[str, Any]]:
    found = [probability(row["x"], mean) + extra for row in rows]
    return [{"predicted_label": int(p >= 0.5), "probability": p, "lower": 0.0, "upper": 1.0} for p in found]


def train() -> int:
    told = json.loads((BASE / "input/config/hyperparameters.json").read_text())
    behaviour = told.get("behaviour", "")
    if behaviour == "fail":
        failure = BASE / "output/failure"
        failure.parent.mkdir(parents=True, exist_ok=True)
        failure.write_text("the label has one value only: 0")
        return 1
    while behaviour == "hang":
        time.sleep(0.1)
    files = sorted((BASE / "input/data/train").rglob("*.parquet"))
    tables = [pq.read_table(file) for file in files]
    values = [value for table in tables for value in table.column("x").to_pylist()]
    mean = sum(values) / len(values)
    print("validation-auc:0.75", flush=True)
    (BASE / "model").mkdir(parents=True, exist_ok=True)
    (BASE / "model/model.json").write_text(json.dumps({"mean": mean, "behaviour": behaviour}))
    host = json.loads((BASE / "input/config/resourceconfig.json").read_text())["current_host"]
    (BASE / f"model/rows-{host}").write_text(str(len(values)))
    output = BASE / "output/data"
    output.mkdir(parents=True, exist_ok=True)
    (output / "metrics.json").write_text(json.dumps({"validation": {"auc": 0.75}, "rows": {"train": len(values)}}))
    return 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: dict[str, Any] = {}

    def do_GET(self) -> None:
        if self.path == "/ping" and self.model["behaviour"] == "mute":
            time.sleep(3600)
        self._answer(200 if self.path == "/ping" else 404, b"", "text/plain")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.model["behaviour"] == "error":
            self._answer(500, b"out of order", "text/plain")
            return
        lines = "jsonlines" in self.headers.get("Content-Type", "")
        rows = [json.loads(t) for t in body.splitlines() if t] if lines else json.loads(body)["instances"]
        extra = 0.01 if self.model["behaviour"] == "wrong" else 0.0
        found = predictions(rows, self.model["mean"], extra)
        if "jsonlines" in self.headers.get("Accept", ""):
            self._answer(200, b"".join(json.dumps(one).encode() + b"\n" for one in found), "application/jsonlines")
        else:
            self._answer(200, json.dumps({"predictions": found}).encode(), "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Quiet."""


def serve() -> int:
    Handler.model = json.loads((BASE / "model/model.json").read_text())
    if Handler.model["behaviour"] == "die":
        return 3
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080"))), Handler)
    server.serve_forever()
    return 0


def artefact(path: Path, mean: float, behaviour: str = "") -> Path:
    """A model.tar.gz of such a model."""
    model = path.with_suffix(".json")
    model.write_text(json.dumps({"mean": mean, "behaviour": behaviour}))
    with tarfile.open(path, "w:gz") as tar:
        tar.add(model, "model.json")
    return path


if __name__ == "__main__":
    sys.exit({"train": train, "serve": serve}[sys.argv[1]]())
