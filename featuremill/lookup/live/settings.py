"""How long the endpoint is waited for, and how many requests may wait. Read from the environment's variables."""

from __future__ import annotations

import os
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from featuremill.errors import UsageError

_PREFIX = "FEATUREMILL_LOOKUP_LIVE_"


class LiveSettings(BaseModel):
    """FEATUREMILL_LOOKUP_LIVE_TIMEOUT_MS and so on, by worker process.

    After `failures` requests in a row that the endpoint did not answer in time, it is not asked for `rest_seconds`;
    then one request tries again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout_ms: int = Field(300, ge=1, le=60_000)
    threads: int = Field(8, ge=1, le=256)
    queue: int = Field(64, ge=0, le=10_000)
    failures: int = Field(5, ge=1)
    rest_seconds: float = Field(5.0, gt=0)

    @property
    def seconds(self) -> float:
        return self.timeout_ms / 1000

    @classmethod
    def from_environment(cls, variables: Mapping[str, str] | None = None) -> LiveSettings:
        """Raises UsageError, naming the variable, for a value that cannot be."""
        given = os.environ if variables is None else variables
        names = {name: _PREFIX + name.upper() for name in cls.model_fields}
        try:
            return cls.model_validate({name: given[said] for name, said in names.items() if given.get(said)})
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            raise UsageError(f"{names[str(problem['loc'][0])]}={problem['input']!r}: {problem['msg']}") from error
