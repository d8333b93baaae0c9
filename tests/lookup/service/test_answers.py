"""What the running service answers."""

from __future__ import annotations

import json
import socket
import time
from typing import Any
from urllib.parse import quote

import jsonschema  # type: ignore[import-untyped]
import pytest

from tests.lookup.building import DAY, MODEL
from tests.lookup.serving import Running

PROBLEM = "application/problem+json"


def problem(service: Running, path: str, status: int, **asked: Any) -> Any:
    answer = service.ask(path, **asked)
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == PROBLEM
    document = answer.json()
    assert document["status"] == status and document["detail"] and document["type"].startswith("urn:featuremill:")
    return document


def test_one_id(service: Running) -> None:
    answer = service.ask("/v1/credit_risk/5")
    assert answer.status == 200 and answer.headers["content-type"] == "application/json"
    document = answer.json()
    fresh = document.pop("freshness_seconds")
    assert 0 <= time.time() - fresh - 1_706_745_600 < 60
    assert document == {
        "pipeline": "credit_risk",
        "id": 5,
        "ds": DAY,
        "as_of": "2024-02-01T00:00:00Z",
        "model_version": MODEL,
        "fingerprints": {"snapshot": f"{7:016d}", "predictions": f"{7:016d}"},
        "features": {"loans": 7, "amount": 5.5},
        "prediction": {
            "predicted_label": 0,
            "probability": 0.007,
            "lower": 0.0035,
            "upper": 0.5035,
            "model_version": MODEL,
        },
    }


def test_many_ids_come_in_their_order(service: Running) -> None:
    document = service.post("/v1/credit_risk/lookup", {"ids": [3, 1, 777, "3"]}).json()
    assert document["found"] == 3 and document["ds"] == DAY
    entities = document["entities"]
    assert [entity["found"] for entity in entities] == [True, True, False, True]
    assert entities[0] == entities[3] and entities[0]["features"]["amount"] == 3.5
    assert entities[2] == {"found": False, "id": 777}
    one = service.get("/v1/credit_risk/1")
    assert {"found": True, "id": 1, "features": one["features"], "prediction": one["prediction"]} == entities[1]
    assert service.post("/v1/credit_risk/lookup", {"ids": []}).json()["entities"] == []


def test_a_thousand_ids_and_not_one_more(service: Running) -> None:
    assert len(service.post("/v1/credit_risk/lookup", {"ids": list(range(1000))}).json()["entities"]) == 1000
    answer = service.post("/v1/credit_risk/lookup", {"ids": list(range(1001))})
    assert answer.status == 422 and answer.json()["max_ids"] == 1000


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"ids": 1},
        {"ids": None},
        {"ids": [1], "other": 2},
        {"ids": [1.5]},
        {"ids": [True]},
        {"ids": [None]},
    ]
    + [{"ids": ["x"]}, {"ids": [2**63]}, {"ids": [10**40]}, {"ids": [{}]}, {"ids": [[1]]}, "ids", 1],
)
def test_bodies_of_another_form_are_422(service: Running, body: Any) -> None:
    answer = service.post("/v1/credit_risk/lookup", body)
    assert answer.status == 422 and answer.headers["content-type"] == PROBLEM


def test_the_place_of_a_malformed_id_is_told(service: Running) -> None:
    document = service.post("/v1/credit_risk/lookup", {"ids": [1, 2, "two"]}).json()
    assert (document["position"], document["id"]) == (2, "two") and "whole number" in document["detail"]


def test_bodies_that_are_not_json(service: Running) -> None:
    path = "/v1/credit_risk/lookup"
    problem(service, path, 400, method="POST", body=b"{", headers={"content-type": "application/json"})
    problem(service, path, 400, method="POST", body=b"\xff\xfe", headers={"content-type": "application/json"})
    problem(service, path, 400, method="POST", body=b"", headers={"content-type": "application/json"})
    problem(
        service, path, 415, method="POST", body=b"ids=1", headers={"content-type": "application/x-www-form-urlencoded"}
    )
    deep = b"[" * 100_000
    problem(service, path, 400, method="POST", body=deep, headers={"content-type": "application/json"})
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 9000000\r\n\r\n".encode())
        assert connection.makefile("rb").readline().split()[1] == b"413"


def test_unknown_and_malformed_ids(service: Running) -> None:
    unknown = problem(service, "/v1/credit_risk/777", 404)
    assert unknown["pipeline"] == "credit_risk" and unknown["id"] == "777" and "credit_risk" in unknown["detail"]
    malformed = problem(service, "/v1/credit_risk/seven", 422)
    assert "'seven'" in malformed["detail"] and "whole number" in malformed["detail"]


def test_an_unknown_pipeline_names_the_known_ones(service: Running) -> None:
    for path in ("/v1/loans/1", "/v1/loans", "/v1/%2e%2e/1"):
        assert problem(service, path, 404)["pipelines"] == ["credit_risk"]
    answer = service.post("/v1/loans/lookup", {"ids": [1]})
    assert answer.status == 404 and answer.json()["pipelines"] == ["credit_risk"]


