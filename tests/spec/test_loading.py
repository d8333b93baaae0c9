"""Loading whole files and projects."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from featuremill.errors import UsageError
from featuremill.spec.loading import check_pipeline, load_pipeline, parse_pipeline, read_pipeline_file
from featuremill.spec.problems import EnvironmentFileError, PipelineFileError
from featuremill.spec.project import find_project, load_project
from tests.conftest import REPOSITORY
from tests.spec.example import FILES, SHOPS

OWN_PIPELINES = sorted((REPOSITORY / "configuration" / "pipelines").glob("*.yaml"))
CREDIT_RISK = FILES / "credit_risk.yaml"


def test_the_architecture_pages_pipeline_loads_without_a_problem() -> None:
    assert check_pipeline(CREDIT_RISK) == []
    pipeline = load_pipeline(CREDIT_RISK)
    assert pipeline.pipeline == "credit_risk"
    assert pipeline.spine == "loans"
    assert pipeline.sources["loans"].columns["status"].outcome
    over = pipeline.features[0].aggregate["loans"].over
    assert over is not None and [str(window) for window in over] == ["30d", "90d", "365d"]
    assert pipeline.training is not None and pipeline.training.split.validation == 0.2
    assert pipeline.endpoint is not None and pipeline.endpoint.capture == 0.1


@pytest.mark.parametrize(
    "path", sorted((REPOSITORY / "configuration" / "pipelines").glob("*.yaml")), ids=lambda p: p.stem
)
def test_the_projects_own_pipelines_have_no_problem(path: Path) -> None:
    assert check_pipeline(path) == []


def test_a_file_with_mistakes_raises_one_error_that_lists_them(tmp_path: Path) -> None:
    path = tmp_path / "shops.yaml"
    path.write_text(SHOPS.replace("mean: amount", "mean: amuont").replace("shop: string, size", "shop: strin, size"))
    with pytest.raises(PipelineFileError) as raised:
        load_pipeline(path)
    assert str(raised.value).splitlines() == [
        f"{path}:29:21: unknown type `strin`, did you mean `string`?",
        f"{path}:34:27: unknown column `amuont` in `mean: amuont`, did you mean `amount`?",
    ]
    assert [problem.line for problem in raised.value.problems] == [29, 34]
    assert isinstance(raised.value, UsageError)


def test_warnings_do_not_keep_a_file_from_loading(tmp_path: Path) -> None:
    path = tmp_path / "shops.yaml"
    path.write_text(SHOPS.replace("known_after: 30d", "known_after: 29d"))
    assert load_pipeline(path).pipeline == "shops"
    (warning,) = read_pipeline_file(path).warnings
    assert (warning.severity, warning.line, warning.column) == ("warning", 35, 7)
    assert ":35:7: warning: `returns` reads the label's column `returned` 29d after the event" in str(warning)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PipelineFileError, match="nothing.yaml:1:1: the file cannot be read: no such file or directory"):
        load_pipeline(tmp_path / "nothing.yaml")


def test_paths_below_the_working_folder_are_shown_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "x.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    assert [str(problem) for problem in check_pipeline(tmp_path / "below" / "x.yaml")] == [
        "below/x.yaml:1:1: the file is empty"
    ]


def test_loading_is_fast() -> None:
    columns = "".join(f"      column_{number}: double\n" for number in range(100))
    features = "".join(f"      feature_{n}: round(column_{n} / (1 + abs(column_{n})), 2)\n" for n in range(100))
    text = SHOPS.replace("      amount: double\n", f"      amount: double\n{columns}")
    text = text.replace("      age: floor", f"{features}      age: floor")
    assert parse_pipeline(SHOPS, "shops.yaml").problems == ()
    started = time.perf_counter()
    assert parse_pipeline(text, "shops.yaml").problems == ()
    assert time.perf_counter() - started < 1.0  # 0.06 s on a quiet machine


def test_loading_imports_nothing_heavy() -> None:
    heavy = "{'great_expectations', 'pandas', 'duckdb', 'pyspark', 'pyarrow', 'numpy', 'jsonschema'}"
    code = f"import sys, featuremill.spec.project; print({heavy} & set(sys.modules))"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert output.stdout.strip() == "set()"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one pipeline that loads, one that does not, one with the wrong ending, and a text."""
    pipelines = tmp_path / "configuration" / "pipelines"
    pipelines.mkdir(parents=True)
    (pipelines / "shops.yaml").write_text(SHOPS)
    (pipelines / "broken.yaml").write_text(
        SHOPS.replace("pipeline: shops", "pipeline: broken").replace("size: int", "size: it")
    )
    (pipelines / "other.yml").write_text(SHOPS)
    (pipelines / "notes.txt").write_text("not a pipeline")
    (pipelines / ".shops.yaml").write_text("an editor's leftover")
    return tmp_path


def test_a_broken_file_does_not_hide_the_others(project: Path) -> None:
    loaded = load_project(project)
    assert list(loaded.pipelines) == ["shops"]
    assert list(loaded.files) == ["broken", "other.yml", "shops"]
    assert [str(problem).removeprefix(f"{project}/configuration/pipelines/") for problem in loaded.problems] == [
        "broken.yaml:29:35: unknown type `it`, did you mean `int`?",
        "other.yml:1:1: pipeline files end in .yaml; rename it to other.yaml",
    ]
    assert loaded.pipeline("shops").pipeline == "shops"
    with pytest.raises(PipelineFileError, match="unknown type `it`"):
        loaded.pipeline("broken")
    with pytest.raises(UsageError, match=r"no pipeline 'shps' in .*; did you mean `shops`\?"):
        loaded.pipeline("shps")


def test_a_project_without_environment_file_has_the_defaults(project: Path) -> None:
    environment = load_project(project).environment
    assert environment.landing == f"{project}/data/landing"
    assert environment.engine == "local"


def test_an_environment_that_does_not_load_is_raised(project: Path) -> None:
    folder = project / "configuration" / "environments"
    folder.mkdir()
    (folder / "local.yaml").write_text("engine: sprk\n")
    with pytest.raises(EnvironmentFileError, match="local.yaml:1:9: unknown engine `sprk`, did you mean `spark`"):
        load_project(project)


def test_the_project_is_found_from_below(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = project / "notebooks" / "deep"
    below.mkdir(parents=True)
    assert find_project(below) == project
    monkeypatch.chdir(below)
    assert find_project() == project


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no project in .*: neither it nor a folder above it has configuration/; .*--project DIR"
    ):
        find_project(tmp_path)
    with pytest.raises(UsageError, match="is not a project: it has no folder configuration/"):
        load_project(tmp_path)
