"""Days that are published come to what they would be now: oldest first, each on its own, and nothing else."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from featuremill.cli.app import app
from featuremill.cli.runs import Until, run
from featuremill.errors import DataError, UsageError
from featuremill.local_engine.engine import LocalEngine
from featuremill.steps.jobs import TableJob, TableReport
from featuremill.warehouse.hive import HiveCatalog
from tests.fixtures_services import Services
from tests.runs.learning import LearningShop
from tests.runs.shop import HEADER, Shop, line

D1, D2, D3, D4, D5 = (f"2020-01-0{number}" for number in range(1, 6))
SPAN = f"{D1}..{D5}"
_counter = itertools.count()


def reprocess(shop: Shop, ds: str = SPAN) -> None:
    run(shop.name, ds, reprocess=True, project=shop.folder)


def call(shop: Shop, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--project", str(shop.folder)])


def change(shop: Shop, before: str, after: str) -> None:
    text = shop.pipeline_file.read_text()
    assert before in text
    shop.pipeline_file.write_text(text.replace(before, after))


def changed_days(before: dict[tuple[str, str], str], after: dict[tuple[str, str], str], table: str) -> set[str]:
    return {day for (name, day), folder in after.items() if name == table and before.get((table, day)) != folder}


def test_published_days_are_made_anew_and_no_others(shop: Shop) -> None:
    shop.land_days(D1, D2, D3, D4, D5)
    for day in (D1, D2, D4):
        shop.run(day)
    before = shop.published()
    change(shop, "orders: {count", "all_orders: {count")
    planned = call(shop, "plan", shop.name, "--ds", SPAN, "--reprocess")
    assert "3 of 3 days to do" in planned.stdout and "2 of 5 days were never published" in planned.stderr
    assert planned.stdout.count("changed definition: features[0].aggregate.orders") == 6
    reprocess(shop)
    after = shop.published()
    assert {day for table, day in after if table == "snapshot"} == {D1, D2, D4}
    assert changed_days(before, after, "snapshot") == changed_days(before, after, "training") == {D1, D2, D4}
    assert changed_days(before, after, "orders") == set()
    assert [shop.rows("snapshot", day)[0]["all_orders"] for day in (D1, D2, D4)] == [1, 2, 4]
    files = shop.files()
    assert "all 3 days are done" in call(shop, "plan", shop.name, "--ds", SPAN, "--reprocess").stdout
    reprocess(shop)
    assert (shop.published(), shop.files()) == (after, files)


def test_oldest_first_and_each_day_is_published_before_the_next_is_made(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.land_days(D1, D2, D3)
    shop.run(f"{D1}..{D3}")
    change(shop, "orders: {count", "all_orders: {count")
    happened: list[tuple[str, str]] = []
    build, publish = LocalEngine.build, HiveCatalog.publish

    def noted_build(engine: LocalEngine, job: TableJob) -> TableReport:
        happened.append(("made", job.ds))
        return build(engine, job)

    def noted_publish(catalog: HiveCatalog, table: Any, manifest: Any, location: str) -> Any:
        if manifest.table in ("snapshot", "training"):
            happened.append(("published", manifest.ds))
        return publish(catalog, table, manifest, location)

    monkeypatch.setattr(LocalEngine, "build", noted_build)
    monkeypatch.setattr(HiveCatalog, "publish", noted_publish)
    reprocess(shop)
    assert happened == [(what, day) for day in (D1, D2, D3) for what in ("made", "made", "published", "published")]


def test_a_day_that_fails_stops_it_and_the_same_command_goes_on(shop: Shop) -> None:
    shop.land_days(D1, D2, D3)
    shop.run(f"{D1}..{D3}")
    before = shop.published()
    change(shop, "orders: {count", "all_orders: {count")
    shop.land(D2, HEADER + line(2, 1, D2, -5.0))
    failed = call(shop, "run", shop.name, "--ds", SPAN, "--reprocess")
    assert isinstance(failed.exception, DataError) and "expectations failed" in str(failed.exception)
    assert f"1 of 3 days were run before {D2} failed; the same command goes on there" in failed.stderr
    assert changed_days(before, shop.published(), "snapshot") == {D1}
    shop.land(D2, HEADER + line(2, 1, D2, 5.0))
    done = call(shop, "run", shop.name, "--ds", SPAN, "--reprocess")
    assert done.exit_code == 0 and f"{D2}, day 2 of 3" in done.stderr
    assert changed_days(before, shop.published(), "snapshot") == {D1, D2, D3}


class Killed(BaseException):
    """What ends a process here ends a test there."""


def test_days_that_a_new_type_took_out_of_the_table_are_gone_on_with(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column changes its type: with the first new day the table gives up the old ones. Then the run is killed."""
    shop.land_days(D1, D2, D3)
    shop.run(f"{D1}..{D3}")
    change(shop, "city: city", "city: customer")
    build = LocalEngine.build

    def killed_at_d2(engine: LocalEngine, job: TableJob) -> TableReport:
        if job.ds == D2:
            raise Killed
        return build(engine, job)

    with monkeypatch.context() as patched:
        patched.setattr(LocalEngine, "build", killed_at_d2)
        with pytest.raises(Killed):
            reprocess(shop)
    assert {day for table, day in shop.published() if table == "snapshot"} == {D1}
    reprocess(shop)
    assert [[row["city"] for row in shop.rows("snapshot", day)] for day in (D1, D2, D3)] == [[1, 2]] * 3


