"""The container's contract: exit codes, failure, SIGTERM, checkpoints, channels of other formats, out of core."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from tests.training_image.train.jobs import FEATURES, Job, make_job, people, people_manifest
from training_image.learning.configuration import parse_hyperparameters
from training_image.learning.errors import UserError
from training_image.prediction import Model

ROUNDS = {"rounds": 40, "max_depth": 4, "eta": 0.2}
BINARY = {"task": "binary", "xgboost": ROUNDS}


def test_the_process_prints_metrics_for_metric_definitions(tmp_path: Path) -> None:
    job = make_job(tmp_path, [people(800)], BINARY, people_manifest(fingerprint="f00", ds="2020-01-01", pipeline="p"))
    job.environment = {"TRAINING_JOB_NAME": "p-2020-01-01-f00"}
    code, out = job.process()
    assert code == 0, out
    lines = dict(line.split(":", 1) for line in out.splitlines() if line.startswith(("validation-", "baseline-")))
    assert float(lines["validation-auc"]) == pytest.approx(job.metrics["validation"]["auc"], abs=1e-6)
    assert {"validation-accuracy", "validation-logloss", "baseline-auc"} <= set(lines)
    manifest = Model.load(tmp_path / "model").manifest
    assert (manifest.fingerprint, manifest.pipeline) == ("f00", "p")
    assert not (tmp_path / "output" / "failure").exists()


def failure_of(tmp_path: Path, parameters: Mapping[str, Any], table: pa.Table | None = None, **manifest: Any) -> str:
    tables = [people(300) if table is None else table]
    job = make_job(tmp_path, tables, parameters, {**people_manifest(), **manifest})
    with pytest.raises(UserError) as caught:
        job.run()
    return str(caught.value)


def with_label(values: Any) -> pa.Table:
    table = people(300)
    return table.set_column(table.column_names.index("label"), "label", pa.array(values))


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({}, ["task", "missing"]),
        ({"task": "binry"}, ["task", "binry", "binary"]),
        ({"task": "binary", "eta": "0.1"}, ["eta", "unknown", "xgboost"]),
        ({"task": "binary", "xgboost": {"max_depth": "deep"}}, ["xgboost.max_depth", "deep"]),
        ({"task": "binary", "xgboost": {"objective": "rank:ndcg"}}, ["objective", "rank:ndcg", "binary:logistic"]),
        ({"task": "binary", "xgboost": {"num_class": 3}}, ["xgboost.num_class"]),
        ({"task": "binary", "preprocess": {"columns": {"agee": {}}}}, ["agee"]),
        ({"task": "binary", "split": {"by": "folds", "folds": 50}, "out_of_core": "always"}, ["folds", "memory"]),
        ({"task": "one_vs_rest"}, ["label", "int", "array<string>"]),
    ],
)
def test_wrong_hyperparameters_are_named(tmp_path: Path, parameters: Mapping[str, Any], words: list[str]) -> None:
    message = failure_of(tmp_path, parameters)
    assert all(word in message for word in words), message
    assert "\n" not in message and len(message) < 1_024


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (with_label([1] * 300), ["label", "only the value 1"]),
        (with_label(np.arange(300) % 3), ["3 values", "multiclass"]),
        (with_label(pa.nulls(300, pa.int32())), ["no row with a label"]),
        (people(0), ["no row with a label"]),
        (people(300).drop_columns(["age"]), ["part-0.parquet", "age"]),
        (
            people(300).set_column(3, "age", pa.array(["old"] * 300)),
            ["part-0.parquet", "age", "string", "int"],
        ),
        (people(300).set_column(4, "income", pa.array([np.inf] * 300)), ["income", "infinity"]),
    ],
)
def test_unusable_data_is_named(tmp_path: Path, table: pa.Table, words: list[str]) -> None:
    message = failure_of(tmp_path, {"task": "binary"}, table)
    assert all(word in message for word in words), message


def test_failures_are_written_with_exit_code_1(tmp_path: Path) -> None:
    job = make_job(tmp_path, [], {"task": "binary"})
    code, _ = job.process()
    assert code == 1
    assert "Channel train is empty" in job.failure
    assert not (tmp_path / "model" / "model.json").exists()


def test_rows_without_label_are_dropped_and_counted(tmp_path: Path) -> None:
    table = people(800)
    label = pa.array(np.asarray(table["label"]), mask=np.arange(800) % 4 == 0)
    table = table.set_column(table.column_names.index("label"), "label", label)
    job = make_job(tmp_path, [table], BINARY, people_manifest())
    job.run()
    assert job.metrics["rows"]["dropped_without_label"] == 200
    assert job.metrics["rows"]["train"] == 600


@pytest.mark.parametrize("preprocess", [{}, {"encode": {"kind": "target"}, "impute": {"strategy": "median"}}])
def test_out_of_core_is_as_good_as_in_memory(tmp_path: Path, preprocess: dict[str, Any]) -> None:
    found = {}
    for where in ("always", "never"):
        tables = [people(6_000, seed=1), people(6_000, seed=2)]
        parameters = {**BINARY, "out_of_core": where, "preprocess": preprocess}
        job = make_job(tmp_path / where, tables, parameters, people_manifest())
        job.run()
        found[where] = job
    first, second = found["always"].metrics, found["never"].metrics
    assert first["rows"] == second["rows"]
    assert abs(first["validation"]["auc"] - second["validation"]["auc"]) < 0.005
    manifests = [Model.load(job.base / "model").manifest for job in found.values()]
    assert manifests[0].preparation == manifests[1].preparation


def test_csv_without_header_by_the_manifest(tmp_path: Path) -> None:
    table = people(800)
    parquet = make_job(tmp_path / "parquet", [table], BINARY, people_manifest())
    parquet.run()
    for where in ("never", "always"):
        columns = {"columns": table.column_names}
        kind = {"train": {"ContentType": "text/csv"}}
        parameters = {**BINARY, "out_of_core": where, "split": {"by": "time"}}
        job = make_job(tmp_path / where, [], parameters, people_manifest(**columns), channels=kind)
        options = pa.csv.WriteOptions(include_header=False)
        pa.csv.write_csv(table, job.base / "input/data/train/rows.csv", options)
        job.run()
        assert job.metrics["rows"]["validation"] > 50
    manifest = Model.load(tmp_path / "never" / "model").manifest
    assert [feature.type for feature in manifest.features] == list(FEATURES.values())


def test_csv_and_libsvm_without_manifest(tmp_path: Path) -> None:
    table = people(800)
    rows = zip(*(table[name].to_pylist() for name in ("label", "age", "income", "noise")), strict=True)
    lines = [[None if cell is None else float(cell) for cell in row] for row in rows]
    comma = make_job(tmp_path / "csv", [], BINARY, channels={"train": {"ContentType": "text/csv;label_size=1"}})
    text = "\n".join(",".join("" if c is None else f"{c:.10g}" for c in line) for line in lines)
    (comma.base / "input/data/train/a.csv").write_text(text + "\n")
    sparse = make_job(tmp_path / "svm", [], BINARY, channels={"train": {"ContentType": "text/libsvm"}})
    text = "\n".join(
        f"{line[0]:.0f} " + " ".join(f"{i}:{c:.10g}" for i, c in enumerate(line[1:]) if c is not None) for line in lines
    )
    (sparse.base / "input/data/train/a.libsvm").write_text(text + "\n")
    metrics = []
    for job in (comma, sparse):
        job.run()
        manifest = Model.load(job.base / "model").manifest
        assert [feature.name for feature in manifest.features] == ["f0", "f1", "f2"]
        assert manifest.classes == (0, 1)
        metrics.append(job.metrics["validation"])
    assert metrics[0] == metrics[1]
    assert metrics[0]["auc"] > 0.65


def test_parquet_without_manifest_and_a_validation_channel(tmp_path: Path) -> None:
    table = people(2_000).drop_columns(["row", "person", "day"])
    job = make_job(tmp_path, [table], BINARY)
    folder = tmp_path / "input/data/validation"
    folder.mkdir()
    pq.write_table(people(3_000, seed=9).drop_columns(["row", "person", "day"]), folder / "v.parquet")
    job.run()
    rows = job.metrics["rows"]
    assert rows["split"] == "channel"
    assert rows["train"] == 2_000
    assert rows["calibration"] + rows["validation"] == 3_000


# Where XGBoost draws rows or columns at random, the state of its generator must come back, too.
LONG: dict[str, float] = {"rounds": 400, "early_stopping_rounds": 400, "eta": 0.03, "num_parallel_tree": 1}
EXACT = {"subsample": 1, "colsample_bynode": 1}


@pytest.fixture(scope="module", params=[{}, EXACT], ids=["drawing", "exact"])
def uninterrupted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Job:
    parameters = {"task": "binary", "xgboost": {**LONG, **request.param}}
    job = make_job(tmp_path_factory.mktemp("whole"), [people(8_000)], parameters, people_manifest())
    job.run()
    return job


def stop_after(job: Job, line: str) -> None:
    """Runs the job as a process and stops it as SageMaker does when it has printed the line's beginning."""
    running = job.start()
    try:
        assert running.stdout is not None
        seen = []
        for each in running.stdout:
            seen.append(each)
            if each.startswith(line):
                break
        assert seen[-1].startswith(line), "".join(seen)
        running.send_signal(signal.SIGTERM)
        out, _ = running.communicate(timeout=60)
    finally:
        running.kill()
    assert running.returncode == 0, out


