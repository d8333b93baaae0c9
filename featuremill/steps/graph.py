"""A pipeline's run for one `ds` as a graph of steps: plain data that can be printed, compared and scheduled.

land:<source>@<ds>      the raw files of the day are there
ingest:<source>@<day>   typed rows and quarantined lines of one landing, for every landing up to ds
check:<source>@<day>    its expectations
snapshot@<ds>           one row an entity
training@<ds>           one row an event
train@<ds>              a model of the training table, where one is due
accept@<ds>             the model held against its thresholds and the live model
deploy@<ds>             the endpoint runs the model
score@<ds>              a prediction for every row of the snapshot, by the accepted model
publish@<ds>            the Hive partitions point at all that
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from featuremill.queries.features import tables_of
from featuremill.sagemaker.names import job_name
from featuremill.spec.models import Pipeline
from featuremill.steps.fingerprints import (
    accept_definition,
    check_definition,
    deploy_definition,
    fingerprint,
    ingest_definition,
    score_definition,
    sources_read,
    table_definition,
    train_definition,
)
from featuremill.warehouse.tables import PREDICTIONS

StepKind = Literal["land", "ingest", "check", "snapshot", "training", "train", "accept", "deploy", "score", "publish"]
STAGES: tuple[str, ...] = (
    "land",
    "ingest",
    "snapshot",
    "training",
    "train",
    "accept",
    "deploy",
    "score",
    "publish",
)
"""What `--until` takes, in order. Checks are part of ingest."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TablePartition(_Data):
    """One partition of one table, at one fingerprint."""

    table: str
    ds: str
    fingerprint: str


class LiveModel(_Data):
    """A model: its version (the training job's name; further attempts add -r2, -r3 ...) and what decides it."""

    version: str
    fingerprint: str


class Step(_Data):
    """One step. `inputs` names what the fingerprint rests on; `after` the steps that have to be done before."""

    id: str
    kind: StepKind
    ds: str
    source: str | None = None
    after: tuple[str, ...] = ()
    inputs: dict[str, str] = {}
    outputs: tuple[TablePartition, ...] = ()
    definition: dict[str, Any] = {}
    fingerprint: str | None = None
    model: LiveModel | None = None
    """The model that the step makes, judges, deploys or predicts with."""

    @property
    def stage(self) -> str:
        return "ingest" if self.kind == "check" else self.kind


class Graph(_Data):
    """The steps of one run in an order in which they can be done."""

    pipeline: str
    ds: str
    steps: tuple[Step, ...]

    def until(self, stage: str | None) -> Graph:
        """The steps up to and with a stage."""
        if stage is None:
            return self
        last = STAGES.index(stage)
        return self.model_copy(update={"steps": tuple(s for s in self.steps if STAGES.index(s.stage) <= last)})

    def step(self, step_id: str) -> Step:
        return next(step for step in self.steps if step.id == step_id)


@dataclass(frozen=True)
class Landing:
    """One landing of a source: content hash of each file by name, or the fingerprint of what was made of it.

    `ingested` is set where the raw files are gone (archived) but their typed rows are in the warehouse.
    """

    files: Mapping[str, str]
    ingested: str | None = None


Landings = Mapping[str, Mapping[str, Landing]]
"""Source -> day -> landing."""


@dataclass(frozen=True)
class ModelUse:
    """What a run does about a pipeline's model.

    `due`: why a model is trained, None if none is. `live`: the model to score with if none is. `hosts`: how many
    instances train. `deploys`: whether a model that is trained goes live. `scores`: whether the run predicts.
    """

    due: str | None = None
    live: LiveModel | None = None
    hosts: int = 1
    deploys: bool = True
    scores: bool = True


