"""`?live=true` and `?explain=true` of lookups, and `POST /v1/{pipeline}/predict`.

Offered where the service knows its project (`--project`), which says where SageMaker is and what the features are.
boto3 and DuckDB are loaded when they are first needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from featuremill.lookup.live import openapi
from featuremill.lookup.live.asking import Asker
from featuremill.lookup.live.settings import LiveSettings
from featuremill.lookup.project import ServedProject
from featuremill.lookup.service.routes import Option, Route, parse_flag

if TYPE_CHECKING:
    from featuremill.lookup.service.app import Service

_FLAG = {"type": "boolean"}


def extend(service: Service) -> None:
    """Add the options and the route, if the service has a project. Raises UsageError for unusable settings."""
    if service.settings.project is None:
        return
    project = ServedProject(service.settings.project, service.settings.environment)
    asker = Asker(project, LiveSettings.from_environment())
    service.routes.add_option(
        Option(
            "live",
            parse=parse_flag,
            schema=_FLAG,
            description="ask the endpoint for the prediction; the stored one, and `live` false, if it does not answer",
            enrich=asker.enrich_live,
            order=10,
        )
    )
    service.routes.add_option(
        Option(
            "explain",
            parse=parse_flag,
            schema=_FLAG,
            description="add what each feature contributes to the prediction, by the endpoint's model",
            enrich=asker.enrich_explained,
            order=20,
        )
    )
    service.routes.add(
        Route("POST", "/v1/{pipeline}/predict", asker.answer_predict, operation=openapi.predict_operation)
    )
    service.on_stop(asker.close)
