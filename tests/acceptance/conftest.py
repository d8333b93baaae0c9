"""Real servers for the acceptance tests."""

from tests.fixtures_services import services

__all__ = ["services"]
