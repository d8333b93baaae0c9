"""What has to be looked after in a warehouse: partitions that are gone, and folders that nothing needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from featuremill.cli.workspace import open_workspace
from featuremill.errors import DataError


def check_published(project: Path) -> dict[str, Any]:
    """Whether everything that Hive shows of the project's pipelines is there.

    Raises DataError, naming the partitions, for those whose folder is gone, and ServiceError if the metastore does not
    answer.
    """
    workspace = open_workspace(project)
    catalog = workspace.catalog()
    databases = set(catalog.databases())
    seen, gone = 0, []
    for name in sorted(databases & set(workspace.pipeline_names())):
        for table in catalog.tables(name):
            for found in catalog.partitions(name, table):
                if found.fingerprint is None:
                    continue  # published by another tool
                seen += 1
                if workspace.warehouse.find(name, table, found.ds, found.fingerprint) is None:
                    gone.append(f"{name}.{table} ds={found.ds}")
    if gone:
        shown = ", ".join(gone[:10]) + (f" and {len(gone) - 10} more" if len(gone) > 10 else "")
        raise DataError(f"Hive shows {shown}, whose files are gone from the warehouse; run these days again")
    return {"partitions": seen}


def collect_garbage(project: Path, keep: int = 1) -> dict[str, Any]:
    """Delete what nothing needs any more; `keep` earlier versions of each day stay."""
    from featuremill.cli.garbage import ProjectGarbage

    found = ProjectGarbage.find(open_workspace(project), keep)
    megabytes = round(found.delete() / 1e6, 1)
    return {"folders": len(found.rows()), "megabytes": megabytes, "notes": list(found.notes)}
