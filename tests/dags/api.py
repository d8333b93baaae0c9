"""Airflow's REST API, as a user of the UI would meet it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

from featuremill.services.airflow import USER, password_file
from featuremill.services.supervisor import endpoints


class Api:
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

    def patch(self, path: str, body: Any) -> Any:
        return self._call("PATCH", f"/api/v2{path}", body)

    def unpause(self, dag: str, patience: float = 180.0) -> None:
        """Waits until the DAG is known."""
        until = time.monotonic() + patience
        while True:
            try:
                self.patch(f"/dags/{dag}", {"is_paused": False})
                return
            except urllib.error.HTTPError as error:
                if error.code != 404 or time.monotonic() > until:
                    raise
            time.sleep(2)

    def trigger(self, dag: str, **conf: Any) -> str:
        return str(self.post(f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})["dag_run_id"])

    def ended(self, dag: str, run: str, patience: float = 600.0) -> str:
        """The state in which a run ended."""
        until = time.monotonic() + patience
        while True:
            state = str(self.get(f"/dags/{dag}/dagRuns/{quote(run)}")["state"])
            if state in ("success", "failed"):
                return state
            assert time.monotonic() < until, f"{dag} {run} is {state}: {self.tasks(dag, run)}"
            time.sleep(2)

    def tasks(self, dag: str, run: str) -> dict[str, str]:
        found = self.get(f"/dags/{dag}/dagRuns/{quote(run)}/taskInstances")["task_instances"]
        return {task["task_id"]: task["state"] for task in found}

    def clear(self, dag: str, run: str, *tasks: str, failed: bool = False) -> None:
        """Have tasks of a run done again; without `tasks`, all (that failed)."""
        body: dict[str, Any] = {"dry_run": False, "dag_run_id": run, "only_failed": failed}
        if tasks:
            body["task_ids"] = list(tasks)
        self.post(f"/dags/{dag}/clearTaskInstances", body | {"reset_dag_runs": True})

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self._url + path, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")
