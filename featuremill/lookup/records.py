"""The values of the online store: how they look, and the JSON answers made of them.

A value is the JSON texts of an entity's id, features and prediction columns, in the manifest's order, with a line
feed between them (JSON texts hold none): about a third of the bytes of the whole JSON object, whose names would be the
same in every value. An entity that was not scored has the id and the features only. An answer is one `%` of a
template, made once a publication, with these texts.

As JSON: bigint, int and double are numbers (all digits that the value needs; beyond 2^53 too), dates and times ISO 8601
in UTC, lists arrays, null null. The doubles that JSON has no number for are the texts "NaN", "Infinity", "-Infinity".
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson

from featuremill.lookup.store.manifest import StoredColumn, StoreManifest

SEPARATOR = b"\n"


class RecordFormat:
    """Makes answers of the values of one publication."""

    def __init__(self, manifest: StoreManifest) -> None:
        self.manifest = manifest
        self.as_of_seconds = manifest.as_of.timestamp()
        self.full_parts = 1 + len(manifest.features) + len(manifest.prediction)
        self._features = [column.name for column in manifest.features]
        self._prediction = [column.name for column in manifest.prediction]
        head = _escaped(orjson.dumps(self.header())[:-1]) + b',"freshness_seconds":%d'
        features = b'"id":%b,"features":' + _template(manifest.features)
        stated = {"model_version": manifest.model_version}
        bare = features + b',"prediction":null'
        scored = features + b',"prediction":' + _template(manifest.prediction, stated) if manifest.prediction else bare
        self._one_scored, self._one_bare = head + b"," + scored + b"}", head + b"," + bare + b"}"
        self._entity_scored, self._entity_bare = b'{"found":true,' + scored + b"}", b'{"found":true,' + bare + b"}"
        self._many_head = head + b',"found":%d,"entities":['

    def header(self) -> dict[str, Any]:
        """What an answer says of all its entities, without the freshness."""
        manifest = self.manifest
        return {
            "pipeline": manifest.pipeline,
            "ds": manifest.ds,
            "as_of": iso_time(manifest.as_of),
            "model_version": manifest.model_version,
            "fingerprints": {"snapshot": manifest.snapshot, "predictions": manifest.predictions},
        }

    def freshness(self, now: float) -> int:
        """Whole seconds since `as_of`, at `now` in seconds since 1970."""
        return int(now - self.as_of_seconds)

    def one(self, value: bytes, now: float) -> bytes:
        """The answer for one entity, as JSON."""
        parts = value.split(SEPARATOR)
        template = self._one_scored if len(parts) == self.full_parts else self._one_bare
        return template % (int(now - self.as_of_seconds), *parts)

    def many(self, ids: Iterable[bytes], values: list[bytes | None], now: float) -> bytes:
        """The answer for many entities, as JSON: one element an id in their order. `ids` are JSON texts."""
        scored, bare, full = self._entity_scored, self._entity_bare, self.full_parts
        entities, found = [], 0
        for identity, value in zip(ids, values, strict=True):
            if value is None:
                entities.append(b'{"found":false,"id":%b}' % identity)
                continue
            found += 1
            parts = tuple(value.split(SEPARATOR))
            entities.append((scored if len(parts) == full else bare) % parts)
        return self._many_head % (int(now - self.as_of_seconds), found) + b",".join(entities) + b"]}"

    def decode(self, value: bytes) -> dict[str, Any]:
        """The entity's part of an answer: {"id", "features", "prediction"}, as JSON values."""
        texts = orjson.loads(b"[" + value.replace(SEPARATOR, b",") + b"]")
        count = 1 + len(self._features)
        prediction = None
        if len(texts) == self.full_parts and self._prediction:
            scores = zip(self._prediction, texts[count:], strict=True)
            prediction = {**dict(scores), "model_version": self.manifest.model_version}
        features = dict(zip(self._features, texts[1:count], strict=True))
        return {"id": texts[0], "features": features, "prediction": prediction}


def iso_time(moment: datetime) -> str:
    """A time as answers write it: UTC, with a Z, fractions only where there are any."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{text.rstrip('0') if '.' in text else text}Z"


def _template(columns: tuple[StoredColumn, ...], stated: dict[str, Any] | None = None) -> bytes:
    pairs = [_escaped(orjson.dumps(column.name)) + b":%b" for column in columns]
    pairs += [_escaped(orjson.dumps(name) + b":" + orjson.dumps(value)) for name, value in (stated or {}).items()]
    return b"{" + b",".join(pairs) + b"}"


def _escaped(text: bytes) -> bytes:
    return text.replace(b"%", b"%%")
