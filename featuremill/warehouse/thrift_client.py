"""A connection to the Hive metastore, and its failures in words."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from featuremill.errors import FeaturemillError, ServiceError

START_HINT = "start it with ./start.sh or `featuremill services start`"


@functools.cache
def hive_types() -> ModuleType:
    """The generated types of the metastore's interface; a heavy import, hence here and not at the top."""
    from hmsclient.genthrift.hive_metastore import ttypes

    return ttypes  # type: ignore[no-any-return]


@contextmanager
def metastore_client(host: str, port: int, timeout: float = 60.0) -> Iterator[Any]:
    """An open client; `timeout` in seconds is for every call.

    Raises ServiceError, naming host and port, where the metastore does not answer or answers with an error that the
    caller did not handle.
    """
    from hmsclient import hmsclient
    from thrift.protocol import TBinaryProtocol
    from thrift.Thrift import TException
    from thrift.transport import TSocket, TTransport

    socket = TSocket.TSocket(host, port)
    socket.setTimeout(timeout * 1000)
    transport = TTransport.TBufferedTransport(socket)
    client = hmsclient.HMSClient(iprot=TBinaryProtocol.TBinaryProtocol(transport))
    try:
        transport.open()
    except (TTransport.TTransportException, OSError) as error:
        raise ServiceError(f"the Hive metastore at {host}:{port} does not answer; {START_HINT}") from error
    try:
        yield client
    except FeaturemillError:
        raise
    except (TTransport.TTransportException, OSError) as error:
        raise ServiceError(
            f"the Hive metastore at {host}:{port} broke off or did not answer in {timeout:.0f} s: {error}; "
            f"look into its log, then {START_HINT}"
        ) from error
    except TException as error:
        said = str(getattr(error, "message", None) or error).strip().splitlines()
        raise ServiceError(
            f"the Hive metastore at {host}:{port} refused: {type(error).__name__}: {said[0] if said else 'no reason'}"
        ) from error
    finally:
        transport.close()