def test_a_landing_whose_files_were_archived_counts_as_it_was_read(shop: Shop) -> None:
    shop.land_days(D1, D2)
    shop.run(f"{D1}..{D2}")
    rows = shop.published()["orders", D1]
    shutil.rmtree(shop.folder / "data" / "landing" / "orders" / f"ds={D1}")
    change(shop, "orders: {count", "all_orders: {count")
    reprocess(shop)
    assert [shop.rows("snapshot", day)[0]["all_orders"] for day in (D1, D2)] == [1, 2]
    assert shop.published()["orders", D1] == rows


def test_a_new_type_waits_for_the_archived_files(shop: Shop) -> None:
    """Published beside rows of the new type, the archived rows would leave the table and be lost to later days."""
    shop.land_days(D1, D2)
    shop.run(f"{D1}..{D2}")
    published = shop.published()
    folder = shop.folder / "data" / "landing" / "orders" / f"ds={D1}"
    folder.rename(shop.folder / "archived")
    change(shop, "city: string", "city: date")
    with pytest.raises(DataError, match=f"orders ds={D1}: its raw files are archived.*city as string, which is date"):
        reprocess(shop)
    assert shop.published() == published
    (shop.folder / "archived").rename(folder)
    change(shop, "tolerate: {quarantined: 50%}", "tolerate: {quarantined: 100%}")
    reprocess(shop)
    assert shop.rows("orders", D1) == [] and len(shop.rows("orders_quarantine", D1)) == 2


def test_a_file_that_changes_meanwhile_does_not_get_the_old_ones_fingerprint(shop: Shop) -> None:
    shop.land_days(D1, D2)
    workspace = shop.workspace
    pipeline = workspace.pipeline(shop.name)
    landed = workspace.landed(pipeline, D2)
    workspace.graph(pipeline, D2, landed=landed)
    shop.land(D2, HEADER + line(9, 9, D2, 99.0))
    with pytest.raises(DataError, match=r"orders\.csv changed since this run began; run again"):
        landed.raw_files("orders", D2)
    files, _ = landed.raw_files("orders", D1)
    assert [Path(file.uri).name for file in files] == ["orders.csv"]


def test_what_cannot_be_reprocessed_is_said(shop: Shop) -> None:
    shop.land_days(D1)
    with pytest.raises(UsageError, match="nothing of .* is published .* leave out --reprocess"):
        reprocess(shop)
    with pytest.raises(UsageError, match="leave out --until snapshot"):
        run(shop.name, D1, Until.snapshot, reprocess=True, project=shop.folder)


@pytest.mark.slow
def test_the_model_of_a_day_is_made_anew_and_predicts_the_days_after_it(tmp_path: Path, services: Services) -> None:
    shop = LearningShop(tmp_path / "project", f"learn_again_{next(_counter)}", services)
    shop.land_orders(D1)
    shop.land_orders(D2, orders=10, seed=2)
    shop.land_orders(D3, orders=10, seed=3)
    run(shop.name, D1, no_train=True, project=shop.folder)
    shop.run(D2)
    shop.run(D3)
    first = shop.live
    change(shop, "mean_amount: {mean: amount}", "mean_amount: {mean: amount}\n      most: {max: amount}")
    reprocess(shop)
    second = shop.live
    assert second is not None and second != first and D2 in second
    assert [event for event, _ in shop.events].count("trained") == 2
    assert ("predictions", D1) not in shop.published(), "the model knows of a day after this one"
    for day in (D2, D3):
        assert {row["model_version"] for row in shop.rows("predictions", day)} == {second}
        assert "most" in shop.rows("snapshot", day)[0]
    files = shop.files()
    reprocess(shop)
    assert shop.files() == files and shop.live == second
