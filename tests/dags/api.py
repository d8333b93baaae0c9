"""Airflow's REST API, as a user of the UI would meet it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from featuremill.services.airflow import USER, password_file
from featuremill.services.supervisor import endpoints

T = TypeVar("T")

ENDED = ("success", "failed")


def wait_for(what: str, look: Callable[[], T | None], patience: float = 300.0, pause: float = 0.5) -> T:
    """The first true answer of `look`; fails after `patience` seconds, with the last one."""
    until = time.monotonic() + patience
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < until, f"waited {patience:.0f} s for {what}; at last: {found!r}"
        time.sleep(pause)


class Api:
    """A session of `admin`, who logs in with the generated password."""

    def __init__(self, state: Path) -> None:
        host, port = endpoints(state)["airflow_api"]
        self._url = f"http://{host}:{port}"
        self._token: str | None = None
        password = json.loads(password_file(state).read_bytes())[USER]
        self._token = self._call("POST", "/auth/token", {"username": USER, "password": password})["access_token"]

    def get(self, path: str) -> Any:
        return self._call("GET", f"/api/v2{path}")

    def post(self, path: str, body: Any) -> Any:
        return self._call("POST", f"/api/v2{path}", body)

    def put(self, path: str) -> Any:
        return self._call("PUT", f"/api/v2{path}")

    def patch(self, path: str, body: Any) -> Any:
        return self._call("PATCH", f"/api/v2{path}", body)

    def unpause(self, dag: str) -> None:
        """Waits until the DAG is known."""

        def known() -> bool:
            try:
                self.patch(f"/dags/{dag}", {"is_paused": False})
                return True
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise
                return False

        wait_for(f"the DAG {dag}", known)

    def trigger(self, dag: str, **conf: Any) -> str:
        return str(self.post(f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"])

    def run(self, dag: str, run: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/dags/{dag}/dagRuns/{quote(run)}")
        return found

    def runs(self, dag: str, **wanted: str) -> list[dict[str, Any]]:
        """Up to 100 runs, by their logical dates."""
        asked = "".join(f"&{name}={quote(value)}" for name, value in wanted.items())
        found: list[dict[str, Any]] = self.get(f"/dags/{dag}/dagRuns?limit=100&order_by=logical_date{asked}")[
            "dag_runs"
        ]
        return found

    def ended(self, dag: str, *runs: str, patience: float = 600.0) -> list[str]:
        """The states in which runs ended."""

        def states() -> list[str] | None:
            found = [str(self.run(dag, run)["state"]) for run in runs]
            return found if set(found) <= set(ENDED) else None

        return wait_for(f"{dag} {runs}", states, patience)

    def tasks(self, dag: str, run: str) -> dict[str, str]:
        return {task: found["state"] for task, found in self.task_instances(dag, run).items()}

    def task_instances(self, dag: str, run: str) -> dict[str, dict[str, Any]]:
        found = self.get(f"/dags/{dag}/dagRuns/{quote(run)}/taskInstances?limit=100")["task_instances"]
        return {task["task_id"]: task for task in found}

    def returned(self, dag: str, run: str, task: str) -> Any:
        """What a task returned."""
        return self.get(f"/dags/{dag}/dagRuns/{quote(run)}/taskInstances/{task}/xcomEntries/return_value")["value"]

    def clear(self, dag: str, run: str, *tasks: str, failed: bool = False) -> None:
        """Have tasks of a run done again; without `tasks`, all (that failed)."""
        body: dict[str, Any] = {"dry_run": False, "dag_run_id": run, "only_failed": failed, "reset_dag_runs": True}
        if tasks:
            body["task_ids"] = list(tasks)
        self.post(f"/dags/{dag}/clearTaskInstances", body)

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._url + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            error.add_note(f"{method} {path}: {error.read().decode(errors='replace')[:1000]}")
            raise
