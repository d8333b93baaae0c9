"""All that is known of a job's rows before anything is learned: columns, target, split; held-out rows in memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from training_image.artefact import ChannelManifest
from training_image.learning.channels import (
    Channel,
    Rows,
    find_channel,
    fits_in_memory,
    guess,
    has_channel,
    needed,
    open_rows,
    read_channel_manifest,
)
from training_image.learning.collective import Ring
from training_image.learning.configuration import Job
from training_image.learning.errors import UserError
from training_image.learning.matrices import select_rows
from training_image.learning.preparation import check_settings
from training_image.learning.splitting import (
    CALIBRATION,
    JUDGING,
    TRAINING,
    UNUSED,
    Codes,
    Hashes,
    Keys,
    Strategy,
    choose_strategy,
    hold_out,
    read_keys,
)
from training_image.learning.targets import Floats, Target, learn_target, present


@dataclass(frozen=True)
class Table:
    """Rows in memory with a label: the needed columns, the label as Target.numbers gives it, the group's hash."""

    table: pa.Table
    label: Floats
    group: Hashes

    @property
    def rows(self) -> int:
        return len(self.label)

    def where(self, chosen: np.ndarray) -> Table:
        return Table(select_rows(self.table, chosen), self.label[chosen], self.group[chosen])


@dataclass(frozen=True)
class Data:
    """`codes`: TRAINING or not, a number a row of `rows`. `held`: the held-out rows of all hosts, the same on each;
    `held_codes` CALIBRATION or JUDGING. Both empty for folds. `total`: labelled rows of all hosts; `dropped`: others.
    """

    manifest: ChannelManifest
    rows: Rows
    target: Target
    keys: Keys
    strategy: Strategy
    codes: Codes
    held: Table
    held_codes: Codes
    total: int
    dropped: int
    unused: int

    def whole(self) -> Table:
        """All labelled rows of this host. For rows in memory only."""
        assert self.rows.table is not None
        usable = self.keys.usable
        chosen = Table(self.rows.table.select(needed(self.manifest)), self.keys.label, self.keys.group)
        return chosen.where(usable)


def read_data(job: Job, ring: Ring, spill: Path) -> Data:
    """Raises UserError, on all hosts alike, for rows that do not allow training."""
    parameters = job.parameters
    with ring.together():
        channel, manifest = _train_channel(job)
    manifest = _agreed_manifest(manifest, ring)
    with ring.together():
        check_settings(parameters.preprocess, manifest.features)
    out_of_core = ring.any(_out_of_core(job, channel, manifest))
    with ring.together():
        rows = open_rows(channel, manifest, not out_of_core, spill)
    with ring.together():
        labels = [batch[manifest.label] for batch in rows.batches([manifest.label])]
    if not ring.any(any(bool(present(column).any()) for column in labels)):
        raise UserError("Channel train holds no row with a label; is its S3 prefix right?")
    target = learn_target(parameters.task, manifest.label, manifest.label_type, labels, parameters.min_rows, ring)
    del labels
    with ring.together():
        keys = read_keys(rows, target, parameters.seed, ring)
    counts = np.sum(ring.gather_json([int(keys.usable.sum()), len(keys.label)]), axis=0)
    total, dropped = int(counts[0]), int(counts[1] - counts[0])
    everything = Data(
        manifest, rows, target, keys, "folds", np.zeros(len(keys.label), np.uint8), _nothing(rows), _codes(), total,
        dropped, 0,
    )  # fmt: skip
    if has_channel(job, "validation"):
        return _with_validation_channel(job, everything, ring, spill)
    with ring.together():
        strategy = choose_strategy(parameters.split, total, manifest.time is not None, rows.in_memory)
    if strategy == "folds":
        return everything
    return _with_held_out(job, everything, strategy, ring)


