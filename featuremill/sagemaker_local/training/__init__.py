"""Training jobs: their API, and their hosts as processes."""

from __future__ import annotations

from featuremill.sagemaker_local.protocol import on_start
from featuremill.sagemaker_local.training import handlers
from featuremill.sagemaker_local.training.runner import resume

__all__ = ["handlers", "resume"]

on_start(resume)
