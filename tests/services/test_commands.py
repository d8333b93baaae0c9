"""The commands that look at services, with a metastore that runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from featuremill.cli.app import app
from tests.fixtures_services import Services

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path, services: Services) -> Path:
    """A project whose services are those of the test run."""
    folder = tmp_path / "configuration" / "environments"
    folder.mkdir(parents=True)
    (folder / "local.yaml").write_text(f'state: "{services.state}"\n')
    assert services.metastore
    return tmp_path


def _said(project: Path, *arguments: str) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and each line's words by its first."""
    done = CliRunner().invoke(app, [*arguments, "--project", str(project)])
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    return done.exit_code, {words[0]: words[1:] for words in lines}


@pytest.mark.parametrize("arguments", [("services", "status"), ("status",)])
def test_status_shows_what_runs_where_with_its_memory_and_log(
    project: Path, services: Services, arguments: tuple[str, ...]
) -> None:
    code, said = _said(project, *arguments)
    host, port = services.metastore
    state, address, pid, memory, unit = said["metastore"][:5]
    assert (state, address, unit) == ("running", f"{host}:{port}", "MB")
    assert int(pid) > 1 and 50 < int(memory) < 2000
    assert "metastore.log" in " ".join(said["metastore"])
    assert said["lookup"][0] == "stopped" and code == 1, "not all of them run"
    assert int(said["all"][0].replace(",", "")) >= int(memory)


def test_addresses_are_those_of_what_runs(project: Path, services: Services) -> None:
    code, said = _said(project, "services", "addresses")
    host, port = services.metastore
    assert code == 0 and said["metastore"] == [f"thrift://{host}:{port}"]
    assert "Airflow" not in said and "lookup" not in said
    assert str(services.state / "logs") in " ".join(said["logs"])
