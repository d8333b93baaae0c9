"""What a run does about its pipeline's model: train one, or predict with one that there is."""

from __future__ import annotations

from featuremill.monitoring.alarms import drift_reason
from featuremill.sagemaker.records import HistoryEntry, ModelVersion
from featuremill.sagemaker.schedules import due
from featuremill.spec.models import Pipeline, Training
from featuremill.steps.graph import LiveModel, ModelUse
from featuremill.steps.modelling import SageMakerModels


def model_use(
    pipeline: Pipeline, ds: str, models: SageMakerModels, *, trains: bool = True, by_hand: bool = False
) -> ModelUse:
    """`trains` False: nothing is trained, whatever is due; `by_hand`: a model is trained, whatever is due.

    A day that made a model makes it again when its data has changed. What people decided stays: a model that was taken
    out of service is not put back, and a day before the live model's day does not replace it.
    """
    history = models.registry.history()
    live = models.live()
    found = due(
        (pipeline.training or Training()).schedule,
        ds,
        [entry.model.ds for entry in history],
        has_model=any(entry.verdict is not None and entry.verdict.passed for entry in history),
        drift=_drift(pipeline, ds, models, live, history) if not by_hand else None,
        by_hand=by_hand,
    )
    is_due = found.is_due and (by_hand or not _was_replaced(ds, live, history))
    scorer = model_of_day(ds, live, history)
    return ModelUse(
        due=found.reason if is_due and (trains or by_hand) else None,
        live=None if scorer is None else LiveModel(version=scorer.version, fingerprint=scorer.fingerprint),
        hosts=models.hosts.count,
        deploys=by_hand or live is None or live.ds <= ds,
    )


def _drift(
    pipeline: Pipeline, ds: str, models: SageMakerModels, live: ModelVersion | None, history: list[HistoryEntry]
) -> str | None:
    """Why the drift of earlier days makes a model due, in words."""
    if pipeline.monitor is None or not pipeline.monitor.drift.train or live is None:
        return None
    trained = [entry.model.ds for entry in history]
    return drift_reason(models.warehouse, pipeline.pipeline, ds, (live.ds, live.fingerprint), trained)


def _was_replaced(ds: str, live: ModelVersion | None, history: list[HistoryEntry]) -> bool:
    """Whether a model of this day served, and one of the same or an earlier day was put in its place."""
    served = [e.model.version for e in history if e.model.ds == ds and any(x.event == "deployed" for x in e.events)]
    return bool(served) and live is not None and live.version not in served and live.ds <= ds


def model_of_day(ds: str, live: ModelVersion | None, history: list[HistoryEntry]) -> ModelVersion | None:
    """The live model; if that one learned from a later day, the newest accepted one that did not."""
    if live is not None and live.ds <= ds:
        return live
    accepted = [entry.model for entry in history if entry.verdict is not None and entry.verdict.passed]
    return next((model for model in sorted(accepted, key=_age, reverse=True) if model.ds <= ds), None)


def _age(model: ModelVersion) -> tuple[str, str]:
    return model.ds, model.created.isoformat()
