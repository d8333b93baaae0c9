"""A run measures how far its day has shifted, once; shifts warn, and train one model."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from featuremill.cli.monitoring import monitor
from featuremill.cli.runs import run
from featuremill.errors import DataError, UsageError
from featuremill.monitoring.report import report_path
from featuremill.sagemaker.names import endpoint_name
from featuremill.steps import monitoring
from featuremill.tasks.day import Day
from tests.fixtures_services import Services
from tests.runs.learning import MODEL, LearningShop
from tests.runs.shop import HEADER, PIPELINE, Shop, line

_counter = itertools.count()
D1, D2, D3, D4, D5 = (f"2024-01-0{day}" for day in range(1, 6))


def land(shop: Shop, day: str, amount: float, customers: int = 60) -> None:
    """An order of each customer, of about this amount."""
    drawn = random.Random(day)
    first = int(day.replace("-", "")) * 1_000
    lines = [line(first + n, n, day, round(drawn.uniform(amount, amount + 10), 2)) for n in range(customers)]
    shop.land(day, HEADER + "".join(lines))


@pytest.fixture
def watched(tmp_path: Path, services: Services) -> Shop:
    """Monitored, without a model."""
    pipeline = PIPELINE.replace("city: city\n", "city: city\n      amount: amount\n") + "monitor: {{}}\n"
    return Shop(tmp_path / "project", f"watched_{next(_counter)}", services, pipeline)


@pytest.fixture
def learning(tmp_path: Path, services: Services) -> Iterator[LearningShop]:
    name = f"drifting_{next(_counter)}"
    made = LearningShop(tmp_path / "project", name, services, MODEL + "monitor: {{drift: {{psi: 0.25}}}}\n")
    yield made
    made.clients.sagemaker.delete_endpoint(EndpointName=endpoint_name(name)) if made.live else None


def drift(shop: Shop, day: str) -> dict[str, dict[str, object]]:
    """Column -> its row in the published table."""
    return {str(row["feature"]): row for row in shop.rows("drift", day)}


def report(shop: Shop, day: str) -> Path:
    fingerprint = Path(shop.published()["drift", day]).name
    return report_path(shop.workspace.state, shop.name, day, fingerprint)


def test_each_day_is_compared_with_the_one_before(watched: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    for day, amount in ((D1, 10), (D2, 10), (D3, 90)):
        land(watched, day, amount)
        watched.run(day)
    first, second, third = (drift(watched, day) for day in (D1, D2, D3))
    assert set(first) == set(second) >= {"orders", "amount", "city"}
    assert {row["remark"] for row in first.values()} == {"there is nothing to compare with"}
    assert {row["reference_ds"] for row in first.values()} == {None}
    assert {row["reference_ds"] for row in second.values()} == {D1} and not second["amount"]["shifted"]
    assert {row["reference_ds"] for row in third.values()} == {D2} and third["amount"]["shifted"]
    assert (third["amount"]["row_count"], third["amount"]["psi_limit"]) == (60, 0.2)
    said = capsys.readouterr().err
    assert f"warning: {watched.name} {D3}: " in said and f"since {D2}; see {report(watched, D3)}" in said
    assert "shifted" in report(watched, D3).read_text() and report(watched, D1).is_file()


def test_a_second_run_measures_nothing_anew(watched: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    for day, amount in ((D1, 10), (D2, 90)):
        land(watched, day, amount)
        watched.run(day)
    before, page = watched.files(), report(watched, D2).read_bytes()
    capsys.readouterr()
    watched.run(D2)
    watched.run(D1)
    assert watched.files() == before and "warning" not in capsys.readouterr().err
    report(watched, D2).unlink()
    watched.run(D2)
    assert report(watched, D2).read_bytes() == page


def test_a_run_killed_before_the_drift_is_published_is_gone_on_with(watched: Shop) -> None:
    land(watched, D1, 10)
    dies = "import os, featuremill.steps.monitoring as m; m.point = lambda *_: os._exit(9)"
    process = watched.start(D1, dies)
    process.communicate()
    assert process.returncode == 9
    assert ("snapshot", D1) in watched.published() and ("drift", D1) not in watched.published()
    before = watched.files()
    watched.run(D1)
    assert ("drift", D1) in watched.published() and watched.files() == before


def test_what_is_published_stays_when_the_monitor_fails(watched: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise pa.ArrowInvalid("a page is torn")

    land(watched, D1, 10)
    monkeypatch.setattr(monitoring, "measure", broken)
    with pytest.raises(DataError, match="drift cannot be measured: a page is torn"):
        watched.run(D1)
    assert ("snapshot", D1) in watched.published() and ("drift", D1) not in watched.published()
    assert not list(watched.folder.rglob(".staging-*"))
    monkeypatch.undo()
    watched.run(D1)
    assert ("drift", D1) in watched.published()


def test_until_publish_measures_nothing(watched: Shop) -> None:
    land(watched, D1, 10)
    watched.run(D1, until="publish")
    assert ("drift", D1) not in watched.published()


def test_the_stage_of_a_task_measures_the_same(watched: Shop) -> None:
    for day, amount in ((D1, 10), (D2, 90)):
        land(watched, day, amount)
        watched.run(day, until="publish")
    done = Day.open(watched.folder, watched.name, D2).do("monitor")
    assert set(done["shifted"]) == {"amount", "mean_amount", "orders", "orders_paid_30d"}, "a day later all have more"
    assert (done["features"], done["reference_ds"], done["prediction_shifted"]) == (5, D1, False)
    assert Path(done["report"]) == report(watched, D2) and done["done"] == 1
    files = watched.files()
    watched.run(D2)
    assert watched.files() == files
    again = Day.open(watched.folder, watched.name, D2).do("monitor")
    assert again["shifted"] == done["shifted"] and again["done"] == 0


def test_without_the_section_there_is_no_step(tmp_path: Path, services: Services) -> None:
    shop = Shop(tmp_path / "project", f"unwatched_{next(_counter)}", services)
    land(shop, D1, 10)
    shop.run(D1)
    assert "drift" not in {table for table, _ in shop.published()}
    done = Day.open(shop.folder, shop.name, D1).do("monitor")
    assert (done["steps"], done.get("report")) == (0, None)
    with pytest.raises(UsageError, match="is not monitored"):
        monitor(shop.name, None, shop.folder)


def test_the_command_prints_what_shifted(watched: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="nothing of .* is published"):
        monitor(watched.name, None, watched.folder)
    for day, amount in ((D1, 10), (D2, 90)):
        land(watched, day, amount)
        watched.run(day, until="publish")
    capsys.readouterr()
    monitor(watched.name, None, watched.folder)
    printed = capsys.readouterr().out
    assert f"{watched.name} {D2}: 4 of 5 features shifted" in printed and str(report(watched, D2)) in printed
    assert printed.splitlines()[1].split()[1:] == ["snapshot", "18.419", "0.0%", "0.0%", "shifted"]
    monitor(watched.name, D1, watched.folder)
    assert "nothing to compare with" in capsys.readouterr().out


def test_the_model_s_day_is_the_reference_and_drift_trains_once(
    learning: LearningShop, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trained for the second; the fourth shifts; the fifth trains, and is the new reference."""
    learning.land_orders(D1)
    learning.land_orders(D2, orders=20, seed=2)
    learning.run(D2)
    own = drift(learning, D2)
    assert {row["psi"] for row in own.values()} == {0.0} and own["probability"]["of_table"] == "predictions"
    first = learning.live
    learning.land_orders(D3, orders=20, seed=3)
    learning.run(D3)
    third = drift(learning, D3)
    assert {row["reference_ds"] for row in third.values()} == {D2}
    assert {row["model_version"] for row in third.values()} == {first}
    assert not any(row["shifted"] for row in third.values())
    _shift(learning, D4)
    learning.run(D4)
    assert drift(learning, D4)["amount"]["shifted"] and learning.live == first
    learning.land_orders(D5, orders=20, seed=5)
    learning.run(D5)
    assert learning.live != first and learning.live is not None and D5 in learning.live
    assert [event for event, _ in learning.events].count("trained") == 2
    fifth = drift(learning, D5)
    assert {row["reference_ds"] for row in fifth.values()} == {D5} and not any(r["shifted"] for r in fifth.values())
    files = learning.files()
    for day in (D5, D4, D3):
        learning.run(day)
    assert learning.files() == files, "old days know nothing of the drift after them"


