"""Models: what a container is started with. Importing it registers the handlers."""

from featuremill.sagemaker_local.models import handlers

__all__ = ["handlers"]
