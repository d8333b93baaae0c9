"""What a publication in an online store says of itself."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from featuremill.errors import DataError
from featuremill.spec.types import ColumnType

FORMAT_VERSION = 1
"""Of keys and values; a publication of another version is not read but built again."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class StoredColumn(_Part):
    """A column: its name, its Hive type, what it means."""

    name: str
    type: str
    description: str | None = None


class StoreManifest(_Part):
    """One publication of one pipeline.

    `features` and `prediction` are the columns in the order in which values hold them; `prediction` is empty for a
    pipeline that was not scored. `as_of` is the moment that all features and predictions are of. `snapshot` and
    `predictions` are fingerprints of partitions. `rows` counts entities, `predicted_rows` those with a prediction;
    `size` is in bytes as stored. All three
    are known once the publication is built, and are 0 before.
    """

    format_version: int = FORMAT_VERSION
    pipeline: str
    ds: str
    as_of: datetime
    key: str
    key_type: ColumnType
    snapshot: str
    predictions: str | None = None
    model_version: str | None = None
    features: tuple[StoredColumn, ...]
    prediction: tuple[StoredColumn, ...] = ()
    rows: int = 0
    predicted_rows: int = 0
    size: int = 0
    published_at: datetime

    @property
    def publication(self) -> str:
        """Its name in the store: the day, and a hash of what was published; the same input has the same name."""
        said = [self.format_version, self.pipeline, self.ds, self.snapshot, self.predictions, self.model_version]
        said.append([column.model_dump() for column in (*self.features, *self.prediction)])
        return f"{self.ds}-{hashlib.sha256(json.dumps(said).encode()).hexdigest()[:16]}"

    def to_json(self) -> bytes:
        return (self.model_dump_json(indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, content: bytes | str, where: str) -> StoreManifest:
        """Raises DataError, naming the place, for one that this version does not read."""
        try:
            version = json.loads(content).get("format_version")
        except (ValueError, AttributeError) as error:
            raise DataError(f"{where} is not the manifest of an online store; publish again") from error
        if version != FORMAT_VERSION:
            raise DataError(
                f"{where} has format version {version}, this featuremill reads {FORMAT_VERSION}; publish again"
            )
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            at = ".".join(map(str, problem["loc"])) or "the file"
            raise DataError(f"{where} is broken: {at}: {problem['msg']}; publish again") from error


class Pointer(_Part):
    """Which publication of a pipeline is served. `previous` is what a rollback goes back to.

    `withdrawn` was served until somebody rolled back: publishing the same thing again does not bring it back.
    """

    current: str
    previous: str | None = None
    withdrawn: str | None = None

    def moved_to(self, publication: str) -> Pointer:
        """The pointer after serving another publication."""
        if publication == self.current:
            return self
        return Pointer(current=publication, previous=self.current)

    def rolled_back(self) -> Pointer:
        """The pointer after a rollback. The caller makes sure that there is a previous publication."""
        assert self.previous is not None
        return Pointer(current=self.previous, previous=self.current, withdrawn=self.current)

    @property
    def kept(self) -> set[str]:
        """The publications that must stay."""
        return {name for name in (self.current, self.previous) if name is not None}


def pointer_from_json(content: bytes | str, where: str) -> Pointer:
    """Raises DataError, naming the place."""
    try:
        return Pointer.model_validate_json(content)
    except ValidationError as error:
        raise DataError(f"{where} is broken; publish again") from error


def to_plain(manifest: StoreManifest) -> dict[str, Any]:
    """The manifest as JSON values."""
    return manifest.model_dump(mode="json")
