from tests.fixtures_services import services  # noqa: F401
