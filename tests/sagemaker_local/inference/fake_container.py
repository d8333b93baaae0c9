"""A container for tests: `python fake_container.py BEHAVIOUR`, quick to start, standard library only.

It answers each record with "<name>:<record>" (JSON: {"model": name, "got": value}), where the name stands in
model/name.txt. Behaviours: ok, slow (0.3 s an answer), dying (never comes up), mute (never answers /ping), multi
(multi-model, memory for two), crashing (ends at a request `crash`), nonsense (two lines whatever was asked).
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BASE = Path(os.environ["SAGEMAKER_BASE_DIR"])
BEHAVIOUR = sys.argv[1]
MODELS: dict[str, str] = {}
LOCK = threading.Lock()


def name_in(folder: Path) -> str:
    file = folder / "name.txt"
    return file.read_text().strip() if file.exists() else "none"


def answer(name: str, body: bytes, kind: str) -> bytes:
    records = [line for line in body.decode().split("\n") if line]
    if "json" in kind:
        return "".join(json.dumps({"model": name, "got": json.loads(line)}) + "\n" for line in records).encode()
    return "".join(f"{name}:{line.replace(',', ';')}\n" for line in records).encode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        pass

    def reply(self, status: int, body: bytes = b"", kind: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        attributes = self.headers.get("X-Amzn-SageMaker-Custom-Attributes")
        if attributes:
            self.send_header("X-Amzn-SageMaker-Custom-Attributes", f"seen:{attributes}")
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        if self.path == "/ping":
            if BEHAVIOUR == "mute":
                time.sleep(30)
            self.reply(200)
        elif self.path == "/execution-parameters":
            told = {"MaxConcurrentTransforms": 3, "BatchStrategy": "MULTI_RECORD", "MaxPayloadInMB": 1}
            self.reply(200, json.dumps(told).encode())
        else:
            self.reply(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.headers.get("Content-Type", "")
        if BEHAVIOUR == "multi":
            self.multi(body, kind)
            return
        if BEHAVIOUR == "slow":
            time.sleep(0.3)
        if BEHAVIOUR == "crashing" and body == b"crash":
            os._exit(3)
        if b"bad" in body:
            self.reply(400, b'{"error": "row 1: bad is no number"}')
        elif b"boom" in body:
            self.reply(500, b"the model broke")
        elif BEHAVIOUR == "nonsense":
            self.reply(200, b"a\nb\n")
        elif body == b"environment":
            self.reply(200, json.dumps(dict(os.environ)).encode(), "application/json")
        else:
            print(f"answering {len(body)} bytes", flush=True)
            self.reply(200, answer(name_in(BASE / "model"), body, kind), self.headers.get("Accept") or kind)

    def multi(self, body: bytes, kind: str) -> None:
        with LOCK:
            if self.path == "/models":
                asked = json.loads(body)
                if asked["model_name"] in MODELS:
                    self.reply(409)
                elif len(MODELS) >= 2:
                    self.reply(507)
                else:
                    MODELS[asked["model_name"]] = name_in(Path(asked["url"]))
                    self.reply(200)
                return
            name = MODELS.get(self.path.split("/")[2])
        if name is None:
            self.reply(404)
        else:
            self.reply(200, answer(name, body, kind), kind)

    def do_DELETE(self) -> None:
        with LOCK:
            self.reply(200 if MODELS.pop(self.path.split("/")[2], None) else 404)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    if BEHAVIOUR == "dying":
        print("no model here: giving up", flush=True)
        sys.exit(4)
    Server(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
