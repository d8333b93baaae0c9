"""How much longer the training program takes than `xgboost.train` alone on the same training rows.

    python benchmarks/train_overhead.py [--rows 777715] [--features 31] [--rounds 300] [--depth 6] [--repeat 1]

Both run in fresh processes with the same parameters and threads, in turn, `--repeat` times; medians are shown. Bare:
loads the program's prepared training rows from a .npy file, makes a QuantileDMatrix and boosts. It is shown as a
whole process, its imports and loading included, and without them. The program: the whole of `python -m
training_image.train`: reading, splitting, preparing, boosting while early stopping watches, calibration, metrics,
baselines, importances, drift, report. `processor`: user and system seconds, which other processes on the machine
change less than the wall clock, but which threads that wait for each other add to (see --threads 1).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[1]

_BARE = """
import json, resource, sys, time, numpy, xgboost
def processor():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
folder, rounds, depth = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
matrix, label = numpy.load(folder + "/matrix.npy"), numpy.load(folder + "/label.npy")
start, used = time.perf_counter(), processor()
data = xgboost.QuantileDMatrix(matrix, label)
parameters = {"objective": "binary:logistic", "tree_method": "hist", "max_depth": depth, "eta": 0.1,
              "min_child_weight": 5.0}
xgboost.train(parameters, data, rounds)
print(json.dumps({"wall": time.perf_counter() - start, "processor": processor() - used}))
"""


def make_rows(rows: int, features: int, seed: int = 1) -> pa.Table:
    """`day` (in order), `f0` ... doubles with some missing, `label` (int, about 5% ones)."""
    random = np.random.default_rng(seed)
    matrix = random.normal(size=(rows, features))
    score = matrix[:, :6] @ np.array([0.5, -0.4, 0.3, 0.3, -0.2, 0.2]) + 0.4 * matrix[:, 6] * matrix[:, 7] - 3.2
    label = (random.random(rows) < 1 / (1 + np.exp(-score))).astype(np.int32)
    columns = {f"f{i}": pa.array(matrix[:, i], mask=random.random(rows) < 0.02) for i in range(features)}
    day = pa.array((np.arange(rows) * 730 // rows + 17_897).astype(np.int32)).cast(pa.date32())
    return pa.table({"day": day, **columns, "label": label})


def write_job(base: Path, table: pa.Table, rounds: int, depth: int) -> None:
    names = [name for name in table.column_names if name.startswith("f")]
    # Never stopped early: as many rounds as the other.
    boosting = {"rounds": rounds, "early_stopping_rounds": rounds, "max_depth": depth, "eta": 0.1}
    files = {
        "config/hyperparameters.json": {
            "task": "binary", "split": json.dumps({"by": "time"}), "xgboost": json.dumps(boosting),
        },
        "data/manifest/manifest.json": {
            "label": "label", "label_type": "int", "time": "day",
            "features": [{"name": name, "type": "double"} for name in names],
        },
    }  # fmt: skip
    for name, value in files.items():
        file = base / "input" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(value))
    (base / "input/data/train").mkdir(parents=True)
    pq.write_table(table, base / "input/data/train/rows.parquet")


def write_bare(folder: Path, table: pa.Table) -> int:
    """The training rows of the time split, as the program prepares them."""
    kept = table.slice(0, int(table.num_rows * 0.8))
    names = [name for name in table.column_names if name.startswith("f")]
    columns = [kept[name].fill_null(np.nan).to_numpy().astype(np.float32) for name in names]
    np.save(folder / "matrix.npy", np.stack(columns, axis=1))
    np.save(folder / "label.npy", kept["label"].to_numpy().astype(np.float32))
    return int(kept.num_rows)


@dataclass(frozen=True)
class Seconds:
    wall: float
    processor: float


def timed(command: list[str], environment: dict[str, str]) -> tuple[Seconds, str]:
    before, start = _processor(), time.perf_counter()
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, check=True, capture_output=True, text=True
    )
    return Seconds(time.perf_counter() - start, _processor() - before), done.stdout


def _processor() -> float:
    """Of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=777_715)
    parser.add_argument("--features", type=int, default=31)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--repeat", type=int, default=1)
    given = parser.parse_args()
    environment = {"OMP_NUM_THREADS": str(given.threads)}
    alone, bare, program = [], [], []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        table = make_rows(given.rows, given.features)
        write_job(folder / "job", table, given.rounds, given.depth)
        kept = write_bare(folder, table)
        del table
        for _ in range(given.repeat):
            command = [sys.executable, "-c", _BARE, scratch, str(given.rounds), str(given.depth)]
            whole, out = timed(command, environment)
            bare.append(whole)
            alone.append(Seconds(**json.loads(out)))
            command = [sys.executable, "-m", "training_image.train"]
            program.append(timed(command, {**environment, "SAGEMAKER_BASE_DIR": str(folder / "job")})[0])
    print(f"{given.rows:,} rows ({kept:,} to learn from), {given.features} features, {given.rounds} rounds of depth "
          f"{given.depth}, {given.threads} threads; medians of {given.repeat}")  # fmt: skip
    print("| | wall s | the program takes | processor s | the program takes |")
    print("|---|---:|---:|---:|---:|")
    _show("xgboost.train and its matrix", alone, program)
    _show("the same as a whole process", bare, program)
    _show("the training program, all of it", program, program)
    print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg()}))


def _show(name: str, every: list[Seconds], program: list[Seconds]) -> None:
    wall = statistics.median(each.wall for each in every)
    processor = statistics.median(each.processor for each in every)
    longer = statistics.median(b.wall / a.wall for a, b in zip(every, program, strict=True))
    more = statistics.median(b.processor / a.processor for a, b in zip(every, program, strict=True))
    print(f"| {name} | {wall:.1f} | {longer:.2f} times | {processor:.1f} | {more:.2f} times |")


if __name__ == "__main__":
    main()
