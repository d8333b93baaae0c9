"""Publishing, killing, breaking: the last good answers keep coming."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import psutil
import pytest

from featuremill.lookup.publication import rollback
from tests.lookup.building import publish_simple
from tests.lookup.serving import Running, running

DAYS = {1: "2024-01-01", 2: "2024-01-02", 3: "2024-01-03", 4: "2024-01-04", 5: "2024-01-05"}


class Asker(threading.Thread):
    """Asks for one id and for many, over one connection, until stopped; notes what is wrong."""

    def __init__(self, service: Running) -> None:
        super().__init__(daemon=True)
        self.service, self.stopping = service, threading.Event()
        self.wrong: list[str] = []
        self.cut_off: list[str] = []
        self.seen: list[str] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=30)
        body = json.dumps({"ids": list(range(1, 101))}).encode()
        while not self.stopping.is_set():
            try:
                connection.request("GET", "/v1/credit_risk/5")
                answer = connection.getresponse()
                self._check(answer.status, answer.read())
                connection.request("POST", "/v1/credit_risk/lookup", body, {"content-type": "application/json"})
                answer = connection.getresponse()
                self._check(answer.status, answer.read())
            except ConnectionError as error:
                self.cut_off.append(repr(error))
                connection.close()
            except Exception as error:
                self.wrong.append(repr(error))
                connection.close()

    def _check(self, status: int, body: bytes) -> None:
        if status != 200:
            self.wrong.append(f"{status} {body[:200]!r}")
            return
        answer = json.loads(body)
        marker = int(answer["fingerprints"]["snapshot"])
        entities = answer.get("entities", [answer])
        values = {(e["features"]["loans"], round(e["prediction"]["probability"] * 1000)) for e in entities}
        if values != {(marker, marker)} or answer["ds"] != DAYS[marker]:
            self.wrong.append(f"mixed: {answer['ds']} {marker} {values}")
        self.seen.append(answer["ds"])


def wait_for(condition: object, seconds: float = 10.0) -> float:
    """Wait until a callable is true; how long it took. Fails after `seconds`."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if condition():  # type: ignore[operator]
            return time.monotonic() - began
        time.sleep(0.02)
    raise AssertionError(f"it did not come about within {seconds} s")


def _all_see(askers: list[Asker], day: str) -> bool:
    return all(asker.seen and asker.seen[-1] == day for asker in askers)


def started(service: Running) -> int:
    """How many workers have come up since the service began."""
    return service.log.read_text().count("runtime-1")


def test_publishing_under_load_drops_nothing_and_mixes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "store"
    publish_simple(tmp_path, root, marker=1, ds=DAYS[1])
    with running(root, tmp_path / "log", "--workers", "2") as service:
        askers = [Asker(service) for _ in range(4)]
        for asker in askers:
            asker.start()
        slowest = 0.0
        for marker in (2, 3, 4, 5):
            publish_simple(tmp_path, root, marker=marker, ds=DAYS[marker])
            slowest = max(slowest, wait_for(partial(_all_see, askers, DAYS[marker])))
        rollback("credit_risk", root)
        slowest = max(slowest, wait_for(partial(_all_see, askers, DAYS[4])))
        for asker in askers:
            asker.stopping.set()
        for asker in askers:
            asker.join()
    assert [wrong for asker in askers for wrong in asker.wrong + asker.cut_off] == []
    assert slowest < 2.0
    # A connection stays with its worker, which never goes back to an older day, but for the rollback.
    for asker in askers:
        changes = [day for day, before in zip(asker.seen, ["", *asker.seen], strict=False) if day != before]
        assert changes == [*DAYS.values(), DAYS[4]]


