"""Time the first read of a published day (`?as_of=DATE`), not in the page cache, through the service and the metastore.

    .venv/bin/python benchmarks/lookup_past.py                        1,000,000 entities a day

Each day is asked for by a service that has just started, so that nothing is open yet; then again, for another id.
"""

from __future__ import annotations

import argparse
import http.client
import os
import random
import sys
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

from lookup_data import FIRST_ID, PIPELINE, STEP, make
from lookup_load import PORT, service

from featuremill.lookup.publication import publish
from featuremill.services.supervisor import endpoints, start_services, stop_services
from featuremill.warehouse.hive import HiveCatalog
from featuremill.warehouse.tables import table_definition

FIRST_DAY = date(2024, 1, 29)
WARM_SECONDS = 5.0


def main() -> None:
    """Publish some days, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entities", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=6)
    given = parser.parse_args()
    print(f"{given.entities:,} entities of 50 features; {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(prefix="lookup-past-") as folder:
        project, state = Path(folder), Path(folder) / "state"
        try:
            start_services(state, only=["metastore"])
            host, port = endpoints(state)["metastore"]
            days = publish_days(project, HiveCatalog(host, port), given.entities, given.days)
            write_environment(project, host, port)
            firsts, seconds = zip(*(ask(project, day, given.entities) for day in days), strict=True)
        finally:
            stop_services(state)
    for name, times in (("first read", firsts), ("another id", seconds)):
        print(
            f"{name} of each of {len(times)} days: " + ", ".join(f"{each * 1e3:.0f}" for each in sorted(times)) + " ms"
        )


def publish_days(project: Path, catalog: HiveCatalog, count: int, days: int) -> list[str]:
    """Make the days' partitions, show them in Hive, and publish the newest; gives all days."""
    names = [str(FIRST_DAY + timedelta(days=number)) for number in range(days)]
    for day in names:
        made = make(project, count, day)
        for manifest in (made.snapshot, made.predictions):
            location = made.warehouse.location(PIPELINE, manifest.table, day, manifest.fingerprint)
            catalog.publish(table_definition(made.pipeline, manifest.table, made.warehouse), manifest, location)
    publish(made.warehouse, made.pipeline, made.snapshot, made.predictions, project / "store")
    return names


def write_environment(project: Path, host: str, port: int) -> None:
    folder = project / "configuration" / "environments"
    folder.mkdir(parents=True)
    (project / "configuration" / "pipelines").mkdir()
    text = f'warehouse: "{{project}}/warehouse"\nmetastore: {{host: {host}, port: {port}}}\n'
    (folder / "local.yaml").write_text(text)


def ask(project: Path, day: str, count: int) -> tuple[float, float]:
    """Seconds of the first read of a day by a fresh service, and of the next."""
    for path in project.rglob("*.parquet"):
        with path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    picker = random.Random(day)
    with service(project / "store", "--project", str(project)):
        time.sleep(WARM_SECONDS)  # it loads what reading takes while nobody asks
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        times = []
        for _ in range(2):
            identity = FIRST_ID + picker.randrange(count) * STEP
            began = time.perf_counter()
            connection.request("GET", f"/v1/{PIPELINE}/{identity}?as_of={day}")
            answer = connection.getresponse()
            body = answer.read()
            times.append(time.perf_counter() - began)
            if answer.status != 200 or f'"ds":"{day}"'.encode() not in body:
                sys.exit(f"{answer.status} {body[:300]!r}")
    return times[0], times[1]


if __name__ == "__main__":
    main()
