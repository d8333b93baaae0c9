"""A fleet: all instances that run one endpoint config for an endpoint."""

from __future__ import annotations

import logging
import shutil
import threading
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from featuremill.sagemaker_local.context import Context
from featuremill.sagemaker_local.endpoints.deployment import Counts
from featuremill.sagemaker_local.endpoints.instance import STOP_GRACE, Instance, Unhealthy
from featuremill.sagemaker_local.endpoints.routing import Turns
from featuremill.sagemaker_local.endpoints.settings import Settings
from featuremill.sagemaker_local.models.artefacts import fetch
from featuremill.sagemaker_local.models.container import Program, program_of

DEFAULT_HEALTH_TIMEOUT = 60.0
_log = logging.getLogger(__name__)
Document = dict[str, Any]


@dataclass
class Variant:
    """A variant of the fleet: what runs, and its instances."""

    name: str
    weight: float
    program: Program
    folder: Path
    health_timeout: float
    least_busy: bool
    instances: list[Instance] = field(default_factory=list)
    turns: Turns = field(default_factory=Turns)


class Fleet:
    """The instances of an endpoint config. `deployed` is the config with the containers it needs (see `deployed`).

    `changed` is the endpoint's lock and bell. `gives_up` False: instances started from now on try forever to come up.
    """

    def __init__(
        self,
        context: Context,
        settings: Settings,
        endpoint: str,
        deployed: Document,
        changed: threading.Condition,
        gives_up: bool = True,
    ) -> None:
        self.deployed = deployed
        self.config_name: str = deployed["config"]["EndpointConfigName"]
        self.folder = context.root / "endpoints" / endpoint / deployed["fleet"]
        self.variants: dict[str, Variant] = {}
        self._context = context
        self._endpoint = endpoint
        self._changed = changed
        self.gives_up = gives_up
        for variant in deployed["config"]["ProductionVariants"]:
            name = variant["VariantName"]
            timeout = variant.get("ContainerStartupHealthCheckTimeoutInSeconds", DEFAULT_HEALTH_TIMEOUT)
            routing = (variant.get("RoutingConfig") or {}).get("RoutingStrategy")
            self.variants[name] = Variant(
                name=name,
                weight=variant.get("InitialVariantWeight", 1.0),
                program=program_of(context, deployed["containers"][name]),
                folder=self.folder / name,
                health_timeout=settings.health_timeout if settings.health_timeout is not None else float(timeout),
                least_busy=routing == "LEAST_OUTSTANDING_REQUESTS",
            )

    def prepare(self) -> None:
        """Fetch the model of each variant, unless a former run of the server did. Raises BrokenModel, ApiError."""
        for variant in self.variants.values():
            for left in variant.folder.glob("i-*"):
                shutil.rmtree(left, ignore_errors=True)  # of instances of a former run of the server
            done = variant.folder / "model.complete"
            if not done.exists():
                fetch(self._context.buckets, variant.program.data, variant.folder / "model")
                done.touch()

    def counts(self) -> Counts:
        """How many instances each variant has, healthy or not."""
        return {name: len(variant.instances) for name, variant in self.variants.items()}

    def healthy(self, variant: str) -> int:
        """How many instances of a variant can answer."""
        return sum(instance.healthy for instance in self.variants[variant].instances)

    def scale(self, counts: Counts) -> list[Instance]:
        """Start what lacks, take the newest of what is too much out of the traffic, and return those: to be drained."""
        removed: list[Instance] = []
        with self._changed:
            for name, variant in self.variants.items():
                wanted = counts.get(name, len(variant.instances))
                while len(variant.instances) > wanted:
                    removed.append(variant.instances.pop())
                while len(variant.instances) < wanted:
                    variant.instances.append(self._new(variant))
            self._changed.notify_all()
        return removed

    def _new(self, variant: Variant) -> Instance:
        name = f"i-{uuid.uuid4().hex[:17]}"
        stream = f"{variant.name}/{name}"
        instance = Instance(
            id=name,
            program=variant.program,
            folder=variant.folder / name,
            model=variant.folder / "model",
            changed=self._changed,
            health_timeout=variant.health_timeout,
            on_line=self._line_writer(stream),
            gives_up=self.gives_up,
        )
        instance.start()
        return instance

    def _line_writer(self, stream: str) -> Callable[[str], None]:
        group = f"/aws/sagemaker/Endpoints/{self._endpoint}"
        return lambda line: self._context.logs.write(group, stream, [line])

    def instances(self) -> list[Instance]:
        """All instances."""
        return [instance for variant in self.variants.values() for instance in variant.instances]

    def wait_healthy(self, check: Callable[[], None]) -> None:
        """Return once all instances are healthy. Raises Unhealthy as soon as one gave up.

        `check` is called a few times a second and may raise to end the waiting.
        """
        while True:
            check()
            with self._changed:
                for variant in self.variants.values():
                    for instance in variant.instances:
                        if instance.failed is not None:
                            raise Unhealthy(
                                f"The primary container for production variant {variant.name} did not pass the ping "
                                f"health check: {instance.failed}. Please check CloudWatch logs for this endpoint."
                            )
                if all(instance.healthy for instance in self.instances()):
                    return
                self._changed.wait(0.2)

    def stop(self, drain: float = 0.0, grace: float = STOP_GRACE, forget: bool = True) -> None:
        """Stop all instances at once, each when it is idle or `drain` seconds passed; remove the files if `forget`."""
        with self._changed:
            instances = self.instances()
            for variant in self.variants.values():
                variant.instances = []
        stop_all(instances, drain, grace)
        if forget:
            shutil.rmtree(self.folder, ignore_errors=True)


def stop_all(instances: Iterable[Instance], drain: float, grace: float = STOP_GRACE) -> None:
    """Drain and stop instances side by side; returns when all have ended."""
    threads = [
        threading.Thread(target=instance.drain, args=(drain, grace), name=f"drain-{instance.id}", daemon=True)
        for instance in instances
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def new_fleet_id() -> str:
    """A name for a fleet's folder."""
    return uuid.uuid4().hex[:12]
