"""Where a pipeline runs: storage roots, engine, services. One file an environment, `configuration/environments/`.

FEATUREMILL_ENVIRONMENT chooses it, `local` unless set. Texts may hold `{project}`, the project's folder, and `${NAME}`
or `${NAME:-default}`, an environment variable.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from featuremill.errors import UsageError
from featuremill.spec.models import Model
from featuremill.spec.positions import Document, YamlPath, read_document
from featuremill.spec.problems import EnvironmentFileError, ordered, shown_path
from featuremill.spec.validation import validate

ENVIRONMENTS = Path("configuration") / "environments"
CHOICE = "FEATUREMILL_ENVIRONMENT"

_NAMED = re.compile(r"\$\{(?P<variable>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\}|(?<!\$)\{(?P<word>\w+)\}")
_SIZE = re.compile(r"[1-9][0-9]*[kmgtKMGT]")


class SparkSettings(Model):
    """How Spark is reached. `remote` (a Spark Connect server, `sc://host:15002`) goes before `master`."""

    master: str = "local[*]"
    remote: str | None = None
    driver_memory: str | None = Field(None, description="of a Spark in this process, like 4g")
    conf: dict[str, str | int | float | bool] = Field(default_factory=dict)

    @field_validator("driver_memory")
    @classmethod
    def _is_size(cls, value: str | None) -> str | None:
        if value is not None and not _SIZE.fullmatch(value):
            raise ValueError(f"{value!r} is not an amount of memory; write a number and k, m, g or t, like 4g")
        return value

    @field_validator("remote")
    @classmethod
    def _is_connect(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith("sc://"):
            raise ValueError(f"{value!r} is not the address of a Spark Connect server; write it like sc://host:15002")
        return value


class Service(Model):
    """Where a service listens. `auto`: a free port is chosen when it is first started, and kept in the state folder."""

    host: str = "127.0.0.1"
    port: Literal["auto"] | int = "auto"

    @field_validator("port")
    @classmethod
    def _is_port(cls, value: int | str) -> int | str:
        if isinstance(value, int) and not 1 <= value <= 65_535:
            raise ValueError(f"{value} is not a port; write a number from 1 to 65535, or auto")
        return value


class SageMakerSettings(Service):
    """Where models are trained and served. `endpoint`: `local` is the local SageMaker, null is AWS, else an URL.

    `host` and `port` are the local SageMaker's. Credentials are never here: AWS's own ways of finding them hold.
    """

    endpoint: str | None = Field("local", description="local, an URL, or null for AWS")
    region: str = "us-east-1"
    role: str = Field("arn:aws:iam::000000000000:role/featuremill", description="what SageMaker may do")
    bucket: str = Field("featuremill", description="channels and artefacts; a folder under <state>/sagemaker locally")
    prefix: str = Field("", description="of all keys in the bucket")
    image: str = Field("featuremill-training:latest", description="URI of the training image")
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    kms_key: str | None = None
    alarms: tuple[str, ...] = Field((), description="CloudWatch alarms that roll a refresh back", max_length=10)
    bake_seconds: int = Field(0, ge=0, le=3600, description="how long new traffic is watched before the next step")
    max_runtime: int = Field(86_400, ge=60, description="seconds after which a training job is stopped")
    spot: bool = False

    @field_validator("subnets", "security_groups", "alarms", mode="before")
    @classmethod
    def _is_list(cls, value: Any) -> Any:
        """One environment variable may hold several: `a,b`."""
        return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value

    @field_validator("kms_key")
    @classmethod
    def _is_given(cls, value: str | None) -> str | None:
        return value or None


class LookupSettings(Service):
    """The lookup service. `root`: the online store, a folder or an URL; null is a folder in the state folder."""

    root: str | None = None
    workers: int = Field(2, ge=1, le=256)
    request_log: Literal["off", "on", "hash"] = Field("off", description="hash writes keyed hashes instead of ids")
    tokens: str | None = Field(None, description="a file with the tokens that may ask; without it all may")


class AlertSettings(Model):
    """Who hears that a task of a scheduler failed for good, beside its log. Every one of these may be left out."""

    webhook: str | None = Field(None, description="an URL; gets a POST with JSON. Its secret part as ${NAME}")
    email: tuple[str, ...] = Field((), description="addresses")
    sender: str = Field("featuremill@localhost", description="whom e-mail is from")
    mail_server: str = Field("localhost:25", description="host:port of an SMTP server that takes mail without a login")

    @field_validator("webhook")
    @classmethod
    def _is_url(cls, value: str | None) -> str | None:
        if value and not re.fullmatch(r"https?://\S+", value):
            raise ValueError("`webhook` is not an URL; write it like https://host/path")
        return value or None

    @field_validator("mail_server")
    @classmethod
    def _has_port(cls, value: str) -> str:
        if not re.fullmatch(r"[^\s:]+:[1-9]\d{0,4}", value):
            raise ValueError(f"{value!r} is not a mail server; write host and port, like localhost:25")
        return value

    @field_validator("email")
    @classmethod
    def _are_addresses(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        given = tuple(value for value in values if value)
        for value in given:
            if not re.fullmatch(r"[^\s@,]+@[^\s@,]+", value):
                raise ValueError(f"{value!r} is not an address; write it like someone@example.org")
        return given


class AirflowSettings(Model):
    """Where Airflow looks for connections before it takes those that this file makes."""

    secrets_backend: str | None = Field(None, description="import path of the class, like ...SecretsManagerBackend")
    secrets: dict[str, str | int | float | bool | None] = Field(
        default_factory=dict, description="the backend's arguments, as in Airflow's documentation"
    )


class Environment(Model):
    """All that is not about the pipeline. `landing`, `warehouse` and `state` are folders or URIs; `state` is local."""

    landing: str = "{project}/data/landing"
    warehouse: str = "{project}/data/warehouse"
    state: str = "{project}/data/state"
    engine: Literal["local", "spark"] = Field("local", description="local: DuckDB in process")
    spark: SparkSettings = SparkSettings()
    metastore: Service = Service()
    hiveserver: Service = Service()
    sagemaker: SageMakerSettings = SageMakerSettings()
    lookup: LookupSettings = LookupSettings()
    alerts: AlertSettings = AlertSettings()
    airflow: AirflowSettings = AirflowSettings()


def load_environment(
    project_dir: Path, name: str | None = None, variables: Mapping[str, str] | None = None
) -> Environment:
    """Read `configuration/environments/<name>.yaml` of a project; placeholders filled, relative folders made absolute.

    `name` is what FEATUREMILL_ENVIRONMENT says, or `local`, unless given. `variables` are the process's environment
    variables unless given. A project without a file for `local` gets the defaults. Raises EnvironmentFileError, which
    lists all that is wrong with the file, and UsageError where it is not there.
    """
    project_dir = project_dir.resolve()
    variables = os.environ if variables is None else variables
    name = name or variables.get(CHOICE) or "local"
    path = project_dir / ENVIRONMENTS / f"{name}.yaml"
    if path.is_file():
        document = read_document(path)
    elif name == "local":
        document = Document(shown_path(path), data={})
    else:
        known = sorted(file.stem for file in (project_dir / ENVIRONMENTS).glob("*.yaml"))
        raise UsageError(
            f"no environment {name!r}: there is no {shown_path(path)}; known are {', '.join(known) or 'none'}"
        )
    return _environment(document, project_dir, variables)


def _environment(document: Document, project_dir: Path, variables: Mapping[str, str]) -> Environment:
    if document.data is None:
        raise EnvironmentFileError(document.problems)
    document.data = {
        key: field.default for key, field in Environment.model_fields.items() if key in _ROOTS
    } | document.data
    document.data = _filled(document, (), document.data, {"project": str(project_dir)}, variables)
    validated = validate(document, Environment, {}, {})
    problems = ordered([*document.problems, *validated.problems])
    if problems or validated.model is None:
        raise EnvironmentFileError(problems)
    environment = validated.model
    return environment.model_copy(update={root: _absolute(getattr(environment, root), project_dir) for root in _ROOTS})


_ROOTS = ("landing", "warehouse", "state")


def _filled(
    document: Document, path: YamlPath, value: Any, words: Mapping[str, str], variables: Mapping[str, str]
) -> Any:
    """The value with its placeholders filled; those that cannot be are noted as problems."""
    if isinstance(value, dict):
        return {key: _filled(document, (*path, key), inner, words, variables) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(document, (*path, index), inner, words, variables) for index, inner in enumerate(value)]
    if not isinstance(value, str):
        return value

    def fill(match: re.Match[str]) -> str:
        word, variable, default = match["word"], match["variable"], match["default"]
        if word is not None and word in words:
            return words[word]
        if word is not None:
            if path[:1] != ("spark",):  # Spark's own settings may hold braces
                message, suggestion = f"unknown placeholder `{match[0]}`", "known is {project}"
                document.problems.append(document.problem(path, message, suggestion, offset=match.start()))
            return match[0]
        given = variables.get(variable) or default
        if given is not None:
            return str(given)
        message = f"the environment variable {variable} is not set"
        suggestion = f"set it, or give a default: ${{{variable}:-...}}"
        document.problems.append(document.problem(path, message, suggestion, offset=match.start()))
        return match[0]

    return _NAMED.sub(fill, value)


def _absolute(root: str, project_dir: Path) -> str:
    """A folder's full path; URIs stay as they are."""
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", root) or root.startswith("file:"):
        return root
    return str(project_dir / root)
