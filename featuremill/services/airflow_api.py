"""Airflow's REST API, asked as a user of the UI would: with a name and a password."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from featuremill.errors import ServiceError
from featuremill.services.airflow import USER, password_file

_SECONDS = 60.0


class Refused(ServiceError):
    """The API answered with an error; `code` is HTTP's."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


class AirflowApi:
    """All calls raise ServiceError where the API does not answer, and Refused where it says no."""

    def __init__(self, state: Path, address: tuple[str, int]) -> None:
        self.url = f"http://{address[0]}:{address[1]}"
        self._passwords = password_file(state)
        self._token: str | None = None

    def get(self, path: str, **query: object) -> Any:
        return self._call("GET", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path: str, body: object) -> Any:
        return self._call("POST", path, body)

    def patch(self, path: str, body: object) -> Any:
        return self._call("PATCH", path, body)

    def put(self, path: str) -> Any:
        return self._call("PUT", path)

    def _call(self, method: str, path: str, body: object = None) -> Any:
        if self._token is None:
            self._log_in()
        try:
            return self._send(method, f"/api/v2{path}", body)
        except Refused as refused:
            if refused.code != 401:
                raise
        # Airflow was started again with other keys, or the token is too old.
        self._log_in()
        return self._send(method, f"/api/v2{path}", body)

    def _log_in(self) -> None:
        try:
            password = json.loads(self._passwords.read_bytes())[USER]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ServiceError(f"{self._passwords} does not hold the password of {USER} ({error})") from error
        self._token = None
        answer = self._send("POST", "/auth/token", {"username": USER, "password": password})
        self._token = answer["access_token"]

    def _send(self, method: str, path: str, body: object) -> Any:
        headers = {"Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            said = error.read(2000).decode(errors="replace")
            raise Refused(error.code, f"Airflow at {self.url} refused {method} {path}: {error.code} {said}") from error
        except (OSError, ValueError) as error:
            raise ServiceError(f"Airflow's API at {self.url} does not answer: {error}") from error


def part(text: str) -> str:
    """A name as a part of a path."""
    return quote(text, safe="")
