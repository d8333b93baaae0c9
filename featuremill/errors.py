"""The errors that people can mend. Each says what was wrong, where, and what to do."""

from __future__ import annotations


class FeaturemillError(Exception):
    """Base of all errors that the command prints without a traceback.

    `exit_code` is the command's: 2 for what was asked or written wrongly (the pipeline file, arguments),
    1 for what went wrong while running (data, services).
    """

    exit_code = 1


class UsageError(FeaturemillError):
    """What was asked cannot be: a wrong argument, an unknown pipeline, a file that does not load."""

    exit_code = 2


class DataError(FeaturemillError):
    """The data does not allow the step: missing columns, too many quarantined rows, a failed expectation."""


class ServiceError(FeaturemillError):
    """A service (metastore, HiveServer2) does not answer or answered with an error; names host and port."""
