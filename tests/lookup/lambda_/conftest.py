"""The project with a store and an endpoint of the live tests."""

from tests.lookup.live.conftest import project, sagemaker  # noqa: F401
