"""What the environment says of the server.

SAGEMAKER_BASE_DIR                       /opt/ml    the model lies in `model/` below it
SAGEMAKER_BIND_TO_HOST                   127.0.0.1  the image's `serve` sets 0.0.0.0
SAGEMAKER_BIND_TO_PORT                   8080
SAGEMAKER_MODEL_SERVER_WORKERS           processes; one a core
SAGEMAKER_INFERENCE_OUTPUT               fields of an answer, separated by commas; by task
SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT     of requests without Accept; the format of the request
SAGEMAKER_MULTI_MODEL                    true: models come and go by POST and DELETE /models
SAGEMAKER_BATCH                          true, in batch transform: bodies up to 100 MB
MAX_CONTENT_LENGTH                       bytes of a body; 20 MB
FEATUREMILL_BODY_SECONDS                 a body must have come within them; 30
FEATUREMILL_ACCESS_LOG                   true: a log line a request
FEATUREMILL_MODEL_MEMORY_MB              what the models of a multi-model server may take; what is free
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from training_image.serving.negotiation import FORMATS, Format

MEGABYTE = 1 << 20
LARGEST_BODY = 100 * MEGABYTE
"""SageMaker sends no more, in batch transform."""


STATE = "FEATUREMILL_SERVE_STATE"
"""The environment variable with the folder that the worker processes share."""

FAILURE = "failure"
"""The file in it that says why a worker could not start."""


class SettingsError(ValueError):
    """An environment variable that makes no sense."""


@dataclass(frozen=True, slots=True)
class Settings:
    model: Path
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    output: tuple[str, ...] = ()
    default_accept: Format | None = None
    multi_model: bool = False
    max_body: int = 20 * MEGABYTE
    body_seconds: float = 30.0
    access_log: bool = False
    model_memory: int | None = None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """Raises SettingsError naming the variable."""
        batch = _flag(environment, "SAGEMAKER_BATCH")
        output = environment.get("SAGEMAKER_INFERENCE_OUTPUT", "")
        memory = _number(environment, "FEATUREMILL_MODEL_MEMORY_MB", 0, 0, 1 << 40)
        return cls(
            model=Path(environment.get("SAGEMAKER_BASE_DIR") or "/opt/ml") / "model",
            host=environment.get("SAGEMAKER_BIND_TO_HOST") or "127.0.0.1",
            port=int(_number(environment, "SAGEMAKER_BIND_TO_PORT", 8080, 1, 65535)),
            workers=int(_number(environment, "SAGEMAKER_MODEL_SERVER_WORKERS", cores(), 1, 1024)),
            output=tuple(field.strip() for field in output.split(",") if field.strip()),
            default_accept=_format(environment, "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"),
            multi_model=_flag(environment, "SAGEMAKER_MULTI_MODEL"),
            max_body=int(
                _number(
                    environment, "MAX_CONTENT_LENGTH", LARGEST_BODY if batch else 20 * MEGABYTE, 1, 10 * LARGEST_BODY
                )
            ),
            body_seconds=_number(environment, "FEATUREMILL_BODY_SECONDS", 30, 0.01, 3600),
            access_log=_flag(environment, "FEATUREMILL_ACCESS_LOG"),
            model_memory=int(memory * MEGABYTE) or None,
        )


def cores() -> int:
    """The cores this process may use."""
    return len(os.sched_getaffinity(0))


def _number(environment: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    text = environment.get(name)
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not least <= value <= most:
        raise SettingsError(f"{name} is {text!r}; expected a number from {least:g} to {most:g}")
    return value


def _flag(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").strip().lower()
    if text not in ("", "true", "false", "1", "0"):
        raise SettingsError(f"{name} is {text!r}; expected true or false")
    return text in ("true", "1")


def _format(environment: Mapping[str, str], name: str) -> Format | None:
    text = environment.get(name)
    if not text:
        return None
    if text not in FORMATS:
        raise SettingsError(f"{name} is {text!r}; expected one of {', '.join(FORMATS)}")
    return FORMATS[text]
