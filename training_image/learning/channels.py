"""The data channels: which files, which columns, and the rows in memory or a batch at a time."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError

from training_image.artefact import ChannelManifest
from training_image.learning.configuration import Job
from training_image.learning.errors import UserError
from training_image.learning.formats import Format, format_of, guess_manifest, parquet_rows, read_batches

MEMORY_SHARE = 0.4
"""A channel estimated to need more of the available memory than this is trained on out of core."""


@dataclass(frozen=True)
class Rows:
    """One host's rows of a channel: `table` in memory, or else parquet `files` read a row group at a time."""

    manifest: ChannelManifest
    table: pa.Table | None
    files: tuple[Path, ...] = ()

    @property
    def in_memory(self) -> bool:
        return self.table is not None

    def batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """All rows, always in the same order. `columns`: None for all that a model or its judge needs."""
        names = list(columns) if columns is not None else needed(self.manifest)
        if self.table is not None:
            yield self.table.select(names)
            return
        for file in self.files:
            for batch in read_batches(file, "parquet", self.manifest, names):
                if batch.num_rows:
                    yield batch


def needed(manifest: ChannelManifest) -> list[str]:
    """Row, entity and time columns, features, label: each once, in this order."""
    keys = [name for name in (manifest.row, manifest.entity, manifest.time) if name is not None]
    return list(dict.fromkeys([*keys, *(feature.name for feature in manifest.features), manifest.label]))


def channel_files(folder: Path) -> list[Path]:
    """The data files below the folder, sorted; markers such as `_SUCCESS` and hidden files are none."""
    found = (file for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in found if not file.name.startswith(("_", ".")) and file.stat().st_size > 0)


def read_channel_manifest(job: Job) -> ChannelManifest | None:
    """manifest.json of the `manifest` channel, None if there is no such channel. Raises UserError if it is wrong."""
    folder = job.folders.channel("manifest")
    if not folder.is_dir():
        return None
    file = folder / "manifest.json"
    try:
        manifest = ChannelManifest.model_validate_json(file.read_bytes())
    except FileNotFoundError:
        raise UserError("Channel manifest has no file manifest.json; put it there or leave the channel out.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UserError(f"manifest.json of channel manifest: {where}: {first['msg']}.") from None
    names = [feature.name for feature in manifest.features]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(f"manifest.json names feature {twice[0]} twice.")
    if manifest.label in names:
        raise UserError(f"manifest.json: {manifest.label} is the label and a feature; a model would read the answer.")
    return manifest


@dataclass(frozen=True)
class Channel:
    """A channel before its rows are read."""

    name: str
    files: tuple[Path, ...]
    format: Format


def find_channel(job: Job, name: str) -> Channel:
    files = channel_files(job.folders.channel(name))
    return Channel(name, tuple(files), format_of(job.channels.get(name, {}).get("ContentType"), files))


def has_channel(job: Job, name: str) -> bool:
    return name in job.channels or job.folders.channel(name).is_dir()


def guess(channel: Channel, job: Job) -> ChannelManifest | None:
    return guess_manifest(channel.files, channel.format, job.parameters.task)


def open_rows(channel: Channel, manifest: ChannelManifest, in_memory: bool, spill: Path) -> Rows:
    """The rows of a channel. Out of core, csv and libsvm become parquet files in `spill` first."""
    names = needed(manifest)
    if in_memory:
        tables = [batch for file in channel.files for batch in read_batches(file, channel.format, manifest, names)]
        return Rows(manifest, pa.concat_tables(_alike(tables)) if tables else _empty(manifest))
    if channel.format == "parquet":
        return Rows(manifest, None, channel.files)
    files = tuple(spill / f"{channel.name}-{index:05d}.parquet" for index in range(len(channel.files)))
    for source, target in zip(channel.files, files, strict=True):
        writer = None
        for batch in read_batches(source, channel.format, manifest, names):
            writer = writer or pq.ParquetWriter(target, batch.schema)
            writer.write_table(batch)
        if writer is not None:
            writer.close()
    return Rows(manifest, None, tuple(file for file in files if file.exists()))


def _alike(tables: list[pa.Table]) -> list[pa.Table]:
    """Key columns may differ in integer width or time unit from file to file; the first file's types hold."""
    first = tables[0].schema
    try:
        return [table if table.schema == first else table.cast(first) for table in tables]
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(f"The files of a channel differ in their columns: {error}.") from None


def _empty(manifest: ChannelManifest) -> pa.Table:
    from training_image.learning.formats import ARROW, column_types

    names = needed(manifest)
    types = column_types(manifest, names)
    return pa.table([pa.array([], ARROW[types[n] or "string"]) for n in names], names=names)


def fits_in_memory(channel: Channel, manifest: ChannelManifest) -> bool:
    """Whether the rows, as Arrow and as float32 matrix, take less than MEMORY_SHARE of the memory that is free now.

    Estimated from the row count of parquet (8 bytes a number, 40 a text, 200 a list, and one float32 matrix), else
    from the size of the files.
    """
    if channel.format == "parquet":
        widths = {"string": 40 + 40, "array<string>": 200 + 400}
        row = sum(widths.get(feature.type, 8 + 4) for feature in manifest.features) + 64
        size = row * sum(parquet_rows(file) for file in channel.files)
    else:
        size = 3 * sum(file.stat().st_size for file in channel.files)
    return size < MEMORY_SHARE * available_memory()


def available_memory() -> int:
    """Bytes: the least of what the machine and the container (cgroup v2) still have."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for line in _lines(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            machine = int(line.split()[1]) * 1024
    limit, used = (_lines(Path("/sys/fs/cgroup") / name) for name in ("memory.max", "memory.current"))
    if limit and used and limit[0].isdigit():
        return min(machine, int(limit[0]) - int(used[0]))
    return machine


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text().splitlines()
    except OSError:
        return []
