"""How the service runs. Worker processes get it as JSON in an environment variable."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from featuremill.spec.environment import Environment

SETTINGS_VARIABLE = "FEATUREMILL_LOOKUP_SETTINGS"
TOKENS_VARIABLE = "FEATUREMILL_LOOKUP_TOKENS"
LOG_KEY_VARIABLE = "FEATUREMILL_LOOKUP_LOG_KEY"

RequestLogMode = Literal["off", "on", "hash"]


class ServiceSettings(BaseModel):
    """`root`: the online store, a folder or an URL. Times are in seconds, sizes in bytes.

    `project` is the project's folder; without it, what needs the pipeline files or the warehouse is not offered.
    `request_log`: hash writes keyed hashes instead of ids. `tokens`: a file, see `auth`; without it all may ask.
    `runtime`: a folder of this run of the service, where its workers leave their figures.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: str
    project: Path | None = None
    environment: str = "local"
    host: str = "127.0.0.1"
    port: int = Field(8008, ge=0, le=65_535)
    workers: int = Field(1, ge=1, le=256)
    tokens: Path | None = None
    request_log: RequestLogMode = "off"
    max_ids: int = Field(1_000, ge=1)
    max_body: int = Field(8_000_000, ge=1_000)
    body_seconds: float = Field(10.0, gt=0)
    reload_seconds: float = Field(0.25, gt=0)
    runtime: Path | None = None

    def to_environment(self) -> None:
        """Leave it where worker processes look for it."""
        os.environ[SETTINGS_VARIABLE] = self.model_dump_json()

    @classmethod
    def from_environment(cls) -> ServiceSettings:
        return cls.model_validate_json(os.environ[SETTINGS_VARIABLE])


def default_root(environment: Environment) -> str:
    """Where the online store of an environment is unless it is put elsewhere: a folder beside its state."""
    return environment.lookup.root or str(Path(environment.state) / "online")
