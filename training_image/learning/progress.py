"""What a training leaves behind while it runs: printed losses, checkpoints of this very training."""

from __future__ import annotations

from collections.abc import Callable

import xgboost

from training_image.learning.boosting import Checkpoints, fingerprint
from training_image.learning.channels import channel_files
from training_image.learning.configuration import Job
from training_image.learning.data import Data

PRINTED_ROUNDS = 10


def print_loss(name: str, loss: str) -> Callable[[int, float], None]:
    """Prints lines like `[10] calibration-logloss:0.301245`, every tenth round."""

    def report(epoch: int, value: float) -> None:
        if epoch % PRINTED_ROUNDS == 0:
            print(f"[{epoch}] {name}-{loss}:{value:.6f}", flush=True)

    return report


def silent(epoch: int, value: float) -> None:
    """What hosts but the first print."""


def checkpoints_of(job: Job, data: Data) -> Checkpoints:
    """Of the same parameters, columns, rows, files, hosts and XGBoost; those of another training are not used."""
    files = [(file.name, file.stat().st_size) for file in channel_files(job.folders.channel("train"))]
    mark = fingerprint(
        job.parameters.model_dump(mode="json"),
        data.manifest.model_dump(mode="json"),
        [data.total, data.dropped, len(data.held_codes), files if job.hosts.count == 1 else []],
        job.hosts.names,
        xgboost.__version__,
    )
    return Checkpoints(job.folders.checkpoints, mark)
