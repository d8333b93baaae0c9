"""`python -m training_image.train`: what SageMaker starts as `IMAGE train`.

Reads input/config and the channels `train`, `validation` (optional) and `manifest` (optional) below /opt/ml or
SAGEMAKER_BASE_DIR; writes model/, output/data/ and, where it fails, output/failure. Exit code 0: there is a model.
1: the failure file says in one sentence what was wrong. SIGTERM ends training after the running round; the model is
saved and the exit code is 0.

Bytes: the same channel, parameters and number of threads (OMP_NUM_THREADS, else the processors) give the same files.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

from training_image.learning.boosting import StopSignal
from training_image.learning.collective import Ring, joined
from training_image.learning.configuration import BASE, Folders, Job, read_job
from training_image.learning.data import read_data
from training_image.learning.errors import UserError
from training_image.learning.fitting import Task
from training_image.learning.folds import train_folds
from training_image.learning.held_out import all_rows, judge_held_out, train_held_out
from training_image.learning.progress import checkpoints_of
from training_image.learning.submodel_files import write_submodels
from training_image.learning.submodels import check_hosts, share, train_submodels
from training_image.learning.writing import print_metrics, write_result


def main() -> int:
    """The exit code. Never raises: what went wrong is in output/failure and on stderr."""
    stop = StopSignal()
    signal.signal(signal.SIGTERM, stop)
    # XGBoost warns about hosts without rows and about waiting for the tracker; both are expected here.
    warnings.filterwarnings("ignore", module="xgboost")
    failure = Folders(Path(os.environ.get("SAGEMAKER_BASE_DIR") or BASE)).failure
    try:
        # A job that runs again, after a spot interruption, is not the one that failed.
        failure.unlink(missing_ok=True)
        job = read_job(os.environ)
        train(job, stop)
    except UserError as error:
        return _fail(failure, str(error))
    except Exception as error:
        traceback.print_exc()
        return _fail(failure, f"{type(error).__name__}: {error}")
    return 0


def _fail(file: Path, reason: str) -> int:
    print(reason, file=sys.stderr, flush=True)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(reason)
    except OSError as error:
        print(f"{file} cannot be written: {error}", file=sys.stderr, flush=True)
    return 1


def train(job: Job, stop: StopSignal) -> None:
    """Trains and writes what there is to write on this host. Raises UserError."""
    with tempfile.TemporaryDirectory(prefix="train-") as scratch:
        if job.parameters.task == "one_vs_rest":
            _train_one_vs_rest(job, stop, Path(scratch))
        else:
            _train_single(job, stop, Path(scratch))


def _train_one_vs_rest(job: Job, stop: StopSignal, scratch: Path) -> None:
    check_hosts(job)
    data = read_data(job, Ring(), scratch)
    task = Task(job.parameters, data.target, data.manifest.features, job.threads, stop)
    print(f"{data.total} rows, {data.dropped} without a label; {len(data.target.values)} submodels", flush=True)
    shared = share(task, data, job)
    mine = train_submodels(job, task, shared, checkpoints_of(job, data))
    with joined(job.hosts) as ring:
        write_submodels(job, data, shared, mine, ring)


def _train_single(job: Job, stop: StopSignal, scratch: Path) -> None:
    """All hosts read and boost together; the first alone judges and writes. Folds: the first alone trains, too."""
    with joined(job.hosts) as ring:
        data = read_data(job, ring, scratch)
        task = Task(job.parameters, data.target, data.manifest.features, job.threads, stop)
        if ring.first:
            print(f"{data.total} rows, {data.dropped} without a label; split by {data.strategy}", flush=True)
        if data.strategy == "folds":
            everything = all_rows(data, ring)
        else:
            fit = train_held_out(job, task, data, ring, scratch)
    if job.hosts.index:
        return
    if data.strategy == "folds":
        result = train_folds(job, task, data, everything)
    else:
        result = judge_held_out(job, task, data, fit)
    print_metrics(result.evidence)
    parameters = job.parameters.model_dump(mode="json", exclude_none=True)
    write_result(result, data.manifest, parameters, job.folders.model, job.folders.output)


if __name__ == "__main__":
    sys.exit(main())
