"""Which programs an image stands for: there is no Docker here, an image's `train` and `serve` run as processes."""

from __future__ import annotations

import fnmatch
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from featuremill.sagemaker_local.errors import ApiError


class ImagesFileError(ValueError):
    """The images file cannot be used; the message names the file and what is wrong."""


@dataclass(frozen=True)
class Image:
    """The commands of an image and what its environment sets (ENV of a Dockerfile). An empty command: it has none."""

    pattern: str
    train: tuple[str, ...] = ()
    serve: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


OWN = Image("*", (sys.executable, "-m", "training_image.train"), (sys.executable, "-m", "training_image.serve"))
"""The project's training image, from the interpreter that runs the server."""


@dataclass(frozen=True)
class Images:
    """Images by pattern (shell style, `*` and `?`) of their URI; the first that fits is taken."""

    images: tuple[Image, ...] = (OWN,)

    def find(self, uri: str) -> Image:
        """The image of a URI. Raises a ValidationException if none is configured for it."""
        for image in self.images:
            if fnmatch.fnmatchcase(uri, image.pattern):
                return image
        known = ", ".join(image.pattern for image in self.images) or "none"
        raise ApiError(
            "ValidationException",
            f"no programs are configured for the image {uri} in the local SageMaker (patterns: {known}); "
            "add it to the images file",
        )


def read_images(path: Path | None) -> Images:
    """Images from a JSON file: {"PATTERN": {"train": [...], "serve": [...], "environment": {...}}, ...}.

    Whatever fits none of the patterns is the project's own image, unless the file has "*" itself. `{python}` in a
    command is the interpreter that runs the server. Raises ImagesFileError.
    """
    if path is None:
        return Images()
    try:
        document = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ImagesFileError(f"the images file {path} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise ImagesFileError(f"the images file {path} must hold an object of patterns")
    return Images((*(_image(path, pattern, entry) for pattern, entry in document.items()), OWN))


def _image(path: Path, pattern: str, entry: Any) -> Image:
    where = f"images file {path}, {pattern}"
    if not isinstance(entry, dict) or set(entry) - {"train", "serve", "environment"}:
        raise ImagesFileError(f"{where}: takes train, serve (lists of texts) and environment (texts by name)")
    environment = entry.get("environment", {})
    if not isinstance(environment, dict) or not all(isinstance(value, str) for value in environment.values()):
        raise ImagesFileError(f"{where}: environment must be texts by name")
    return Image(pattern, _command(where, entry, "train"), _command(where, entry, "serve"), environment)


def _command(where: str, entry: dict[str, Any], program: str) -> tuple[str, ...]:
    command = entry.get(program, [])
    if not isinstance(command, list) or not all(isinstance(part, str) for part in command):
        raise ImagesFileError(f"{where}: {program} must be a list of texts")
    return tuple(part.replace("{python}", sys.executable) for part in command)
