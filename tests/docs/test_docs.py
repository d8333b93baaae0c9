"""The pages for people are true: their examples are read without mistakes, their commands and links are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from featuremill.cli.app import app
from featuremill.spec.environment import load_environment
from featuremill.spec.expressions import parse_expression
from featuremill.spec.loading import parse_pipeline
from featuremill.spec.models import CsvConnector, Endpoint, EventTime, FeatureBlock, Monitor, Pipeline, Training
from featuremill.spec.types import AGGREGATE_KINDS, COLUMN_TYPES

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
REFERENCE = REPOSITORY / "docs" / "pipeline-file.md"

_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(?P<text>[^`]+)`")
_LINK = re.compile(r"\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<text>.+)$", re.MULTILINE)
_SCRIPT = re.compile(r"\./\w+\.sh")


def page_id(page: Path) -> str:
    return page.name


def blocks(page: Path, language: str) -> list[str]:
    return [match["text"] for match in _BLOCK.finditer(page.read_text()) if match["language"] == language]


def prose(page: Path) -> str:
    return _BLOCK.sub("", page.read_text())


EXAMPLES = [
    pytest.param(text, id=f"{page.name}-{n}") for page in PAGES for n, text in enumerate(blocks(page, "yaml"), start=1)
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_yaml_examples_are_read_without_mistakes(text: str, tmp_path: Path) -> None:
    """Whole pipelines with all the rules, the environment as one; of fragments each section by itself."""
    data = yaml.safe_load(text)
    if "pipeline" in data:
        assert parse_pipeline(text, f"{data['pipeline']}.yaml").problems == ()
    elif "landing" in data:
        path = tmp_path / "configuration" / "environments" / "local.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
        written = load_environment(tmp_path)
        path.unlink()
        assert load_environment(tmp_path) == written, "the example shows the defaults"
    else:
        for section, content in data.items():
            _check_section(section, content)


def _check_section(section: str, content: Any) -> None:
    """Raises for a section of a source, or a list of features, that cannot be written like this."""
    if section == "connector":
        CsvConnector.model_validate(content)
    elif section == "time":
        EventTime.model_validate(content)
    elif section == "features":
        for block in content:
            FeatureBlock.model_validate(block)
    elif section == "training":
        Training.model_validate(content)
    elif section == "monitor":
        Monitor.model_validate(content)
    elif section == "endpoint":
        Endpoint.model_validate(content)
    elif section == "where":
        parse_expression(content)
    elif section == "derive":
        for derived in content.values():
            parse_expression(derived if isinstance(derived, str) else derived["expression"])
    elif section == "expect":
        assert parse_pipeline(_with_expectations(content), "example.yaml").problems == ()
    else:
        raise AssertionError(f"an example has the section {section}, which no test knows")


def _with_expectations(expectations: list[dict[str, Any]]) -> str:
    columns = {arguments["column"] for item in expectations for arguments in item.values() if "column" in arguments}
    return yaml.safe_dump(
        {
            "pipeline": "example",
            "entity": {"key": "id", "type": "int"},
            "sources": {
                "rows": {
                    "connector": {"kind": "csv", "path": "{landing}/ds={ds}/*.csv"},
                    "columns": {"id": "int", **dict.fromkeys(sorted(columns), "int")},
                    "key": "id",
                    "expect": expectations,
                }
            },
            "features": [{"from": "rows", "select": {"value": "id + 1"}}],
        }
    )


def commands(page: Path) -> Iterator[str]:
    """Every `featuremill ...` of a page: in a line of its own in a block, after `$`, or within the text."""
    for match in _BLOCK.finditer(page.read_text()):
        lines = match["text"].replace("\\\n", " ")
        for found in re.finditer(r'^(?:\$ )?featuremill (?:"[^"]*"|[^"\n])*', lines, re.MULTILINE):
            yield found[0].removeprefix("$ ")
    for match in _INLINE.finditer(prose(page)):
        text = " ".join(match["text"].split())
        if text.startswith("featuremill "):
            yield text


COMMANDS = sorted({(page.name, command) for page in PAGES for command in commands(page)})


@pytest.mark.parametrize(("page", "command"), COMMANDS)
def test_commands_and_their_options_are_there(page: str, command: str) -> None:
    words = shlex.split(command)[1:]
    # Usage is written with placeholders: `[NAME]` may be left out.
    words = [word for word in words if not re.fullmatch(r"\[.*\]", word)]
    group: Any = typer.main.get_command(app)
    context = group.make_context("featuremill", [], resilient_parsing=True)
    while hasattr(group, "commands"):
        if not words or words[0] == "COMMAND":
            return
        name = words.pop(0)
        assert name in group.commands, f"{page}: there is no command {name}"
        group = group.commands[name]
        context = group.make_context(name, [], parent=context, resilient_parsing=True)
    options = {option for parameter in group.params for option in (*parameter.opts, *parameter.secondary_opts)}
    given = {word.partition("=")[0] for word in words if word.startswith("--")}
    assert given <= options | {"--help"}, f"{page}: {command}"
    if words and all(not re.fullmatch(r"[A-Z.]+", word) for word in words):
        # Nothing in it is a placeholder: it has to be a whole, right command.
        group.make_context(group.name, words)


def test_every_command_is_described() -> None:
    described = {" ".join(command.split()[1:3]) for command in commands(REPOSITORY / "docs" / "operations.md")}
    root: Any = typer.main.get_command(app)
    for name in root.commands:
        assert any(text.split()[0] == name for text in described), f"docs/operations.md does not say what {name} does"


def test_options_in_the_table_of_commands_are_there() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    root: Any = typer.main.get_command(app)
    rows = re.findall(r"^\| `featuremill ([\w-]+)[^|]*\|(.*)\|$", text, re.MULTILINE)
    assert len(rows) == len(root.commands)
    for name, meaning in rows:
        parameters = root.commands[name].params
        known = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
        assert set(re.findall(r"--[\w-]+", meaning)) <= known, name


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page: Path) -> None:
    for match in _LINK.finditer(prose(page)):
        target = match["target"]
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), f"{page.name}: {target}"
        if anchor:
            assert anchor in anchors(path), f"{page.name}: {target}"


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to headings."""
    headings = (match["text"].lower() for match in _HEADING.finditer(prose(page)))
    return {re.sub(r"[^\w\- ]", "", heading).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_files_that_are_named_are_there(page: Path) -> None:
    text = page.read_text()
    named = {script.removeprefix("./") for script in _SCRIPT.findall(text)}
    named |= {match["text"] for match in _INLINE.finditer(prose(page)) if re.fullmatch(r"tests/[\w/.]+", match["text"])}
    missing = [name for name in sorted(named) if not (REPOSITORY / name).exists()]
    assert not missing, f"{page.name} names {missing}"


def keys_of(annotation: Any) -> set[str]:
    return {field.alias or name for name, field in annotation.model_fields.items()}


def test_the_reference_has_every_key() -> None:
    """A key that is added to the models has to be described too."""
    from featuremill.spec import accept, environment, models
    from training_image import parameters

    described = set(re.findall(r"[a-z_][a-z0-9_]*", " ".join(re.findall(r"`[^`]+`", prose(REFERENCE)))))
    described |= set(re.findall(r"\w+", " ".join(blocks(REFERENCE, "yaml"))))
    sections = (
        Pipeline,
        models.Entity,
        models.Source,
        models.Column,
        CsvConnector,
        EventTime,
        models.Tolerance,
        FeatureBlock,
        models.Select,
        models.Derived,
        models.Label,
        models.Training,
        models.Endpoint,
        models.EndpointInstances,
        models.Drift,
        models.Monitor,
        models.Instances,
        parameters.Split,
        parameters.Impute,
        parameters.Encode,
        parameters.Clip,
        parameters.Scale,
        parameters.RareLabels,
        parameters.SelectFeatures,
        parameters.Preprocess,
        parameters.Threshold,
        parameters.Interval,
        parameters.Boosting,
        accept.Accept,
        accept.AgainstLive,
        environment.SageMakerSettings,
        environment.LookupSettings,
        environment.Environment,
        environment.SparkSettings,
        environment.Service,
    )
    wanted = set().union(*(keys_of(section) for section in sections), AGGREGATE_KINDS, COLUMN_TYPES)
    wanted |= {"over", "where", "known_after"}
    assert wanted <= described, wanted - described


def test_defaults_of_the_connector_are_the_models() -> None:
    table = REFERENCE.read_text().partition("### The connector")[2].partition("### Columns")[0]
    shown = dict(re.findall(r"^\| `(\w+)` \| `(.+?)` \|", table, re.MULTILINE))
    defaults = {name: field.default for name, field in CsvConnector.model_fields.items() if name in shown}
    assert set(defaults) == set(shown)
    for name, default in defaults.items():
        written = shown[name] if isinstance(default, str) else yaml.safe_load(shown[name])
        assert written == (list(default) if isinstance(default, tuple) else default), name
    assert {"header", "delimiter", "quote", "encoding", "null_values", "multiline", "date_format", "missing"} <= set(
        shown
    )
