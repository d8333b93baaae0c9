"""The report holds what the table holds, and needs nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pyarrow as pa

from featuremill.monitoring.measuring import measure
from featuremill.monitoring.report import MOST_BARS, PICTURES, picture, render, report_path, write_report
from featuremill.monitoring.summary import summary_of
from featuremill.monitoring.table import SCHEMA, drift_table
from featuremill.warehouse.storage import Warehouse
from tests.monitoring.tables import stored

MARKUP = '<img src=x onerror="1">'


def page(folder: Path, before: pa.Table, after: pa.Table) -> str:
    warehouse = Warehouse(folder)
    found = measure(after.column_names, stored(warehouse, after), stored(warehouse, before, ds="2024-02-01"))
    table = drift_table({"snapshot": found}, 0.2, {"snapshot": ("snapshot", "2024-02-01")}, "m-1")
    assert table.schema.equals(SCHEMA)
    rows = table.to_pylist()
    return render("risk", "2024-03-01", rows, summary_of(rows, 0.2, "m-1", "f" * 32))


def test_the_furthest_come_first_and_texts_are_no_markup(tmp_path: Path) -> None:
    before = pa.table({"still": [1.0, 2.0] * 50, "moved": ["a"] * 100, MARKUP: [1] * 100})
    after = pa.table({"still": [1.0, 2.0] * 50, "moved": [MARKUP] * 100, MARKUP: [1] * 100})
    text = page(tmp_path, before, after)
    assert MARKUP not in text and "&lt;img" in text
    assert "http://" not in text and "<script" not in text
    assert text.index("<h3>moved") < text.index("<h3>still")
    assert "Compared with snapshot of 2024-02-01" in text and "model m-1" in text
    assert re.search(r"<b>1</b>shifted", text) and re.search(r"<b>3</b>columns compared", text)
    pictures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(pictures) == 3 and all(ElementTree.fromstring(one).tag == "svg" for one in pictures)


def test_equal_rows_give_equal_bytes_and_only_the_furthest_are_drawn(tmp_path: Path) -> None:
    many = pa.table({f"x{number:02}": [float(number), 1.0] * 20 for number in range(PICTURES + 5)})
    first, second = page(tmp_path / "a", many, many), page(tmp_path / "b", many, many)
    assert first == second and first.count("<svg") == PICTURES


def test_a_picture_of_very_many_bins_shows_those_that_differ(tmp_path: Path) -> None:
    warehouse = Warehouse(tmp_path)
    before = pa.table({"x": [f"v{n}" for n in range(40) for _ in range(10)]})
    after = pa.table({"x": [f"v{n}" for n in range(40) for _ in range(10)] + ["v7"] * 100})
    found = measure(["x"], stored(warehouse, after), stored(warehouse, before))
    (row,) = drift_table({"snapshot": found}, 0.2, {}, None).to_pylist()
    drawn = picture(row)
    assert len(drawn.bars) == MOST_BARS and "16 more bins" in drawn.note
    widest = max(drawn.bars, key=lambda bar: bar.now)
    assert widest.name == "v7" and widest.title == "v7: 2.5% before, 22.0% now"


def test_without_a_reference_the_page_says_so(tmp_path: Path) -> None:
    found = measure(["x"], stored(Warehouse(tmp_path), pa.table({"x": [1, 2]})), None)
    rows = drift_table({"snapshot": found}, 0.2, {}, None).to_pylist()
    summary = summary_of(rows, 0.2, None, None)
    text = render("risk", "2024-03-01", rows, summary)
    assert "There is nothing to compare with" in text and "<svg" not in text
    assert summary.text() == "nothing to compare with" and not summary.alarms


def test_a_report_is_written_whole(tmp_path: Path) -> None:
    path = report_path(tmp_path, "risk", "2024-03-01", "f" * 32)
    write_report(path, "ü")
    assert path.read_text(encoding="utf-8") == "ü" and [one.name for one in path.parent.iterdir()] == ["report.html"]
