"""The `serve` program as a process: its routes, its workers, how it starts and how it ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pytest

from tests.training_image.serve.artefacts import rows
from tests.training_image.serve.bodies import all_bodies, csv_bytes, json_rows
from tests.training_image.serve.conftest import Server, Start, wait_until_ready
from training_image.prediction import Model

JSON = "application/json"


def invoke(server: Server, table: pa.Table, path: str = "/invocations", **headers: Any) -> list[dict[str, float]]:
    body = json.dumps(json_rows(table)).encode()
    reply = server.request(path, body, content_type=JSON, **headers)
    assert reply.status == 200, reply.body
    found: list[dict[str, float]] = [
        {k: v for k, v in row.items() if k != "flags"} for row in reply.json["predictions"]
    ]
    return found


def test_the_endpoint_gives_the_in_process_numbers(server: Server, bases: Path) -> None:
    table = rows(700, seed=21)
    expected = Model.load(bases / "binary" / "model").predict(table).to_pylist()
    for kind, body in all_bodies(table).items():
        reply = server.request("/invocations", body, content_type=kind, accept=JSON)
        assert [{k: v for k, v in row.items() if k != "flags"} for row in reply.json["predictions"]] == expected


def test_routes(server: Server) -> None:
    assert server.request("/ping").status == 200
    assert server.request("/ping", method="DELETE").headers["allow"] == "GET"
    assert server.request("/invocations").status == 405
    assert server.request("/nothing").status == 404
    assert server.request("/invocations", b"", content_type="text/csv").status == 204
    assert server.request("/invocations", b"x", content_type="text/html").status == 415
    assert server.request("/models").status == 404
    assert server.request("/execution-parameters").json == {
        "MaxConcurrentTransforms": 1,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": 6,
    }
    assert server.request("/openapi.json").json["openapi"].startswith("3.1")


def test_headers_of_sagemaker(server: Server) -> None:
    reply = server.request(
        "/invocations",
        csv_bytes(rows(1)),
        content_type="text/csv",
        X_Amzn_SageMaker_Custom_Attributes="output=probability;explain=true",
    )
    assert reply.status == 200 and reply.body.count(b"[") == 1


def test_running_requests_are_answered_before_the_end(bases: Path, start: Start) -> None:
    server = start(bases / "binary")
    body = csv_bytes(rows(1))
    idle = server.connect()
    with server.connect() as running:
        head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\nContent-Length: {len(body)}\r\n\r\n"
        running.sendall(head.encode() + body[:10])
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert server.process.poll() is None
        running.sendall(body[10:])
        assert running.recv(1000).startswith(b"HTTP/1.1 200")
    assert server.stop() == 0
    idle.close()
    assert all(json.loads(line)["level"] == "INFO" for line in server.log.read_text().splitlines())


@pytest.mark.parametrize("output", ["", "probability,shoe"])
def test_what_cannot_serve_ends_with_the_reason(bases: Path, tmp_path: Path, start: Start, output: str) -> None:
    base = tmp_path / "base"
    shutil.copytree(bases / "binary", base)
    if not output:
        (base / "model" / "model.ubj").write_bytes(b"{broken")
    server = start(base, wait=False, SAGEMAKER_INFERENCE_OUTPUT=output)
    assert server.process.wait(60) == 1
    last = json.loads(server.log.read_text().splitlines()[-1])
    assert last["level"] == "ERROR"
    assert ("'shoe' is no output of task binary" if output else "model.ubj: XGBoost") in last["message"]


def test_a_setting_that_makes_no_sense(bases: Path, start: Start) -> None:
    server = start(bases / "binary", wait=False, MAX_CONTENT_LENGTH="much")
    assert server.process.wait(30) == 1
    assert "MAX_CONTENT_LENGTH is 'much'" in server.log.read_text()


def workers(server: Server) -> list[psutil.Process]:
    return [child for child in psutil.Process(server.process.pid).children() if child.is_running()]


def test_a_worker_that_dies_is_replaced_and_none_outlives_the_server(bases: Path, start: Start) -> None:
    server = start(bases / "binary")
    (worker,) = workers(server)
    expected = invoke(server, rows(1))
    worker.kill()
    worker.wait(10)
    wait_until_ready(server)
    assert invoke(server, rows(1)) == expected
    (other,) = workers(server)
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(10)
    other.wait(10)


def test_models_come_and_go_in_all_workers(bases: Path, tmp_path: Path, start: Start) -> None:
    server = start(
        tmp_path, SAGEMAKER_MULTI_MODEL="true", SAGEMAKER_MODEL_SERVER_WORKERS="2", FEATUREMILL_MODEL_MEMORY_MB="1"
    )

    def add(name: str, url: Path) -> int:
        body = json.dumps({"model_name": name, "url": str(url)}).encode()
        return server.request("/models", body, content_type=JSON).status

    first = bases / "binary" / "model"
    assert add("a/b", first) == 200
    assert add("a/b", first) == 409
    assert add("broken", tmp_path) == 400
    assert add("nowhere", tmp_path / "nothing") == 400
    assert add("c", bases / "regression" / "model") == 200
    large = tmp_path / "large"
    shutil.copytree(first, large)
    (large / "ballast").write_bytes(bytes(1 << 20))
    assert add("large", large) == 507
    listed = server.request("/models").json["models"]
    assert listed == [
        {"modelName": "a/b", "modelUrl": str(first)},
        {"modelName": "c", "modelUrl": str(bases / "regression" / "model")},
    ]
    page = server.request("/models?limit=1").json
    assert [model["modelName"] for model in page["models"]] == ["a/b"]
    assert server.request(f"/models?limit=1&next_page_token={page['nextPageToken']}").json["models"] == listed[1:]
    assert server.request("/models?limit=x").status == 400
    assert server.request("/models/a%2Fb").json == listed[0]

    table = rows(3)
    expected = Model.load(first).predict(table).to_pylist()
    with ThreadPoolExecutor(8) as threads:
        # New connections, so that both workers are asked.
        found = list(threads.map(lambda _: invoke(server, table, "/models/a%2Fb/invoke"), range(24)))
    assert all(answer == expected for answer in found)
    by_header = invoke(server, table, X_Amzn_SageMaker_Target_Model="a/b")
    assert by_header == expected
    assert server.request("/invocations", b"1", content_type="text/csv").status == 400

    assert server.request("/models/a%2Fb", method="DELETE").status == 200
    assert server.request("/models/a%2Fb", method="DELETE").status == 404
    # The same name with another model: no worker may answer with the old one.
    assert add("a/b", bases / "regression" / "model") == 200
    expected = Model.load(bases / "regression" / "model").predict(table).to_pylist()
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: invoke(server, table, "/models/a%2Fb/invoke"), range(24)))
    assert all(answer == expected for answer in found)
    server.request("/models/a%2Fb", method="DELETE")
    statuses = {server.request("/models/a%2Fb/invoke", b"1", content_type="text/csv").status for _ in range(10)}
    assert statuses == {404}
    assert server.stop() == 0