def _train_channel(job: Job) -> tuple[Channel, ChannelManifest | None]:
    if not job.folders.channel("train").is_dir():
        raise UserError(f"There is no channel train: {job.folders.channel('train')} is missing. Give the job one.")
    channel = find_channel(job, "train")
    manifest = read_channel_manifest(job)
    if manifest is None:
        manifest = guess(channel, job)
    elif channel.format == "csv" and not manifest.columns:
        raise UserError("The manifest names no `columns`, which files of type csv need.")
    return channel, manifest


def _agreed_manifest(manifest: ChannelManifest | None, ring: Ring) -> ChannelManifest:
    """Hosts without files take over what the others have; of libsvm files the widest count."""
    found = [data for data in ring.gather(manifest.model_dump_json().encode() if manifest else b"") if data]
    if not found:
        raise UserError("Channel train is empty; is its S3 prefix right, and has it a file for each host?")
    manifests = [ChannelManifest.model_validate_json(data) for data in found]
    widest = max(manifests, key=lambda each: len(each.features))
    for each in manifests:
        if each.label != widest.label or not {f.name for f in each.features} <= {f.name for f in widest.features}:
            raise UserError("The hosts' files differ in their columns; give the job a manifest channel.")
    return widest


def _out_of_core(job: Job, channel: Channel, manifest: ChannelManifest) -> bool:
    wish = job.parameters.out_of_core
    if job.parameters.task == "one_vs_rest":
        if wish == "always":
            raise UserError("Task one_vs_rest trains in memory only; set out_of_core to auto or never.")
        return False
    return wish == "always" or (wish == "auto" and not fits_in_memory(channel, manifest))


def _with_held_out(job: Job, data: Data, strategy: Strategy, ring: Ring) -> Data:
    codes = hold_out(data.keys, job.parameters.split, strategy, ring, job.parameters.seed)
    held, held_codes = _collect(data.rows, data.keys, codes, ring)
    unused = sum(ring.gather_json(int(((codes == UNUSED) & data.keys.usable).sum())))
    return replace(data, strategy=strategy, codes=codes, held=held, held_codes=held_codes, unused=unused)


def _with_validation_channel(job: Job, data: Data, ring: Ring, spill: Path) -> Data:
    """The channel's rows are the held-out ones. Rows with a label that the training rows lack count as unlabelled."""
    with ring.together():
        rows = open_rows(find_channel(job, "validation"), data.manifest, True, spill)
        keys = read_keys(rows, data.target, job.parameters.seed, ring)
    if not any(ring.gather_json(int(keys.usable.sum()))):
        raise UserError("Channel validation holds no row with a label; give it rows or leave the channel out.")
    codes = hold_out(keys, job.parameters.split, "channel", ring, job.parameters.seed)
    held, held_codes = _collect(rows, keys, codes, ring)
    training = np.where(data.keys.usable, TRAINING, UNUSED).astype(np.uint8)
    return replace(data, strategy="channel", codes=training, held=held, held_codes=held_codes)


def _collect(rows: Rows, keys: Keys, codes: Codes, ring: Ring) -> tuple[Table, Codes]:
    """The rows held out, of all hosts."""
    wanted = (codes == CALIBRATION) | (codes == JUDGING)
    tables, start = [], 0
    for batch in rows.batches():
        chosen = wanted[start : start + batch.num_rows]
        tables.append(batch.filter(pa.array(chosen)))
        start += batch.num_rows
    local = pa.concat_tables(tables) if tables else _nothing(rows).table
    label = np.frombuffer(b"".join(ring.gather(keys.label[wanted].tobytes())), np.float64)
    group = np.frombuffer(b"".join(ring.gather(keys.group[wanted].tobytes())), np.uint64)
    all_codes = np.frombuffer(b"".join(ring.gather(codes[wanted].tobytes())), np.uint8)
    return Table(ring.gather_table(local), label, group), all_codes


def _nothing(rows: Rows) -> Table:
    table = next(rows.batches(), None)
    if table is None:
        table = open_rows(Channel("none", (), "parquet"), rows.manifest, True, Path()).table
    assert table is not None
    return Table(table.slice(0, 0), np.empty(0), np.empty(0, np.uint64))


def _codes() -> Codes:
    return np.empty(0, np.uint8)
