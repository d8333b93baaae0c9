"""Real servers that alerts are sent to."""

from __future__ import annotations

import email
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """A server's URL, and what was posted to it."""
    got: list[dict[str, str]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server, _running(server):
        yield f"http://127.0.0.1:{server.server_port}/hooks/1", got


@contextmanager
def mail_server() -> Iterator[tuple[str, list[Message]]]:
    """host:port of an SMTP server, and the messages it took."""
    got: list[Message] = []

    class Session(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 ready")
            for line in self.rfile:
                command = line.split()[0].upper() if line.strip() else b""
                if command == b"DATA":
                    self._say("354 go on")
                    got.append(email.message_from_bytes(b"".join(iter(self.rfile.readline, b".\r\n"))))
                    self._say("250 taken")
                elif command == b"QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 ok" if command in (b"EHLO", b"HELO", b"MAIL", b"RCPT") else "502 what?")

        def _say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Session) as server, _running(server):
        yield f"127.0.0.1:{server.server_address[1]}", got


def text_of(message: Message) -> str:
    body = message.get_payload(decode=True)
    assert isinstance(body, bytes)
    return body.decode()


@contextmanager
def _running(server: Any) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
