"""Several hosts as one: XGBoost's own collective, whose tracker runs on the first of the sorted hosts.

What hosts tell each other besides XGBoost's histograms goes through `gather` as bytes (JSON, numpy, Arrow IPC), never
as pickles: the gathered buffer is a maximum over buffers in which each host fills its own part.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
from xgboost import collective
from xgboost.tracker import RabitTracker

from training_image.learning.configuration import Hosts
from training_image.learning.errors import UserError

JOIN_SECONDS = 600
"""How long a host waits for the others: they may still be downloading."""


@dataclass(frozen=True)
class Ring:
    """The hosts that train one model together. `rank` is the host's place among the sorted hosts."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def gather(self, data: bytes) -> list[bytes]:
        """Each host's bytes, by rank, on every host. All hosts must call it."""
        if self.size == 1:
            return [data]
        sizes = np.zeros(self.size, np.int64)
        sizes[self.rank] = len(data)
        sizes = collective.allreduce(sizes, collective.Op.MAX)
        ends = np.cumsum(sizes)
        buffer = np.zeros(max(int(ends[-1]), 1), np.uint8)
        start = int(ends[self.rank] - len(data))
        buffer[start : start + len(data)] = np.frombuffer(data, np.uint8)
        whole = collective.allreduce(buffer, collective.Op.MAX).tobytes()
        return [whole[end - size : end] for end, size in zip(ends.tolist(), sizes.tolist(), strict=True)]

    def gather_json(self, value: Any) -> list[Any]:
        return [orjson.loads(data) for data in self.gather(orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY))]

    def gather_table(self, table: pa.Table) -> pa.Table:
        """The hosts' tables, one after another; types as on the first host that has rows."""
        if self.size == 1:
            return table
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        tables = [pa.ipc.open_stream(data).read_all() for data in self.gather(sink.getvalue().to_pybytes())]
        filled = [each for each in tables if each.num_rows] or tables[:1]
        return pa.concat_tables([each.cast(filled[0].schema) for each in filled])

    def any(self, flag: bool) -> bool:
        """Whether any host says so."""
        if self.size == 1:
            return flag
        return bool(collective.allreduce(np.array([int(flag)], np.int32), collective.Op.MAX)[0])

    @contextmanager
    def together(self) -> Iterator[None]:
        """A user error on one host becomes the same error on all, instead of hosts that wait for each other."""
        message = None
        try:
            yield
        except UserError as error:
            message = str(error)
        messages = [each for each in self.gather_json(message) if each]
        if messages:
            raise UserError(messages[0])


@contextmanager
def joined(hosts: Hosts) -> Iterator[Ring]:
    """The ring of all hosts, left at the end. One host needs none. Raises UserError if the others do not come."""
    if hosts.count == 1:
        yield Ring()
        return
    address = _address(hosts, hosts.names[0])
    tracker = None
    if hosts.index == 0:
        tracker = RabitTracker(hosts.count, address, hosts.tracker_port, sortby="task", timeout=JOIN_SECONDS)
        tracker.start()
    communicator = collective.CommunicatorContext(
        dmlc_communicator="rabit",
        dmlc_tracker_uri=address,
        dmlc_tracker_port=hosts.tracker_port,
        dmlc_task_id=f"{hosts.index:04d}",
        dmlc_retry=30,
        dmlc_timeout_sec=JOIN_SECONDS,
    )
    with communicator:
        if collective.get_rank() != hosts.index:
            raise RuntimeError(f"rank {collective.get_rank()} for host {hosts.index}: the tracker sorted otherwise")
        yield Ring(hosts.index, hosts.count)
    if tracker is not None:
        tracker.wait_for(JOIN_SECONDS)


def _address(hosts: Hosts, name: str) -> str:
    """The IP address of a host, from the map or the name service, which may need a moment to know it."""
    given = hosts.addresses.get(name)
    if given:
        return given
    for _ in range(60):
        try:
            return socket.gethostbyname(name)
        except OSError:
            time.sleep(1)
    raise UserError(f"Host {name} has no address; is it in the job's network?")
