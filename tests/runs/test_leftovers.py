"""What models and checks leave behind goes once nothing needs it, and never before."""

from __future__ import annotations

import itertools
import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from featuremill.cli.app import app
from featuremill.cli.modelling import train
from featuremill.errors import DataError
from featuremill.sagemaker import buckets
from featuremill.sagemaker.training import TrainingFailed, wait
from featuremill.steps.leftovers import Leftover, Places, collect_leftovers, find_models, find_results
from featuremill.warehouse.gc import find_garbage
from tests.fixtures_services import Services
from tests.runs.learning import LearningShop
from tests.runs.shop import HEADER, Shop, line

D1, D2, D3 = "2024-02-01", "2024-02-02", "2024-02-03"
_counter = itertools.count()


def places(shop: Shop, hours: float = 2) -> Places:
    """As they are some hours later."""
    workspace = shop.workspace
    moment = datetime.now(UTC) + timedelta(hours=hours)
    return Places(workspace.warehouse, workspace.catalog(), workspace.state, workspace.clients(), moment)


def results(shop: Shop, keep: int) -> list[Leftover]:
    at = places(shop)
    garbage = find_garbage(at.warehouse, at.catalog, [shop.name], keep_previous=keep, moment=at.moment)
    return find_results(at, shop.workspace.project.pipelines.values(), garbage)


def pages(shop: Shop) -> set[str]:
    return {path.parent.name for path in (shop.folder / "data" / "state" / "quality").rglob("outcome.json")}


def test_results_of_checks_go_with_the_rows_they_are_of(shop: Shop) -> None:
    shop.land_days(D1, D2)
    shop.run(f"{D1}..{D2}")
    first = pages(shop)
    shop.land(D1, HEADER + line(1, 1, D1, 7.0))
    shop.run(f"{D1}..{D2}")
    assert len(pages(shop)) == 3
    assert results(shop, keep=1) == [], "the rows before are kept to go back to, and so is what was found of them"
    (old,) = results(shop, keep=0)
    assert old.kind == "results of checks" and Path(old.where).name in first and old.bytes > 0
    assert find_results(places(shop, hours=0), shop.workspace.project.pipelines.values(), []) == []
    assert collect_leftovers(shop.workspace.clients(), [old]) == old.bytes
    assert len(pages(shop)) == 2 and not Path(old.where).exists() and results(shop, keep=0) == []
    files = shop.files()
    shop.run(f"{D1}..{D2}")
    assert shop.files() == files and len(pages(shop)) == 2


def test_the_page_of_a_failed_check_stays_for_people(shop: Shop) -> None:
    shop.land(D1, HEADER + line(1, 1, D1, -5.0))
    with pytest.raises(DataError, match="expectations failed"):
        shop.run(D1)
    assert results(shop, keep=0) == [] and len(pages(shop)) == 1


def test_expectations_of_before_go_once_the_new_ones_were_looked_at(shop: Shop) -> None:
    shop.land_days(D1)
    shop.run(D1)
    (before,) = pages(shop)
    shop.pipeline_file.write_text(shop.pipeline_file.read_text().replace("max_value: 1000000", "max_value: 999"))
    assert results(shop, keep=0) == [], "there is no successor yet"
    shop.run(D1)
    assert [Path(item.where).name for item in results(shop, keep=0)] == [before]


@pytest.mark.slow
def test_models_that_serve_or_predicted_stay_and_others_can_be_fetched_again(
    tmp_path: Path, services: Services
) -> None:
    shop = LearningShop(tmp_path / "project", f"leftover_{next(_counter)}", services)
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    shop.run(D2)
    live = shop.live
    shop.land_orders(D3, orders=300, seed=3)
    train(shop.name, D3, None, None, True, None, shop.folder)
    other = shop.models.registry.versions()[-1]
    shop.run(D2)
    files = shop.files()
    assert shop.live == live != other.version
    channel = other.request["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"].removesuffix("/train/")

    name = f"{shop.name.replace('_', '-')}-running"
    shop.clients.sagemaker.create_training_job(**{**other.request, "TrainingJobName": name})
    while_it_runs = find_models(places(shop))
    shop.clients.sagemaker.stop_training_job(TrainingJobName=name)
    with suppress(TrainingFailed):
        wait(shop.clients, name)
    assert [Path(item.where).name for item in while_it_runs] == [other.version]

    found = find_models(places(shop))
    assert {(item.kind, item.where.rpartition("/")[2]) for item in found} == {
        ("unpacked model", other.version),
        ("staged training data", channel.rpartition("/")[2]),
    }
    assert find_models(places(shop, hours=0)) == []
    assert collect_leftovers(shop.clients, found) > 0
    assert find_models(places(shop)) == []
    assert buckets.names(shop.clients, channel) == []
    shop.run(D2)
    assert shop.files() == files and shop.live == live
    assert json.loads((shop.models.output(other) / "metrics.json").read_bytes()) == other.metrics

    content = buckets.read(shop.clients, other.artefact_uri)
    assert content is not None
    shop.clients.s3.delete_object(**dict(zip(("Bucket", "Key"), buckets.split(other.artefact_uri), strict=True)))
    assert find_models(places(shop)) == [], "the bucket has it no more: this is the last copy"


def test_gc_finds_nothing_where_everything_is_needed(shop: Shop) -> None:
    shop.land_days(D1)
    shop.run(D1)
    before = shop.files()
    done = CliRunner().invoke(app, ["gc", "--delete", "--project", str(shop.folder)])
    assert done.exit_code == 0 and "0.0 MB freed" in done.stdout
    assert shop.files() == before and len(pages(shop)) == 1
