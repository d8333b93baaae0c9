"""An input object -> the payloads that are sent to the container. Pure, and streaming: memory holds one payload."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Literal

from featuremill.sagemaker_local.transform.errors import ClientError

MEGABYTE = 1024 * 1024


@dataclass(frozen=True)
class Record:
    """A record as it stands in the object, without its line end, and as it is sent (an InputFilter may differ)."""

    raw: bytes
    sent: bytes


@dataclass(frozen=True)
class Payload:
    """One request. `first` is the number of its first record in the object, from 1."""

    first: int
    records: tuple[Record, ...]

    @property
    def body(self) -> bytes:
        """What is sent: the records, a line each."""
        return b"\n".join(record.sent for record in self.records)


def whole(stream: BinaryIO, most_bytes: int | None) -> Iterator[Payload]:
    """SplitType None: the object as one payload. Raises ClientError if it is larger than `most_bytes`."""
    body = stream.read() if most_bytes is None else stream.read(most_bytes + 1)
    if most_bytes is not None and len(body) > most_bytes:
        raise ClientError(
            f"the object is larger than MaxPayloadInMB ({most_bytes / MEGABYTE:g}); split it (SplitType Line) or raise "
            "the limit, at most to 100"
        )
    yield Payload(1, (Record(body, body),))


def split(
    stream: Iterable[bytes],
    strategy: Literal["SingleRecord", "MultiRecord"],
    most_bytes: int | None,
    sent: Callable[[bytes], bytes],
) -> Iterator[Payload]:
    r"""SplitType Line: records are what stands between line ends (\n or \r\n); empty lines are none.

    SingleRecord: a payload each. MultiRecord: as many a payload as fit into `most_bytes`, line ends counted. `sent`
    is the InputFilter. Quoted line ends inside a CSV field part the record, as they do on AWS. Raises ClientError for
    a record that does not fit.
    """
    batch: list[Record] = []
    number, size = 0, 0
    for line in stream:
        raw = line.rstrip(b"\r\n")
        if not raw:
            continue
        number += 1
        record = Record(raw, _sent(raw, number, sent))
        length = len(record.sent)
        if most_bytes is not None and length > most_bytes:
            raise ClientError(
                f"record {number} has {length:,} bytes, more than MaxPayloadInMB ({most_bytes / MEGABYTE:g}) allows"
            )
        full = most_bytes is not None and size + 1 + length > most_bytes
        if batch and (full or strategy == "SingleRecord"):
            yield Payload(number - len(batch), tuple(batch))
            batch, size = [], 0
        size += length + (1 if batch else 0)
        batch.append(record)
    if batch:
        yield Payload(number - len(batch) + 1, tuple(batch))


def _sent(raw: bytes, number: int, sent: Callable[[bytes], bytes]) -> bytes:
    try:
        return sent(raw)
    except ClientError as error:
        raise ClientError(f"record {number}: {error}") from error
