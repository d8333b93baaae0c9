"""Looks at the load of all scalable targets every second and starts or stops instances.

The load is a rate (invocations a minute); the minutes it is averaged over, and the cooldowns, are as short as the wait
scale makes them: with the default scale a minute's average is that of a second.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from featuremill.sagemaker_local.autoscaling.policy import LOW_DATAPOINTS, Capacity, TargetTracking, desired
from featuremill.sagemaker_local.autoscaling.targets import (
    ACTIVITY,
    DIMENSION,
    NAMESPACE,
    TARGET,
    endpoint_and_variant,
    policies_of,
)
from featuremill.sagemaker_local.context import Context, new_id
from featuremill.sagemaker_local.endpoints.capacity import change_capacity
from featuremill.sagemaker_local.endpoints.documents import KIND
from featuremill.sagemaker_local.endpoints.service import Service, service
from featuremill.sagemaker_local.errors import ApiError
from featuremill.sagemaker_local.protocol import on_start

MOST_ACTIVITIES = 1000
_log = logging.getLogger(__name__)
Document = dict[str, Any]


class Scaler:
    """Decides for each target once a second. Cooldowns begin anew when the server starts."""

    def __init__(self, context: Context, running: Service) -> None:
        self._context = context
        self._running = running
        self._scaled: dict[tuple[str, str], float] = {}
        self._seen: dict[str, float] = {}

    def run(self, stopping: threading.Event) -> None:
        """Until the server stops."""
        while not stopping.wait(1.0):
            for target in self._context.store.list(TARGET):
                try:
                    self.look(target)
                except Exception:
                    _log.exception("%s could not be scaled", target["ResourceId"])

    def look(self, target: Document) -> None:
        """Change the count of a target's variant if its policies say so."""
        endpoint, variant = endpoint_and_variant(target["ResourceId"])
        document = self._context.store.get(KIND, endpoint)
        if document is None or document["EndpointStatus"] != "InService" or variant not in document["capacity"]:
            return
        current = document["capacity"][variant]["count"]
        suspended = target["SuspendedState"]
        capacity = Capacity(
            current=current,
            minimum=target["MinCapacity"],
            maximum=target["MaxCapacity"],
            scale_out_suspended=suspended["DynamicScalingOutSuspended"],
            scale_in_suspended=suspended["DynamicScalingInSuspended"],
        )
        per_minute = self._per_minute(endpoint, variant)
        policies = policies_of(self._context, target["ResourceId"])
        # Of several policies the one that wants most instances wins, as on AWS.
        wanted = [self._desired(policy, capacity, per_minute, target["ResourceId"]) for policy in policies]
        bounded = min(max(current, capacity.minimum), capacity.maximum)
        self._change(target, endpoint, variant, current, max(wanted, default=bounded))

    def _desired(self, policy: Document, capacity: Capacity, per_minute: list[float], resource: str) -> int:
        config, now = policy["TargetTrackingScalingPolicyConfiguration"], time.monotonic()
        tracking = TargetTracking(
            target=config["TargetValue"],
            scale_out_cooldown=self._running.settings.seconds(config.get("ScaleOutCooldown", 300)),
            scale_in_cooldown=self._running.settings.seconds(config.get("ScaleInCooldown", 300)),
            disable_scale_in=config.get("DisableScaleIn", False),
        )
        since = {way: now - self._scaled.get((resource, way), float("-inf")) for way in ("out", "in")}
        return desired(tracking, capacity, per_minute, since["out"], since["in"])

    def _per_minute(self, endpoint: str, variant: str) -> list[float]:
        """The rate in each of the last 15 minutes (as long as the scale makes them); without requests it is 0.

        Minutes before the variant was first looked at are no data.
        """
        width = max(1, round(self._running.settings.seconds(60)))
        key = (endpoint, variant)
        windows = self._running.meter.windows([key], "Invocations", width, LOW_DATAPOINTS)
        now = time.monotonic()
        known = int((now - self._seen.setdefault(f"{endpoint}/{variant}", now)) / width)
        rates = [0.0 if window is None else window.total * 60 / width for window in windows]
        busy = next((index for index, window in enumerate(windows) if window is not None), len(windows))
        return rates[min(busy, max(0, len(rates) - known)) :]

    def _change(self, target: Document, endpoint: str, variant: str, current: int, wanted: int) -> None:
        if wanted == current:
            return
        wish = {"VariantName": variant, "DesiredInstanceCount": wanted}
        start = self._context.clock()
        try:
            change_capacity(self._context, endpoint, [wish])
        except ApiError:
            return  # an update began meanwhile: look again afterwards
        resource = target["ResourceId"]
        self._scaled[resource, "out" if wanted > current else "in"] = time.monotonic()
        self._context.store.put(
            ACTIVITY,
            f"{resource}/{start.timestamp():.3f}",
            {
                "ActivityId": new_id(),
                "ServiceNamespace": NAMESPACE,
                "ResourceId": resource,
                "ScalableDimension": DIMENSION,
                "Description": f"Setting desired instance count to {wanted}.",
                "Cause": "the load of the variant against the target, or its count outside of the target's bounds",
                "StartTime": start,
                "EndTime": self._context.clock(),
                "StatusCode": "Successful",
                "StatusMessage": f"Successfully set desired instance count to {wanted}.",
            },
        )
        for name in self._context.store.names(ACTIVITY)[:-MOST_ACTIVITIES]:
            self._context.store.delete(ACTIVITY, name)


@on_start
def scale(context: Context) -> None:
    """Begin to look after the targets."""
    context.workers.spawn("autoscaling", Scaler(context, service(context)).run)
