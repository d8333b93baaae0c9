"""Endpoints: fleets of `serve` processes, traffic between them, the runtime API. Importing it registers the handlers.

An instance is a process with a folder and a port of its own, whatever its instance type is called. A process that dies
is started again at once, one that hangs (no answer to /ping for half a minute) is killed and replaced; requests go to
other instances meanwhile, or wait up to 20 s. A request whose instance went away is asked again elsewhere.

Shorter than on AWS: waits of deployments, periods of alarms (settings.py). A container whose process ends twice before
it ever answered /ping has failed; AWS would go on trying until the time for it is over.

Not here, and refused with a message: shadow, serverless and asynchronous variants, inference pipelines (several
containers), inference components, instance pools, Clarify explanations, response streams, sticky sessions. Instance
types, volumes, VPCs, roles and KMS keys are kept and shown, but mean nothing. moto's CloudWatch forgets metrics and
alarms when the server stops.
"""

from featuremill.sagemaker_local.endpoints import configs, handlers, invocation

__all__ = ["configs", "handlers", "invocation"]