def test_a_pipeline_published_later_is_served(tmp_path: Path) -> None:
    root = tmp_path / "store"
    with running(root, tmp_path / "log") as service:
        assert service.ask("/ready").status == 503
        assert service.ask("/v1/credit_risk/1").status == 404
        assert service.get("/v1")["pipelines"] == []
        assert "nothing is published yet" in service.get("/v1/credit_risk/1", 404)["detail"]
        publish_simple(tmp_path, root, marker=1)
        assert wait_for(lambda: service.ask("/v1/credit_risk/1").status == 200) < 2.0
        assert service.ask("/ready").status == 200


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    root = tmp_path / "store"
    publish_simple(tmp_path, root, marker=1, ds=DAYS[1])
    with running(root, tmp_path / "log", "--workers", "2") as service:
        wait_for(lambda: started(service) == 2, 30)
        workers = service.workers()
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        wait_for(lambda: not psutil.pid_exists(workers[0]), 30)
        # Its connections broke; those made from now on are answered, by the other worker or by the new one.
        for _ in range(100):
            assert service.get("/v1/credit_risk/1")["id"] == 1
        wait_for(lambda: len(set(service.workers()) - {workers[0]}) == 2 and started(service) == 3, 60)
        assert service.get("/v1/credit_risk/1")["id"] == 1


def test_deleted_and_broken_stores_leave_the_last_good_answers(tmp_path: Path) -> None:
    root = tmp_path / "store"
    publish_simple(tmp_path, root, marker=1, ds=DAYS[1])
    with running(root, tmp_path / "log") as service:
        (data,) = root.rglob("data.mdb")
        data.unlink()
        assert service.get("/v1/credit_risk/1")["ds"] == DAYS[1]
        publish_simple(tmp_path, root, marker=2, ds=DAYS[2])
        wait_for(lambda: service.get("/v1/credit_risk/1")["ds"] == DAYS[2])
        pointer = root / "credit_risk" / "current.json"
        good = pointer.read_text()
        pointer.write_text("{")
        wait_for(lambda: service.get("/health")["failing"] == ["credit_risk"])
        assert service.get("/v1/credit_risk/1")["ds"] == DAYS[2] and service.ask("/ready").status == 200
        assert "featuremill_lookup_failing_pipelines 1" in service.ask("/metrics").body.decode()
        pointer.write_text(good)
        wait_for(lambda: service.get("/health")["failing"] == [])
        pointer.unlink()
        time.sleep(0.6)
        assert service.get("/v1/credit_risk/1")["ds"] == DAYS[2]


def test_a_store_that_is_broken_at_the_start_is_503_until_it_is_published_again(tmp_path: Path) -> None:
    root = tmp_path / "store"
    publish_simple(tmp_path, root, marker=1, ds=DAYS[1])
    (data,) = root.rglob("data.mdb")
    os.truncate(data, 4096)
    with running(root, tmp_path / "log") as service:
        answer = service.ask("/v1/credit_risk/1")
        assert answer.status == 503 and "publish again" in answer.json()["detail"]
        assert service.ask("/ready").status == 503
        publish_simple(tmp_path, root, marker=1, ds=DAYS[1])
        wait_for(lambda: service.ask("/v1/credit_risk/1").status == 200)


def test_running_requests_end_before_the_service_does(tmp_path: Path) -> None:
    root = tmp_path / "store"
    publish_simple(tmp_path, root, marker=1, ds=DAYS[1])
    with running(root, tmp_path / "log") as service:
        asker = Asker(service)
        asker.start()
        wait_for(lambda: len(asker.seen) > 100)
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(20) == 0
        asker.stopping.set()
        asker.join()
    # Those that came after the socket was closed are cut off; none is answered wrongly.
    assert asker.wrong == []


def test_figures_of_all_workers_are_added_up(tmp_path: Path) -> None:
    root = tmp_path / "store"
    publish_simple(tmp_path, root, marker=1)
    with running(root, tmp_path / "log", "--workers", "2") as service:
        wait_for(lambda: started(service) == 2, 30)
        for _ in range(60):
            service.get("/v1/credit_risk/1")
        service.get("/v1/credit_risk/777", 404)
        wanted = 'featuremill_lookup_requests_total{route="/v1/{pipeline}/{id}",pipeline="credit_risk",status='
        wait_for(lambda: f'{wanted}"200"}} 60\n' in service.ask("/metrics").body.decode())
        text = service.ask("/metrics").body.decode()
        assert f'{wanted}"404"}} 1\n' in text
        assert 'featuremill_lookup_entities{pipeline="credit_risk"} 100\n' in text
        killed = service.workers()[0]
        os.kill(killed, signal.SIGKILL)
        # Until the last of its threads is gone its socket takes connections that nobody answers.
        wait_for(lambda: not psutil.pid_exists(killed), 30)
        wait_for(lambda: f'{wanted}"200"}} 60\n' in service.ask("/metrics").body.decode())
        wait_for(lambda: started(service) == 3, 60)


