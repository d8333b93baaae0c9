"""Why a transform job fails: the text becomes its FailureReason, after the name of the error."""

from __future__ import annotations


class ClientError(Exception):
    """The job's own fault: its data, its settings."""


class AlgorithmError(Exception):
    """The container's fault."""
