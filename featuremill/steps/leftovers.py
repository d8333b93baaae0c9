"""What models and checks left behind that nothing needs any more, outside the warehouse.

- `<state>/models/<version>`: unpacked artefacts. Kept are those of models that serve, of the last ones to go back to,
  of the newest accepted ones, and of those that made published predictions; and whatever the bucket no longer has.
- `<state>/quality/...`: results of checks. Kept are those of rows that are in the warehouse, by the expectations of
  now; older ones go once they have a successor.
- channels of training jobs in the bucket of a local SageMaker. Kept are those of jobs that run and of kept models.

Everything younger than an hour is kept. All that goes can be made anew: by fetching, checking or staging it again.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from featuremill.sagemaker import buckets
from featuremill.sagemaker.client import Clients, clear_errors
from featuremill.sagemaker.deployments import confirmed_configs, noted_plans
from featuremill.sagemaker.records import ModelVersion, Registry
from featuremill.sagemaker.retirement import KEEP
from featuremill.spec.models import Pipeline
from featuremill.steps.checks import OUTCOME
from featuremill.steps.fingerprints import check_definition, fingerprint
from featuremill.warehouse.gc import YOUNG, Garbage
from featuremill.warehouse.hive import HiveCatalog
from featuremill.warehouse.storage import Warehouse
from featuremill.warehouse.tables import PREDICTIONS

_GONE = ".gone-"
_RUNNING = ("InProgress", "Stopping")


@dataclass(frozen=True)
class Leftover:
    """`where`: a folder, or an s3 address for what is in the bucket. `bytes` is what deleting it frees."""

    where: str
    kind: Literal["unpacked model", "results of checks", "staged training data"]
    bytes: int


@dataclass(frozen=True)
class Places:
    """Where to look. `moment`: now, for tests. `younger_than`: what is kept in any case."""

    warehouse: Warehouse
    catalog: HiveCatalog
    state: Path
    clients: Clients
    moment: datetime
    younger_than: timedelta = YOUNG

    @classmethod
    def now(cls, warehouse: Warehouse, catalog: HiveCatalog, state: Path, clients: Clients) -> Places:
        return cls(warehouse, catalog, state, clients, datetime.now(UTC))

    def is_old(self, written: datetime) -> bool:
        return self.moment - written > self.younger_than


def find_results(places: Places, pipelines: Iterable[Pipeline], garbage: Sequence[Garbage]) -> list[Leftover]:
    """Results of checks that no rows need. `garbage`: partitions that are about to go."""
    going = {item.folder for item in garbage}
    found = []
    for pipeline in pipelines:
        for source in pipeline.sources:
            root = places.state / "quality" / pipeline.pipeline / source
            for day in _folders(root):
                current = _current_checks(places.warehouse, pipeline, source, day.name.removeprefix("ds="), going)
                results = _folders(day)
                has_successor = not current or any(r.name in current and (r / OUTCOME).exists() for r in results)
                found += [
                    Leftover(str(result), "results of checks", _size(result))
                    for result in results
                    if result.name not in current and has_successor and places.is_old(_written(result))
                ]
    return found


def _current_checks(warehouse: Warehouse, pipeline: Pipeline, source: str, ds: str, going: set[str]) -> set[str]:
    """The fingerprints of the checks of a day's rows, all versions of them that stay."""
    definition = check_definition(pipeline.sources[source])
    return {
        fingerprint(definition, {f"{source}@{ds}": manifest.fingerprint})
        for manifest in warehouse.manifests_of_day(pipeline.pipeline, source, ds)
        if warehouse.folder(pipeline.pipeline, source, ds, manifest.fingerprint) not in going
    }


