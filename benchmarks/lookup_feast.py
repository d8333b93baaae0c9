"""Lookups by id beside Feast's feature server: the same entities and features, one machine, one run.

    .venv/bin/python benchmarks/lookup_feast.py                    100,000 entities of 50 features
    .venv/bin/python benchmarks/lookup_feast.py --entities 20000 --seconds 4

Makes an environment .venv-feast with a pinned Feast (needs a package index once), materializes into its local online
store (SQLite) and into Redis (Debian: apt-get install redis-server), and asks both and Featuremill for single random
ids with wrk, with 1 and with 16 clients. Each runs one worker process. Feast answers with the 50 features; Featuremill
with these and the prediction.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lookup_load
from lookup_data import FIRST_ID, PIPELINE, feature_expressions, make

HERE = Path(__file__).resolve().parent
FEAST = "feast[redis]==0.67.0"
ENVIRONMENT = HERE.parent / ".venv-feast"
FEAST_PORT, REDIS_PORT = 18_751, 18_752
ROUNDS = 2

_FEAST = """
local count = {count}
wrk.headers["content-type"] = "application/json"
local head = [==[{head}]==]
request = function()
  local id = string.format("%d", {first} + math.random(0, count - 1) * {step})
  return wrk.format("POST", "/get-online-features", nil, head .. id .. "]}}}}")
end
init = function() math.randomseed(os.time()) end
"""


@dataclass(frozen=True)
class Figures:
    """Requests a second with 1 and with 16 clients: the best of the rounds; publishing in microseconds an entity."""

    one: float
    sixteen: float
    publish: float


def main() -> None:
    """Measure all three and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=6, help="of each measurement")
    given = parser.parse_args()
    for tool in ("wrk", "redis-server"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is not installed; apt-get install {tool}")
    lookup_load.WRK_SECONDS = given.seconds
    python = feast_python()
    with tempfile.TemporaryDirectory(prefix="lookup-feast-") as text:
        folder = Path(text)
        own = featuremill(folder, given.entities)
        local = feast(folder, given.entities, python, "sqlite")
        with redis(folder):
            remote = feast(folder, given.entities, python, "redis")
    print(f"\n{given.entities:,} entities of 50 features, one worker, best of {ROUNDS} rounds of {given.seconds} s\n")
    print("| | 1 client, requests/s | 16 clients, requests/s | publish, us an entity |")
    print("|---|---|---|---|")
    for name, found in (("Featuremill", own), ("Feast, SQLite", local), ("Feast, Redis", remote)):
        print(f"| {name} | {found.one:,.0f} | {found.sixteen:,.0f} | {found.publish:,.1f} |")
    for name, found in (("SQLite", local), ("Redis", remote)):
        print(f"\nto Feast with {name}: {own.one / found.one:.0f} times with 1 client, ", end="")
        print(f"{own.sixteen / found.sixteen:.0f} times with 16, {found.publish / own.publish:.0f} times publishing")


def feast_python() -> Path:
    """The interpreter of Feast's environment; made if it is not there."""
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / "bin" / "feast").exists():
        print(f"making {ENVIRONMENT} with {FEAST}")
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", FEAST], check=True)
    return python


def featuremill(folder: Path, count: int) -> Figures:
    """Publish and ask Featuremill."""
    command = [sys.executable, str(HERE / "lookup_data.py"), str(folder), str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds = float(done.stdout.split()[0])
    with lookup_load.service(folder / "store"):
        rates = [best(folder, lookup_load._ONE, clients, count, lookup_load.PORT, "Featuremill") for clients in (1, 16)]
    return Figures(rates[0], rates[1], seconds / count * 1e6)


def feast(folder: Path, count: int, python: Path, store: str) -> Figures:
    """Materialize and ask Feast with an online store."""
    made = make(folder, count)
    place = made.warehouse.folder(PIPELINE, "snapshot", made.snapshot.ds, made.snapshot.fingerprint)
    parquet = made.warehouse.store.path(f"{place}/{made.snapshot.files[0].name}")
    repository = folder / f"feast-{store}"
    command = [str(python), str(HERE / "lookup_feast_repository.py"), str(repository), parquet, store, str(REDIS_PORT)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    line = next(line for line in done.stdout.splitlines() if line.startswith("materialized"))
    each = float(line.split()[1]) / count * 1e6
    names = [f"applicants:{name}" for name in feature_expressions()]
    head = json.dumps({"features": names})[:-1] + ', "entities": {"id": ['
    script = _FEAST.replace("{head}", head.replace("{", "{{").replace("}", "}}"))
    with feast_server(python, repository, head + str(FIRST_ID) + "]}}"):
        rates = [best(folder, script, clients, count, FEAST_PORT, f"Feast, {store}") for clients in (1, 16)]
    return Figures(rates[0], rates[1], each)


def best(folder: Path, script: str, clients: int, count: int, port: int, name: str) -> float:
    """The best of the rounds in requests a second."""
    found = []
    for _ in range(ROUNDS):
        told = lookup_load.wrk(folder, script, clients, count, port)
        print(f"{name:<14} {clients:>2} clients  {told}")
        found.append(float(told.partition(" requests/s")[0].split()[-1].replace(",", "")))
    return max(found)


@contextlib.contextmanager
def feast_server(python: Path, repository: Path, body: str) -> Iterator[None]:
    """Feast's feature server with one worker, once it answers."""
    options = ["-p", str(FEAST_PORT), "-w", "1", "--no-access-log"]
    command = [str(python.parent / "feast"), "-c", str(repository), "serve", *options]
    with (repository / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while not answers(body):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"Feast's server did not come up:\n{(repository / 'log').read_text()[-2000:]}")
            time.sleep(0.5)
        yield
    finally:
        process.terminate()
        process.wait()


def answers(body: str) -> bool:
    with contextlib.suppress(OSError):
        connection = http.client.HTTPConnection("127.0.0.1", FEAST_PORT, timeout=5)
        connection.request("POST", "/get-online-features", body, {"content-type": "application/json"})
        return connection.getresponse().status == 200
    return False


@contextlib.contextmanager
def redis(folder: Path) -> Iterator[None]:
    """A Redis of its own, in memory."""
    command = ["redis-server", "--port", str(REDIS_PORT), "--save", "", "--dir", str(folder), "--bind", "127.0.0.1"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)
        yield
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
