"""report.html: one self-contained page about a day's drift, made of the rows of the `drift` table alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

import training_image
from featuremill.monitoring.summary import DriftSummary
from featuremill.warehouse.tables import SNAPSHOT

PICTURES = 12
MOST_BARS = 24
_FOLDERS = Path(__file__).parent, Path(training_image.__file__).parent / "report"
"""Of the page, and of the model report's style sheet, which it includes."""
_WIDTH, _ROW, _NAME, _BAR = 460, 26, 150, 250


@dataclass(frozen=True)
class Bar:
    """One bin in a picture: its place and the lengths of its two bars, in pixels."""

    name: str
    title: str
    y: int
    before: float
    now: float


@dataclass(frozen=True)
class Picture:
    """A column's two distributions."""

    title: str
    note: str
    shifted: bool
    height: int
    bars: tuple[Bar, ...]


def report_path(state: Path, pipeline: str, ds: str, fingerprint: str) -> Path:
    """Where the report of a `drift` partition is kept."""
    return state / "drift" / pipeline / f"ds={ds}" / fingerprint / "report.html"


def write_report(path: Path, content: str) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(content, encoding="utf-8")
    unfinished.replace(path)


def render(pipeline: str, ds: str, rows: Sequence[Mapping[str, Any]], summary: DriftSummary) -> str:
    """The page. Equal rows give equal bytes."""
    environment = Environment(
        loader=FileSystemLoader(_FOLDERS), autoescape=select_autoescape(), undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters["share"] = lambda value: "–" if value is None else f"{100 * value:.1f}%"
    environment.filters["psi"] = lambda value: "–" if value is None else f"{value:.3f}"
    environment.filters["count"] = lambda value: "–" if value is None else f"{value:,}"
    compared = [row for row in rows if row["psi"] is not None]
    drawn = sorted(compared, key=lambda row: (not row["shifted"], -row["psi"]))[:PICTURES]
    return environment.get_template("page.html").render(
        pipeline=pipeline,
        ds=ds,
        summary=summary,
        rows=rows,
        measured=len(compared),
        pictures=[picture(row) for row in drawn],
        size={"width": _WIDTH, "name": _NAME, "bar": _BAR},
        today=next((row["row_count"] for row in rows), None),
        before=next((row["row_count_reference"] for row in rows if row["of_table"] == SNAPSHOT), None),
    )


def picture(row: Mapping[str, Any]) -> Picture:
    """Two bars a bin. Of very many bins those whose shares differ most are drawn."""
    bins = list(zip(row["bins"], row["shares_reference"], row["shares"], strict=True))
    used = [one for one in bins if one[1] or one[2]]
    left_out = len(used) - MOST_BARS
    if left_out > 0:
        kept = sorted(used, key=lambda one: -abs(one[1] - one[2]))[:MOST_BARS]
        used = [one for one in used if one in kept]
    longest = max((max(one[1], one[2]) for one in used), default=0.0) or 1.0
    bars = tuple(
        Bar(
            name=name if len(name) <= 22 else f"{name[:21]}…",
            title=f"{name}: {100 * before:.1f}% before, {100 * now:.1f}% now",
            y=number * _ROW,
            before=round(_BAR * before / longest, 1),
            now=round(_BAR * now / longest, 1),
        )
        for number, (name, before, now) in enumerate(used)
    )
    note = f"PSI {row['psi']:.3f}" + (f"; {left_out} more bins, which differ less" if left_out > 0 else "")
    where = "" if row["of_table"] == SNAPSHOT else f" ({row['of_table']})"
    return Picture(f"{row['feature']}{where}", note, bool(row["shifted"]), max(len(used), 1) * _ROW, bars)
