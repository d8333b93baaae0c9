"""One booster: rounds until the loss on held-out rows no longer falls, with checkpoints, resume and a stop signal."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import xgboost
from xgboost.callback import TrainingCallback

from training_image.learning.collective import Ring
from training_image.learning.objective import BoosterSettings

CHECKPOINT_ROUNDS = 10
DRAWING_ROUNDS = 100


class StopSignal:
    """Set by SIGTERM: training ends after the running round, and what was learned is saved."""

    def __init__(self) -> None:
        self.set = False

    def __call__(self, *_: object) -> None:
        self.set = True


@dataclass(frozen=True)
class Checkpoints:
    """A booster in a folder, and numbers (its losses so far) beside it in JSON; `fingerprint` says of which training.

    Written to a temporary name and renamed, so that a kill leaves a whole one. `folder` None: none are kept.
    """

    folder: Path | None
    fingerprint: str = ""
    name: str = "booster"

    def save(self, booster: xgboost.Booster, numbers: list[float]) -> None:
        if self.folder is None:
            return
        model = self.folder / f"{self.name}-{booster.num_boosted_rounds():06d}.ubj"
        state = {"fingerprint": self.fingerprint, "numbers": numbers, "booster": model.name}
        _write(model, bytes(booster.save_raw("ubj")))
        _write(self.folder / f"{self.name}.json", orjson.dumps(state))
        for old in self.folder.glob(f"{self.name}-*.ubj"):
            if old != model:
                old.unlink(missing_ok=True)

    def load(self) -> tuple[bytes, list[float]]:
        """The newest booster and its numbers, empty if there is none of this training."""
        if self.folder is None:
            return b"", []
        try:
            state = orjson.loads((self.folder / f"{self.name}.json").read_bytes())
            if state["fingerprint"] != self.fingerprint:
                return b"", []
            return (self.folder / state["booster"]).read_bytes(), list(state["numbers"])
        except (OSError, ValueError, KeyError, TypeError):
            return b"", []


def fingerprint(*parts: Any) -> str:
    """Of anything JSON can hold: equal inputs of a training, equal fingerprint."""
    return hashlib.blake2b(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def _write(file: Path, data: bytes) -> None:
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_bytes(data)
    os.replace(temporary, file)


@dataclass(eq=False)
class Progress(TrainingCallback):
    """Watches the loss, prints it, keeps a checkpoint `every` so many rounds, stops when it has long not fallen."""

    patience: int
    loss: str
    stop: StopSignal
    ring: Ring
    checkpoints: Checkpoints
    every: int
    report: Callable[[int, float], None]
    losses: list[float] = field(default_factory=list)
    stopped: bool = False

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: Mapping[str, Any]) -> bool:
        # `epoch` counts from where this call of xgboost.train began.
        rounds = model.num_boosted_rounds()
        if evals_log:
            self.losses.append(float(evals_log["calibration"][self.loss][-1]))
            self.report(rounds - 1, self.losses[-1])
        if rounds % self.every == 0 and self.ring.first:
            self.checkpoints.save(model, self.losses)
        self.stopped = self.ring.any(self.stop.set)
        return self.ended

    @property
    def ended(self) -> bool:
        """Stopped, or without a lesser loss for `patience` rounds."""
        return self.stopped or (bool(self.losses) and len(self.losses) - self.best_rounds() >= self.patience)

    def best_rounds(self) -> int:
        """How many rounds had the least loss, the fewest of equals."""
        return self.losses.index(min(self.losses)) + 1


@dataclass(frozen=True)
class Boosted:
    """A booster cut to its best rounds, all of it, and the loss after each round on the rows it was watched on."""

    booster: xgboost.Booster
    whole: xgboost.Booster
    rounds: int
    losses: list[float]


def boost(
    training: xgboost.DMatrix,
    watched: xgboost.DMatrix | None,
    settings: BoosterSettings,
    stop: StopSignal,
    ring: Ring | None = None,
    checkpoints: Checkpoints | None = None,
    report: Callable[[int, float], None] = lambda epoch, loss: None,
) -> Boosted:
    """Trains until the loss on `watched` is exhausted, or for all rounds without it. Continues from a checkpoint.

    On several hosts all call it with their own rows and equal `watched` ones; the booster is the same on all. A resumed
    training gives the trees of one that was not interrupted: where XGBoost draws rows or columns, it does so from a new
    seed every DRAWING_ROUNDS, as its generator's state is in no checkpoint, and checkpoints are kept then only.
    """
    ring = ring or Ring()
    checkpoints = checkpoints or Checkpoints(None)
    raw, losses = checkpoints.load() if ring.first else (b"", [])
    raw = ring.gather(raw)[0]
    losses = list(ring.gather_json(losses)[0])
    booster = xgboost.Booster(params=dict(settings.parameters), model_file=bytearray(raw)) if raw else None
    every = DRAWING_ROUNDS if settings.draws else CHECKPOINT_ROUNDS
    progress = Progress(settings.patience, settings.loss, stop, ring, checkpoints, every, report, losses)
    done = booster.num_boosted_rounds() if booster is not None else 0
    while booster is None or (done < settings.rounds and not progress.ended):
        end = (done // DRAWING_ROUNDS + 1) * DRAWING_ROUNDS if settings.draws else settings.rounds
        booster = xgboost.train(
            {**settings.parameters, "seed": settings.parameters["seed"] + done},
            training,
            num_boost_round=min(end, settings.rounds) - done,
            evals=[(watched, "calibration")] if watched is not None else [],
            verbose_eval=False,
            xgb_model=booster,
            callbacks=[progress],
        )
        done = booster.num_boosted_rounds()
    rounds = progress.best_rounds() if progress.losses else booster.num_boosted_rounds()
    return Boosted(cut(booster, rounds), booster, rounds, progress.losses)


def cut(booster: xgboost.Booster, rounds: int) -> xgboost.Booster:
    """The first rounds of a booster, without notes of training, so that equal trees are equal bytes."""
    return booster[:rounds] if rounds < booster.num_boosted_rounds() else booster
