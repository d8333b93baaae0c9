"""`featuremill tables`, `sql`, `export` and `gc`: what there is, and reading it."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from featuremill.cli.options import ProjectOption, one_day
from featuremill.cli.printing import note, out, print_table
from featuremill.cli.workspace import open_workspace
from featuremill.errors import DataError, UsageError


class Format(StrEnum):
    table = "table"
    csv = "csv"
    json = "json"


def tables(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A pipeline. Left out: all.", show_default=False)
    ] = None,
    project: ProjectOption = None,
    all_days: Annotated[bool, typer.Option("--all", help="Every day, not only the newest of each table.")] = False,
) -> None:
    """List what is published: days, fingerprints, rows, and how old it is."""
    from featuremill.warehouse.gc import published

    workspace = open_workspace(project)
    names = [name] if name else workspace.pipeline_names()
    catalog = workspace.catalog()
    rows = []
    for pipeline in names:
        found = published(catalog, pipeline)
        if name and not found:
            raise UsageError(f"nothing of {name} is published; run `featuremill run {name} --ds DAY`")
        newest = {one.table: one for one in found}
        counts = {table: sum(one.table == table for one in found) for table in newest}
        for one in found if all_days else newest.values():
            days = "" if all_days else counts[one.table]
            age = _age(one.committed_at)
            print_rows = f"{one.rows:,}" if one.rows is not None else ""
            rows.append((f"{pipeline}.{one.table}", one.ds, days, print_rows, (one.fingerprint or "")[:8], age))
    print_table(("table", "ds", "days", "rows", "fingerprint", "computed"), rows, right=("days", "rows"))


def _age(moment: datetime | None) -> str:
    if moment is None:
        return ""
    seconds = (datetime.now(UTC) - moment).total_seconds()
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"


def sql(
    query: Annotated[str, typer.Argument(help="The query, Spark SQL. `-` reads it from standard input.")],
    project: ProjectOption = None,
    style: Annotated[Format, typer.Option("--format", help="How the answer is printed.")] = Format.table,
) -> None:
    """Ask HiveServer2 in SQL."""
    from featuremill.warehouse.sql import query as ask

    host, port = open_workspace(project).hiveserver()
    answer = ask(host, port, sys.stdin.read() if query == "-" else query)
    if style is Format.table:
        print_table(answer.columns, [[_shown(value) for value in row] for row in answer.rows])
    else:
        write_rows(style, answer.columns, answer.rows)


def _shown(value: Any) -> str:
    if value is None:
        return "NULL"
    return _text(value)


def write_rows(style: Format, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """CSV with a header (null is empty), or a JSON object a line."""
    if style is Format.csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([["" if value is None else _text(value) for value in row] for row in rows])
        return
    for row in rows:
        named = dict(zip(columns, map(_jsonable, row), strict=True))
        sys.stdout.write(json.dumps(named, ensure_ascii=False) + "\n")


def _text(value: Any) -> str:
    if isinstance(value, (list, dict)):
        return json.dumps(value, default=str, ensure_ascii=False)
    if isinstance(value, bool):
        return str(value).lower()
    # All times are UTC, so the zone need not be said.
    return value.replace(tzinfo=None).isoformat(sep=" ") if isinstance(value, datetime) else str(value)


def _jsonable(value: Any) -> Any:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, dict, type(None))) else str(value)


def export(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="PIPELINE.TABLE, like credit_risk.snapshot")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write: *.parquet or *.csv")],
    ds: Annotated[str, typer.Option("--ds", metavar="DAY", help="The published day (YYYY-MM-DD).")],
    project: ProjectOption = None,
) -> None:
    """Write a published partition to one parquet or csv file."""
    from featuremill.local_engine.export import export_partition

    pipeline, dot, name = table.partition(".")
    if not dot:
        raise UsageError(f"{table!r}: write PIPELINE.TABLE, like credit_risk.snapshot")
    if file.suffix not in (".parquet", ".csv"):
        raise UsageError(f"{file}: the name has to end in .parquet or .csv, which says the format")
    workspace = open_workspace(project)
    day = one_day(ds)
    catalog = workspace.catalog()
    if catalog.view_text(pipeline, name) is not None:
        raise UsageError(
            f"{table} is a view; export the table behind it, like {pipeline}.snapshot, or use `featuremill sql`"
        )
    found = catalog.partition(pipeline, name, day)
    if found is None:
        days = catalog.days(pipeline, name)
        known = f"published days: {days[0]} to {days[-1]}" if days else f"nothing of {table} is published"
        raise DataError(f"{table} ds={day} is not published; {known}")
    rows = export_partition(found.location, file)
    out.print(f"{rows:,} rows to {file}")


def gc(
    project: ProjectOption = None,
    delete: Annotated[bool, typer.Option("--delete", help="Delete it. Left out: only list it.")] = False,
    keep: Annotated[int, typer.Option("--keep", min=0, help="Earlier versions to keep of each day, to roll back.")] = 1,
) -> None:
    """List, or delete, what nothing needs any more: partitions that nothing points at, models and results of checks
    that were kept on this machine, staged training data.

    Kept is what is published, what that was computed from, what is live or can be gone back to, and everything
    younger than an hour.
    """
    from featuremill.cli.garbage import ProjectGarbage

    found = ProjectGarbage.find(open_workspace(project), keep)
    print_table(
        ("folder", "why", "MB"), [(f, why, f"{size / 1e6:.1f}") for f, why, size in found.rows()], right=("MB",)
    )
    for text in found.notes:
        note(text)
    if delete:
        out.print(f"{found.delete() / 1e6:.1f} MB freed")
    elif found.rows():
        note("nothing was deleted; --delete does it")
    else:
        out.print("nothing to delete")
