"""The errors that people can mend. Each says what was wrong, where, and what to do."""

from __future__ import annotations

import errno

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM}


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


def disk_error(error: OSError, place: str = "") -> DataError | None:
    """What a disk or folder refused, in words; None for errors of connections and processes, OSErrors too.

    `place`: where it was, for errors that do not say (a write to an open file does not).
    """
    if isinstance(error, (ConnectionError, TimeoutError, ChildProcessError, BlockingIOError, InterruptedError)):
        return None
    named = [str(name) for name in (error.filename, error.filename2) if name is not None]
    where = " and ".join(named) or place
    if error.errno in _NO_SPACE:
        on = f" on the disk of {where}" if where else ""
        return DataError(f"no space left{on}; free some (featuremill gc shows what may go), then run again")
    if error.errno in _NOT_ALLOWED:
        return DataError(f"permission denied: {where or error}; let this user read and write there, then run again")
    if error.errno == errno.EROFS:
        return DataError(f"{where or error} is on a disk that can only be read; make it writable, then run again")
    reason = error.strerror or str(error) or type(error).__name__
    return DataError(f"{where}: {reason}" if where else reason)
