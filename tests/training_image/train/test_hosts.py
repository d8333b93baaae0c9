"""Several hosts as processes: one model from shards, the same submodels as one host, errors that reach all."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tests.training_image.train.jobs import FEATURES, Job, make_job, people, people_manifest
from training_image.prediction import Model

ROUNDS = {"rounds": 40, "max_depth": 4, "eta": 0.2}


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def run_hosts(
    base: Path,
    shards: Sequence[Sequence[pa.Table]],
    parameters: Mapping[str, Any],
    manifest: Mapping[str, Any] | None,
    kind: str = "ShardedByS3Key",
) -> list[tuple[Job, int, str]]:
    """One process a host, all at a time: (job, exit code, output)."""
    names = [f"algo-{index + 1}" for index in range(len(shards))]
    environment = {
        "FEATUREMILL_HOST_ADDRESSES": json.dumps(dict.fromkeys(names, "127.0.0.1")),
        "FEATUREMILL_TRACKER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
    }
    channels = {"train": {"S3DistributionType": kind}}
    jobs = []
    for name, tables in zip(names, shards, strict=True):
        job = make_job(base / name, tables, parameters, manifest, names, name, channels)
        job.environment = environment
        jobs.append(job)
    running = [job.start() for job in jobs]
    try:
        printed = [process.communicate(timeout=120)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    return [(job, process.returncode, out) for job, process, out in zip(jobs, running, printed, strict=True)]


def test_shards_make_one_model_and_an_empty_host_does_no_harm(tmp_path: Path) -> None:
    table = people(9_000)
    order = np.random.default_rng(3).permutation(9_000)
    shards = [[table.take(order[:4_000])], [table.take(order[4_000:])], []]
    parameters = {"task": "binary", "xgboost": ROUNDS, "preprocess": {"encode": {"kind": "target"}}}
    hosts = run_hosts(tmp_path, shards, parameters, people_manifest())
    assert [code for _, code, _ in hosts] == [0, 0, 0], [out for _, _, out in hosts]
    first = hosts[0][0]
    assert [bool(job.digests()) for job, _, _ in hosts] == [True, False, False]
    rows = first.metrics["rows"]
    assert rows["train"] + rows["calibration"] + rows["validation"] == 9_000

    alone = make_job(tmp_path / "alone", [table.take(order)], parameters, people_manifest())
    alone.run()
    assert first.metrics["rows"] == alone.metrics["rows"]
    assert abs(first.metrics["validation"]["auc"] - alone.metrics["validation"]["auc"]) < 0.02
    one, several = (Model.load(job.base / "model").manifest for job in (alone, first))
    assert one.prepared == several.prepared and one.features == several.features
    predicted = Model.load(first.base / "model").predict(first.validation.select(list(FEATURES)))
    assert predicted["probability"].equals(first.validation["probability"])


def test_few_rows_on_several_hosts_are_judged_by_folds(tmp_path: Path) -> None:
    table = people(1_000)
    hosts = run_hosts(
        tmp_path, [[table.slice(0, 500)], [table.slice(500)]], {"task": "binary", "xgboost": ROUNDS}, people_manifest()
    )
    assert [code for _, code, _ in hosts] == [0, 0], [out for _, _, out in hosts]
    assert hosts[0][0].metrics["rows"]["train"] == 1_000


def test_an_error_on_one_host_is_the_failure_of_all(tmp_path: Path) -> None:
    table = people(1_000)
    broken = table.drop_columns(["income"])
    hosts = run_hosts(tmp_path, [[table], [broken]], {"task": "binary"}, people_manifest())
    assert [code for _, code, _ in hosts] == [1, 1]
    for job, _, _ in hosts:
        assert "has no column income" in job.failure


def skills(rows: int = 400) -> pa.Table:
    """Occupations: whoever has `python` mostly has `sql`; `excel` depends on the sector; `word` on nothing."""
    random = np.random.default_rng(5)
    sector = random.integers(0, 3, rows)
    sets = []
    for each in sector:
        found = {"word"} if random.random() < 0.5 else set()
        if random.random() < 0.4:
            found |= {"python"} | ({"sql"} if random.random() < 0.9 else set())
        if random.random() < (0.9 if each == 0 else 0.1):
            found.add("excel")
        if random.random() < 0.01:
            found.add("cobol")
        sets.append(sorted(found))
    names = pa.array(np.array(["office", "field", "lab"])[sector])
    tags = pa.array(sets, pa.list_(pa.string()))
    return pa.table({"profile_skills": tags, "sector": names, "role_skills": tags})


SKILLS = {
    "label": "role_skills",
    "label_type": "array<string>",
    "features": [{"name": "profile_skills", "type": "array<string>"}, {"name": "sector", "type": "string"}],
}


@pytest.fixture(scope="module")
def submodels(tmp_path_factory: pytest.TempPathFactory) -> Job:
    parameters = {"task": "one_vs_rest", "xgboost": {"rounds": 40}}
    job = make_job(tmp_path_factory.mktemp("skills"), [skills()], parameters, SKILLS)
    job.run()
    return job


def test_a_submodel_a_value_that_does_not_see_its_own(submodels: Job) -> None:
    model = Model.load(submodels.base / "model")
    assert model.manifest.values == ("excel", "python", "sql", "word")  # cobol: in fewer than 20 rows
    for head in model.heads:
        seen = {model.manifest.prepared[column] for column in head.columns}
        assert f"profile_skills has {head.value}" not in seen
        assert "profile_skills count" not in seen
    found = submodels.metrics["submodels"]
    assert found["sql"]["auc"] > 0.9 and found["excel"]["auc"] > 0.8
    assert abs(found["word"]["auc"] - 0.5) < 0.12
    assert submodels.validation["probabilities"].type == pa.list_(pa.float64())
    assert submodels.metrics["baselines"]["majority"]["auc"] == 0.5


def test_two_hosts_write_the_submodels_that_one_writes(submodels: Job, tmp_path: Path) -> None:
    parameters = {"task": "one_vs_rest", "xgboost": {"rounds": 40}}
    hosts = run_hosts(tmp_path, [[skills()], [skills()]], parameters, SKILLS, "FullyReplicated")
    assert [code for _, code, _ in hosts] == [0, 0], [out for _, _, out in hosts]
    first, second = (job.digests() for job, _, _ in hosts)
    assert "submodels/0000.ubj" in first and "submodels/0001.ubj" in second
    assert not set(first) & set(second)
    assert {**first, **second} == submodels.digests()
    assert hosts[0][0].validation.equals(submodels.validation)


def test_submodels_on_shards_are_refused(tmp_path: Path) -> None:
    hosts = run_hosts(tmp_path, [[skills()], [skills()]], {"task": "one_vs_rest"}, SKILLS)
    assert [code for _, code, _ in hosts] == [1, 1]
    assert "FullyReplicated" in hosts[1][0].failure
