"""What the page shows of all pipelines, in one document."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from featuremill.errors import FeaturemillError
from featuremill.lookup.page.drift import drift_document, measured_drift
from featuremill.lookup.page.model import DRIFT_LIMIT, drift_summary, model_facts
from featuremill.lookup.page.quality import quality
from featuremill.lookup.records import iso_time
from featuremill.lookup.store.manifest import StoreManifest
from featuremill.spec.models import Pipeline
from featuremill.spec.project import PIPELINES, Project, load_project

if TYPE_CHECKING:
    from featuremill.lookup.service.app import Service
    from featuremill.lookup.service.served import Served
    from featuremill.monitoring.summary import DriftSummary

_DAY = 86_400
# How long after the newest `as_of` the next one is there, at the latest, if runs are made as the schedule says.
_PERIODS = {
    "@hourly": 3_600,
    "@daily": _DAY,
    "@weekly": 7 * _DAY,
    "@monthly": 31 * _DAY,
    "@quarterly": 92 * _DAY,
    "@yearly": 366 * _DAY,
}
_KEEP_SECONDS = 2.0
_EXAMPLES = 5


@dataclass(frozen=True)
class Facts:
    """What files beside the online store say of a pipeline; each is None without the file."""

    pipeline: Pipeline | None
    quality: dict[str, Any] | None
    model: dict[str, Any] | None
    drift: DriftSummary | None


class FactsOfProject:
    """Reads pipeline files, outcomes, artefacts and measured drift of a project; keeps what it read for two seconds.

    Used from any thread. Without a project, or with one that does not load, all facts are None.
    """

    def __init__(self, project: Path | None, environment: str) -> None:
        self._directory, self._environment = project, environment
        self._stamp: object = None
        self._project: Project | None = None
        self._kept: dict[tuple[str, str], tuple[float, Facts]] = {}

    def of(self, served: StoreManifest) -> Facts:
        """The facts of what is served."""
        now, name = time.monotonic(), served.pipeline
        kept = self._kept.get((name, served.publication))
        if kept is not None and now - kept[0] < _KEEP_SECONDS:
            return kept[1]
        project = self._load()
        if project is None:
            return Facts(None, None, None, None)
        state = Path(project.environment.state)
        facts = Facts(
            project.pipelines.get(name),
            quality(state, name),
            model_facts(state, served.model_version),
            measured_drift(project.environment.warehouse, served),
        )
        if len(self._kept) > 1_000:
            self._kept = {}
        self._kept[name, served.publication] = (now, facts)
        return facts

    def _load(self) -> Project | None:
        """The project; read again if a file of it changed, since checking all pipeline files takes a while."""
        if self._directory is None:
            return None
        stamp = _stamp(self._directory)
        if stamp != self._stamp:
            try:
                self._project = load_project(self._directory, self._environment)
            except (FeaturemillError, OSError):
                self._project = None
            self._stamp = stamp
        return self._project


def _stamp(directory: Path) -> object:
    found = []
    for folder in (directory / PIPELINES, directory / PIPELINES.parent / "environments"):
        for path in sorted(folder.glob("*.y*ml")):
            try:
                status = path.stat()
            except OSError:
                continue
            found.append((path.name, status.st_mtime_ns, status.st_size))
    return found


def offers(service: Service) -> dict[str, bool]:
    """Which of the lookups that the page can do without are there."""
    paths = {route.path for route in service.routes.routes}
    options = service.routes.options
    return {
        "history": "/v1/{pipeline}/{id}/history" in paths,
        **{name: name in options for name in ("as_of", "live", "explain")},
    }


def examples(served: Served) -> list[Any]:
    """A few ids to try; none from stores that cannot be walked through cheaply. Runs where the store is used."""
    items = getattr(served.store, "items", None)
    if served.blocking or items is None:
        return []
    return [served.format.decode(value)["id"] for _, value in islice(items(), _EXAMPLES)]


def summary(served: Served, facts: Facts, some_ids: list[Any]) -> dict[str, Any]:
    """What the page shows of one pipeline."""
    manifest, spec, model = served.manifest, facts.pipeline, facts.model or {}
    freshness = served.format.freshness(time.time())
    limit = spec.monitor.drift.psi if spec is not None and spec.monitor is not None else DRIFT_LIMIT
    # Without a measured day, how far the rows that judged the model are from those that it learned from.
    importance, moved = model.get("importance", {}), facts.drift.psi if facts.drift else model.get("drift", {})
    return served.format.header() | {
        "freshness_seconds": freshness,
        "published_at": iso_time(manifest.published_at),
        "rows": manifest.rows,
        "predicted_rows": manifest.predicted_rows,
        "key": manifest.key,
        "key_type": manifest.key_type,
        "description": spec.description if spec is not None else None,
        "owner": spec.owner if spec is not None else None,
        "schedule": spec.schedule if spec is not None else None,
        "late": _is_late(spec, freshness),
        "label": _label(spec),
        "features": [
            column.model_dump() | {"importance": importance.get(column.name), "psi": moved.get(column.name)}
            for column in manifest.features
        ],
        "prediction": [column.model_dump() for column in manifest.prediction],
        "examples": some_ids,
        "quality": facts.quality,
        "drift": drift_document(facts.drift) if facts.drift else drift_summary(moved, limit),
        "model": {name: value for name, value in model.items() if name not in ("importance", "drift")} or None,
    }


def _is_late(spec: Pipeline | None, freshness: int) -> bool | None:
    """Whether a run is missing: values older than two periods of the schedule. None where that cannot be said."""
    period = _PERIODS.get(spec.schedule or "") if spec is not None else None
    return None if period is None else freshness > 2 * period


def _label(spec: Pipeline | None) -> dict[str, Any] | None:
    if spec is None or spec.label is None:
        return None
    return {"column": spec.label.column, "task": spec.label.task}


def now() -> str:
    """The service's clock, for ages that do not depend on the browser's."""
    return iso_time(datetime.now(UTC).replace(microsecond=0))
