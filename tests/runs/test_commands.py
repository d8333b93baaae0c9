"""Commands as people type them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from featuremill.cli.app import app
from tests.runs.shop import HEADER, Shop, line

D1 = "2020-01-01"


def call(shop: Shop, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--project", str(shop.folder)])


def test_validate_names_every_broken_pipeline(shop: Shop) -> None:
    folder = shop.pipeline_file.parent
    text = shop.pipeline_file.read_text()
    (folder / "typo.yaml").write_text(text.replace(shop.name, "typo").replace("mean: amount", "mean: amuont"))
    (folder / "words.yaml").write_text(text.replace(shop.name, "words").replace("mean: amount", "mean: city"))
    result = call(shop, "validate")
    assert result.exit_code == 2
    assert f"{shop.name}: all right, runs on the local engine" in result.stdout
    assert "unknown column `amuont`" in result.stderr and "did you mean `amount`?" in result.stderr
    assert "feature mean_amount: mean needs numbers, but `city` is string" in result.stderr


def test_plan_tables_and_export(shop: Shop, tmp_path: Path) -> None:
    shop.land(D1, HEADER + line(1, 1, D1) + line(2, 2, D1))
    planned = call(shop, "plan", shop.name, "--ds", D1)
    assert planned.exit_code == 0 and "5 of 6 steps to do" in planned.stdout
    assert json.loads(call(shop, "plan", shop.name, "--ds", D1, "--json").stdout)["ds"] == D1
    assert "PARTITION BY" in call(shop, "plan", shop.name, "--ds", D1, "--sql").stdout
    assert call(shop, "run", shop.name, "--ds", D1).exit_code == 0
    listed = call(shop, "tables", shop.name)
    assert f"{shop.name}.snapshot" in listed.stdout and "just now" in listed.stdout
    for ending in ("parquet", "csv"):
        file = tmp_path / f"out.{ending}"
        assert call(shop, "export", f"{shop.name}.snapshot", str(file), "--ds", D1).exit_code == 0
        rows = pq.read_table(file).num_rows if ending == "parquet" else len(file.read_text().splitlines()) - 1
        assert rows == 2
    assert "nothing to delete" in call(shop, "gc").stdout


@pytest.mark.slow
def test_an_expression_that_is_not_proven_runs_on_spark(shop: Shop) -> None:
    text = shop.pipeline_file.read_text()
    shop.pipeline_file.write_text(text.replace("city: city", "city: initcap(city)"))
    shop.land(D1, HEADER + line(1, 1, D1, city="ulm") + line(2, 2, D1, city="bad aibling"))
    assert "its tables go to Spark" in call(shop, "validate", shop.name).stdout
    process = shop.start(D1)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert {row["customer"]: row["city"] for row in shop.rows("snapshot", D1)} == {1: "Ulm", 2: "Bad Aibling"}
