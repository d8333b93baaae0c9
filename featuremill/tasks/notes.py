"""What a run made, in Markdown, for the place where a scheduler keeps notes; and Airflow's place for them."""

from __future__ import annotations

import json
import os
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from featuremill.steps.checks import find_outcome
from featuremill.tasks.day import Day, ModelOptions

_TIMEOUT = 10


def note_of(day: Day, done: dict[str, Any], monitored: dict[str, Any] | None = None) -> str:
    """`done`: what publishing returned; `monitored`: what monitoring did, once it has. Rows of each table, and where
    the Data Docs, the model's report and the drift report are.
    """
    lines = [f"**{day.pipeline.pipeline} {day.ds}**", "", "| table | rows | fingerprint |", "| --- | ---: | --- |"]
    for table, found in done.get("partitions", {}).items():
        lines.append(f"| {table} | {found['rows']:,} | {found['fingerprint'][:8]} |")
    lines.append("")
    models = day.models()
    graph = day.workspace.graph(day.pipeline, day.ds, day.model_use(models, ModelOptions()))
    for step in graph.steps:
        if step.kind == "check" and step.ds == day.ds:
            outcome = find_outcome(day.workspace.state, day.pipeline.pipeline, step)
            if outcome is not None:
                lines.append(f"- expectations of {step.source}: {len(outcome.outcomes)} met; Data Docs: {outcome.docs}")
        elif step.kind == "score" and step.model is not None:
            report = day.workspace.state / "models" / step.model.version / "output" / "report.html"
            lines.append(f"- predicted by {step.model.version}; report: {report}")
    if monitored is not None and monitored.get("report"):
        lines.append(f"- {monitored['text']}; drift report: {monitored['report']}")
    lines += [f"- warning: {text}" for step in done.get("what", ()) for text in step["warnings"]]
    return "\n".join(lines) + "\n"


def leave_note(dag: str, run: str, text: str, say: Callable[[str], None]) -> None:
    """Put a note at a run of the Airflow of this machine. A note is no reason to fail: what goes wrong is said."""
    url, passwords = (
        os.environ.get(name) for name in ("AIRFLOW__API__BASE_URL", "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE")
    )
    if not url or not passwords:
        return
    try:
        user, password = next(iter(json.loads(Path(passwords).read_bytes()).items()))
        token = _call("POST", f"{url}/auth/token", {"username": user, "password": password})["access_token"]
        place = f"{url}/api/v2/dags/{quote(dag)}/dagRuns/{quote(run)}?update_mask=note"
        _call("PATCH", place, {"note": text[:1000]}, token)
    except (OSError, ValueError, KeyError, StopIteration) as error:
        say(f"warning: no note at the run: {error}")


def _call(method: str, url: str, body: dict[str, Any], token: str | None = None) -> Any:
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, data=json.dumps(body).encode(), headers=headers, method=method)
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
        return json.loads(answer.read() or b"null")