def test_a_job_resumed_from_checkpoints_gives_the_same_bytes(uninterrupted: Job, tmp_path: Path) -> None:
    job = make_job(tmp_path, [people(8_000)], uninterrupted.parameters, people_manifest())
    (tmp_path / "checkpoints").mkdir()
    stop_after(job, "[120]")
    stopped = job.digests()
    assert stopped["model.ubj"] != uninterrupted.digests()["model.ubj"]
    state = json.loads((tmp_path / "checkpoints" / "booster.json").read_bytes())
    assert 100 <= len(state["numbers"]) < LONG["rounds"]
    job.run()
    assert job.digests() == uninterrupted.digests()


def test_checkpoints_of_another_training_are_left_alone(uninterrupted: Job, tmp_path: Path) -> None:
    job = make_job(tmp_path, [people(8_000)], {**uninterrupted.parameters, "seed": 3}, people_manifest())
    (tmp_path / "checkpoints").mkdir()
    job.run()
    make_job(tmp_path, [people(8_000)], uninterrupted.parameters, people_manifest()).run()
    assert job.digests() == uninterrupted.digests()


@pytest.mark.parametrize("rows", [2_000, 60_000])
def test_sigterm_saves_the_model_and_exits_0(tmp_path: Path, rows: int) -> None:
    parameters = {
        "task": "binary",
        "xgboost": {"rounds": 20_000, "early_stopping_rounds": 20_000, "num_parallel_tree": 1},
    }
    job = make_job(tmp_path, [people(rows)], parameters, people_manifest())
    asked = time.monotonic()
    stop_after(job, "[20]")
    assert time.monotonic() - asked < 60
    predicted = Model.load(tmp_path / "model").predict(people(50).select(list(FEATURES)))
    assert predicted.num_rows == 50
    assert job.metrics["validation"]["auc"] > 0.7


def test_nested_hyperparameters_come_as_json_texts() -> None:
    found = parse_hyperparameters(
        {"task": "binary", "split": '{"by": "time", "validation": "25%"}', "seed": "7", "sagemaker_program": '"x"'}
    )
    assert (found.split.by, found.split.validation, found.seed) == ("time", 0.25, 7)
