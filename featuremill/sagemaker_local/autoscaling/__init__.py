"""Application Auto Scaling of endpoint variants: counts follow the load. Importing it registers the handlers.

Target tracking on SageMakerVariantInvocationsPerInstance starts and stops real processes. Not here, and refused with a
message: step scaling, customised metrics, scheduled actions, and what is no endpoint variant. The alarms that AWS makes
for a policy do not exist.
"""

from featuremill.sagemaker_local.autoscaling import handlers, scaler

__all__ = ["handlers", "scaler"]
