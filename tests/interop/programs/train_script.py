"""Run in .venv-interop by test_sagemaker_sdk.py: ModelTrainer runs a script of the user's with the SDK's own driver."""

from __future__ import annotations

import sys
from pathlib import Path

import boto3
from sagemaker.core.helper.session_helper import Session  # type: ignore[import-not-found]
from sagemaker.train import ModelTrainer  # type: ignore[import-not-found]
from sagemaker.train.configs import Compute, InputData, OutputDataConfig, SourceCode  # type: ignore[import-not-found]

SCRIPT = """
import os, pathlib
lines = sum(len(file.read_text().splitlines()) for file in pathlib.Path(os.environ["SM_CHANNEL_TRAIN"]).iterdir())
(pathlib.Path(os.environ["SM_MODEL_DIR"]) / "lines.txt").write_text(str(lines))
"""


def main(folder: Path) -> None:
    """Train with a script written to `folder`."""
    (folder / "entry.py").write_text(SCRIPT)
    trainer = ModelTrainer(
        training_image="featuremill:latest",
        source_code=SourceCode(source_dir=str(folder), entry_script="entry.py"),
        role="arn:aws:iam::000000000000:role/interop",
        sagemaker_session=Session(boto3.Session(), default_bucket="interop"),
        base_job_name="script",
        compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=1),
        output_data_config=OutputDataConfig(s3_output_path="s3://interop/script"),
    )
    trainer.train(input_data_config=[InputData(channel_name="train", data_source="s3://interop/train/")], wait=True)
    print(f"\n{trainer._latest_training_job.model_artifacts.s3_model_artifacts}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
