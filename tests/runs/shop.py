"""A small project to run: orders of customers, landed by day."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from featuremill.cli.runs import EngineName, Until, run
from featuremill.cli.workspace import Workspace, open_workspace
from tests.fixtures_services import Services

REPOSITORY = Path(__file__).resolve().parents[2]

PIPELINE = """
pipeline: {name}
entity: {{key: customer, type: bigint}}
sources:
  orders:
    connector: {{kind: csv, path: "{{landing}}/orders/ds={{ds}}/*"}}
    key: order_id
    time: at
    columns: {{order_id: bigint, customer: bigint, at: timestamp, amount: double, city: string,
              paid: {{type: int, outcome: true}}}}
    expect:
      - expect_column_values_to_be_between: {{column: amount, min_value: 0, max_value: 1000000}}
    tolerate: {{quarantined: 50%}}
features:
  - from: orders
    aggregate:
      orders: {{count: "*"}}
      mean_amount: {{mean: amount}}
      orders_paid_30d: {{count: "*", where: paid = 1, over: 30d, known_after: 1d}}
    select:
      city: city
label: {{from: orders, column: paid, task: binary, available_after: 1d}}
"""

HEADER = "order_id,customer,at,amount,city,paid\n"


def line(order: int, customer: int, day: str, amount: float = 10.0, city: str = "Ulm", paid: int = 1) -> str:
    return f"{order},{customer},{day}T12:00:00Z,{amount},{city},{paid}\n"


class Shop:
    """The project, and what it looks like to readers."""

    def __init__(self, folder: Path, name: str, services: Services, pipeline: str = PIPELINE, more: str = "") -> None:
        """`more`: further lines of the environment's file."""
        self.folder, self.name, self.services = folder, name, services
        (folder / "configuration" / "pipelines").mkdir(parents=True)
        (folder / "configuration" / "environments").mkdir()
        host, port = services.metastore
        environment = f"metastore: {{host: {host}, port: {port}}}\n{more}"
        (folder / "configuration" / "environments" / "local.yaml").write_text(environment)
        self.pipeline_file = folder / "configuration" / "pipelines" / f"{name}.yaml"
        self.pipeline_file.write_text(pipeline.format(name=name))

    def land(self, day: str, text: str | bytes, file: str = "orders.csv") -> Path:
        path = self.folder / "data" / "landing" / "orders" / f"ds={day}" / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    def land_days(self, *days: str) -> None:
        """Two orders a day, of customers 1 and 2."""
        for number, day in enumerate(days):
            self.land(
                day, HEADER + line(2 * number, 1, day, 10.0 + number) + line(2 * number + 1, 2, day, 0.1 * number)
            )

    @property
    def workspace(self) -> Workspace:
        return open_workspace(self.folder)

    def run(self, ds: str, until: str = "monitor", engine: str | None = None) -> None:
        run(self.name, ds, Until(until), EngineName(engine) if engine else None, project=self.folder)

    def start(self, ds: str, *before: str) -> subprocess.Popen[str]:
        """The same in a process of its own; `before` is Python to run in it first."""
        program = "\n".join(
            [*before, "from featuremill.cli import main", "import sys", f"sys.argv = {self._argv(ds)!r}", "main()"]
        )
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        return subprocess.Popen(
            [sys.executable, "-c", program],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )

    def _argv(self, ds: str) -> list[str]:
        return ["featuremill", "run", self.name, "--ds", ds, "--project", str(self.folder)]

    def published(self) -> dict[tuple[str, str], str]:
        """(table, day) -> folder that Hive points at."""
        catalog = self.services.catalog
        return {
            (table, found.ds): found.location.removeprefix("file://").removeprefix("file:")
            for table in catalog.tables(self.name)
            for found in catalog.partitions(self.name, table)
        }

    def rows(self, table: str, day: str) -> list[dict[str, Any]]:
        """The rows that readers of Hive see."""
        folder = Path(self.published()[table, day])
        return [row for part in sorted(folder.glob("part-*.parquet")) for row in pq.read_table(part).to_pylist()]

    def files(self) -> dict[str, tuple[int, int]]:
        """Every file of the warehouse with its size and time of change."""
        root = self.folder / "data" / "warehouse"
        paths = [path for path in root.rglob("*") if path.is_file()]
        return {str(path.relative_to(root)): (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}

    def part(self, table: str, day: str) -> bytes:
        """The bytes of a published partition of one file."""
        (path,) = Path(self.published()[table, day]).glob("part-*.parquet")
        return path.read_bytes()
