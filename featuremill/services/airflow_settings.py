"""Where Airflow looks for connections first: the secrets backend that the environment's file names."""

from __future__ import annotations

import json

from featuremill.spec.environment import Environment

BACKEND, ARGUMENTS = "AIRFLOW__SECRETS__BACKEND", "AIRFLOW__SECRETS__BACKEND_KWARGS"


def secrets_settings(environment: Environment) -> dict[str, str]:
    """Environment variables for Airflow's processes, tasks and triggers among them; none where no backend is named.

    Connections of the backend go before those that are made of the environment's file, which stand in for missing ones.
    """
    settings = environment.airflow
    if settings.secrets_backend is None:
        return {}
    return {BACKEND: settings.secrets_backend, ARGUMENTS: json.dumps(settings.secrets, sort_keys=True)}
