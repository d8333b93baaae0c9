"""A pipeline's run for one `ds` as a graph of steps: plain data that can be printed, compared and scheduled.

land:<source>@<ds>      the raw files of the day are there
ingest:<source>@<day>   typed rows and quarantined lines of one landing, for every landing up to ds
check:<source>@<day>    its expectations
snapshot@<ds>           one row an entity
training@<ds>           one row an event
publish@<ds>            the Hive partitions point at all that
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from featuremill.queries.features import tables_of
from featuremill.spec.models import Pipeline
from featuremill.steps.fingerprints import (
    check_definition,
    fingerprint,
    ingest_definition,
    sources_read,
    table_definition,
)

StepKind = Literal["land", "ingest", "check", "snapshot", "training", "publish"]
STAGES: tuple[str, ...] = ("land", "ingest", "snapshot", "training", "publish")
"""What `--until` takes, in order. Checks are part of ingest."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TablePartition(_Data):
    """One partition of one table, at one fingerprint."""

    table: str
    ds: str
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


def build_graph(pipeline: Pipeline, ds: str, landings: Landings) -> Graph:
    """The steps of a run for `ds`, given the landings there are. Later landings than `ds` are not looked at."""
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
    tables = [_table(pipeline, table, ds, ingested, before) for table in tables_of(pipeline)]
    publish = Step(id=f"publish@{ds}", kind="publish", ds=ds, after=(*before, *(table.id for table in tables)))
    return Graph(pipeline=pipeline.pipeline, ds=ds, steps=(*steps, *tables, publish))


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
