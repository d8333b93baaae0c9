"""What is wrong with a file of the project: where, what, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from featuremill.errors import UsageError

Severity = Literal["error", "warning"]

_SHOWN = 60


@dataclass(frozen=True)
class Problem:
    """One mistake, or one thing worth a second look. Lines and columns count from 1."""

    file: str
    line: int
    column: int
    message: str
    suggestion: str | None = None
    severity: Severity = "error"

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}"
        said = self.message if self.is_error else f"warning: {self.message}"
        if self.suggestion is None:
            return f"{place}: {said}"
        joint = ", " if self.suggestion.startswith("did you mean") else "; "
        return f"{place}: {said}{joint}{self.suggestion}"


class ProblemsError(UsageError):
    """Files that do not load. `problems` are all that was found, warnings too; the text has one a line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


class PipelineFileError(ProblemsError):
    """A pipeline file that does not load."""


class EnvironmentFileError(ProblemsError):
    """An environment file that does not load."""


def ordered(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Once each, in the order of the file."""
    return tuple(sorted(set(problems), key=lambda problem: (problem.line, problem.column, problem.message)))


def shown_path(path: Path) -> str:
    """A path as people read it best: from the working folder if it lies below, else in full."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant; None where none is near."""
    words = list(known)
    by_lower = {candidate.lower(): candidate for candidate in words}
    near = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.65)
    return by_lower[near[0]] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    near = closest(word, known)
    return None if near is None else f"did you mean `{near}`?"


def a(word: str) -> str:
    """The word with its article: a date, an int."""
    return f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"


def listing(words: Iterable[str], *, most: int = 12) -> str:
    """`a, b, c`, cut where there are too many to read."""
    all_words = list(words)
    rest = len(all_words) - most
    return ", ".join(all_words[:most]) + (f" and {rest} more" if rest > 0 else "")


def shortened(text: str) -> str:
    """One line of a text, for a message."""
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"
