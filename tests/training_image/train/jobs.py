"""Training jobs as SageMaker lays them out: a folder with configuration and channels, run here or as a process."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from training_image.learning.boosting import StopSignal
from training_image.learning.configuration import read_job
from training_image.train import train

ROOT = Path(__file__).parents[3]

FEATURES = {
    "age": "int",
    "income": "double",
    "job": "string",
    "member": "boolean",
    "since": "date",
    "seen": "timestamp",
    "noise": "double",
}


@dataclass
class Job:
    """A job's folder. `run` trains in this process, `process` in another."""

    base: Path
    parameters: Mapping[str, Any]
    environment: dict[str, str] = field(default_factory=dict)

    def _environment(self) -> dict[str, str]:
        return {"SAGEMAKER_BASE_DIR": str(self.base), "OMP_NUM_THREADS": "2", **self.environment}

    def run(self) -> None:
        train(read_job(self._environment()), StopSignal())

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "training_image.train"]
        return subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **self._environment()}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def process(self) -> tuple[int, str]:
        """Exit code and all it printed."""
        running = self.start()
        out, _ = running.communicate(timeout=120)
        return running.returncode, out

    @property
    def failure(self) -> str:
        return (self.base / "output" / "failure").read_text()

    @property
    def metrics(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.base / "model" / "metrics.json").read_bytes())
        return found

    @property
    def validation(self) -> pa.Table:
        return pq.read_table(self.base / "output" / "data" / "validation.parquet")

    def digests(self) -> dict[str, str]:
        """Of all files of the model, by name."""
        folder = self.base / "model"
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def make_job(
    base: Path,
    tables: Sequence[pa.Table],
    parameters: Mapping[str, Any],
    manifest: Mapping[str, Any] | None = None,
    hosts: Sequence[str] = ("algo-1",),
    current: str = "algo-1",
    channels: Mapping[str, Mapping[str, Any]] | None = None,
) -> Job:
    """Each table is a file of channel train; nested parameters become JSON, as on SageMaker."""
    write(base / "input/config/hyperparameters.json", {n: _text(v) for n, v in parameters.items()})
    write(base / "input/config/inputdataconfig.json", channels or {"train": {"TrainingInputMode": "File"}})
    write(base / "input/config/resourceconfig.json", {"current_host": current, "hosts": list(hosts)})
    folder = base / "input/data/train"
    folder.mkdir(parents=True, exist_ok=True)
    for index, table in enumerate(tables):
        pq.write_table(table, folder / f"part-{index}.parquet", row_group_size=700)
    if manifest is not None:
        write(base / "input/data/manifest/manifest.json", manifest)
    return Job(base, parameters)


def write(file: Path, value: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def people(rows: int, seed: int = 1, task: str = "binary") -> pa.Table:
    """Columns of FEATURES, `row`, `person` (5 rows each), `day` (rows are in order of it) and `label`.

    The label depends on age, income, job and membership; a perfect model's AUC is about 0.83.
    """
    random = np.random.default_rng(seed)
    age = random.integers(18, 90, rows)
    income = np.exp(random.normal(10, 1, rows))
    jobs = np.array(["clerk", "cook", "driver", "nurse", "poet"])
    job = random.integers(0, 5, rows)
    member = random.random(rows) < 0.4
    score = 0.04 * (age - 50) + 0.8 * (np.log(income) - 10) + np.array([-1, 0.5, 0, 1, 2])[job] * 0.7 + member - 0.8
    if task == "binary":
        label = pa.array((random.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int32))
    elif task == "multiclass":
        noisy = score + random.normal(0, 0.7, rows)
        label = pa.array(np.array(["low", "middle", "top"])[np.digitize(noisy, [-0.7, 0.9])])
    else:
        label = pa.array(score + random.normal(0, 0.5, rows))
    return pa.table(
        {
            "row": pa.array([f"r{index}" for index in range(rows)]),
            "person": pa.array(random.integers(0, max(rows // 5, 2), rows)),
            "day": pa.array(np.arange(rows) * 730 // rows + 17_000, pa.int32()).cast(pa.date32()),
            "age": pa.array(age, pa.int32()),
            "income": pa.array(income, mask=random.random(rows) < 0.1),
            "job": pa.array(jobs[job], mask=random.random(rows) < 0.05),
            "member": pa.array(member),
            "since": pa.array(random.integers(10_000, 18_000, rows), pa.int32()).cast(pa.date32()),
            "seen": pa.array(
                random.integers(1_500_000_000, 1_600_000_000, rows) * 1_000_000, pa.timestamp("us", "UTC")
            ),
            "noise": pa.array(random.normal(size=rows)),
            "label": label,
        }
    )


def people_manifest(label_type: str = "int", **more: Any) -> dict[str, Any]:
    return {
        "label": "label",
        "label_type": label_type,
        "row": "row",
        "entity": "person",
        "time": "day",
        "features": [{"name": name, "type": kind} for name, kind in FEATURES.items()],
        **more,
    }