def test_a_model_that_is_not_accepted_is_trained_once_for_a_drift(learning: LearningShop) -> None:
    learning.land_orders(D1)
    learning.land_orders(D2, orders=20, seed=2)
    learning.run(D2)
    first = learning.live
    _shift(learning, D3)
    learning.run(D3)
    text = learning.pipeline_file.read_text()
    learning.pipeline_file.write_text(text.replace('accept: {auc: ">= 0.6"', 'accept: {auc: ">= 0.9999"'))
    learning.land_orders(D4, orders=20, seed=4)
    with pytest.raises(DataError, match="not accepted"):
        learning.run(D4)
    assert ("snapshot", D4) not in learning.published()
    learning.land_orders(D5, orders=20, seed=5)
    learning.run(D5)
    assert learning.live == first and [event for event, _ in learning.events].count("trained") == 2
    fifth = drift(learning, D5)
    assert fifth["amount"]["shifted"] and fifth["amount"]["reference_ds"] == D2


def test_drift_that_shall_not_train_does_not(learning: LearningShop) -> None:
    text = learning.pipeline_file.read_text()
    learning.pipeline_file.write_text(text.replace("{psi: 0.25}", "{psi: 0.25, train: false}"))
    learning.land_orders(D1)
    learning.land_orders(D2, orders=20, seed=2)
    learning.run(D2)
    _shift(learning, D3)
    learning.run(D3)
    learning.land_orders(D4, orders=20, seed=4)
    run(learning.name, D4, project=learning.folder)
    assert drift(learning, D3)["amount"]["shifted"] and [event for event, _ in learning.events].count("trained") == 1


def _shift(shop: LearningShop, day: str) -> None:
    """Every customer orders for far more."""
    drawn = random.Random(day)
    first = int(day.replace("-", "")) * 10_000
    amounts = [(n, round(drawn.uniform(200, 300), 2)) for n in range(80)]
    shop.land(day, HEADER + "".join(line(first + n, n, day, amount, "Bonn", n % 2) for n, amount in amounts))
