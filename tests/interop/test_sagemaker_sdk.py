"""SageMaker SDK v3, unmodified: train, deploy, invoke; and a script of the user's with the SDK's own driver."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.interop.conftest import Run
from tests.sagemaker_local.local_server import LocalServer
from tests.sagemaker_local.training.jobs import archive

pytestmark = pytest.mark.slow
PROGRAMS = Path(__file__).parent / "programs"


def test_model_trainer_trains_our_image_and_model_builder_deploys_it(local: LocalServer, run: Run) -> None:
    told = json.loads(run("python", str(PROGRAMS / "train_and_deploy.py")).splitlines()[-1])
    assert told["status"] == "Completed"
    assert [row["predicted_label"] for row in told["answer"]["predictions"]] == [1, 0]
    assert "model.json" in archive(local.client("s3"), told["artefact"])


def test_model_trainer_runs_a_script(local: LocalServer, run: Run, tmp_path: Path) -> None:
    artefact = run("python", str(PROGRAMS / "train_script.py"), str(tmp_path)).splitlines()[-1]
    assert archive(local.client("s3"), artefact) == {"lines.txt": b"1000"}
