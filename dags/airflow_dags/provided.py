"""The tasks' operators: what they work on, and how operators of providers do it for them.

A scheduler reads DAG files again and again, so making a task must be cheap:

- Airflow goes through a DAG's defaults anew for each class of an operator that has an `__init__`. Ours have none;
  `made` gives them their work.
- The modules of most providers import much that reading a DAG file has no use for: boto3, requests, Airflow's database
  models. A ProvidedOperator names its operator; that is imported, made and executed in the task's own process.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from airflow.sdk import BaseOperator
from airflow.sdk.bases.operator import ExecutorSafeguard

from airflow_dags.running import open_day

if TYPE_CHECKING:
    from featuremill.tasks.day import Day


@dataclass(frozen=True)
class Work:
    """What a task works on. `stage`, `source`: which steps of the day; `kinds`: what publishing shows, if not all."""

    project: str
    pipeline: str
    stage: str = ""
    source: str | None = None
    kinds: tuple[str, ...] | None = None

    def day(self, context: Any) -> Day:
        return open_day(self.project, self.pipeline, context)


class WorkingOperator(BaseOperator):
    """A task with work of its own."""

    work: Work


Operator = TypeVar("Operator", bound=BaseOperator)


def made(kind: type[Operator], work: Work, **arguments: Any) -> Operator:
    """An operator in the DAG of the moment, with its work."""
    operator = kind(**arguments)
    object.__setattr__(operator, "work", work)
    return operator


class ProvidedOperator(WorkingOperator):
    """`official`: import path of the operator, whose name the UI shows."""

    official: ClassVar[str]
    _provided: BaseOperator | None = None

    @property
    def custom_operator_name(self) -> str:
        return self.official.rpartition(".")[2]

    def provided(self, **arguments: Any) -> Any:
        """The operator, for this task. What it defers is resumed by this task's method of the same name."""
        module, _, name = self.official.rpartition(".")
        kind: Callable[..., BaseOperator] = getattr(import_module(module), name)
        self._provided = kind(task_id=self.task_id, execution_timeout=self.execution_timeout, **arguments)
        return self._provided

    def on_kill(self) -> None:
        if self._provided is not None:
            self._provided.on_kill()


def execute(operator: Any, context: Any) -> Any:
    """Execute an operator as a part of the task that runs; Airflow warns of those that nobody vouches for."""
    token = ExecutorSafeguard.tracker.set(operator)
    try:
        return operator.execute(context)
    finally:
        ExecutorSafeguard.tracker.reset(token)
