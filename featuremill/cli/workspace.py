"""A project as the commands work with it: its pipelines, its warehouse, its services."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from featuremill.cli.engines import RunEngines, spark_engine
from featuremill.cli.landed import LandedSources, SourceLandings
from featuremill.connectors.csv_landing import Landings
from featuremill.errors import DataError, ServiceError
from featuremill.local_engine.engine import LocalEngine
from featuremill.local_engine.session import LocalSettings
from featuremill.local_engine.tables import not_proven
from featuremill.spec.models import Pipeline
from featuremill.spec.project import PIPELINES, Project, find_project, load_project
from featuremill.steps.execution import ModelWork, Workplace
from featuremill.steps.graph import Graph, Landing, ModelUse, Reference, build_graph
from featuremill.steps.jobs import Engine, RawFile
from featuremill.steps.planning import archived
from featuremill.steps.published import Published, Shown
from featuremill.warehouse.hive import HiveCatalog
from featuremill.warehouse.storage import Warehouse
from featuremill.warehouse.tables import SNAPSHOT

if TYPE_CHECKING:
    from featuremill.sagemaker.client import Clients
    from featuremill.sagemaker.requests.training import Hosts
    from featuremill.steps.modelling import SageMakerModels, Say


class Workspace:
    """An opened project. What costs time (reading landings, reaching services) happens when it is first asked for."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.environment = project.environment
        self.state = Path(project.environment.state)
        self.landing = project.environment.landing

    # Pipelines

    def pipeline(self, name: str) -> Pipeline:
        return self.project.pipeline(name)

    def pipeline_names(self) -> list[str]:
        return list(self.project.files)

    def pipeline_file(self, name: str) -> Path:
        return self.project.directory / PIPELINES / f"{name}.yaml"

    def warnings(self, name: str) -> list[str]:
        return [str(problem) for problem in self.project.files[name].warnings]

    # What runs work with

    @cached_property
    def warehouse(self) -> Warehouse:
        return Warehouse(self.environment.warehouse)

    def workplace(
        self, pipeline: Pipeline, models: ModelWork | None = None, landed: LandedSources | None = None
    ) -> Workplace:
        """`landed`: what the graph was made of; left out, the raw files are looked for when they are needed."""
        open_landings = self._landings(pipeline)

        def raw_files(source: str, day: str) -> tuple[Sequence[RawFile], Sequence[str]]:
            return landed.raw_files(source, day) if landed is not None else open_landings[source]().read(day)

        return Workplace(pipeline, self.warehouse, self.state, raw_files, models, lambda: self.publish_online(pipeline))

    def _landings(self, pipeline: Pipeline) -> dict[str, Callable[[], Landings]]:
        return {
            name: partial(Landings, source, name, self.landing, self.state) for name, source in pipeline.sources.items()
        }

    def landed(self, pipeline: Pipeline, last: str) -> LandedSources:
        """What has landed up to a day, to make the graphs of several days of."""
        sources = {name: SourceLandings(opened, last) for name, opened in self._landings(pipeline).items()}
        try:
            shown: Shown | None = Shown(self.catalog(), pipeline)
            published = shown.read(pipeline.sources, last) if shown is not None else None
        except ServiceError:
            shown = published = None
        present = {name: source.days for name, source in sources.items()}
        return LandedSources(pipeline, sources, archived(pipeline, present, self.warehouse, last, published), shown)

    def graph(
        self, pipeline: Pipeline, day: str, model: ModelUse | None = None, landed: LandedSources | None = None
    ) -> Graph:
        """The graph of a run for a day, over the landings there are; `model` says what it does about the model.

        Raises DataError if the day's landing of a source is missing where it must not be.
        """
        landed = landed or self.landed(pipeline, day)
        every = landed.upto(day)
        for name, days in every.items():
            self._require_landing(pipeline, name, day, days)
        shown = landed.published([SNAPSHOT], day) if pipeline.monitor is not None else None
        return build_graph(pipeline, day, every, model, self._reference(pipeline, day, model, shown), landed.steps)

    def _reference(
        self, pipeline: Pipeline, day: str, model: ModelUse | None, shown: Published | None
    ) -> Reference | None:
        """What a day is monitored against, for a pipeline that asks for it."""
        if pipeline.monitor is None:
            return None
        from featuremill.steps.monitoring import find_reference

        snapshots = shown.fingerprints.get(SNAPSHOT, {}) if shown is not None else None
        return find_reference(self.warehouse, pipeline, day, model, snapshots)

    def _require_landing(self, pipeline: Pipeline, name: str, day: str, days: Mapping[str, Landing]) -> None:
        source = pipeline.sources[name]
        path = source.connector.path.replace("{landing}", self.landing)
        where = f"{pipeline.pipeline}.{name}: no file at {path.replace('{ds}', day)}"
        if source.is_static:
            if not days:
                raise DataError(f"{where}, nor of an earlier day; put the files there, or correct `path`")
        elif day not in days and source.connector.missing == "error":
            newest = f"the newest landing is ds={max(days)}" if days else "there is no earlier landing either"
            raise DataError(
                f"{where} ({newest}); put the day's files there, or, if days without files are normal, "
                "set `missing: allow` in its connector"
            )

    # Lookup

    @property
    def online_root(self) -> str:
        """Where the online store is: a folder, or an URL."""
        return self.environment.lookup.root or str(self.state / "online")

    def publish_online(self, pipeline: Pipeline) -> str:
        """Have lookups answer with what Hive shows; what was built, in words. Raises DataError for a full disk."""
        from featuremill.lookup.publication import publish_newest

        scratch = self.state / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        try:
            done = publish_newest(self.catalog(), self.warehouse, pipeline, self.online_root, scratch=scratch)
        except OSError as error:
            raise DataError(
                f"{pipeline.pipeline}: the online store in {self.online_root} cannot be written: {error}; what was "
                "served before is served on. Make the folder writable, then run again"
            ) from error
        if done is None or not done.changed:
            return done.remark if done is not None else ""
        return f"{done.manifest.rows:,} ids to look up"

    # Models

    def models(
        self, pipeline: Pipeline, say: Say = lambda text: None, instances: Hosts | None = None
    ) -> SageMakerModels:
        """Raises ServiceError, later, where the local SageMaker does not run."""
        from featuremill.steps.modelling import SageMakerModels

        return SageMakerModels(pipeline, self.warehouse, self.clients(), self.state, say, instances)

    def clients(self) -> Clients:
        from featuremill.sagemaker.client import Clients

        running = self._running("sagemaker")
        return Clients(self.environment.sagemaker, running[1] if running else None)

    def model_use(
        self, pipeline: Pipeline, day: str, models: SageMakerModels, *, trains: bool = True, by_hand: bool = False
    ) -> ModelUse | None:
        """What a run for a day does about the model; None for a pipeline that has none. Without a `training` section
        none is trained by itself; one that was trained by hand predicts all the same.

        A run predicts with the live model, unless that one learned from a later day: then with the newest model that
        was accepted by then, so that an old day never hears of what came after it.
        """
        learns = pipeline.training is not None
        if pipeline.label is None or not (learns or by_hand or models.registry.versions()):
            return None
        from featuremill.steps.model_use import model_use

        use = model_use(pipeline, day, models, trains=trains and learns, by_hand=by_hand)
        # Without `training` the training table is there to be looked at, whether or not somebody trains on it.
        return use if learns else replace(use, keeps_training=True)

    # Engines

    def spark_reason(self, pipeline: Pipeline) -> str | None:
        """Why a pipeline's tables have to be made by Spark; None if DuckDB may make them."""
        reason = not_proven(pipeline)
        return None if reason is None else str(reason)

    def engines(self, pipeline: Pipeline, chosen: str | None) -> RunEngines:
        return RunEngines(
            chosen or self.environment.engine, self.spark_reason(pipeline), self._local_engine, self._spark_engine
        )

    def _local_engine(self) -> Engine:
        return LocalEngine(LocalSettings(scratch=self.state / "scratch"))

    def _spark_engine(self) -> Engine:
        return spark_engine(self.environment)

    # Services

    def service_ports(self) -> dict[str, int]:
        """The ports that the environment fixes, by service."""
        wanted = {
            name: getattr(self.environment, name).port for name in ("metastore", "hiveserver", "sagemaker", "lookup")
        }
        return {name: port for name, port in wanted.items() if isinstance(port, int)}

    def _running(self, name: str) -> tuple[str, int] | None:
        from featuremill.services.supervisor import endpoints

        return endpoints(self.state).get(name)

    def _endpoint(self, name: str) -> tuple[str, int]:
        configured = getattr(self.environment, name)
        running = self._running(name)
        if running is not None:
            return running
        if isinstance(configured.port, int):
            return configured.host, configured.port
        raise ServiceError(
            f"the {name} of this project does not run; start it with ./start.sh or `featuremill services start`"
        )

    def catalog(self) -> HiveCatalog:
        """Raises ServiceError where no metastore is known to run."""
        return HiveCatalog(*self._endpoint("metastore"))

    def lookup(self) -> tuple[str, int]:
        """Raises ServiceError where the lookup service does not run."""
        return self._endpoint("lookup")

    def hiveserver(self) -> tuple[str, int]:
        return self._endpoint("hiveserver")


def open_workspace(project: Path | None) -> Workspace:
    """The project of --project, or the nearest one. Raises UsageError where there is none."""
    return Workspace(load_project(project if project is not None else find_project()))
