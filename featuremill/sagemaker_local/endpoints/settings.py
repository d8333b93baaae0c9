"""What of AWS's behaviour is quicker or smaller on a laptop. Read once from the server's environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

WAIT_SCALE = "SAGEMAKER_LOCAL_WAIT_SCALE"
HEALTH_TIMEOUT = "SAGEMAKER_LOCAL_HEALTH_TIMEOUT_SECONDS"
MAX_BODY = "SAGEMAKER_LOCAL_MAX_BODY_MB"


class SettingsError(ValueError):
    """An environment variable that cannot be used; the text names it."""


@dataclass(frozen=True)
class Settings:
    """`wait_scale` shortens waits between steps of an update, alarm periods and autoscaling's minutes and cooldowns.

    Its default makes a second of a minute. `health_timeout`: seconds that a container has to answer /ping, None for the
    endpoint config's ContainerStartupHealthCheckTimeoutInSeconds, or 60. `max_body`: bytes of a request's body.
    `invocation_timeout`: seconds for an answer, `instance_wait` of them at most for a healthy instance to appear.
    """

    wait_scale: float = 1 / 60
    health_timeout: float | None = None
    max_body: int = 6 * 1024 * 1024
    invocation_timeout: float = 60.0
    instance_wait: float = 20.0

    def seconds(self, waited_on_aws: float) -> float:
        """How long a wait of AWS's lasts here."""
        return waited_on_aws * self.wait_scale


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from environment variables. Raises SettingsError."""
    environment = os.environ if environment is None else environment
    scale = _number(environment, WAIT_SCALE)
    timeout = _number(environment, HEALTH_TIMEOUT)
    body = _number(environment, MAX_BODY)
    usual = Settings()
    return Settings(
        wait_scale=usual.wait_scale if scale is None else scale,
        health_timeout=timeout,
        max_body=usual.max_body if body is None else int(body * 1024 * 1024),
    )


def _number(environment: Mapping[str, str], name: str) -> float | None:
    text = environment.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        raise SettingsError(f"{name} must be a number, not {text!r}") from None
    if value < 0:
        raise SettingsError(f"{name} must not be negative, it is {text}")
    return value
