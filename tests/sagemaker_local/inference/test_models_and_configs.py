"""Models and endpoint configs: what is kept, listed, refused."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.sagemaker_local.inference.conftest import INSTANCE, ROLE, Local


def message(call: Any, **request: Any) -> str:
    """The text of the ValidationException that a call gets."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    return str(caught.value.response["Error"]["Message"])


def test_a_model_is_described_as_it_was_created_and_deleted(local: Local) -> None:
    container = {"Image": "fake-ok", "ModelDataUrl": local.archive("kept"), "Environment": {"A": "b"}}
    arn = local.sagemaker.create_model(
        ModelName="kept", PrimaryContainer=container, ExecutionRoleArn=ROLE, Tags=[{"Key": "team", "Value": "risk"}]
    )["ModelArn"]
    described = local.sagemaker.describe_model(ModelName="kept")
    assert described["PrimaryContainer"] == container and described["ModelArn"] == arn
    assert local.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "risk"}]
    assert "already existing" in message(
        local.sagemaker.create_model, ModelName="kept", PrimaryContainer=container, ExecutionRoleArn=ROLE
    )
    local.sagemaker.delete_model(ModelName="kept")
    assert "Could not find model" in message(local.sagemaker.describe_model, ModelName="kept")
    assert "Could not find model" in message(local.sagemaker.delete_model, ModelName="kept")


@pytest.mark.parametrize(
    ("containers", "text"),
    [
        ({}, "either PrimaryContainer or Containers"),
        ({"Containers": [{"Image": "fake-ok"}, {"Image": "fake-ok"}]}, "inference pipelines of 2"),
        ({"PrimaryContainer": {"ModelDataUrl": "s3://models/x"}}, "no Image"),
        ({"PrimaryContainer": {"Image": "fake-ok", "ModelDataUrl": "s3://models/absent.tar.gz"}}, "absent.tar.gz"),
        (
            {"PrimaryContainer": {"Image": "fake-multi", "Mode": "MultiModel", "ModelDataUrl": "s3://models/x"}},
            "ending in /",
        ),
    ],
)
def test_a_model_that_cannot_run_is_refused(local: Local, containers: dict[str, Any], text: str) -> None:
    assert text in message(local.sagemaker.create_model, ModelName="refused", ExecutionRoleArn=ROLE, **containers)


def test_lists_come_in_pages_sorted_and_filtered(local: Local) -> None:
    for number in range(5):
        local.model(f"listed-{number}")
    pages = local.sagemaker.get_paginator("list_models").paginate(
        NameContains="listed", SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 2}
    )
    found = [[model["ModelName"] for model in page["Models"]] for page in pages]
    assert found == [["listed-0", "listed-1"], ["listed-2", "listed-3"], ["listed-4"]]


def test_a_config_is_described_as_it_was_created_and_deleted(local: Local) -> None:
    local.model("configured")
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 50,
        "DestinationS3Uri": "s3://captured/here",
        "CaptureOptions": [{"CaptureMode": "Input"}],
    }
    local.config("kept-config", {"ModelName": "configured"}, DataCaptureConfig=capture)
    described = local.sagemaker.describe_endpoint_config(EndpointConfigName="kept-config")
    assert described["DataCaptureConfig"] == capture
    assert described["ProductionVariants"] == [
        {
            "VariantName": "all",
            "ModelName": "configured",
            "InstanceType": INSTANCE,
            "InitialInstanceCount": 1,
            "InitialVariantWeight": 1.0,
        }
    ]
    assert local.sagemaker.list_endpoint_configs(NameContains="kept-")["EndpointConfigs"]
    local.sagemaker.delete_endpoint_config(EndpointConfigName="kept-config")
    assert "Could not find" in message(local.sagemaker.describe_endpoint_config, EndpointConfigName="kept-config")


@pytest.mark.parametrize(
    ("variant", "more", "text"),
    [
        ({"ModelName": "absent"}, {}, "Could not find model"),
        ({"InitialVariantWeight": 0.0}, {}, "weights of all variants are 0"),
        ({"ServerlessConfig": {"MemorySizeInMB": 1024, "MaxConcurrency": 1}}, {}, "serverless"),
        ({"InstanceType": "ml.abacus.large"}, {}, "InstanceType"),
        ({}, {"ShadowProductionVariants": True}, "shadow variants"),
        ({}, {"AsyncInferenceConfig": {"OutputConfig": {"S3OutputPath": "s3://a/b"}}}, "asynchronous"),
    ],
)
def test_a_config_that_cannot_run_is_refused(
    local: Local, variant: dict[str, Any], more: dict[str, Any], text: str
) -> None:
    if not local.sagemaker.list_models(NameContains="refusing")["Models"]:
        local.model("refusing")
    full = {
        "VariantName": "all",
        "ModelName": "refusing",
        "InstanceType": INSTANCE,
        "InitialInstanceCount": 1,
        **variant,
    }
    if more.get("ShadowProductionVariants"):
        more = {"ShadowProductionVariants": [{**full, "VariantName": "shadow"}]}
    request = {"EndpointConfigName": "refused", "ProductionVariants": [full], **more}
    assert text in message(local.sagemaker.create_endpoint_config, **request)


def test_two_variants_of_one_name_are_refused(local: Local) -> None:
    local.model("twice")
    variant = {"VariantName": "a", "ModelName": "twice", "InstanceType": INSTANCE, "InitialInstanceCount": 1}
    text = message(
        local.sagemaker.create_endpoint_config, EndpointConfigName="twice", ProductionVariants=[variant, variant]
    )
    assert "unique" in text
