"""Partitions as immutable folders, committed whole or not at all.

    <root>/<pipeline>/<table>/ds=<ds>/<fingerprint>/part-00000.parquet ... _manifest.json

A step writes into a staging folder beside it; `commit` makes that folder the partition. On a store that renames
folders (local disks, HDFS) the rename is the commit. On an object store the files are copied, the manifest last,
and the manifest is the commit: a folder without one, or with other files than it lists, counts as not there.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow.fs import FileSystem

from featuremill.errors import DataError, UsageError
from featuremill.warehouse.files import Entry, Store
from featuremill.warehouse.manifest import (
    MANIFEST_NAME,
    PARTITION_COLUMN,
    Manifest,
    ManifestFile,
    natural_order,
    now,
    read_part,
    with_comments,
)
from featuremill.warehouse.owner import OWNER_NAME, Owner

STAGING_PREFIX = ".staging-"
ASIDE_PREFIX = ".aside-"
_DATA = "data"
_NAME = re.compile(r"[a-z_][a-z0-9_]*")
_DS = re.compile(r"\d{4}-\d{2}-\d{2}")
_FINGERPRINT = re.compile(r"[0-9a-z]{8,128}")
_TRIES = 5


@dataclass(frozen=True)
class Stage:
    """A partition being written. `directory` is where the engine writes its parquet files: it exists and is empty."""

    pipeline: str
    table: str
    ds: str
    fingerprint: str
    folder: str
    directory: str

    @property
    def data(self) -> str:
        return f"{self.folder}/{_DATA}"


@dataclass(frozen=True)
class Committed:
    """A whole partition. `directory` is for engines, `location` for Hive; `reused`: another process was first."""

    manifest: Manifest
    directory: str
    location: str
    reused: bool


class Warehouse:
    """The partitions below a root folder: a path or a URI."""

    def __init__(self, root: str | Path, filesystem: FileSystem | None = None) -> None:
        self.store = Store(root, filesystem)

    def folder(self, pipeline: str, table: str, ds: str, fingerprint: str) -> str:
        """The partition's folder, relative to the root. Raises UsageError for a part that could leave the tree."""
        if not _FINGERPRINT.fullmatch(fingerprint):
            raise UsageError(f"{fingerprint!r} is not a fingerprint")
        return f"{self._day(pipeline, table, ds)}/{fingerprint}"

    def _day(self, pipeline: str, table: str, ds: str) -> str:
        for name in (pipeline, table):
            if not _NAME.fullmatch(name):
                raise UsageError(f"{name!r} is not a name: use lower-case letters, digits and _")
        if not _DS.fullmatch(ds):
            raise UsageError(f"{ds!r} is not a day; write YYYY-MM-DD")
        return f"{pipeline}/{table}/{PARTITION_COLUMN}={ds}"

    def partition_dir(self, pipeline: str, table: str, ds: str, fingerprint: str) -> str:
        """Where the partition is or will be: a path or a URI, as engines take it."""
        return self.store.path(self.folder(pipeline, table, ds, fingerprint))

    def location(self, pipeline: str, table: str, ds: str, fingerprint: str) -> str:
        """The same as a Hive location: always a URI."""
        return self.store.location(self.folder(pipeline, table, ds, fingerprint))

    def table_location(self, pipeline: str, table: str) -> str:
        return self.store.location(f"{pipeline}/{table}")

    # Reading

    def find(self, pipeline: str, table: str, ds: str, fingerprint: str) -> Manifest | None:
        """The manifest, if the partition is there whole: each file that it lists with its size, and no other."""
        return self._whole(self.folder(pipeline, table, ds, fingerprint))

    def _whole(self, folder: str) -> Manifest | None:
        content = self.store.read(f"{folder}/{MANIFEST_NAME}")
        if content is None:
            return None
        manifest = Manifest.from_json(content, self.store.path(f"{folder}/{MANIFEST_NAME}"))
        there = {entry.name: entry.size for entry in self.store.entries(folder) if not entry.hidden}
        return manifest if there == {file.name: file.bytes for file in manifest.files} else None

    def is_whole(self, folder: str) -> bool:
        """Whether a partition's folder, relative to the root, is there whole."""
        return self._whole(folder) is not None

    def pipelines(self) -> list[str]:
        return _names(self.store.entries(""))

    def tables(self, pipeline: str) -> list[str]:
        return _names(self.store.entries(pipeline))

    def days(self, pipeline: str, table: str) -> list[str]:
        """The days with a folder, oldest first."""
        prefix = f"{PARTITION_COLUMN}="
        names = (e.name.removeprefix(prefix) for e in self.store.entries(f"{pipeline}/{table}") if e.is_folder)
        return sorted(name for name in names if _DS.fullmatch(name))

    def manifests(self, pipeline: str, table: str) -> list[Manifest]:
        """Of all whole partitions of a table, by day, then by when they were committed."""
        return [m for ds in self.days(pipeline, table) for m in self.manifests_of_day(pipeline, table, ds)]

    def manifests_of_day(self, pipeline: str, table: str, ds: str) -> list[Manifest]:
        """Of all whole partitions of a table for one day, in the order in which they were committed."""
        day = self._day(pipeline, table, ds)
        found = []
        for entry in self.store.entries(day):
            if entry.is_folder and _FINGERPRINT.fullmatch(entry.name):
                manifest = self._whole(f"{day}/{entry.name}")
                if manifest is not None:
                    found.append(manifest)
        return sorted(found, key=lambda manifest: (manifest.committed_at, manifest.fingerprint))

    # Writing

    def stage(self, pipeline: str, table: str, ds: str, fingerprint: str) -> Stage:
        """A new empty folder to write a partition into; hidden from Hive, shared with nobody."""
        self.folder(pipeline, table, ds, fingerprint)
        folder = f"{self._day(pipeline, table, ds)}/{STAGING_PREFIX}{uuid.uuid4().hex}"
        stage = Stage(pipeline, table, ds, fingerprint, folder, self.store.path(f"{folder}/{_DATA}"))
        self.store.make_folder(folder)
        # The note comes before the data: gc must never meet data that nobody owns.
        self.store.write(f"{folder}/{OWNER_NAME}", Owner.here().to_json())
        self.store.make_folder(stage.data)
        return stage

    def discard(self, stage: Stage) -> None:
        """Throw away what was staged."""
        self.store.delete_folder(stage.folder)

    def describe(
        self,
        stage: Stage,
        *,
        engine: str,
        inputs: Mapping[str, str] | None = None,
        definition: Mapping[str, Any] | None = None,
        comments: Mapping[str, str | None] | None = None,
        details: Mapping[str, Any] | None = None,
    ) -> Manifest:
        """Name the staged parts part-00000.parquet ..., read their footers, and write down what the partition is.

        Raises DataError if there is no parquet file, one is broken, or two differ in their columns.
        """
        columns, files = self._parts(stage)
        return Manifest(
            pipeline=stage.pipeline,
            table=stage.table,
            ds=stage.ds,
            fingerprint=stage.fingerprint,
            engine=engine,
            inputs=dict(inputs or {}),
            definition=dict(definition or {}),
            columns=with_comments(columns, comments or {}),
            files=files,
            rows=sum(file.rows for file in files),
            details=dict(details or {}),
            committed_at=now(),
        )

    def _parts(self, stage: Stage) -> tuple[tuple[tuple[str, str], ...], tuple[ManifestFile, ...]]:
        parts = self._only_parts(stage)
        schemas: dict[str, tuple[tuple[str, str], ...]] = {}
        files: list[ManifestFile] = []
        for part in parts:
            path = f"{stage.data}/{part.name}"
            schemas[part.name], rows = read_part(self.store.filesystem, self.store.inside(path), self.store.path(path))
            files.append(ManifestFile(name=part.name, rows=rows, bytes=part.size))
        first = schemas[parts[0].name]
        for name, schema in schemas.items():
            if schema != first:
                raise DataError(
                    f"{stage.pipeline}.{stage.table} ds={stage.ds}: {name} has other columns than {parts[0].name}: "
                    f"{_difference(first, schema)}"
                )
        filled = [file for file in files if file.rows] or files[:1]
        for file in files:
            if file not in filled:
                self.store.delete_file(f"{stage.data}/{file.name}")
        return first, self._numbered(stage, filled)

    def _only_parts(self, stage: Stage) -> list[Entry]:
        """Drop what committers leave behind (_SUCCESS, .crc, _temporary); what remains must be parquet files."""
        parts = []
        for entry in self.store.entries(stage.data):
            path = f"{stage.data}/{entry.name}"
            if entry.hidden and entry.is_folder:
                self.store.delete_folder(path)
            elif entry.hidden or entry.name.endswith(".crc"):
                self.store.delete_file(path)
            elif entry.is_folder or not entry.name.endswith(".parquet"):
                raise DataError(f"{self.store.path(path)} is not a parquet file; a step writes only those")
            else:
                parts.append(entry)
        if not parts:
            raise DataError(f"{stage.pipeline}.{stage.table} ds={stage.ds}: the step wrote no parquet file")
        return sorted(parts, key=lambda entry: natural_order(entry.name))

    def _numbered(self, stage: Stage, files: list[ManifestFile]) -> tuple[ManifestFile, ...]:
        wanted = [f"part-{number:05d}.parquet" for number in range(len(files))]
        if [file.name for file in files] != wanted:
            # In two goes: a name that is wanted may be another part's name now.
            for file in files:
                self.store.move_file(f"{stage.data}/{file.name}", f"{stage.data}/_{file.name}")
            for file, name in zip(files, wanted, strict=True):
                self.store.move_file(f"{stage.data}/_{file.name}", f"{stage.data}/{name}")
        return tuple(file.model_copy(update={"name": name}) for file, name in zip(files, wanted, strict=True))

    def commit(self, stage: Stage, manifest: Manifest) -> Committed:
        """Make the staged files the partition. If it is there whole already, that one stays and the stage goes."""
        target = self.folder(stage.pipeline, stage.table, stage.ds, stage.fingerprint)
        existing = self._whole(target)
        if existing is None:
            move = self._commit_by_rename if self.store.renames_folders else self._commit_by_copy
            existing = move(stage, manifest, target)
        self.discard(stage)
        return Committed(
            manifest=existing or manifest,
            directory=self.store.path(target),
            location=self.store.location(target),
            reused=existing is not None,
        )

    def forget(self, folder: str) -> None:
        """Delete the manifest of a partition's folder, so that the folder counts as not there."""
        if self.store.exists(f"{folder}/{MANIFEST_NAME}"):
            self.store.delete_file(f"{folder}/{MANIFEST_NAME}")

    def _commit_by_rename(self, stage: Stage, manifest: Manifest, target: str) -> Manifest | None:
        self.store.sync_folder(stage.data)
        self.store.write(f"{stage.data}/{MANIFEST_NAME}", manifest.to_json())
        self.store.sync_folder(stage.data)
        for _ in range(_TRIES):
            if self.store.rename_folder(stage.data, target):
                self.store.sync_folder(target.rpartition("/")[0])
                return None
            existing = self._whole(target)
            if existing is not None:
                return existing
            aside = f"{target.rpartition('/')[0]}/{ASIDE_PREFIX}{uuid.uuid4().hex}"
            if self.store.rename_folder(target, aside):
                self.store.delete_folder(aside)
        raise DataError(f"{self.store.path(target)} is broken and cannot be replaced; delete it, then run again")

    def _commit_by_copy(self, stage: Stage, manifest: Manifest, target: str) -> Manifest | None:
        self.forget(target)
        self.store.delete_folder(target)
        self.store.make_folder(target)
        for file in manifest.files:
            self.store.copy_file(f"{stage.data}/{file.name}", f"{target}/{file.name}")
        self.store.write(f"{target}/{MANIFEST_NAME}", manifest.to_json())
        if self._whole(target) is None:
            raise DataError(
                f"{self.store.path(target)}: another process wrote the same partition at the same time; run again"
            )
        return None


def _names(entries: list[Entry]) -> list[str]:
    return [entry.name for entry in entries if entry.is_folder and _NAME.fullmatch(entry.name)]


def _difference(first: tuple[tuple[str, str], ...], other: tuple[tuple[str, str], ...]) -> str:
    if set(first) == set(other):
        return "the same ones in another order"
    missing = ", ".join(f"{name} {kind}" for name, kind in first if (name, kind) not in other) or "none"
    extra = ", ".join(f"{name} {kind}" for name, kind in other if (name, kind) not in first) or "none"
    return f"it lacks {missing} and has {extra} besides"
