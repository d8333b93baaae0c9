"""What lookups and `predict` ask the endpoint, and what becomes of its answers."""

from __future__ import annotations

import importlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from featuremill.errors import FeaturemillError
from featuremill.lookup.keys import BadId
from featuremill.lookup.live.rows import CannotSend, Predicted, as_predicted, as_row
from featuremill.lookup.live.settings import LiveSettings
from featuremill.lookup.project import ServedProject, unavailable
from featuremill.lookup.service.errors import Problem, malformed_id, unknown_id
from featuremill.lookup.service.routes import Answer, Lookup, Request, parse_flag
from featuremill.lookup.service.served import Served
from featuremill.lookup.store.manifest import StoreManifest
from featuremill.lookup.waiting_room import Full, WaitingRoom

if TYPE_CHECKING:
    from featuremill.lookup.live.endpoint import Endpoints
    from featuremill.lookup.live.request_values import RequestValues
    from featuremill.lookup.service.app import Service
    from featuremill.spec.models import Label, Pipeline

_OUTPUTS = {
    "binary": "predicted_label,probability,lower,upper",
    "multiclass": "predicted_label,probability,probabilities,lower,upper",
    "regression": "predicted_label,lower,upper",
    "one_vs_rest": "predicted_label,probability,lower,upper",
}
_STEPS_THREADS, _STEPS_PLACES = 2, 64
_MEMBERS = ("id", "values")


class NotPredicted(Exception):
    """No live prediction. `reason` is a word for programs, the message a sentence for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True)
class _Wish:
    """A row to predict: its features and what is stored of its prediction."""

    features: Mapping[str, Any]
    stored: Mapping[str, Any] | None


class Asker:
    """Handlers of the options and of `predict`."""

    def __init__(self, project: ServedProject, settings: LiveSettings) -> None:
        self._project, self._settings = project, settings
        self._room = WaitingRoom("values", _STEPS_THREADS, _STEPS_PLACES)

    @cached_property
    def _values(self) -> RequestValues:
        from featuremill.lookup.live.request_values import RequestValues

        return RequestValues()

    @cached_property
    def _endpoints(self) -> Endpoints:
        from featuremill.lookup.live.endpoint import Endpoints

        return Endpoints(self._project, self._settings)

    async def close(self) -> None:
        self._room.close()
        if "_endpoints" in self.__dict__:
            self._endpoints.close()

    # Options of lookups

    async def enrich_live(self, service: Service, lookup: Lookup, asked: bool) -> None:
        """Replace predictions by the endpoint's, all or none; `live` says which. With `explain`, explain them."""
        explain = "explain" in lookup.options
        await self._enrich(lookup, live=True, explain=explain)

    async def enrich_explained(self, service: Service, lookup: Lookup, asked: bool) -> None:
        """Add `explanation` to the entities. With `live` that was done along with the predictions."""
        if "live" not in lookup.options:
            await self._enrich(lookup, live=False, explain=True)

    async def _enrich(self, lookup: Lookup, *, live: bool, explain: bool) -> None:
        manifest = lookup.served.manifest
        entities = [entity for entity in lookup.entities if entity is not None]
        wishes = [_Wish(entity["features"], entity["prediction"]) for entity in entities]
        try:
            found, version = await self._predicted(manifest, wishes, explain)
        except NotPredicted as error:
            for entity in entities:
                if live:
                    entity.update({"live": False, "live_reason": error.reason, "live_detail": str(error)})
                if explain:
                    entity.update({"explanation": None, "explanation_reason": error.reason})
            return
        for entity, predicted in zip(entities, found, strict=True):
            if live:
                entity["prediction"] = _in_stored_order(predicted.prediction, manifest) | {"model_version": version}
                entity["live"] = True
                if predicted.flags:
                    entity["flags"] = predicted.flags
            if explain:
                entity["explanation"] = _explanation(predicted, version)

    async def _predicted(
        self, manifest: StoreManifest, wishes: Sequence[_Wish], explain: bool
    ) -> tuple[list[Predicted], str | None]:
        """The endpoint's predictions. Raises NotPredicted."""
        if not wishes:
            return [], None
        # boto3 and the reader of pipeline files are loaded when they are first needed, which takes a while.
        try:
            pipeline, _ = await self._room.run(None, self._ready, manifest.pipeline)
        except Full:
            raise NotPredicted("busy", "too many predictions are being made already") from None
        except (FeaturemillError, Problem) as error:
            raise NotPredicted("unavailable", str(error)) from error
        from featuremill.lookup.live.endpoint import NoAnswer

        label = pipeline.label
        if label is None:
            raise NotPredicted("no-model", f"{manifest.pipeline} has no label, so no model")
        doubles = frozenset(column.name for column in manifest.features if column.type.lower() in ("double", "float"))
        asked = [_asked(label, wish) for wish in wishes]

        def build(names: tuple[str, ...] | None) -> list[Any]:
            return [as_row(wish.features, doubles, names, more) for wish, more in zip(wishes, asked, strict=True)]

        attributes = f"output={_OUTPUTS[label.task]}" + (";explain=true" if explain else "")
        try:
            answers, version = await self._endpoints.predict(manifest.pipeline, build, attributes)
        except NoAnswer as error:
            raise NotPredicted(error.reason, str(error)) from error
        except CannotSend as error:
            raise NotPredicted("not-sent", str(error)) from error
        per_value = label.column if label.task == "one_vs_rest" else None
        return [as_predicted(answer, per_value) for answer in answers], version

    def _ready(self, name: str) -> tuple[Pipeline, object]:
        importlib.import_module("featuremill.lookup.live.endpoint")
        return self._project.pipeline(name)

    # Values of a new event

    async def answer_predict(self, service: Service, request: Request) -> Answer:
        """`POST /v1/{pipeline}/predict` with {"id": ..., "values": {...}}: the prediction for a new event of the id."""
        explain = _explain(request)
        identity, values = _read(await request.json())
        # Taken only now: while the body came, a newer one may have been published.
        served = service.shelf.current[request.publication.manifest.pipeline]
        entity = await self._entity(service, served, identity)
        evaluated = await self._evaluated(served, entity, values)
        features = entity["features"] | {name: orjson.loads(text) for name, text in evaluated.items()}
        prediction, explanation, flags = await self._prediction(served, features, entity["prediction"], explain)
        header = served.format.header() | {"freshness_seconds": served.format.freshness(time.time())}
        answer = header | {"id": entity["id"], "features": features, "prediction": prediction, "live": True}
        answer |= {"evaluated": list(evaluated)} | ({"flags": flags} if flags else {})
        if explain:
            answer["explanation"] = explanation
        return Answer.json(answer, headers=(("cache-control", "no-store"),))

    async def _entity(self, service: Service, served: Served, identity: Any) -> dict[str, Any]:
        try:
            key = served.codec.from_json(identity)
        except BadId as error:
            raise malformed_id(served.manifest.pipeline, error.id, error.wanted) from error
        value = await service.run(served.get, key) if served.blocking else served.get(key)
        if value is None:
            raise unknown_id(served.manifest.pipeline, served.manifest.ds, str(identity))
        return served.format.decode(value)

    async def _evaluated(
        self, served: Served, entity: Mapping[str, Any], values: Mapping[str, Any]
    ) -> dict[str, bytes]:
        """The features that follow from the values, as JSON texts."""
        try:
            key = entity["id"] if isinstance(entity["id"], str) else orjson.dumps(entity["id"]).decode()
            found = await self._room.run(None, self._evaluate, served.manifest.pipeline, key, values)
        except Full:
            detail = "too many predictions are being made already; ask again in a moment"
            raise Problem(503, "busy", detail, headers=[("retry-after", "1")]) from None
        except FeaturemillError as error:
            raise unavailable(error, "pipeline-unavailable") from error
        stored = {column.name for column in served.manifest.features}
        strange = [name for name in found if name not in stored]
        if strange:
            raise Problem(
                503,
                "store-outdated",
                f"{', '.join(strange)} came to the pipeline after {served.manifest.ds} was published; run it again",
            )
        return found

    def _evaluate(self, name: str, key: str, values: Mapping[str, Any]) -> dict[str, bytes]:
        pipeline, stamp = self._project.pipeline(name)
        return self._values.evaluate(pipeline, stamp, key, values).features

    async def _prediction(
        self, served: Served, features: Mapping[str, Any], stored: Mapping[str, Any] | None, explain: bool
    ) -> tuple[dict[str, Any], dict[str, Any] | None, list[str]]:
        """Raises Problem 503: the stored prediction is of other values, so it is no answer here."""
        try:
            (found,), version = await self._predicted(served.manifest, [_Wish(features, stored)], explain)
        except NotPredicted as error:
            raise Problem(
                503, "no-prediction", str(error), headers=[("retry-after", "1")], reason=error.reason
            ) from error
        prediction = _in_stored_order(found.prediction, served.manifest) | {"model_version": version}
        return prediction, _explanation(found, version) if explain else None, found.flags


