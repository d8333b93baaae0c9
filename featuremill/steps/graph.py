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
monitor@<ds>            how far the day is from the one that the model learned from; published by itself
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
    monitor_definition,
    score_definition,
    sources_read,
    table_definition,
    train_definition,
)
from featuremill.warehouse.tables import DRIFT, PREDICTIONS, SNAPSHOT

StepKind = Literal[
    "land", "ingest", "check", "snapshot", "training", "train", "accept", "deploy", "score", "publish", "monitor"
]
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
    "monitor",
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


class Comparison(_Data):
    """A partition of the day and what it is compared with; None where there is nothing."""

    current: TablePartition
    reference: TablePartition | None = None


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
    """The model that the step makes, judges, deploys or predicts with, or that is live where a day is monitored."""
    compared: tuple[Comparison, ...] = ()
    """What a monitor step compares."""

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
    `keeps_training`: the training table is made even if no model is.
    """

    due: str | None = None
    live: LiveModel | None = None
    hosts: int = 1
    deploys: bool = True
    scores: bool = True
    keeps_training: bool = False


@dataclass(frozen=True)
class Reference:
    """What a day is compared with where no model is trained for it: a snapshot, and the model's predictions of it."""

    features: TablePartition
    predictions: TablePartition | None = None


class LandingSteps:
    """The steps of landings, for the graphs of several days: each day's graph has those of all landings before it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._made: dict[tuple[str, str], tuple[Landing, list[Step]]] = {}

    def make(self, source: str, day: str, landing: Landing, ds: str) -> list[Step]:
        """The ingest of a landing and, where the source has expectations, its check, in a graph for `ds`."""
        made = self._made.get((source, day))
        if made is None or made[0] != landing:
            steps = [_ingest(self._pipeline, source, day, landing, ds)]
            if self._pipeline.sources[source].expect:
                steps.append(_check(self._pipeline, steps[0]))
            self._made[source, day] = landing, steps
            return steps
        ingest, *checks = made[1]
        return [ingest.model_copy(update={"after": (_land_id(source, ds),)}), *checks]


def build_graph(
    pipeline: Pipeline,
    ds: str,
    landings: Landings,
    model: ModelUse | None = None,
    reference: Reference | None = None,
    of_landings: LandingSteps | None = None,
) -> Graph:
    """The steps of a run for `ds`, given the landings there are. Later landings than `ds` are not looked at.

    Without `model` there is nothing of models in it, and the training table is made for people to look at.
    `of_landings`: where graphs are made for several days.
    """
    of_landings = of_landings or LandingSteps(pipeline)
    steps: list[Step] = []
    ingested: dict[str, dict[str, Step]] = {}
    for source in pipeline.sources:
        steps.append(Step(id=_land_id(source, ds), kind="land", ds=ds, source=source))
        for day, landing in sorted(landings.get(source, {}).items()):
            if day <= ds:
                ingest, *checks = of_landings.make(source, day, landing, ds)
                ingested.setdefault(source, {})[day] = ingest
                steps += [ingest, *checks]
    before = tuple(step.id for step in steps)
    learned_from = model is None or model.due is not None or model.keeps_training
    made = [table for table in tables_of(pipeline) if table != "training" or learned_from]
    tables = [_table(pipeline, table, ds, ingested, before) for table in made]
    models = _model_steps(pipeline, ds, {table.kind: table for table in tables}, model) if model is not None else []
    publish = Step(id=f"publish@{ds}", kind="publish", ds=ds, after=(*before, *(s.id for s in (*tables, *models))))
    last = [publish]
    if pipeline.monitor is not None:
        last.append(_monitor(pipeline, ds, [*tables, *models], model, reference))
    return Graph(pipeline=pipeline.pipeline, ds=ds, steps=(*steps, *tables, *models, *last))


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


def _monitor(
    pipeline: Pipeline, ds: str, before: list[Step], model: ModelUse | None, reference: Reference | None
) -> Step:
    """A model that is trained for the day learned from this very day, so the day is its own reference."""
    by_table = {step.outputs[0].table: step for step in before if step.outputs}
    made = {table: by_table[table].outputs[0] for table in (SNAPSHOT, PREDICTIONS) if table in by_table}
    features, predictions = (reference.features, reference.predictions) if reference is not None else (None, None)
    if model is not None and model.due is not None:
        features, predictions = made[SNAPSHOT], made.get(PREDICTIONS)
    compared = [Comparison(current=made[SNAPSHOT], reference=features)]
    if PREDICTIONS in made:
        compared.append(Comparison(current=made[PREDICTIONS], reference=predictions))
    inputs = {f"{pair.current.table}@{ds}": pair.current.fingerprint for pair in compared}
    for old in (pair.reference for pair in compared):
        if old is not None:
            inputs[f"reference {old.table}@{old.ds}"] = old.fingerprint
    definition = monitor_definition(pipeline)
    result = fingerprint(definition, inputs)
    return Step(
        id=f"monitor@{ds}",
        kind="monitor",
        ds=ds,
        after=(f"publish@{ds}",),
        inputs=inputs,
        outputs=(TablePartition(table=DRIFT, ds=ds, fingerprint=result),),
        definition=definition,
        fingerprint=result,
        model=by_table[PREDICTIONS].model if PREDICTIONS in by_table else None,
        compared=tuple(compared),
    )


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


def _land_id(source: str, ds: str) -> str:
    return f"land:{source}@{ds}"


def _ingest(pipeline: Pipeline, source: str, day: str, landing: Landing, ds: str) -> Step:
    definition = ingest_definition(pipeline, source)
    inputs = {f"{source}/{name}": digest for name, digest in landing.files.items()}
    result = landing.ingested or fingerprint(definition, inputs)
    return Step(
        id=f"ingest:{source}@{day}",
        kind="ingest",
        ds=day,
        source=source,
        after=(_land_id(source, ds),),
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
