"""From pipeline files to DAGs: what is in them, what a mistake does, how long it takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError
from airflow_dags import maintenance_dags, pipeline_dags

from featuremill.spec.problems import PipelineFileError
from tests.conftest import REPOSITORY


def _dags(project: Path, name: str = "credit_risk") -> dict[str, DAG]:
    return pipeline_dags(name, str(project / "dags" / f"{name}.py"))


def test_a_pipeline_with_a_model_has_three_dags(project: Path) -> None:
    assert list(_dags(project)) == ["credit_risk", "credit_risk__train", "credit_risk__deploy"]


def test_a_pipeline_without_a_model_has_one_and_makes_the_training_table_daily(project: Path) -> None:
    dags = _dags(project, "crimes")
    assert list(dags) == ["crimes"]
    assert {"snapshot", "training"} <= set(dags["crimes"].task_ids)


def test_nothing_is_visible_before_all_is_made(project: Path) -> None:
    dag = _dags(project)["credit_risk"]
    before = dag.get_task("publish.move").get_flat_relative_ids(upstream=True)
    assert before == set(dag.task_ids) - {"publish.move", "publish.visible", "monitor"}
    assert dag.get_task("monitor").upstream_task_ids == {"publish.visible"}


def test_a_pipeline_that_asks_for_no_monitoring_has_no_task_for_it(project: Path) -> None:
    assert "monitor" not in _dags(project, "crimes")["crimes"].task_ids


def test_a_model_is_judged_before_anything_of_the_endpoint_changes(project: Path) -> None:
    dag = _dags(project)["credit_risk__train"]
    for name in ("deploy.model", "deploy.config", "deploy.endpoint", "deploy.verify"):
        assert "accept" in dag.get_task(name).get_flat_relative_ids(upstream=True)
    assert dag.get_task("deploy.verify").upstream_task_ids == {"deploy.endpoint"}


def test_spark_and_training_have_pools_and_owners_their_tasks(project: Path) -> None:
    dags = _dags(project)
    assert dags["credit_risk"].get_task("snapshot").pool == "spark"
    assert dags["credit_risk__train"].get_task("train.job").pool == "training"
    assert {task.owner for dag in dags.values() for task in dag.tasks} == {"risk"}


def test_the_page_in_the_ui_tells_of_the_features(project: Path) -> None:
    page = _dags(project)["credit_risk"].doc_md
    assert page is not None and "| `nb_previous_loans` | Loans on earlier days. |" in page and "| `loans` |" in page
    assert "has shifted from a PSI of 0.2 on; a model is then due." in page


def test_other_dags_can_wait_for_the_tables(project: Path) -> None:
    dag = _dags(project)["credit_risk"]
    assert {asset.name for asset in dag.get_task("publish.move").outlets} == {
        "credit_risk.snapshot",
        "credit_risk.predictions",
    }


def test_training_takes_parameters(project: Path) -> None:
    params = _dags(project)["credit_risk__train"].params
    assert {"ds", "instance_type", "instance_count", "stop_after_training"} <= set(params)
    with pytest.raises(ParamValidationError, match="minimum"):
        params["instance_count"] = 0


def test_a_broken_file_breaks_its_own_dag_with_every_mistake_and_its_line(project: Path) -> None:
    file = project / "configuration" / "pipelines" / "heart.yaml"
    file.write_text(file.read_text().replace("cholesterol: cholesterol", "cholesterol: cholestrol"))
    with pytest.raises(PipelineFileError, match=r"heart\.yaml:\d+:\d+.*cholestrol"):
        _dags(project, "heart")
    assert _dags(project, "crimes")


def test_a_corrected_file_is_read_anew(project: Path) -> None:
    file = project / "configuration" / "pipelines" / "heart.yaml"
    before = _dags(project, "heart")["heart"].description
    file.write_text(file.read_text().replace("narrowed, from one examination", "narrow"))
    assert _dags(project, "heart")["heart"].description != before


def test_the_warehouse_is_looked_after(project: Path) -> None:
    dag = maintenance_dags(str(project / "dags" / "maintenance.py"))["featuremill_maintenance"]
    assert dag.get_task("gc").upstream_task_ids == {"metastore"}


_MEASURE = """
import glob, json, runpy, sys, time
import airflow.sdk
from airflow.sdk import DAG
bare = time.process_time()
sys.path.insert(0, sys.argv[1])
found = [runpy.run_path(file).values() for file in sorted(glob.glob(sys.argv[1] + "/p_*.py"))]
whole = time.process_time()
dags = sum(isinstance(value, DAG) for values in found for value in values)
print(json.dumps({"dags": dags, "airflow": bare, "whole": whole, "modules": sorted(sys.modules)}))
"""
HEAVY = {"pyspark", "pandas", "numpy", "boto3", "botocore", "pyarrow", "great_expectations", "duckdb", "sqlglot"}
HEAVY |= {"xgboost", "sklearn", "matplotlib", "hmsclient", "thrift", "pyhive", "moto", "requests"}
PIPELINES, TRIES = 200, 4


def test_two_hundred_pipelines_are_read_fast_and_nothing_heavy_is_imported(project: Path) -> None:
    """In CPU seconds of a fresh interpreter, Airflow's own import included; the best of a few, as others use the
    machine too. The first one, which is not looked at, writes bytecode and outlines, as any first start does.
    """
    text = (project / "configuration" / "pipelines" / "credit_risk.yaml").read_text()
    two_lines = (project / "dags" / "credit_risk.py").read_text()
    for number in range(PIPELINES):
        name = f"p_{number}"
        file = project / "configuration" / "pipelines" / f"{name}.yaml"
        file.write_text(text.replace("pipeline: credit_risk", f"pipeline: {name}"))
        (project / "dags" / f"{name}.py").write_text(two_lines.replace("credit_risk", name))
    _measured(project)
    for left in reversed(range(TRIES)):
        found = _measured(project)
        whole, each = found["whole"], (found["whole"] - found["airflow"]) / PIPELINES
        print(f"{found['airflow']:.2f} s for Airflow alone, {whole:.2f} s with {PIPELINES} pipelines")
        if (whole < 4 and each < 0.01) or not left:
            break
    assert found["dags"] == 3 * PIPELINES
    assert not HEAVY & set(found["modules"])
    assert whole < 4
    assert each < 0.01


def _measured(project: Path) -> dict[str, Any]:
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {"PYTHONPYCACHEPREFIX": str(project / "bytecode"), "AIRFLOW_HOME": str(project / "airflow")}
    command = [sys.executable, "-W", "ignore", "-c", _MEASURE, str(project / "dags")]
    ended = subprocess.run(
        command,
        env={**environment, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    found: dict[str, Any] = json.loads(ended.stdout.strip().splitlines()[-1])
    return found