def _explanation(predicted: Predicted, version: str | None) -> dict[str, Any] | None:
    return None if predicted.explanation is None else predicted.explanation | {"model_version": version}


def _asked(label: Label, wish: _Wish) -> dict[str, Any] | None:
    """Of one_vs_rest, the values to answer for: those that the stored prediction is about."""
    if label.task != "one_vs_rest":
        return None
    values = (wish.stored or {}).get("labels")
    if not values:
        raise NotPredicted("no-values", "the entity has no stored prediction, which would say what values to ask for")
    return {label.column: values}


def _in_stored_order(prediction: Mapping[str, Any], manifest: StoreManifest) -> dict[str, Any]:
    stored = [column.name for column in manifest.prediction]
    return {name: prediction[name] for name in stored if name in prediction} | dict(prediction)


def _explain(request: Request) -> bool:
    unknown = [name for name in request.query if name != "explain"]
    if unknown:
        raise Problem(422, "unknown-option", f"there is no option {unknown[0][:80]!r}; known is explain")
    try:
        return parse_flag(request.query.get("explain", "false"))
    except ValueError as error:
        raise Problem(422, "malformed-option", f"explain: {error}", option="explain") from error


def _read(body: Any) -> tuple[Any, dict[str, Any]]:
    """Id and values of a body. Raises Problem 422."""
    if not isinstance(body, dict) or "id" not in body or not isinstance(body.get("values", {}), dict):
        wanted = '{"id": 5008804, "values": {"loan_amount": 1000}}'
        raise Problem(422, "malformed-body", f"send an object with the id and the new event's columns: {wanted}")
    unknown = [str(name) for name in body if name not in _MEMBERS]
    if unknown:
        raise Problem(
            422, "malformed-body", f"the body has an unknown member {unknown[0][:80]!r}; it takes id and values"
        )
    return body["id"], body.get("values", {})
