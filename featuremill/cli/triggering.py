"""`featuremill trigger`: a pipeline's day, run by Airflow."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from featuremill.cli.options import PipelineArgument, ProjectOption, one_day
from featuremill.cli.printing import StatusLine, err, note, out
from featuremill.cli.runs import Training, day_model_use
from featuremill.cli.workspace import Workspace, open_workspace
from featuremill.errors import ServiceError, UsageError
from featuremill.spec.models import Pipeline
from featuremill.spec.project import PIPELINES

if TYPE_CHECKING:
    from featuremill.services.airflow_api import AirflowApi
    from featuremill.services.airflow_runs import Progress, Run, Task


def trigger(
    name: PipelineArgument,
    ds: Annotated[str, typer.Option("--ds", metavar="DAY", help="The day (YYYY-MM-DD).")],
    project: ProjectOption = None,
) -> None:
    """Have Airflow run a pipeline for a day, and follow the run until it is green.

    A run of that day which goes on is followed; one that is green is not repeated, unless something has to be done
    since. The DAG is unpaused. Exit code 1: the run failed; what is said names the task, its error and its log.
    """
    from featuremill.services.airflow_api import AirflowApi
    from featuremill.services.airflow_runs import find_run, trigger_run, unpause, wait_for_dag

    workspace = open_workspace(project)
    pipeline, day = workspace.pipeline(name), one_day(ds)
    api = AirflowApi(workspace.state, _address(workspace))
    wait_for_dag(api, name, _changed(workspace, name), note)
    run = find_run(api, name, day)
    if run is not None and run.state == "success" and not _has_work(workspace, pipeline, day):
        unpause(api, name)
        out.print(f"{name} {day} is green already: {_page(api, run)}")
        return
    if run is not None and not run.is_over:
        note(f"{name} {day} is being run already")
        unpause(api, name)
    else:
        run = trigger_run(api, name, day)
    with RunFollower(f"{name} {day}", name) as follower:
        _follow(workspace, api, run, follower)
    out.print(f"{name} {day} is green: {_page(api, run)}")


def _follow(workspace: Workspace, api: AirflowApi, run: Run, follower: RunFollower) -> None:
    from featuremill.services.airflow_runs import failure, follow

    for progress in follow(api, run):
        follower.shows(progress)
    if progress.run.state != "success":
        error = failure(workspace.state, progress)
        raise type(error)(f"{error}\n  the run: {_page(api, run)}")


def _address(workspace: Workspace) -> tuple[str, int]:
    from featuremill.services.airflow import API_SERVER
    from featuremill.services.supervisor import endpoints

    address = endpoints(workspace.state).get(API_SERVER)
    if address is None:
        raise ServiceError("Airflow does not run; start it with ./start.sh or `featuremill services start --airflow`")
    return address


def _changed(workspace: Workspace, name: str) -> float:
    """When what the DAG is made of was written last. Raises UsageError where there is no DAG file."""
    dags = workspace.project.directory / "dags"
    if not (dags / f"{name}.py").is_file():
        raise UsageError(f"{name} has no DAG: write {dags / name}.py as docs/airflow.md shows")
    pipeline = workspace.project.directory / PIPELINES / f"{name}.yaml"
    files: list[Path] = [dags / f"{name}.py", pipeline]
    return max(file.stat().st_mtime for file in files)


def _has_work(workspace: Workspace, pipeline: Pipeline, day: str) -> bool:
    """Whether anything is to be done for a day: new input, a changed definition, something missing."""
    from featuremill.steps.planning import plan

    models, landed = workspace.models(pipeline), workspace.landed(pipeline, day)
    graph = workspace.graph(pipeline, day, day_model_use(workspace, pipeline, [day], day, models, Training()), landed)
    shown = landed.published([output.table for step in graph.steps for output in step.outputs], day)
    planned = plan(pipeline, graph, workspace.warehouse, workspace.state, shown, models)
    return any(step.status == "to do" for step in planned)


def _page(api: AirflowApi, run: Run) -> str:
    from featuremill.services.airflow_api import part

    return f"{api.url}/dags/{part(run.dag)}/runs/{part(run.id)}"


class RunFollower(StatusLine):
    """A line for each task that ended; on a terminal, what is being done as well."""

    def __init__(self, title: str, dag: str) -> None:
        super().__init__(f"{title}: queued")
        self._title, self._dag = title, dag
        self._began = time.monotonic()
        self._shown: set[tuple[str, str, int, str | None]] = set()

    def shows(self, progress: Progress) -> None:
        for task in progress.tasks:
            said = (task.dag, task.name, task.attempt, task.state)
            if said not in self._shown and (task.has_ended or task.state == "up_for_retry"):
                self._shown.add(said)
                self._line(task)
        if self._status:
            busy = [self._name(task) for task in progress.tasks if task.state == "running"]
            done = sum(task.has_ended for task in progress.tasks)
            seconds = time.monotonic() - self._began
            self._status.update(
                f"{self._title}: {', '.join(busy) or progress.run.state} "
                f"({done} of {len(progress.tasks)} tasks, {seconds:.0f} s)"
            )

    def _name(self, task: Task) -> str:
        return task.name if task.dag == self._dag else f"{task.dag.removeprefix(self._dag + '__')}: {task.name}"

    def _line(self, task: Task) -> None:
        mark, style, text = {
            "success": ("✓", "green", ""),
            "failed": ("✗", "bold red", "failed"),
            "up_for_retry": ("!", "bold yellow", f"attempt {task.attempt} failed, it is tried again"),
        }.get(str(task.state), ("·", "dim", str(task.state).replace("_", " ")))
        took = f"{task.seconds:.1f} s" if task.seconds is not None and task.state != "skipped" else ""
        words = "  ".join(word for word in (text, took) if word)
        line = Text(f"{mark} ", style=style) + Text(f"{self._name(task):<40} ") + Text(words, style="dim")
        err.print(line, soft_wrap=True)