@pytest.mark.parametrize("mode", ["on", "hash"])
def test_the_request_log(tmp_path: Path, mode: str) -> None:
    root = tmp_path / "store"
    publish_simple(tmp_path, root, marker=1)
    log = tmp_path / "log"
    key = {"FEATUREMILL_LOOKUP_LOG_KEY": "pepper"}
    with running(root, log, "--request-log", mode, environment=key) as service:
        service.get("/v1/credit_risk/42")
        service.get("/v1/credit_risk/secret-name", 422)
        service.get("/v1")
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    one, bad, listed = [line for line in lines if line["route"].startswith("/v1")]
    assert (one["method"], one["status"], one["pipeline"]) == ("GET", 200, "credit_risk")
    assert bad["status"] == 422 and listed["route"] == "/v1" and one["microseconds"] > 0 and one["bytes"] > 100
    if mode == "on":
        assert (one["id"], bad["id"]) == ("42", "secret-name")
    else:
        assert one["id_hash"] == hashlib.blake2b(b"42", digest_size=16, key=b"pepper").hexdigest()
        assert "secret-name" not in log.read_text() and '"id"' not in log.read_text()


def _tokens(path: Path, *entries: tuple[str, str, object]) -> None:
    listed = [{"name": n, "sha256": hashlib.sha256(t.encode()).hexdigest(), "pipelines": p} for n, t, p in entries]
    path.write_text(json.dumps({"tokens": listed}))


def test_tokens_open_their_pipelines_only(tmp_path: Path) -> None:
    root, tokens = tmp_path / "store", tmp_path / "tokens.json"
    publish_simple(tmp_path, root, marker=1)
    publish_simple(tmp_path, root, marker=1, name="demand")
    _tokens(tokens, ("risk", "risk-token-0123456", ["credit_risk"]), ("all", "all-token-0123456", "*"))
    with running(root, tmp_path / "log", "--tokens", str(tokens)) as service:

        def status(path: str, token: str | None) -> int:
            return service.ask(path, headers={"authorization": f"Bearer {token}"} if token else {}).status

        assert status("/v1/credit_risk/1", None) == 401
        assert "www-authenticate" in service.ask("/v1/credit_risk/1").headers
        assert status("/v1/credit_risk/1", "wrong") == 401
        assert service.ask("/v1/credit_risk/1", headers={"authorization": "Basic risk-token-0123456"}).status == 401
        assert status("/v1/credit_risk/1", "risk-token-0123456") == 200
        assert status("/v1/demand/1", "risk-token-0123456") == 403
        assert status("/v1/unheard_of/1", "risk-token-0123456") == 403
        assert status("/v1/demand/1", "all-token-0123456") == 200
        assert status("/v1/unheard_of/1", "all-token-0123456") == 404
        mine = service.ask("/v1", headers={"authorization": "Bearer risk-token-0123456"}).json()
        assert [found["pipeline"] for found in mine["pipelines"]] == ["credit_risk"]
        assert status("/health", None) == status("/ready", None) == 200
        assert status("/metrics", None) == status("/openapi.json", None) == 401
        _tokens(tokens, ("new", "new-token-0123456", "*"))
        wait_for(lambda: status("/v1/credit_risk/1", "risk-token-0123456") == 401)
        assert status("/v1/credit_risk/1", "new-token-0123456") == 200
        tokens.write_text("{")
        time.sleep(0.6)
        assert status("/v1/credit_risk/1", "new-token-0123456") == 200
    assert "risk-token" not in (tmp_path / "log").read_text()


def test_a_bad_tokens_file_is_an_error_at_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from featuremill.lookup.__main__ import main

    (tmp_path / "tokens.json").write_text('{"tokens": [{"name": "a", "sha256": "x", "pipelines": []}]}')
    assert main(["--root", str(tmp_path), "--tokens", str(tmp_path / "tokens.json")]) == 2
    assert "tokens.0.sha256" in capsys.readouterr().err
