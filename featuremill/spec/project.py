"""A project: a folder with `configuration/` in it, its pipelines and its environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from featuremill.errors import UsageError
from featuremill.spec.environment import Environment, load_environment
from featuremill.spec.loading import PipelineFile, read_pipeline_file
from featuremill.spec.models import Pipeline
from featuremill.spec.problems import Problem, did_you_mean, shown_path

CONFIGURATION = "configuration"
PIPELINES = Path(CONFIGURATION) / "pipelines"


@dataclass(frozen=True)
class Project:
    """`files`: every pipeline file by its name without ending, those with mistakes too."""

    directory: Path
    environment: Environment
    files: Mapping[str, PipelineFile]

    @property
    def pipelines(self) -> dict[str, Pipeline]:
        """The pipelines whose files have no error, by name."""
        return {name: file.pipeline for name, file in self.files.items() if file.pipeline is not None}

    @property
    def problems(self) -> list[Problem]:
        """The problems of all pipeline files, file by file."""
        return [problem for file in self.files.values() for problem in file.problems]

    def pipeline(self, name: str) -> Pipeline:
        """The pipeline of that name.

        Raises PipelineFileError if its file has errors, and UsageError, naming the known ones, if there is no file.
        """
        if name in self.files:
            return self.files[name].loaded()
        hint = did_you_mean(name, self.files) or f"known are {', '.join(self.files) or 'none'}"
        raise UsageError(f"no pipeline {name!r} in {shown_path(self.directory / PIPELINES)}; {hint}")


def find_project(start: Path | str | None = None) -> Path:
    """The project's folder: `start` (the working folder unless given), or the nearest above it with `configuration/`.

    Raises UsageError where there is none.
    """
    begin = Path.cwd() if start is None else Path(start).resolve()
    for folder in (begin, *begin.parents):
        if (folder / CONFIGURATION).is_dir():
            return folder
    raise UsageError(
        f"no project in {begin}: neither it nor a folder above it has {CONFIGURATION}/; "
        "go into the project's folder, or name it with --project DIR"
    )


def load_project(project_dir: Path | str, environment: str | None = None) -> Project:
    """Read a project's environment and all its pipeline files.

    Mistakes in a pipeline file are kept with it (`Project.problems`, `Project.pipeline`) and hide no other file.
    Raises UsageError where the folder is no project, and EnvironmentFileError where the environment does not load.
    """
    directory = Path(project_dir).resolve()
    if not (directory / CONFIGURATION).is_dir():
        raise UsageError(f"{directory} is not a project: it has no folder {CONFIGURATION}/")
    settings = load_environment(directory, environment)
    files = {}
    for path in sorted((directory / PIPELINES).glob("*.y*ml")):
        if path.name.startswith("."):
            continue
        if path.suffix == ".yaml":
            files[path.stem] = read_pipeline_file(path)
        elif path.suffix == ".yml":
            files[path.name] = _with_other_ending(path)
    return Project(directory, settings, files)


def _with_other_ending(path: Path) -> PipelineFile:
    problem = Problem(shown_path(path), 1, 1, "pipeline files end in .yaml", f"rename it to {path.stem}.yaml")
    return PipelineFile(path, None, (problem,))
