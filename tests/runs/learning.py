"""A shop that learns: whether an order is paid can be told from its amount, its city and the customer's past."""

from __future__ import annotations

import random
from pathlib import Path

from featuremill.sagemaker.client import Clients
from featuremill.steps.modelling import SageMakerModels
from tests.fixtures_services import Services
from tests.runs.shop import HEADER, PIPELINE, Shop, line

MODEL = """
training:
  split: {{by: entity, validation: 40%}}
  xgboost: {{rounds: 20, max_depth: 3, early_stopping_rounds: 5}}
  accept: {{auc: ">= 0.6", against_live: {{auc: ">= -0.2"}}}}
endpoint: {{}}
"""


class LearningShop(Shop):
    """Each has a name of its own: the local SageMaker is shared."""

    def __init__(self, folder: Path, name: str, services: Services, model: str = MODEL) -> None:
        host, port = services.sagemaker
        more = f"sagemaker: {{host: {host}, port: {port}}}\n"
        pipeline = PIPELINE.replace("city: city\n", "city: city\n      amount: amount\n") + model
        super().__init__(folder, name, services, pipeline, more)

    def land_orders(self, day: str, orders: int = 500, seed: int = 1, noise: float = 0.15) -> None:
        """Orders of up to 80 customers; `noise`: the share whose label is a coin."""
        drawn = random.Random(seed)
        lines = []
        for number in range(orders):
            amount = round(drawn.uniform(0, 100), 2)
            city = drawn.choice(["Ulm", "Bonn", "Kiel"])
            paid = int(amount + (20 if city == "Ulm" else 0) > 60)
            if drawn.random() < noise:
                paid = drawn.randint(0, 1)
            lines.append(
                line(int(day.replace("-", "")) * 10_000 + number, drawn.randrange(80), day, amount, city, paid)
            )
        self.land(day, HEADER + "".join(lines))

    @property
    def models(self) -> SageMakerModels:
        workspace = self.workspace
        return workspace.models(workspace.pipeline(self.name))

    @property
    def clients(self) -> Clients:
        return self.models.clients

    @property
    def live(self) -> str | None:
        model = self.models.live()
        return model.version if model else None

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(event.event, event.version) for event in self.models.registry.events()]

    @property
    def endpoint_config(self) -> str:
        name = self.name.replace("_", "-")
        found = self.clients.sagemaker.describe_endpoint(EndpointName=name)
        assert found["EndpointStatus"] == "InService"
        return str(found["EndpointConfigName"])
