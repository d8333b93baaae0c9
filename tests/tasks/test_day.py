"""A day done stage by stage is the day that `featuremill run` does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from featuremill.errors import DataError, ServiceError, UsageError
from featuremill.services.java import find_java
from featuremill.services.launch import java_environment
from featuremill.steps.jobs import Engine
from featuremill.tasks.day import Day
from featuremill.tasks.notes import note_of
from featuremill.tasks.spark_jobs import OneEngine, SubmittedSpark, submit_conf
from tests.runs.shop import HEADER, Shop, line

DAY, NEXT = "2024-05-01", "2024-05-02"
TABLES = ("ingest", "snapshot", "training")


def _day(shop: Shop, ds: str = DAY) -> Day:
    return Day.open(shop.folder, shop.name, ds)


def _engine(shop: Shop) -> OneEngine:
    engine: Engine = shop.workspace._local_engine()
    return OneEngine(engine)


def _run(shop: Shop, ds: str = DAY) -> dict[str, Any]:
    day, engine = _day(shop, ds), _engine(shop)
    day.do("land")
    for stage in TABLES:
        day.do(stage, engine)
    return day.do("publish")


def test_stages_one_by_one_publish_what_a_run_publishes(shop: Shop) -> None:
    shop.land_days(DAY, NEXT)
    done = _run(shop)
    by_tasks, files = shop.published(), shop.files()
    shop.run(DAY)
    assert shop.published() == by_tasks
    assert shop.files() == files
    assert done["partitions"]["snapshot"]["rows"] == 2
    assert f"/{done['partitions']['snapshot']['fingerprint']}" in by_tasks["snapshot", DAY]


def test_the_note_of_a_run_has_its_rows_and_where_the_data_docs_are(shop: Shop) -> None:
    shop.land_days(DAY)
    note = note_of(_day(shop), _run(shop))
    assert "| snapshot | 2 |" in note and "expectations of orders: 1 met" in note
    docs = note.partition("Data Docs: ")[2].splitlines()[0]
    assert Path(docs.removeprefix("file://")).exists()


def test_a_stage_that_is_done_is_not_done_again(shop: Shop) -> None:
    shop.land_days(DAY)
    _run(shop)
    before = shop.files()
    day = _day(shop)
    assert [day.do(stage)["done"] for stage in (*TABLES, "publish")] == [0, 0, 0, 0]
    assert shop.files() == before


def test_readers_see_nothing_before_publish(shop: Shop) -> None:
    shop.land_days(DAY)
    day, engine = _day(shop), _engine(shop)
    for stage in TABLES:
        day.do(stage, engine)
    assert shop.name not in shop.services.catalog.databases()


def test_a_failed_expectation_leaves_yesterdays_tables_and_heals_with_the_file(shop: Shop) -> None:
    shop.land_days(DAY)
    _run(shop)
    published = shop.published()
    shop.land(NEXT, HEADER + line(7, 1, NEXT, amount=-5.0))
    with pytest.raises(DataError, match="expectations failed"):
        _run(shop, NEXT)
    assert shop.published() == published
    shop.land(NEXT, HEADER + line(7, 1, NEXT, amount=5.0))
    _run(shop, NEXT)
    assert {place: folder for place, folder in shop.published().items() if place[1] == DAY} == published


def test_a_missing_landing_is_told_with_its_path(shop: Shop) -> None:
    shop.land_days(DAY)
    with pytest.raises(DataError, match=f"no file at .*ds={NEXT}"):
        _day(shop, NEXT).do("land")


def test_what_is_no_day_is_refused(shop: Shop) -> None:
    with pytest.raises(UsageError, match="is not a day"):
        _day(shop, "yesterday")


def test_other_pipelines_mistakes_do_not_matter(shop: Shop) -> None:
    shop.land_days(DAY)
    (shop.pipeline_file.parent / "broken.yaml").write_text("pipeline: broken\n")
    assert _day(shop).do("land")["steps"] == 1


@pytest.mark.slow
def test_submitted_jobs_make_the_tables_of_the_local_engine(shop: Shop) -> None:
    shop.land_days(DAY)
    day = _day(shop)
    state = day.workspace.state

    def submit(program: Path, arguments: Sequence[str]) -> None:
        conf = submit_conf(day.workspace.environment, state).items()
        settings = [part for name, value in conf for part in ("--conf", f"{name}={value}")]
        binary = Path(sys.executable).with_name("spark-submit")
        command = [str(binary), "--master", "local[2]", *settings, str(program), *arguments]
        environment = java_environment(find_java(state))
        subprocess.run(command, check=True, capture_output=True, timeout=300, env=environment)

    engine = OneEngine(SubmittedSpark(submit, state / "scratch" / "spark"))
    for stage in TABLES:
        assert day.do(stage, engine)["done"] > 0
    day.do("publish")
    rows = shop.rows("snapshot", DAY)
    shop.land(DAY, HEADER)
    with pytest.raises(DataError):
        day.do("ingest", OneEngine(SubmittedSpark(_dies, state)))
    assert [row["orders"] for row in rows] == [1, 1]


def _dies(program: Path, arguments: Sequence[str]) -> None:
    error = Path(arguments[arguments.index("--error") + 1])
    error.write_text('{"kind": "DataError", "message": "no rows"}')
    raise RuntimeError("exit code 1")


def test_the_jobs_own_error_is_what_is_told(tmp_path: Path, shop: Shop) -> None:
    shop.land_days(DAY)
    with pytest.raises(DataError, match="no rows"):
        _day(shop).do("ingest", OneEngine(SubmittedSpark(_dies, tmp_path)))
    assert not list(tmp_path.glob("job-*"))


def test_a_job_that_vanishes_is_told_too(tmp_path: Path, shop: Shop) -> None:
    shop.land_days(DAY)
    with pytest.raises(ServiceError, match="without a report"):
        _day(shop).do("ingest", OneEngine(SubmittedSpark(lambda program, arguments: None, tmp_path)))
