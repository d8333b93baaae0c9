"""What the command prints: messages, tables and the progress of a run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

from rich.console import Console
from rich.table import Table
from rich.text import Text

from featuremill.steps.graph import Graph, Step
from featuremill.steps.running import StepResult

_WIDE = 10_000
"""Nothing is folded where nobody looks at a terminal: lines are for grep and files."""


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False, soft_wrap=True)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=_WIDE)


out = _console(stderr=False)
err = _console(stderr=True)


def print_error(message: str) -> None:
    err.print(Text("error: ", style="bold red") + Text(message), soft_wrap=True)


def print_warning(message: str) -> None:
    err.print(Text("warning: ", style="bold yellow") + Text(message), soft_wrap=True)


def note(message: str) -> None:
    err.print(Text(message), soft_wrap=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], right: Sequence[str] = ()) -> None:
    """A table for people; the columns in `right` are numbers."""
    table = Table(header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    out.print(table)


class StatusLine:
    """A display whose last line, on a terminal, says what is being done: `_status`, None where nobody looks."""

    def __init__(self, text: str = "") -> None:
        self._status = err.status(text) if err.is_terminal else None

    def __enter__(self) -> Self:
        if self._status:
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()


class RunDisplay(StatusLine):
    """The progress of a run: the step that is being done, and a line for each that is.

    `day` of `days`: the place of the graph's day among those that are run.
    """

    def __init__(self, graph: Graph, day: int = 1, days: int = 1) -> None:
        super().__init__()
        self._total = len(graph.steps)
        self._number = 0
        self._ds = f"{graph.ds}, day {day} of {days}" if days > 1 else graph.ds
        self._is_range = days > 1
        self._idle = 0

    def starts(self, step: Step) -> None:
        self._number += 1
        if self._status:
            self._status.update(f"{self._ds}: {step.id} ({self._number} of {self._total})")

    def says(self, text: str) -> None:
        """How the step that is being done is getting on."""
        if self._status:
            self._status.update(f"{self._ds}: {text}")
        else:
            err.print(Text(f"  {text}", style="dim"), soft_wrap=True)

    def ended(self, result: StepResult) -> None:
        for warning in result.outcome.warnings:
            print_warning(warning)
        if result.status == "done":
            rows = f"{result.outcome.rows:,} rows" if result.outcome.rows is not None else ""
            remark = ", ".join(part for part in (rows, result.outcome.remark) if part)
            self._line("✓", "green", result.step.id, f"{remark}  {result.seconds:.1f} s")
        elif result.step.kind != "land":
            self._idle += 1

    def failed(self, step: Step, error: Exception) -> None:
        self._line("✗", "bold red", step.id, "failed")

    def close(self) -> None:
        """A last word on the steps of which nothing had to be done."""
        if self._is_range:
            up_to_date = f"{self._idle} of {self._total} steps up to date"
            self._line("·", "dim", self._ds, up_to_date)
        elif self._idle:
            self._line("·", "dim", f"{self._idle} steps", "up to date")

    def _line(self, mark: str, style: str, name: str, text: str) -> None:
        err.print(Text(f"{mark} ", style=style) + Text(f"{name:<40} ") + Text(text, style="dim"), soft_wrap=True)
