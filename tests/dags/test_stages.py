"""What stages decide about the tasks after them, and what the monitoring task returns."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import DownstreamTasksSkipped
from airflow_dags import pipeline_dags
from airflow_dags.provided import Work
from airflow_dags.stages import DueOperator

from featuremill.services.java import find_java
from featuremill.services.launch import java_environment
from featuremill.tasks import notes
from featuremill.tasks.day import Day
from featuremill.tasks.spark_jobs import OneEngine
from tests.fixtures_services import Services, services  # noqa: F401
from tests.runs.shop import PIPELINE, Shop

DAY, NEXT = "2024-05-01", "2024-05-02"


class TaskInstance:
    """What tasks tell and ask Airflow."""

    map_index = -1

    def __init__(self, **pulled: Any) -> None:
        self._pulled = pulled

    def xcom_push(self, key: str, value: Any) -> None:
        pass

    def xcom_pull(self, task_ids: str) -> Any:
        return self._pulled[task_ids.replace(".", "_")]


def _context(**more: Any) -> dict[str, Any]:
    return {"ti": TaskInstance(), "params": {"stop_after_training": False}, **more}


def _skipped(task: Any, context: dict[str, Any]) -> set[str]:
    """The tasks that a task skips."""
    try:
        task.execute(context)
    except DownstreamTasksSkipped as skipped:
        return {str(name) for name in skipped.tasks}
    return set()


@pytest.mark.parametrize(
    ("dag", "task", "goes_on"),
    [
        ("credit_risk", "model.is_due", {"score", "publish.move", "publish.visible", "monitor"}),
        ("credit_risk__train", "due", set()),
    ],
)
def test_without_a_due_model_a_training_ends_and_a_day_goes_on(
    project: Path, monkeypatch: pytest.MonkeyPatch, dag: str, task: str, goes_on: set[str]
) -> None:
    dags = pipeline_dags("credit_risk", str(project / "dags" / "credit_risk.py"))
    monkeypatch.setattr(DueOperator, "decide", lambda *_: None)
    after = dags[dag].get_task(task).get_flat_relative_ids(upstream=False)
    assert len(after) > len(goes_on)
    assert _skipped(dags[dag].get_task(task), _context()) == after - goes_on
    monkeypatch.setattr(DueOperator, "decide", lambda *_: {"ds": DAY, "reason": "by hand"})
    assert _skipped(dags[dag].get_task(task), _context()) == set()


def test_a_training_that_is_to_stop_records_its_model_and_skips_the_rest(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dag = pipeline_dags("credit_risk", str(project / "dags" / "credit_risk.py"))["credit_risk__train"]
    done: list[str] = []

    def do(stage: str, options: Any) -> dict[str, Any]:
        done.append(stage)
        return {"ds": DAY}

    monkeypatch.setattr(Work, "day", lambda *_: SimpleNamespace(do=do))
    record = dag.get_task("train.record")
    assert _skipped(record, _context(params={"by_hand": True, "stop_after_training": True})) == set(
        record.get_flat_relative_ids(upstream=False)
    )
    assert _skipped(record, _context(params={"by_hand": True, "stop_after_training": False})) == set()
    assert done == ["train", "train"]


@pytest.fixture
def shop(tmp_path: Path, services: Services) -> Shop:  # noqa: F811
    made = Shop(tmp_path / "a project", "monitored_shop", services, PIPELINE + "monitor: {{}}\n")
    made.land_days(DAY, NEXT)
    return made


def test_monitoring_adds_its_report_to_the_note_of_the_run(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[str] = []
    monkeypatch.setattr(notes, "leave_note", lambda dag, run, text, say: left.append(text))
    task: Any = pipeline_dags(shop.name, str(shop.folder / "dags" / "x.py"))[shop.name].get_task("monitor")
    for ds in (DAY, NEXT):
        day = Day.open(shop.folder, shop.name, ds)
        for stage in ("ingest", "snapshot", "training"):
            day.do(stage, OneEngine(shop.workspace._local_engine()))
        context = _context(params={"ds": ds}, dag=task.dag, run_id="manual__1")
        context["ti"] = TaskInstance(publish_move=day.do("publish"))
        done = task.execute(context)
    assert done["steps"] == 1 and done["reference_ds"] == DAY
    assert "| snapshot | 2 |" in left[-1] and f"drift report: {done['report']}" in left[-1]
    assert Path(done["report"].removeprefix("file://")).exists()


@pytest.mark.slow
def test_without_spark_connect_a_stage_is_submitted(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    java = java_environment(find_java(shop.workspace.state))
    for name in ("JAVA_HOME", "SPARK_LOCAL_IP", "PYSPARK_PYTHON"):
        monkeypatch.setenv(name, java[name])
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{java['PATH']}")
    monkeypatch.setenv("AIRFLOW_CONN_SPARK_CONN", '{"conn_type": "spark", "host": "local[2]"}')
    task: Any = pipeline_dags(shop.name, str(shop.folder / "dags" / "x.py"))[shop.name].get_task("ingest.orders")
    done = task.execute(_context(params={"ds": DAY}, dag=task.dag, run_id="manual__1"))
    assert (done["done"], done["rows"]) == (2, 2), "typed rows, and what was expected of them"
    assert type(task._provided).__name__ == "SparkSubmitOperator"
