"""From a pipeline file to a `Pipeline`, or to all that is wrong with the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from featuremill.spec.models import Pipeline
from featuremill.spec.positions import Document, parse_document, read_document
from featuremill.spec.problems import PipelineFileError, Problem, ordered, shown_path
from featuremill.spec.rules import broken_rules
from featuremill.spec.rules.check import Check
from featuremill.spec.validation import Placeholders, validate

_UNKNOWN = "__unknown"

_PLACEHOLDERS: Placeholders = {
    ("Pipeline", "pipeline"): _UNKNOWN,
    ("Pipeline", "entity"): {"key": _UNKNOWN, "type": "string"},
    ("Entity", "key"): _UNKNOWN,
    ("Entity", "type"): "string",
    ("Source", "connector"): {"kind": "csv", "path": "{ds}"},
    ("Source", "columns"): {_UNKNOWN: "string"},
    ("CsvConnector", "kind"): "csv",
    ("CsvConnector", "path"): "{ds}",
    ("Column", "type"): "string",
    ("Label", "task"): "binary",
    ("Pipeline", "features"): [{"from": _UNKNOWN}],
}
_ITEMS: dict[str, Any] = {
    "features": {"from": _UNKNOWN},
    "expect": {"expect_table_row_count_to_be_between": {"min_value": 0}},
}


@dataclass(frozen=True)
class PipelineFile:
    """A pipeline file as it was read. `pipeline` is None if any of the problems is an error."""

    path: Path
    pipeline: Pipeline | None
    problems: tuple[Problem, ...]

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if not problem.is_error)

    def loaded(self) -> Pipeline:
        """The pipeline. Raises PipelineFileError, which lists all problems, if there is none."""
        if self.pipeline is None:
            raise PipelineFileError(self.problems)
        return self.pipeline


def load_pipeline(path: Path | str) -> Pipeline:
    """Read a pipeline file. Raises PipelineFileError, which lists everything that is wrong with it."""
    return read_pipeline_file(path).loaded()


def check_pipeline(path: Path | str) -> list[Problem]:
    """Everything that is wrong with a pipeline file, and what is worth a second look (warnings), in its order."""
    return list(read_pipeline_file(path).problems)


def read_pipeline_file(path: Path | str) -> PipelineFile:
    """Read a pipeline file; never raises for what is in it, nor for its absence."""
    path = Path(path)
    try:
        document = read_document(path)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return PipelineFile(path, None, (Problem(shown_path(path), 1, 1, f"the file cannot be read: {reason}"),))
    return _checked(path, document)


def parse_pipeline(text: str | bytes, file: str = "pipeline.yaml") -> PipelineFile:
    """The same for a pipeline file's text."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return _checked(Path(file), parse_document(raw, file))


def _checked(path: Path, document: Document) -> PipelineFile:
    problems = list(document.problems)
    pipeline = None
    if document.data is not None:
        validated = validate(document, Pipeline, _PLACEHOLDERS, _ITEMS)
        pipeline = validated.model
        problems += validated.problems
        if pipeline is not None:
            problems += broken_rules(Check(pipeline, document, validated.mended))
    found = ordered(problems)
    return PipelineFile(path, None if any(problem.is_error for problem in found) else pipeline, found)
