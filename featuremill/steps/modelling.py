"""The steps about a model, done with SageMaker: train, accept, deploy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from featuremill.errors import DataError
from featuremill.sagemaker import buckets
from featuremill.sagemaker.champion import champion
from featuremill.sagemaker.client import Clients
from featuremill.sagemaker.gate import Verdict, judge
from featuremill.sagemaker.records import ModelVersion, Registry
from featuremill.sagemaker.refresh import Deployment, deploy, rollback
from featuremill.sagemaker.requests.training import Hosts
from featuremill.sagemaker.scores import Predictions
from featuremill.sagemaker.smoke import Probe
from featuremill.sagemaker.staging import channel_manifest, stage
from featuremill.sagemaker.training import (
    Progress,
    TrainingFailed,
    TrainingRequest,
    fetch_output,
    model_version,
    read_metrics,
    submit,
    wait,
)
from featuremill.sagemaker.wandb_logging import log_model
from featuremill.spec.models import Pipeline, Training, hyperparameters
from featuremill.steps.execution import Artefact, Outcome, StepStatus, StoredPartition
from featuremill.steps.graph import LiveModel, Step
from featuremill.warehouse.storage import Warehouse

if TYPE_CHECKING:
    from training_image.prediction import Model

Say = Callable[[str], None]

VALIDATION_ROWS = "validation.parquet"
_PROBE_ROWS = 20


@dataclass
class SageMakerModels:
    """Does the steps about one pipeline's model. `instances`: what trains, instead of the pipeline file's.

    Models are fetched into <state>/models/<version>. `say` hears how long work is getting on.
    """

    pipeline: Pipeline
    warehouse: Warehouse
    clients: Clients
    state: Path
    say: Say
    instances: Hosts | None = None

    @cached_property
    def registry(self) -> Registry:
        return Registry(self.warehouse, self.pipeline.pipeline)

    @property
    def hosts(self) -> Hosts:
        configured = (self.pipeline.training or Training()).instances
        return self.instances or Hosts(type=configured.type, count=configured.count)

    # Steps

    def train(self, step: Step, training: StoredPartition) -> tuple[StepStatus, Outcome]:
        """Stage the training table, have a job train on it, and record the model."""
        assert step.fingerprint is not None
        known = self._trained(step.fingerprint)
        if known is not None:
            return "up to date", Outcome(remark=known.version)
        partition, parameters = training.manifest, hyperparameters(self.pipeline)
        channel = channel_manifest(self.pipeline, partition)
        staged = stage(self.clients, self.warehouse, partition, channel, self.hosts.count)
        request = TrainingRequest(
            pipeline=self.pipeline.pipeline,
            ds=step.ds,
            fingerprint=step.fingerprint,
            data_fingerprint=partition.fingerprint,
            parameters=parameters,
            staged=staged,
            hosts=self.hosts,
        )
        submitted = submit(self.clients, request)
        self.say(f"training job {submitted.name}" + (" was there already" if submitted.adopted else ""))
        try:
            trained = wait(self.clients, submitted.name, lambda progress: self.say(_progress(progress)))
        except TrainingFailed as error:
            self.registry.log("failed", submitted.name, str(error))
            raise
        metrics = read_metrics(fetch_output(self.clients, trained, self._folder))
        model = model_version(request, submitted, trained, metrics, datetime.now(UTC))
        self.registry.add(model, f"training table of {step.ds}")
        return "done", Outcome(remark=_metrics(metrics))

    def accept(self, step: Step) -> tuple[StepStatus, Outcome]:
        """Judge a model on the rows it was validated on, also against the live model on those same rows."""
        model = self._model(step)
        live = self.live()
        if live is not None and live.version == model.version:
            return "up to date", Outcome()
        verdict = self._judge(model, live)
        is_known = self.registry.verdict(model.version) == verdict
        self.registry.judged(model.version, verdict)
        log_model(model, verdict, self.output(model) / "report.html", self.state)
        if not verdict.passed:
            serving = f"{live.version} stays the live model" if live else "there is no live model"
            raise DataError(
                f"{self.pipeline.pipeline}: the model {model.version} is not accepted: {verdict.summary}. {serving}. "
                "Its report is "
                f"{self.output(model) / 'report.html'}; change the data, `training` or `accept`, and train again"
            )
        kept = [check.text for check in verdict.checks if check.value is not None]
        return "up to date" if is_known else "done", Outcome(remark="; ".join(kept) or verdict.summary)

    def deploy(self, step: Step) -> tuple[StepStatus, Outcome]:
        done = self.bring_live(self._model(step), f"run for {step.ds}")
        if done.outcome == "unchanged":
            return "up to date", Outcome()
        return "done", Outcome(remark=f"endpoint {done.endpoint} {done.outcome}, tested")

    def artefact(self, model: LiveModel) -> Artefact:
        """The unpacked model. Raises DataError where it was never trained or its artefact is gone."""
        known = self._trained(model.fingerprint)
        if known is None:
            raise DataError(
                f"{self.pipeline.pipeline}: the artefact of {model.version} is gone; train again: "
                f"featuremill train {self.pipeline.pipeline} --ds DAY"
            )
        return Artefact(known.version, self.unpacked(known))

    def reason_to_do(self, step: Step) -> str | None:
        assert step.model is not None
        model = self._trained(step.model.fingerprint)
        if model is None:
            return "no such model was trained" if step.kind == "train" else "the model is not trained"
        if step.kind == "train":
            return None
        if step.kind == "accept":
            verdict = self.registry.verdict(model.version)
            return None if verdict is not None and verdict.passed else "the model is not accepted"
        current = self.registry.current()
        return None if current is not None and current.version == model.version else "the endpoint does not run it"

    # What commands ask

    def live(self) -> ModelVersion | None:
        """The model that predictions come from: what is deployed, or without an endpoint what was accepted last."""
        if self.pipeline.endpoint is not None:
            current = self.registry.current()
            return self.registry.version(current.version) if current is not None else None
        accepted = [entry.model for entry in self.registry.history() if entry.verdict and entry.verdict.passed]
        return accepted[0] if accepted else None

    def bring_live(self, model: ModelVersion, reason: str) -> Deployment:
        """Have the endpoint run a model, tested with real rows."""
        assert self.pipeline.endpoint is not None
        return deploy(
            self.clients,
            self.registry,
            model,
            self.pipeline.endpoint,
            self._probe(model),
            reason=reason,
            on_status=lambda status: self.say(f"endpoint {status}"),
        )

    def go_back(self, version: str | None, reason: str) -> Deployment:
        """Have the endpoint run a version that ran before."""
        assert self.pipeline.endpoint is not None
        return rollback(
            self.clients,
            self.registry,
            self.pipeline.endpoint,
            version,
            self._probe,
            reason=reason,
            on_status=lambda status: self.say(f"endpoint {status}"),
        )

    def loaded(self, model: ModelVersion) -> Model:
        """The model in this process. Raises DataError for a damaged artefact."""
        from training_image.prediction import ArtefactError, Model

        folder = self.unpacked(model)
        try:
            return Model.load(folder)
        except (ArtefactError, FileNotFoundError) as error:
            raise DataError(f"{self.pipeline.pipeline}: the model {model.version} is damaged: {error}") from error

    # Parts

    @property
    def _folder(self) -> Path:
        return self.state / "models"

    def _trained(self, fingerprint: str) -> ModelVersion | None:
        """The newest model of a fingerprint whose artefact is there."""
        made = [model for model in self.registry.versions() if model.fingerprint == fingerprint]
        for model in reversed(made):
            if buckets.size(self.clients, model.artefact_uri):
                return model
        return None

    def _model(self, step: Step) -> ModelVersion:
        assert step.model is not None
        model = self._trained(step.model.fingerprint)
        if model is None:
            raise DataError(
                f"{self.pipeline.pipeline}: the model {step.model.version} is gone; run again to make it anew"
            )
        return model

    def unpacked(self, model: ModelVersion) -> Path:
        """The folder of a model's artefact, fetched once."""
        return buckets.unpack(self.clients, model.artefact_uri, self._folder / model.version / "model")

    def output(self, model: ModelVersion) -> Path:
        """The folder of what training left beside it: validation.parquet, metrics.json, report.html."""
        assert model.output_uri is not None
        return buckets.unpack(self.clients, model.output_uri, self._folder / model.version / "output")

    def _judge(self, model: ModelVersion, live: ModelVersion | None) -> Verdict:
        accept = (self.pipeline.training or Training()).accept
        measured = {
            name: float(value)
            for name, value in model.metrics.get("validation", {}).items()
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        }
        assert self.pipeline.label is not None
        if live is None or not any(accept.against_live.bounds()):
            return judge(accept, model.task, measured, live=live.version if live else None)
        # Rows that were judged by folds have predictions of models that did not see them; they stand in the file.
        rows = self._judged(model)
        if rows is None:
            return judge(accept, model.task, measured, label=self.pipeline.label.column, champion=_cannot_score)
        spine = self.pipeline.spine
        key = self.pipeline.sources[spine].key_column if spine else None
        loaded = self.loaded(live)
        return judge(
            accept,
            model.task,
            measured,
            rows=rows,
            label=self.pipeline.label.column,
            challenger=Predictions(rows, self.loaded(model).manifest.classes),
            champion=champion(lambda table: _predictions(loaded, table), self._judged(live), key),
            live=live.version,
        )

    def _judged(self, model: ModelVersion) -> pa.Table | None:
        """The rows that a model was judged on, with its predictions then; None if they are gone from the bucket."""
        if model.output_uri is None or not buckets.size(self.clients, model.output_uri):
            return None
        return pq.read_table(self.output(model) / VALIDATION_ROWS)

    def _probe(self, model: ModelVersion) -> Probe | None:
        """A few rows that the model was judged on; none if its output is gone (a bucket's lifecycle rule, say)."""
        judged = self._judged(model)
        if judged is None:
            self.say(f"the output of {model.version} is gone: the endpoint is not tested with rows")
            return None
        loaded = self.loaded(model)
        rows = judged.slice(0, _PROBE_ROWS)
        manifest = loaded.manifest
        features = [feature.name for feature in manifest.features]
        return Probe(manifest.task, manifest.label, features, rows, lambda table: loaded.predict(table))


def _cannot_score(rows: pa.Table) -> Predictions:
    raise DataError("the rows that judged the new model are gone from the bucket; train it anew")


def _predictions(model: Model, rows: pa.Table) -> Predictions:
    return Predictions(model.predict(rows), model.manifest.classes)


def _progress(progress: Progress) -> str:
    metrics = ", ".join(f"{name} {value:.4f}" for name, value in sorted(progress.metrics.items())[:4])
    return f"{progress.job}: {progress.secondary or progress.status}" + (f" ({metrics})" if metrics else "")


def _metrics(metrics: dict[str, Any]) -> str:
    shown = ("auc", "accuracy", "logloss", "rmse", "r2")
    measured = metrics.get("validation", {})
    return ", ".join(f"{name} {measured[name]:.3f}" for name in shown if isinstance(measured.get(name), (int, float)))


def as_live(model: ModelVersion | None) -> LiveModel | None:
    return None if model is None else LiveModel(version=model.version, fingerprint=model.fingerprint)


def with_instances(hosts: Hosts, instance_type: str | None, count: int | None) -> Hosts:
    """The hosts with what was asked for on the command line."""
    return replace(hosts, type=instance_type or hosts.type, count=count or hosts.count)
