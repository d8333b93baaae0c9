"""A stage may be done twice, in any order, by two processes at once: a day ends the same."""

from __future__ import annotations

import itertools
import multiprocessing
import random
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from featuremill.tasks.day import Day, ModelOptions
from featuremill.tasks.spark_jobs import OneEngine
from tests.fixtures_services import Services
from tests.runs.learning import LearningShop
from tests.runs.shop import HEADER, Shop, line

pytestmark = pytest.mark.slow

DAY = "2024-05-02"
STAGES = ("land", "ingest", "snapshot", "training", "train", "accept", "deploy", "score", "publish")
TRAINS = ModelOptions(trains=True)
_numbers = itertools.count()


@pytest.fixture
def shop(tmp_path: Path, services: Services) -> LearningShop:
    return _learning(tmp_path / "a project", services)


def _learning(folder: Path, services: Services) -> LearningShop:
    made = LearningShop(folder, f"same_shop_{next(_numbers)}", services)
    made.land_orders("2024-05-01", orders=400)
    made.land_orders(DAY, orders=10, seed=2)
    return made


def _do(shop: Shop, stage: str) -> dict[str, Any]:
    day = Day.open(shop.folder, shop.name, DAY, lambda text: None)
    return day.do(stage, OneEngine(day.workspace._local_engine()), options=TRAINS)


def _everything(shop: LearningShop) -> dict[str, Any]:
    """All that a run leaves behind for others: files, what Hive shows, jobs, what serves, what is looked up."""
    name = shop.name.replace("_", "-")
    jobs = shop.clients.sagemaker.list_training_jobs(NameContains=name, MaxResults=100)["TrainingJobSummaries"]
    online = Path(shop.workspace.online_root)
    return {
        "files": shop.files(),
        "published": shop.published(),
        "jobs": [job["TrainingJobName"] for job in jobs],
        "events": shop.events,
        "config": shop.endpoint_config,
        "online": {
            str(f): (f.stat().st_ino, f.stat().st_mtime_ns) for f in online.rglob("*.mdb") if "lock" not in f.name
        },
    }


def test_every_stage_twice_and_again_in_any_order(shop: LearningShop) -> None:
    for stage in STAGES:
        first = _do(shop, stage)
        assert first["done"] == (0 if stage == "land" else first["steps"])
        assert _do(shop, stage)["done"] == 0, stage
    before = _everything(shop)
    assert before["jobs"] == [shop.live] and before["online"]
    assert [event for event, _ in before["events"]] == ["trained", "accepted", "deploying", "deployed"]
    for order in (reversed(STAGES), random.Random(1).sample(STAGES, len(STAGES))):
        for stage in order:
            assert _do(shop, stage)["done"] == 0, stage
            assert _everything(shop) == before, stage
    shop.run(DAY)
    assert _everything(shop) == before, "featuremill run finds all of it"


def test_a_run_and_the_stages_make_the_same_bytes_and_the_same_model(
    shop: LearningShop, tmp_path: Path, services: Services
) -> None:
    other = _learning(tmp_path / "another", services)
    for stage in STAGES:
        _do(shop, stage)
    other.run(DAY)

    def fingerprints(made: LearningShop) -> dict[tuple[str, str], str]:
        learned = {place: Path(folder).name for place, folder in made.published().items()}
        return {place: name for place, name in learned.items() if not place[0].startswith("model_")}

    assert fingerprints(shop) == fingerprints(other)
    assert {table for table, _ in fingerprints(shop)} >= {"orders", "snapshot", "training", "predictions"}
    for table in ("orders", "orders_quarantine", "snapshot", "training"):
        assert shop.part(table, DAY) == other.part(table, DAY), table
    assert _model(shop) == _model(other)
    ours, theirs = (_predictions(made) for made in (shop, other))
    assert ours.num_rows and ours.equals(theirs)
    assert _looked_up(shop) == _looked_up(other)


def _model(shop: LearningShop) -> dict[str, bytes]:
    """The files of the live model, with the pipeline's name, which is part of them, taken out."""
    folder = shop.models.unpacked(shop.models.registry.version(str(shop.live)))
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.name: path.read_bytes().replace(shop.name.encode(), b"shop") for path in files}


def _predictions(shop: LearningShop) -> Any:
    (part,) = Path(shop.published()["predictions", DAY]).glob("part-*.parquet")
    return pq.read_table(part).drop_columns(["model_version"])


def _looked_up(shop: LearningShop) -> list[str]:
    from featuremill.lookup.publication import open_store

    store = open_store(shop.workspace.online_root, shop.name)
    try:
        assert store.manifest.model_version == shop.live
        keys = [row["customer"] for row in shop.rows("snapshot", DAY)]
        return [_record(store, key).replace(str(shop.live), "model") for key in keys]
    finally:
        store.close()


def _record(store: Any, key: int) -> str:
    from featuremill.lookup.keys import KeyCodec

    found = store.get(KeyCodec("bigint").from_value(key))
    assert found is not None
    return bytes(found).decode()


def _both(folder: Path, name: str, stages: tuple[str, ...], together: Barrier, locks: bool, told: Any) -> None:
    """One of the two processes. Without locks they are as on two machines."""
    import fcntl

    from tests.tasks.test_idempotency import DAY, TRAINS

    if not locks:
        fcntl.flock = lambda *_: None
    for stage in stages:
        together.wait(timeout=300)
        try:
            day = Day.open(folder, name, DAY, lambda text: None)
            done = day.do(stage, OneEngine(day.workspace._local_engine()), options=TRAINS)
            told.put((stage, done["done"], ""))
        except Exception as error:
            told.put((stage, 0, f"{type(error).__name__}: {error}"))


def _at_once(shop: Shop, stages: tuple[str, ...], locks: bool) -> list[tuple[str, int, str]]:
    context = multiprocessing.get_context("spawn")
    together, told = context.Barrier(2), context.Queue()
    both = [
        context.Process(target=_both, args=(shop.folder, shop.name, stages, together, locks, told)) for _ in range(2)
    ]
    for process in both:
        process.start()
    found = [told.get(timeout=600) for _ in range(2 * len(stages))]
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    return found


def test_two_processes_do_each_stage_at_once(shop: LearningShop) -> None:
    found = _at_once(shop, STAGES, locks=True)
    assert [error for _, _, error in found if error] == []
    made = {stage: sorted(done for name, done, _ in found if name == stage) for stage in STAGES}
    assert {stage: counts for stage, counts in made.items() if counts[0] != 0} == {}, "the second finds it done"
    before = _everything(shop)
    assert before["jobs"] == [shop.live]
    assert [event for event, _ in before["events"]] == ["trained", "accepted", "deploying", "deployed"]
    shop.run(DAY)
    assert _everything(shop) == before


def test_two_machines_make_the_tables_at_once(tmp_path: Path, services: Services) -> None:
    """No lock holds between machines: both work, one result stays, and readers see it whole."""
    shop = Shop(tmp_path / "a project", f"two_machines_{next(_numbers)}", services)
    shop.land(DAY, HEADER + line(1, 1, DAY) + line(2, 2, DAY))
    found = _at_once(shop, ("ingest", "snapshot", "training", "publish"), locks=False)
    assert [error for _, _, error in found if error] == []
    files, published = shop.files(), shop.published()
    assert {row["customer"] for row in shop.rows("snapshot", DAY)} == {1, 2}
    assert not [name for name in files if ".staging-" in name or ".aside-" in name]
    shop.run(DAY)
    assert (shop.files(), shop.published()) == (files, published)
