"""The server does what its OpenAPI document says, whatever schemathesis makes up from it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training_image.serve.artefacts import rows
from tests.training_image.serve.bodies import json_rows
from tests.training_image.serve.conftest import Server, Start

pytest.importorskip("schemathesis", reason="schemathesis is not installed (requirements-dev.txt)")

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


def fuzz(server: Server) -> None:
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"http://127.0.0.1:{server.port}/openapi.json"]
    command += ["--checks", CHECKS, "--max-examples", "60", "--seed", "1", "--phases", "examples,coverage,fuzzing"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
    assert server.process.poll() is None


def test_one_model(server: Server) -> None:
    fuzz(server)


def test_several_models(tmp_path: Path, start: Start) -> None:
    fuzz(start(tmp_path, SAGEMAKER_MULTI_MODEL="true"))


def test_the_document_describes_a_row(server: Server) -> None:
    jsonschema = pytest.importorskip("jsonschema")

    document = server.request("/openapi.json").json
    schema = document["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    jsonschema.validate(json_rows(rows(1))[0], schema)
    jsonschema.validate({"instances": json_rows(rows(5))}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads('{"age": "old"}'), schema)
