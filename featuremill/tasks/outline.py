"""What a scheduler has to know of a pipeline before anything runs: its name, its schedule, which steps it has.

Schedulers read their definitions again and again, and reading a pipeline file with all its checks takes time and the
import of a SQL parser. So the outline of a file without errors is kept beside the scheduler, by the file's content.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from featuremill import __version__

if TYPE_CHECKING:
    from featuremill.spec.models import Pipeline

_CODE = 3
_FOLDER = Path("configuration") / "pipelines"


@dataclass(frozen=True)
class Outline:
    """`sources`: in the file's order. `tables`: what a run makes of them, without a model. `docs`: Markdown.

    `predicts`: a run predicts once there is a model, be it trained by hand; `learns`: its runs train one.
    """

    pipeline: str
    description: str
    owner: str
    schedule: str | None
    sources: tuple[str, ...]
    tables: tuple[str, ...]
    predicts: bool
    learns: bool
    has_endpoint: bool
    monitors: bool
    instance_type: str
    instance_count: int
    docs: str


def read_outline(project: Path, name: str, cache: Path | None = None) -> Outline:
    """The outline of `<project>/configuration/pipelines/<name>.yaml`; `cache` is a folder to keep outlines in.

    Raises PipelineFileError, which lists all that is wrong with the file.
    """
    path = project / _FOLDER / f"{name}.yaml"
    kept = None
    if cache is not None and path.is_file():
        digest = hashlib.sha256(f"{__version__}\n{_CODE}\n{path.stem}\n".encode() + path.read_bytes()).hexdigest()
        kept = cache / f"{digest}.json"
        found = _kept(kept)
        if found is not None:
            return found
    from featuremill.spec.loading import load_pipeline

    outline = outline_of(load_pipeline(path))
    if kept is not None:
        _keep(kept, outline)
    return outline


def outline_of(pipeline: Pipeline) -> Outline:
    from featuremill.queries.features import tables_of
    from featuremill.spec.models import Training
    from featuremill.tasks.page import page

    learns = pipeline.label is not None and pipeline.training is not None
    instances = (pipeline.training or Training()).instances
    return Outline(
        pipeline=pipeline.pipeline,
        description=pipeline.description or "",
        owner=pipeline.owner or "featuremill",
        schedule=pipeline.schedule,
        sources=tuple(pipeline.sources),
        tables=tuple(table for table in tables_of(pipeline) if table != "training" or not learns),
        predicts=pipeline.label is not None,
        learns=learns,
        has_endpoint=learns and pipeline.endpoint is not None,
        monitors=pipeline.monitor is not None,
        instance_type=instances.type,
        instance_count=instances.count,
        docs=page(pipeline),
    )


def _kept(path: Path) -> Outline | None:
    try:
        values = json.loads(path.read_bytes())
        return Outline(**{**values, "sources": tuple(values["sources"]), "tables": tuple(values["tables"])})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(path: Path, outline: Outline) -> None:
    """A cache that cannot be written is only slower."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(json.dumps(asdict(outline)))
        unfinished.replace(path)
