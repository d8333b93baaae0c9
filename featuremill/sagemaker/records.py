"""The model registry of a pipeline: what was trained, judged and deployed, when, why and by whom.

    <warehouse>/<pipeline>/_models/versions/<version>.json     one a model, written once
    <warehouse>/<pipeline>/_models/events/<time>-....json      one an event, written once

Nothing is ever changed or deleted: what holds now is what the last events say.
"""

from __future__ import annotations

import getpass
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from featuremill.errors import DataError, UsageError
from featuremill.sagemaker import names
from featuremill.sagemaker.gate import Verdict
from featuremill.warehouse.storage import Warehouse

FOLDER = "_models"

EventKind = Literal["trained", "accepted", "rejected", "deploying", "deployed", "rolled_back", "retired", "failed"]
"""`deploying` is noted before anything is changed; `deployed` and `rolled_back` name what serves from then on."""


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


D = TypeVar("D", bound=_Document)


class ModelVersion(_Document):
    """A trained model. `version` is the training job's name, `request` what the job was asked, `metrics` metrics.json.

    `fingerprint` is of all that decides the model, `data_fingerprint` of the training table alone.
    """

    version: str
    pipeline: str
    ds: str
    task: str
    fingerprint: str
    data_fingerprint: str
    artefact_uri: str
    output_uri: str | None = None
    request: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, Any] = Field(default_factory=dict)
    created: datetime


class Event(_Document):
    """Something that happened to a model. `details`: the verdict, the requests of a deployment."""

    time: datetime
    event: EventKind
    version: str
    reason: str
    who: str
    details: dict[str, Any] = Field(default_factory=dict)


class Live(_Document):
    """What serves, by the records: a version and the endpoint configuration that runs it."""

    version: str
    config: str
    since: datetime


class HistoryEntry(_Document):
    """A model with what became of it. `state` is its last event, `deployed` while it serves (`live`)."""

    model: ModelVersion
    verdict: Verdict | None
    state: EventKind
    live: bool
    events: tuple[Event, ...]


class Registry:
    """The records of one pipeline. `clock` and `who` are for tests; else now, and the user of this process."""

    def __init__(
        self,
        warehouse: Warehouse,
        pipeline: str,
        *,
        who: str | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.pipeline = pipeline
        self._store = warehouse.store
        self._versions = f"{pipeline}/{FOLDER}/versions"
        self._events = f"{pipeline}/{FOLDER}/events"
        self._who = who or _user()
        self._clock = clock
        self._seen: dict[str, _Document] = {}

    # Writing

    def add(self, model: ModelVersion, reason: str) -> None:
        """Record a trained model and the event; nothing happens if it is recorded already."""
        names.check(model.version)
        path = f"{self._versions}/{model.version}.json"
        if not self._store.exists(path):
            self._write(path, model)
        if not any(event.event == "trained" and event.version == model.version for event in self.events()):
            self.log("trained", model.version, reason)

    def judged(self, version: str, verdict: Verdict) -> None:
        """Record a verdict, unless it is the last one already."""
        last = self._verdicts(self.events()).get(version)
        if last != verdict:
            kind: EventKind = "accepted" if verdict.passed else "rejected"
            self.log(kind, version, verdict.summary, {"verdict": verdict.model_dump(mode="json")})

    def log(self, event: EventKind, version: str, reason: str, details: Mapping[str, Any] | None = None) -> Event:
        """Record an event. Its time is after that of every other one, whatever the clock says."""
        known = self._store.entries(self._events)
        last = max((_time_of(entry.name) for entry in known if entry.name.endswith(".json")), default=None)
        now = self._clock().astimezone(UTC)
        time = now if last is None or now > last else last + timedelta(microseconds=1)
        document = Event(
            time=time, event=event, version=version, reason=reason, who=self._who, details=dict(details or {})
        )
        self._write(f"{self._events}/{time:{_TIME}}-{event}-{uuid.uuid4().hex[:8]}.json", document)
        return document

    def _write(self, path: str, document: _Document) -> None:
        """Whole or not at all: object stores write so themselves, elsewhere a rename does it."""
        content = (document.model_dump_json(indent=1) + "\n").encode()
        folder, _, name = path.rpartition("/")
        self._store.make_folder(folder)
        if not self._store.renames_folders:
            self._store.write(path, content)
            return
        hidden = f"{folder}/.{name}-{uuid.uuid4().hex}"
        self._store.write(hidden, content)
        self._store.move_file(hidden, path)

    # Reading

    def versions(self) -> list[ModelVersion]:
        """All models, in the order in which they were made."""
        found = [self._read(f"{self._versions}/{name}", ModelVersion) for name in self._documents(self._versions)]
        return sorted(found, key=lambda model: (model.created, model.version))

    def version(self, name: str) -> ModelVersion:
        """One model. Raises UsageError, naming the newest there are, if there is none of that name."""
        found = {model.version: model for model in self.versions()}
        if name not in found:
            known = ", ".join(list(found)[-5:]) or "none yet"
            raise UsageError(f"{self.pipeline} has no model {name!r}; the newest are: {known}")
        return found[name]

    def events(self) -> list[Event]:
        """All events, in their order."""
        return [self._read(f"{self._events}/{name}", Event) for name in self._documents(self._events)]

    def current(self) -> Live | None:
        """What serves by the records; None if nothing was ever deployed, or the only deployment was undone."""
        for event in reversed(self.events()):
            if event.event in ("deployed", "rolled_back"):
                config = event.details.get("config")
                return Live(version=event.version, config=config, since=event.time) if config else None
        return None

    def verdict(self, version: str) -> Verdict | None:
        """The last verdict on a model."""
        return self._verdicts(self.events()).get(version)

    def history(self) -> list[HistoryEntry]:
        """All models with their verdicts and events, the newest first."""
        events = self.events()
        verdicts = self._verdicts(events)
        live = self.current()
        entries = []
        for model in self.versions():
            own = tuple(event for event in events if event.version == model.version)
            serves = live is not None and live.version == model.version
            state: EventKind = own[-1].event if own else "trained"
            entries.append(
                HistoryEntry(
                    model=model,
                    verdict=verdicts.get(model.version),
                    state="deployed" if serves else state,
                    live=serves,
                    events=own,
                )
            )
        return entries[::-1]

    @staticmethod
    def _verdicts(events: list[Event]) -> dict[str, Verdict]:
        judged = [event for event in events if event.event in ("accepted", "rejected") and "verdict" in event.details]
        return {event.version: Verdict.model_validate(event.details["verdict"]) for event in judged}

    def _documents(self, folder: str) -> list[str]:
        return [e.name for e in self._store.entries(folder) if not e.hidden and e.name.endswith(".json")]

    def _read(self, path: str, kind: type[D]) -> D:
        """A document; each is read once, since none ever changes."""
        seen = self._seen.get(path)
        if isinstance(seen, kind):
            return seen
        content = self._store.read(path)
        try:
            document = kind.model_validate_json(content or b"")
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            at = ".".join(map(str, problem["loc"])) or "the file"
            raise DataError(
                f"{self._store.path(path)} is not a record of this featuremill: {at}: {problem['msg']}; "
                "move it away, or use the featuremill that wrote it"
            ) from error
        self._seen[path] = document
        return document


_TIME = "%Y%m%dT%H%M%S.%fZ"


def _time_of(name: str) -> datetime:
    return datetime.strptime(name.partition("-")[0].lstrip("."), _TIME).replace(tzinfo=UTC)


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "unknown"
