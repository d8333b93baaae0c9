"""Options and arguments that several commands share."""

from __future__ import annotations

import re
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import typer

from featuremill.errors import UsageError

ProjectOption = Annotated[
    Path | None,
    typer.Option(
        "--project",
        help="The folder that has configuration/. Left out: the nearest one, from here upwards.",
        show_default=False,
    ),
]
PipelineArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="The pipeline: configuration/pipelines/NAME.yaml")
]
DsOption = Annotated[str, typer.Option("--ds", metavar="D[..D2]", help="The day (YYYY-MM-DD), or a range of days.")]


def days_of(text: str) -> list[str]:
    """The days of `2020-12-31` or `2020-12-01..2020-12-31`. Raises UsageError for anything else."""
    first, dots, last = text.partition("..")
    begin, end = _day(first), _day(last) if dots else _day(first)
    if end < begin:
        raise UsageError(f"--ds {text}: the range ends before it begins")
    return [(begin + timedelta(days=n)).isoformat() for n in range((end - begin).days + 1)]


def one_day(text: str) -> str:
    return _day(text).isoformat()


def _day(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise UsageError(f"--ds {text!r}: write a day as YYYY-MM-DD, or a range as YYYY-MM-DD..YYYY-MM-DD")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"--ds {text!r}: {error}") from None