def build_graph(pipeline: Pipeline, ds: str, landings: Landings, model: ModelUse | None = None) -> Graph:
    """The steps of a run for `ds`, given the landings there are. Later landings than `ds` are not looked at.

    Without `model` there is nothing of models in it, and the training table is made for people to look at.
    """
    steps: list[Step] = []
    ingested: dict[str, dict[str, Step]] = {}
    for source in pipeline.sources:
        steps.append(Step(id=f"land:{source}@{ds}", kind="land", ds=ds, source=source))
        for day, landing in sorted(landings.get(source, {}).items()):
            if day <= ds:
                ingest = _ingest(pipeline, source, day, landing, ds)
                ingested.setdefault(source, {})[day] = ingest
                steps.append(ingest)
                if pipeline.sources[source].expect:
                    steps.append(_check(pipeline, ingest))
    before = tuple(step.id for step in steps)
    made = [table for table in tables_of(pipeline) if table != "training" or model is None or model.due is not None]
    tables = [_table(pipeline, table, ds, ingested, before) for table in made]
    models = _model_steps(pipeline, ds, {table.kind: table for table in tables}, model) if model is not None else []
    publish = Step(id=f"publish@{ds}", kind="publish", ds=ds, after=(*before, *(s.id for s in (*tables, *models))))
    return Graph(pipeline=pipeline.pipeline, ds=ds, steps=(*steps, *tables, *models, publish))


def _model_steps(pipeline: Pipeline, ds: str, tables: Mapping[StepKind, Step], model: ModelUse) -> list[Step]:
    steps: list[Step] = []
    used = model.live
    if model.due is not None:
        train = _derived("train", ds, train_definition(pipeline, model.hosts), tables["training"])
        version = job_name(pipeline.pipeline, ds, str(train.fingerprint))
        used = LiveModel(version=version, fingerprint=str(train.fingerprint))
        steps = [train, _derived("accept", ds, accept_definition(pipeline), train)]
        if pipeline.endpoint is not None and model.deploys:
            steps.append(_derived("deploy", ds, deploy_definition(pipeline), *reversed(steps)))
        steps = [step.model_copy(update={"model": used}) for step in steps]
    if used is not None and model.scores:
        score = _derived("score", ds, score_definition(pipeline), tables["snapshot"], model=used.fingerprint)
        output = TablePartition(table=PREDICTIONS, ds=ds, fingerprint=str(score.fingerprint))
        after = (*score.after, *(step.id for step in steps))
        steps.append(score.model_copy(update={"outputs": (output,), "after": after, "model": used}))
    return steps


def _derived(kind: StepKind, ds: str, definition: dict[str, Any], *before: Step, model: str | None = None) -> Step:
    """A step that rests on other steps, and on a model's fingerprint."""
    inputs = {step.id: str(step.fingerprint) for step in before} | ({"model": model} if model is not None else {})
    return Step(
        id=f"{kind}@{ds}",
        kind=kind,
        ds=ds,
        after=tuple(step.id for step in before),
        inputs=inputs,
        definition=definition,
        fingerprint=fingerprint(definition, inputs),
    )


def _ingest(pipeline: Pipeline, source: str, day: str, landing: Landing, ds: str) -> Step:
    definition = ingest_definition(pipeline, source)
    inputs = {f"{source}/{name}": digest for name, digest in landing.files.items()}
    result = landing.ingested or fingerprint(definition, inputs)
    return Step(
        id=f"ingest:{source}@{day}",
        kind="ingest",
        ds=day,
        source=source,
        after=(f"land:{source}@{ds}",),
        inputs=inputs,
        outputs=tuple(TablePartition(table=t, ds=day, fingerprint=result) for t in (source, f"{source}_quarantine")),
        definition=definition,
        fingerprint=result,
    )


def _check(pipeline: Pipeline, ingest: Step) -> Step:
    assert ingest.source is not None and ingest.fingerprint is not None
    definition = check_definition(pipeline.sources[ingest.source])
    inputs = {f"{ingest.source}@{ingest.ds}": ingest.fingerprint}
    return Step(
        id=f"check:{ingest.source}@{ingest.ds}",
        kind="check",
        ds=ingest.ds,
        source=ingest.source,
        after=(ingest.id,),
        inputs=inputs,
        definition=definition,
        fingerprint=fingerprint(definition, inputs),
    )


def _table(
    pipeline: Pipeline, table: str, ds: str, ingested: Mapping[str, Mapping[str, Step]], before: tuple[str, ...]
) -> Step:
    definition = table_definition(pipeline, table, ds)
    read = [step for source in sources_read(pipeline) for step in ingested.get(source, {}).values()]
    inputs = {f"{step.source}@{step.ds}": str(step.fingerprint) for step in read}
    result = fingerprint(definition, inputs)
    return Step(
        id=f"{table}@{ds}",
        kind="training" if table == "training" else "snapshot",
        ds=ds,
        after=before,
        inputs=inputs,
        outputs=(TablePartition(table=table, ds=ds, fingerprint=result),),
        definition=definition,
        fingerprint=result,
    )
