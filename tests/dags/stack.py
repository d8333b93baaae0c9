"""A project that runs as a user's does: its services, its Airflow, its lookup, and two pipelines."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import urllib.request
from email.message import Message
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from featuremill.services.lookup import LOOKUP, LookupPlace
from featuremill.services.metastore import METASTORE
from featuremill.services.records import read_record
from featuremill.services.sagemaker import SAGEMAKER
from featuremill.services.status import ALL_SERVICES
from featuremill.services.supervisor import endpoints, start_services, stop_services
from tests.conftest import REPOSITORY
from tests.dags.api import Api, wait_for
from tests.fixtures_services import Services
from tests.runs.learning import LearningShop
from tests.runs.shop import PIPELINE, Shop

ON_DEMAND = pytest.mark.skipif(
    os.environ.get("FEATUREMILL_SCHEDULER_TESTS") != "1", reason="takes minutes; FEATUREMILL_SCHEDULER_TESTS=1 runs it"
)

ENVIRONMENT = """
spark: {{master: "local[2]"}}
lookup: {{workers: 1}}
alerts: {{webhook: "{webhook}", email: [data@example.org], mail_server: "{mail}"}}
"""


class DailyShop(Shop):
    """A second pipeline of a project, without a model, with landings of its own."""

    def __init__(self, folder: Path, name: str, services: Services) -> None:
        self.folder, self.name, self.services = folder, name, services
        self.pipeline_file = folder / "configuration" / "pipelines" / f"{name}.yaml"
        self.pipeline_file.write_text(PIPELINE.format(name=name).replace("/orders/ds=", f"/{name}/ds="))

    def land(self, day: str, text: str | bytes, file: str = "orders.csv") -> Path:
        path = self.folder / "data" / "landing" / self.name / f"ds={day}" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path


class Stack:
    """`shop` learns, `plain` does not. `posts` and `mails`: the alerts that came."""

    def __init__(self, folder: Path, hook: tuple[str, list[dict[str, str]]], mail: tuple[str, list[Message]]) -> None:
        self.folder, self.state = folder, folder / "data" / "state"
        self.posts, self.mails = hook[1], mail[1]
        start_services(self.state, only=(METASTORE, SAGEMAKER))
        services = Services(self.state)
        self.shop = LearningShop(folder, "shop", services)
        self.plain = DailyShop(folder, "plain", services)
        environment = ENVIRONMENT.format(webhook=hook[0], mail=mail[0])
        (folder / "configuration" / "environments" / "local.yaml").write_text(environment)
        shutil.copytree(REPOSITORY / "dags" / "airflow_dags", folder / "dags" / "airflow_dags")
        two_lines = (REPOSITORY / "dags" / "credit_risk.py").read_text()
        for shop in (self.shop, self.plain):
            file = shop.pipeline_file
            file.write_text(file.read_text().replace("entity:", 'schedule: "@daily"\nentity:', 1))
            (folder / "dags" / f"{shop.name}.py").write_text(two_lines.replace("credit_risk", shop.name))

    def start(self) -> None:
        """What does not run, as `featuremill services start --airflow` does."""
        environment = self.shop.workspace.environment
        start_services(
            self.state,
            only=(METASTORE, SAGEMAKER, LOOKUP),
            lookup=LookupPlace(self.folder, environment.lookup),
            airflow=(self.folder, environment),
        )

    def stop(self, *names: str) -> None:
        """These services, or all."""
        stop_services(self.state, names or ALL_SERVICES)

    def kill(self, service: str) -> None:
        """Its process alone, as the kernel does when memory runs out."""
        record = read_record(self.state, service)
        assert record is not None and record.pid is not None and record.runs
        os.kill(record.pid, signal.SIGKILL)
        wait_for(f"the end of {service}", lambda: not record.runs, 30, pause=0.02)

    @cached_property
    def api(self) -> Api:
        return Api(self.state)

    def wait_until_at_work(self, shop: Shop, stage: str, day: str) -> None:
        """A process does this stage of a day at this very moment: it holds the stage's lock."""
        path = self.state / "locks" / shop.name / f"{stage}@{day}.lock"
        wait_for(f"{shop.name} {stage}@{day}", lambda: path.exists() and _is_held(path), pause=0.01)

    def fingerprints(self, shop: Shop) -> dict[tuple[str, str], str]:
        """What Hive shows: (table, day) -> fingerprint. Without the records of models, which grow with every look."""
        return {place: found for place, found in self._shown(shop).items() if not place[0].startswith("model_")}

    def _shown(self, shop: Shop) -> dict[tuple[str, str], str]:
        catalog = shop.workspace.catalog()
        if shop.name not in catalog.databases():
            return {}
        return {
            (table, found.ds): found.fingerprint
            for table in catalog.tables(shop.name)
            for found in catalog.partitions(shop.name, table)
            if found.fingerprint is not None
        }

    def look_up(self, shop: Shop, identity: int = 1) -> dict[str, Any]:
        """What the lookup service answers."""
        host, port = endpoints(self.state)["lookup"]
        with urllib.request.urlopen(f"http://{host}:{port}/v1/{shop.name}/{identity}", timeout=30) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def nothing_is_half(self, shop: Shop) -> dict[tuple[str, str], str]:
        """Each partition that Hive shows is whole, by its manifest. Returns them as `fingerprints` does."""
        warehouse = shop.workspace.warehouse
        for (table, day), fingerprint in self._shown(shop).items():
            assert warehouse.find(shop.name, table, day, fingerprint) is not None, (table, day)
        return self.fingerprints(shop)

    def is_whole(self, shop: Shop, day: str) -> dict[tuple[str, str], str]:
        """The day is shown, all that is shown is whole, and the newest of it is what the lookup answers with."""
        shown = self.nothing_is_half(shop)
        assert ("snapshot", day) in shown
        newest = max(ds for table, ds in shown if table == "snapshot")
        answer = self.look_up(shop)
        assert answer["ds"] == newest
        tables = ("snapshot", "predictions") if answer["model_version"] else ("snapshot",)
        assert [answer["fingerprints"][table] for table in tables] == [shown[table, newest] for table in tables]
        return shown


def _is_held(path: Path) -> bool:
    with path.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
