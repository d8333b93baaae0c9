from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from featuremill.tasks.alerts import Alert, send

ALERT = Alert("shop", "manual__1", "ingest.orders", "shop.orders ds=2024-05-01: 1 of 1 expectations failed")


def test_the_same_failure_is_told_once(tmp_path: Path) -> None:
    said: list[str] = []
    assert send(ALERT, tmp_path, said.append)
    assert not send(Alert("shop", "manual__2", "ingest.orders", ALERT.text), tmp_path, said.append)
    assert send(Alert("shop", "manual__2", "ingest.orders", "another"), tmp_path, said.append)
    assert [text.split()[0] for text in said] == ["ALERT", "alerted", "ALERT"]


def test_a_webhook_gets_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[dict[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Hook)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("FEATUREMILL_ALERT_WEBHOOK", f"http://127.0.0.1:{server.server_port}/")
    try:
        send(ALERT, tmp_path, lambda text: None)
    finally:
        server.shutdown()
        server.server_close()
    assert got == [{"pipeline": "shop", "run": "manual__1", "task": ALERT.task, "text": ALERT.text, "url": ""}]


def test_a_webhook_that_does_not_answer_is_only_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEATUREMILL_ALERT_WEBHOOK", "http://127.0.0.1:9/")
    said: list[str] = []
    assert send(ALERT, tmp_path, said.append)
    assert "no alert by FEATUREMILL_ALERT_WEBHOOK" in said[-1]
