"""What the disk refuses is one error with a path, and the next run goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from featuremill.cli.app import app
from featuremill.errors import disk_error
from tests.runs.shop import HEADER, Shop, line

D1 = "2020-01-01"
LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
"""A file that would grow beyond the limit is refused, as by a full disk."""


@pytest.mark.parametrize(
    ("limit", "where"),
    [(0, "data/state/locks"), (2_000, "data/state/content_hashes.sqlite"), (13_000, "data/warehouse")],
)
def test_a_full_disk_is_one_error_and_the_next_run_goes_on(shop: Shop, limit: int, where: str) -> None:
    shop.land(D1, HEADER + "".join(line(i, i % 900, D1, i * 0.37 % 97, f"c{i % 77}") for i in range(3000)))
    process = shop.start(D1, LIMIT.format(limit=limit))
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 1 and "Traceback" not in output, output
    (said,) = [text for text in output.splitlines() if text.startswith("error: ")]
    assert str(shop.folder / where) in said
    assert shop.name not in shop.services.catalog.databases()
    shop.run(D1)
    assert len(shop.rows("snapshot", D1)) == 900


def test_a_folder_that_is_none_is_one_error(shop: Shop) -> None:
    shop.land_days(D1)
    (shop.folder / "data" / "state").write_text("a file")
    process = shop.start(D1)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 1 and "Traceback" not in output, output
    assert f"error: {shop.folder / 'data' / 'state'}" in output


def test_a_file_that_cannot_be_exported_to_is_one_error(shop: Shop, tmp_path: Path) -> None:
    shop.land_days(D1)
    shop.run(D1)
    table, file = f"{shop.name}.snapshot", str(tmp_path / "none" / "out.csv")
    done = CliRunner().invoke(app, ["export", table, file, "--ds", D1, "--project", str(shop.folder)])
    assert done.exit_code == 1 and f"cannot write {file}" in str(done.exception)


def test_errors_of_the_disk_and_others() -> None:
    full, closed = (
        disk_error(OSError(28, "No space left on device"), "/data"),
        disk_error(ConnectionResetError(104, "x")),
    )
    assert str(full).startswith("no space left on the disk of /data; free some") and closed is None
    assert str(disk_error(PermissionError(13, "x", "/a/b"))).startswith("permission denied: /a/b; let this user")
    assert str(disk_error(OSError(30, "x", "/a/b"))).startswith("/a/b is on a disk that can only be read")
