"""The connections of the DAGs, made of the environment's file and of where the project's own services answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from featuremill.spec.environment import Environment


def connections(environment: Environment, services: Mapping[str, tuple[str, int]]) -> dict[str, dict[str, Any]]:
    """The connections of the DAGs by id: spark_conn, hive_conn, hive_metastore, aws.

    `services`: where the project's own services answer; it goes before the environment's host and port.
    """
    found: dict[str, dict[str, Any]] = {"spark_conn": {"conn_type": "spark", "host": environment.spark.master}}
    hive = _address(environment, services, "hiveserver")
    if hive is not None:
        found["hive_conn"] = {"conn_type": "hiveserver2", "host": hive[0], "port": hive[1]}
        found["hive_conn"] |= {"schema": "default", "extra": {"auth_mechanism": "NONE"}}
    metastore = _address(environment, services, "metastore")
    if metastore is not None:
        found["hive_metastore"] = {"conn_type": "hive_metastore", "host": metastore[0], "port": metastore[1]}
        found["hive_metastore"]["extra"] = {"auth_mechanism": "NOSASL"}
    settings = environment.sagemaker
    aws: dict[str, Any] = {"conn_type": "aws", "extra": {"region_name": settings.region}}
    url = settings.endpoint
    if url == "local":
        address = _address(environment, services, "sagemaker")
        url = f"http://{address[0]}:{address[1]}" if address is not None else None
        # It checks none, and a request meant for it can never be charged to anybody.
        aws |= {"login": "local", "password": "local"}
    if url is not None:
        aws["extra"]["endpoint_url"] = url
    found["aws"] = aws
    return found


def _address(environment: Environment, services: Mapping[str, tuple[str, int]], name: str) -> tuple[str, int] | None:
    configured = getattr(environment, name)
    if name in services:
        return services[name]
    return (configured.host, configured.port) if isinstance(configured.port, int) else None
