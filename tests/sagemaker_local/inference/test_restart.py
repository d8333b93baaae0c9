"""State survives: a server that was stopped or killed takes everything up again."""

from __future__ import annotations

import signal

import pytest

from tests.sagemaker_local.inference.conftest import Local, eventually
from tests.sagemaker_local.inference.test_updates import blue_green


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_endpoints_in_service_come_up_again_by_themselves(own: Local, how: signal.Signals) -> None:
    own.start()
    own.model("back")
    own.config("back")
    own.endpoint("back", "back")
    own.sagemaker.update_endpoint_weights_and_capacities(
        EndpointName="back", DesiredWeightsAndCapacities=[{"VariantName": "all", "DesiredInstanceCount": 2}]
    )
    own.settled("back")
    own.sagemaker.delete_model(ModelName="back")
    own.path("s3://models/back/model.tar.gz").unlink()
    own.stop(how)
    eventually(lambda: not own.processes(), 20)
    own.start()
    assert own.ask("back") == "back:1;2\n"
    eventually(lambda: len(own.processes()) == 2)
    described = own.sagemaker.describe_endpoint(EndpointName="back")
    assert described["EndpointStatus"] == "InService"
    assert described["ProductionVariants"][0]["DesiredInstanceCount"] == 2


def test_an_update_goes_on_after_a_kill(own: Local) -> None:
    own.start()
    for version in ("one", "two"):
        own.model(version)
        own.config(version)
    own.endpoint("carried", "one")
    own.sagemaker.update_endpoint(
        EndpointName="carried", EndpointConfigName="two", DeploymentConfig=blue_green("ALL_AT_ONCE", 300)
    )
    eventually(lambda: own.ask("carried", b"1") == "two:1\n")
    own.stop(signal.SIGKILL)
    own.start()
    described = own.settled("carried")
    assert described["EndpointConfigName"] == "two" and own.ask("carried", b"1") == "two:1\n"
    own.sagemaker.delete_endpoint(EndpointName="carried")
    eventually(lambda: not own.processes())


def test_a_transform_job_goes_on_after_a_kill(own: Local) -> None:
    own.start()
    own.model("slow", "fake-slow")
    own.put("s3://data/in.csv", b"".join(b"%d\n" % number for number in range(20)))
    own.put("s3://out/keep", b"")
    own.sagemaker.create_transform_job(
        TransformJobName="carried",
        ModelName="slow",
        BatchStrategy="SingleRecord",
        MaxConcurrentTransforms=4,
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://data/in.csv"}},
            "ContentType": "text/csv",
            "SplitType": "Line",
        },
        TransformOutput={"S3OutputPath": "s3://out", "AssembleWith": "Line"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    eventually(own.processes)
    own.stop(signal.SIGKILL)
    own.start()

    def status() -> bool:
        described = own.sagemaker.describe_transform_job(TransformJobName="carried")
        return bool(described["TransformJobStatus"] == "Completed")

    eventually(status, 30)
    assert own.path("s3://out/in.csv.out").read_bytes() == b"".join(b"slow:%d\n" % number for number in range(20))