@pytest.mark.parametrize(
    "identity",
    ["9" * 30, "9" * 8_000, "-1", "-9223372036854775808", "-9223372036854775809", "1'--", '1"', "%00", "%0a", "%FF%FE"]
    + [
        "a/b",
        "a%2Fb",
        "..",
        "%2e%2e",
        "../../etc/passwd",
        "é",
        "💸",
        "%F0%9F%92%B8",
        "1 OR 1=1",
        "%",
        "%zz",
        "{}",
        "1.0",
    ]
    + ["+1", "0x1", "１２", "null", "%25s", " 1", "1%20"],
)
def test_hostile_ids_are_404_or_422(service: Running, identity: str) -> None:
    status = _raw_status(service.port, f"GET /v1/credit_risk/{identity.replace(' ', '%20')} HTTP/1.1".encode())
    assert status in (400, 404, 422)
    if identity.isprintable() and "%" not in identity:
        assert service.ask(f"/v1/credit_risk/{quote(identity, safe='')}").status in (404, 422)
    assert service.get("/v1/credit_risk/1")["id"] == 1


def _raw_status(port: int, line: bytes) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(line + b"\r\nhost: x\r\nconnection: close\r\n\r\n")
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.parametrize("line", [b"GET", b"\x00\x01\x02", b"GET / HTTP/9", b"GET  HTTP/1.1", b"A" * 100_000])
def test_what_is_not_http_does_no_harm(service: Running, line: bytes) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=10) as connection:
        connection.sendall(line + b"\r\n\r\n")
        connection.settimeout(2)
        try:
            answer = connection.recv(100)
        except (TimeoutError, ConnectionError):
            answer = b""
        assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert service.get("/health")["status"] == "ok"


def test_conditional_requests(service: Running) -> None:
    tag = service.ask("/v1/credit_risk/1").headers["etag"]
    for given in (tag, tag.removeprefix("W/"), "*", f'"other", {tag}'):
        answer = service.ask("/v1/credit_risk/1", headers={"if-none-match": given})
        assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", tag)
    assert service.ask("/v1/credit_risk/1", headers={"if-none-match": '"other"'}).status == 200
    assert service.ask("/v1/credit_risk/777", headers={"if-none-match": "*"}).status == 404


def test_head_is_get_without_the_body(service: Running) -> None:
    for path, status in (("/v1/credit_risk/1", 200), ("/v1/credit_risk/777", 404), ("/health", 200)):
        answer = service.ask(path, method="HEAD")
        assert (answer.status, answer.body) == (status, b"")


def test_other_methods_are_405_and_told_which_to_use(service: Running) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = service.ask("/v1/credit_risk/1", method=method)
        assert answer.status == 405 and "GET" in answer.headers["allow"]
    assert "POST" in service.ask("/v1/credit_risk/lookup", method="DELETE").headers["allow"]


def test_unknown_options_are_refused(service: Running) -> None:
    assert "as_off" in problem(service, "/v1/credit_risk/1?as_off=2024-01-31", 422)["detail"]
    problem(service, "/v1/credit_risk/1?a=1&a=2", 422)
    problem(service, "/v1/credit_risk/1?" + "&".join(f"a{i}=1" for i in range(60)), 422)
    problem(service, "/v1/credit_risk/1?%ff=1", 422)


def test_a_body_that_does_not_come_is_given_up(service: Running) -> None:
    head = b"POST /v1/credit_risk/lookup HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        connection.sendall(head + b'{"ids"')
        assert service.get("/v1/credit_risk/1")["id"] == 1
        assert connection.makefile("rb").readline().split()[1] == b"408"


def test_pipelines_and_their_columns(service: Running) -> None:
    (listed,) = service.get("/v1")["pipelines"]
    assert (listed["pipeline"], listed["rows"], listed["predicted_rows"]) == ("credit_risk", 100, 100)
    manifest = service.get("/v1/credit_risk")
    assert [(c["name"], c["type"]) for c in manifest["features"]] == [("loans", "bigint"), ("amount", "double")]
    assert manifest["features"][0]["description"] == "number of the loans of the same id before as_of"


def test_health_and_readiness(service: Running) -> None:
    assert service.get("/health")["failing"] == []
    assert service.get("/ready") == {"status": "ready", "pipelines": 1}


def test_the_description_fits_the_answers(service: Running) -> None:
    document = service.get("/openapi.json")
    assert document["openapi"] == "3.1.0"
    examples = [
        ("get", "/v1/credit_risk/{id}", service.get("/v1/credit_risk/1")),
        ("post", "/v1/credit_risk/lookup", service.post("/v1/credit_risk/lookup", {"ids": [1, 777]}).json()),
        ("get", "/v1", service.get("/v1")),
        ("get", "/health", service.get("/health")),
        ("get", "/ready", service.get("/ready")),
    ]
    for method, path, answer in examples:
        schema = document["paths"][path][method]["responses"]["200"]["content"]["application/json"]["schema"]
        jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(answer)
    broken = json.loads(json.dumps(examples[0][2]))
    broken["features"]["loans"] = "seven"
    schema = document["paths"]["/v1/credit_risk/{id}"]["get"]["responses"]["200"]["content"]["application/json"][
        "schema"
    ]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(broken)
