"""A real scheduler runs a project, with the metastore, SageMaker and Spark Connect beside it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator

import pytest

from featuremill.services.metastore import METASTORE
from featuremill.services.records import read_record
from featuremill.services.sagemaker import SAGEMAKER
from featuremill.services.supervisor import start_services, stop_services
from featuremill.warehouse.hive import HiveCatalog
from tests.conftest import REPOSITORY
from tests.dags.api import Api
from tests.fixtures_services import Services
from tests.runs.learning import LearningShop
from tests.runs.shop import HEADER, line

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("FEATUREMILL_SCHEDULER_TESTS") != "1",
        reason="takes half an hour; FEATUREMILL_SCHEDULER_TESTS=1 runs it",
    ),
]

DAYS = ("2024-05-01", "2024-05-02", "2024-05-03")


class ScheduledShop(LearningShop):
    """A learning shop with services of its own, among them Airflow."""

    def start(self) -> None:  # type: ignore[override]
        workspace = self.workspace
        place = (self.folder, workspace.environment)
        start_services(workspace.state, only=(METASTORE, SAGEMAKER), airflow=place)

    @property
    def api(self) -> Api:
        return Api(self.workspace.state)

    def published_in(self, catalog: HiveCatalog) -> dict[tuple[str, str], str | None]:
        return {
            (table, found.ds): found.fingerprint
            for table in catalog.tables(self.name)
            if not table.startswith("model_")
            for found in catalog.partitions(self.name, table)
        }


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScheduledShop]:
    folder = tmp_path_factory.mktemp("airflow") / "a project"
    state = folder / "data" / "state"
    started = start_services(state, only=(METASTORE, SAGEMAKER))
    assert len(started) == 2
    made = ScheduledShop(folder, "shop", Services(state))
    file = made.pipeline_file
    file.write_text(file.read_text().replace("entity:", 'schedule: "@daily"\nentity:', 1))
    (folder / "configuration" / "environments" / "local.yaml").write_text('spark: {master: "local[2]"}\n')
    shutil.copytree(REPOSITORY / "dags" / "airflow_dags", folder / "dags" / "airflow_dags")
    two_lines = (REPOSITORY / "dags" / "credit_risk.py").read_text()
    (folder / "dags" / "shop.py").write_text(two_lines.replace("credit_risk", "shop"))
    for day in DAYS:
        made.land_orders(day, seed=int(day[-1]))
    try:
        made.start()
        made.api.unpause("shop")
        yield made
    finally:
        stop_services(state)


def test_a_run_by_hand_trains_deploys_and_publishes_what_the_command_would(shop: ScheduledShop) -> None:
    api = shop.api
    run = api.trigger("shop", ds=DAYS[1])
    assert api.ended("shop", run) == "success", api.tasks("shop", run)
    catalog = shop.workspace.catalog()
    by_airflow, live = shop.published_in(catalog), shop.live
    assert {table for table, _ in by_airflow} >= {"orders", "snapshot", "training", "predictions"}
    assert live is not None
    before = shop.files()
    shop.run(DAYS[1])
    assert shop.published_in(catalog) == by_airflow
    assert shop.live == live
    assert {name for name in shop.files() if "/_models/" not in name} == {n for n in before if "/_models/" not in n}


def test_doing_it_again_and_twice_at_once_changes_nothing(shop: ScheduledShop) -> None:
    api = shop.api
    catalog = shop.workspace.catalog()
    before = shop.published_in(catalog)
    runs = [api.trigger("shop", ds=DAYS[1]) for _ in range(2)]
    assert [api.ended("shop", run) for run in runs] == ["success", "success"]
    api.clear("shop", runs[0], "snapshot", "score")
    assert api.ended("shop", runs[0]) == "success"
    assert shop.published_in(catalog) == before


def test_a_bad_landing_leaves_yesterday_and_heals_when_it_is_corrected(shop: ScheduledShop) -> None:
    api = shop.api
    catalog = shop.workspace.catalog()
    before = shop.published_in(catalog)
    good = shop.folder / "data" / "landing" / "orders" / f"ds={DAYS[2]}" / "orders.csv"
    kept = good.read_bytes()
    good.write_bytes((HEADER + line(1, 1, DAYS[2], amount=-1.0)).encode())
    run = api.trigger("shop", ds=DAYS[2])
    assert api.ended("shop", run) == "failed"
    tasks = api.tasks("shop", run)
    assert tasks["ingest.orders"] == "failed" and tasks["snapshot"] == "upstream_failed"
    assert shop.published_in(catalog) == before
    assert len(list((shop.workspace.state / "alerts").iterdir())) == 1
    good.write_bytes(kept)
    api.clear("shop", run, failed=True)
    assert api.ended("shop", run) == "success"
    after = shop.published_in(catalog)
    assert {place: after[place] for place in before} == before
    assert ("snapshot", DAYS[2]) in after


@pytest.mark.parametrize("service", ["airflow_scheduler", "spark", "sagemaker", "metastore"])
def test_a_killed_service_delays_a_run_and_nothing_is_half_published(shop: ScheduledShop, service: str) -> None:
    api = shop.api
    day = f"2024-05-{10 + ['airflow_scheduler', 'spark', 'sagemaker', 'metastore'].index(service)}"
    shop.land_orders(day, orders=60, seed=9)
    run = api.trigger("shop", ds=day)
    record = read_record(shop.workspace.state, service)
    assert record is not None and record.pid is not None
    os.killpg(record.pid, signal.SIGKILL)
    shop.start()
    assert api.ended("shop", run, patience=900) == "success", api.tasks("shop", run)
    catalog = shop.workspace.catalog()
    assert ("predictions", day) in shop.published_in(catalog)
