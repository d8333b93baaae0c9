"""A first pipeline file for a CSV file that nobody has described yet."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from featuremill.errors import DataError, UsageError


@dataclass(frozen=True)
class Scaffold:
    """A pipeline file to begin with: `text` is its YAML.

    `landing` is the folder below the landing root that the file belongs into, `ds` the day to run for: that of the
    newest event, None for a static table. `next_steps` are sentences for people.
    """

    name: str
    source: str
    text: str
    csv: Path
    rows: int
    landing: str
    ds: str | None
    next_steps: tuple[str, ...]


def scaffold(
    name: str,
    csv_path: Path | str,
    *,
    source: str | None = None,
    key: str | None = None,
    entity: str | None = None,
    time: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
) -> Scaffold:
    """Write the text of a pipeline file for a CSV file, which is read to its end once.

    What is given is taken; the rest is guessed. `key`, `entity` and `time` are names of columns, as in the file's
    header or as in the pipeline file. Raises UsageError for a name that cannot be or a column or file that is not
    there, DataError for a file without rows, or whose header names two fields alike.
    """
    from featuremill.scaffold.dialect import find_dialect, read_rows
    from featuremill.scaffold.guess import guess_roles, last_day
    from featuremill.scaffold.names import column_names
    from featuremill.scaffold.pipeline_file import Draft, pipeline_text
    from featuremill.scaffold.profile import profile

    path, source = Path(csv_path), source or name
    for given in (name, source):
        if not re.fullmatch("[a-z_][a-z0-9_]*", given):
            raise UsageError(
                f"{given!r} is not a name: use lower-case letters, digits and _, not starting with a digit"
            )
    dialect = find_dialect(path, delimiter, header)
    rows = read_rows(path, dialect)
    first = next(rows)
    headers = (
        [field.strip() for field in first] if dialect.header else [f"column_{n}" for n in range(1, len(first) + 1)]
    )
    _differ(headers, path)
    file = profile(rows if dialect.header else read_rows(path, dialect), headers, column_names(headers))
    if not file.rows:
        raise DataError(f"{path} has no rows to look at, only {'a header' if dialect.header else 'odd lines'}")
    roles = guess_roles(file, key, entity, time)
    ds = last_day(roles.time) if roles.time else None
    suffix = "".join(path.suffixes[-2:]) if path.suffix == ".gz" else path.suffix
    draft = Draft(name, source, path.name, f"{{landing}}/{name}/ds={{ds}}/*{suffix}", dialect, file, roles)
    return Scaffold(
        name=name,
        source=source,
        text=_valid(pipeline_text(draft), name),
        csv=path,
        rows=file.rows,
        landing=name,
        ds=ds,
        next_steps=_next_steps(name, path, ds),
    )


def _differ(headers: list[str], path: Path) -> None:
    """Columns are found by the header, whatever its case: raises DataError where two fields have the same."""
    places: dict[str, int] = {}
    for place, header in enumerate(headers, start=1):
        first = places.setdefault(header.lower(), place)
        if first != place:
            raise DataError(
                f"{path}: fields {first} and {place} are both called {header!r}, and columns are found by that name: "
                "rename one in the file, or take its header line away and say that it has none"
            )


def place_file(made: Scaffold, landing_root: Path, ds: str) -> Path:
    """Copy the CSV file to where its pipeline looks for it on a day. Returns the copy.

    The copy appears at once or not at all. Raises UsageError if another file of that name is there already.
    """
    target = landing_root / made.landing / f"ds={ds}" / made.csv.name
    if target.exists():
        if target.read_bytes() == made.csv.read_bytes():
            return target
        raise UsageError(
            f"{target} is there already and differs from {made.csv}: rename the file, or choose another day"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name("." + target.name + ".partial")
    shutil.copyfile(made.csv, partial)
    partial.rename(target)
    return target


def _valid(text: str, name: str) -> str:
    """The text itself, after it was read with all the rules of pipeline files. Raises what reading raises."""
    from featuremill.spec.loading import parse_pipeline

    parse_pipeline(text, f"{name}.yaml").loaded()
    return text


def _next_steps(name: str, path: Path, ds: str | None) -> tuple[str, ...]:
    day = ds or "YYYY-MM-DD"
    return (
        f"Read configuration/pipelines/{name}.yaml through: key, time, entity and types are guesses.",
        f"Put {path.name} into the landing folder, as {name}/ds={day}/{path.name}.",
        f"Run `featuremill run {name} --ds {day}`.",
    )