def find_models(places: Places) -> list[Leftover]:
    """Unpacked models, and staged channels of a local SageMaker. Raises ServiceError where it does not answer: then
    nothing of models is known to be a leftover.
    """
    known: dict[str, ModelVersion] = {}
    kept: set[str] = set()
    for pipeline in places.warehouse.pipelines():
        registry = Registry(places.warehouse, pipeline)
        known |= {model.version: model for model in registry.versions()}
        kept |= _kept_versions(places, registry)
    found = []
    for folder in _folders(places.state / "models"):
        model = known.get(folder.name)
        if folder.name in kept or not places.is_old(_written(folder)):
            continue
        if model is None or buckets.size(places.clients, model.artefact_uri):
            found.append(Leftover(str(folder), "unpacked model", _size(folder)))
    if places.clients.is_local and known:
        needed = _channels_of_jobs(places.clients) | {
            uri for version in kept & known.keys() for uri in _inputs(known[version].request)
        }
        for pipeline in places.warehouse.pipelines():
            found += _channels(places, pipeline, needed)
    return found


def _kept_versions(places: Places, registry: Registry) -> set[str]:
    events = registry.events()
    plans = noted_plans(events)
    accepted = [e.model.version for e in registry.history() if e.verdict is not None and e.verdict.passed]
    current = registry.current()
    kept = {plans[config].version for config in confirmed_configs(events)[-KEEP:] if config in plans}
    kept |= set(accepted[:KEEP]) | ({current.version} if current is not None else set())
    for partition in places.catalog.partitions(registry.pipeline, PREDICTIONS):
        if partition.fingerprint is not None:
            manifest = places.warehouse.find(registry.pipeline, PREDICTIONS, partition.ds, partition.fingerprint)
            if manifest is not None:
                kept.add(str(manifest.details.get("model_version")))
    return kept


def _channels_of_jobs(clients: Clients) -> set[str]:
    """The inputs of all training jobs that run."""
    needed: set[str] = set()
    with clear_errors(clients, "list training jobs"):
        for status in _RUNNING:
            for page in clients.sagemaker.get_paginator("list_training_jobs").paginate(StatusEquals=status):
                for job in page["TrainingJobSummaries"]:
                    name = job["TrainingJobName"]
                    needed |= _inputs(clients.sagemaker.describe_training_job(TrainingJobName=name))
    return needed


def _inputs(job: dict[str, Any]) -> set[str]:
    return {
        str(channel["DataSource"]["S3DataSource"]["S3Uri"])
        for channel in job.get("InputDataConfig", ())
        if "S3DataSource" in channel.get("DataSource", {})
    }


def _channels(places: Places, pipeline: str, needed: set[str]) -> list[Leftover]:
    base = buckets.uri(places.clients, pipeline, "channels")
    bucket, key = buckets.split(f"{base}/")
    sizes: dict[str, int] = {}
    newest: dict[str, datetime] = {}
    with clear_errors(places.clients, f"list {base}"):
        for page in places.clients.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key):
            for item in page.get("Contents", ()):
                folder = item["Key"].removeprefix(key).partition("/")[0]
                sizes[folder] = sizes.get(folder, 0) + int(item["Size"])
                newest[folder] = max(newest.get(folder, item["LastModified"]), item["LastModified"])
    return [
        Leftover(f"{base}/{folder}", "staged training data", size)
        for folder, size in sizes.items()
        if places.is_old(newest[folder]) and not any(uri.startswith(f"{base}/{folder}/") for uri in needed)
    ]


def collect_leftovers(clients: Clients, leftovers: Sequence[Leftover]) -> int:
    """Delete them; returns the bytes freed."""
    for item in leftovers:
        if item.kind == "staged training data":
            buckets.delete_below(clients, item.where)
        else:
            _delete(Path(item.where))
    return sum(item.bytes for item in leftovers)


def _delete(folder: Path) -> None:
    """Out of sight in one step: whoever looks for the folder finds all of it or nothing."""
    with suppress(FileNotFoundError):
        folder.rename(folder.with_name(f"{_GONE}{uuid.uuid4().hex}"))
    # Those of a process that was killed here go too.
    for gone in folder.parent.glob(f"{_GONE}*"):
        shutil.rmtree(gone, ignore_errors=True)


def _folders(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.is_dir() and not f.name.startswith(".")) if folder.is_dir() else []


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _written(folder: Path) -> datetime:
    newest = max(path.stat().st_mtime for path in (folder, *folder.rglob("*")))
    return datetime.fromtimestamp(newest, UTC)
