"""Run in .venv-interop by test_sagemaker_sdk.py: ModelTrainer trains an image, ModelBuilder deploys what came out."""

from __future__ import annotations

import json

import boto3
from sagemaker.core.helper.session_helper import Session  # type: ignore[import-not-found]
from sagemaker.serve.model_builder import ModelBuilder  # type: ignore[import-not-found]
from sagemaker.train import ModelTrainer  # type: ignore[import-not-found]
from sagemaker.train.configs import (  # type: ignore[import-not-found]
    Compute,
    InputData,
    OutputDataConfig,
    StoppingCondition,
)

IMAGE = "featuremill:latest"
ROLE = "arn:aws:iam::000000000000:role/interop"


def main() -> None:
    """Print the last line as JSON: the job's status, its artefact, and the endpoint's answer."""
    # Given a bucket, the session does not ask AWS's own STS for the account, which it would do whatever the endpoint.
    session = Session(boto3.Session(), default_bucket="interop")
    trainer = ModelTrainer(
        training_image=IMAGE,
        role=ROLE,
        sagemaker_session=session,
        base_job_name="sdk",
        hyperparameters={"task": "binary"},
        compute=Compute(instance_type="ml.m5.large", instance_count=1, volume_size_in_gb=1),
        output_data_config=OutputDataConfig(s3_output_path="s3://interop/sdk"),
        stopping_condition=StoppingCondition(max_runtime_in_seconds=300),
    )
    rows = InputData(channel_name="train", data_source="s3://interop/train/", content_type="text/csv")
    trainer.train(input_data_config=[rows], wait=True, logs=True)
    job = trainer._latest_training_job
    artefact = job.model_artifacts.s3_model_artifacts

    builder = ModelBuilder(
        image_uri=IMAGE,
        s3_model_data_url=artefact,
        role_arn=ROLE,
        sagemaker_session=session,
        instance_type="ml.m5.large",
    )
    builder.build(model_name="sdk")
    endpoint = builder.deploy(endpoint_name="sdk", instance_type="ml.m5.large", initial_instance_count=1)
    answer = endpoint.invoke(body="2,2,0,0\n-2,-2,0,0\n", content_type="text/csv", accept="application/json")
    endpoint.delete()
    told = {"status": job.training_job_status, "artefact": artefact, "answer": json.loads(answer.body.read())}
    print(f"\n{json.dumps(told)}")


if __name__ == "__main__":
    main()
