"""A real metastore and HiveServer2 for the tests of publishing what Hive shows."""

from tests.fixtures_services import services  # noqa: F401
