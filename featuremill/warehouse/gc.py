"""Which folders nothing needs any more.

Kept, of each table and day: the partition that Hive points at; the newest before it (`keep_previous`, to roll back);
where Hive points at none, the newest ones. Kept besides: what a kept partition was computed from, everything younger
than an hour, and the stages of living processes. What is left is garbage.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from featuremill.warehouse.files import Entry, Store
from featuremill.warehouse.hive import HiveCatalog
from featuremill.warehouse.hive_objects import same_location
from featuremill.warehouse.manifest import PARTITION_COLUMN, Manifest
from featuremill.warehouse.owner import OWNER_NAME, read_owner
from featuremill.warehouse.storage import ASIDE_PREFIX, STAGING_PREFIX, Warehouse

YOUNG = timedelta(hours=1)


@dataclass(frozen=True)
class Garbage:
    """A folder that may go. `folder` is relative to the warehouse; `bytes` is what deleting it frees."""

    folder: str
    kind: Literal["superseded", "unfinished", "abandoned stage", "replaced"]
    pipeline: str
    table: str
    ds: str
    bytes: int


@dataclass(frozen=True)
class PublishedTable:
    """A published partition, for people: `committed_at` is when it was computed."""

    table: str
    ds: str
    fingerprint: str | None
    rows: int | None
    bytes: int | None
    committed_at: datetime | None
    location: str


def published(catalog: HiveCatalog, pipeline: str, table: str | None = None) -> list[PublishedTable]:
    """What Hive shows of a pipeline, by table and day. Numbers are None for partitions that another tool published."""
    found = []
    for name in [table] if table else catalog.tables(pipeline):
        for partition in catalog.partitions(pipeline, name):
            notes = partition.parameters
            committed = notes.get("featuremill.committed_at")
            found.append(
                PublishedTable(
                    table=name,
                    ds=partition.ds,
                    fingerprint=partition.fingerprint,
                    rows=_number(notes.get("featuremill.rows")),
                    bytes=_number(notes.get("featuremill.bytes")),
                    committed_at=datetime.fromisoformat(committed) if committed else None,
                    location=partition.location,
                )
            )
    return found


def _number(text: str | None) -> int | None:
    return int(text) if text is not None else None


def find_garbage(
    warehouse: Warehouse,
    catalog: HiveCatalog,
    pipelines: Iterable[str] | None = None,
    *,
    keep_previous: int = 1,
    younger_than: timedelta = YOUNG,
    moment: datetime | None = None,
) -> list[Garbage]:
    """What `collect` would delete. Raises ServiceError if the metastore does not answer: then nothing is known to be
    garbage.
    """
    moment = moment or datetime.now(UTC)
    found: list[Garbage] = []
    for pipeline in warehouse.pipelines() if pipelines is None else pipelines:
        manifests = {table: warehouse.manifests(pipeline, table) for table in warehouse.tables(pipeline)}
        kept = _kept(warehouse, catalog, manifests, keep_previous, moment - younger_than)
        for table in manifests:
            for ds in warehouse.days(pipeline, table):
                found += _of_day(warehouse, pipeline, table, ds, kept, moment, younger_than)
    return found


def _kept(
    warehouse: Warehouse,
    catalog: HiveCatalog,
    manifests: dict[str, list[Manifest]],
    keep_previous: int,
    young_since: datetime,
) -> set[tuple[str, str, str]]:
    """(table, ds, fingerprint) of the partitions to keep."""
    everything = [manifest for of_table in manifests.values() for manifest in of_table]
    kept = {_id(manifest) for manifest in everything if manifest.committed_at >= young_since}
    for table, of_table in manifests.items():
        pointed_at = {p.ds: p.location for p in catalog.partitions(of_table[0].pipeline, table)} if of_table else {}
        for ds in {manifest.ds for manifest in of_table}:
            of_day = [manifest for manifest in of_table if manifest.ds == ds]
            kept |= {_id(manifest) for manifest in _kept_of_day(warehouse, of_day, pointed_at.get(ds), keep_previous)}
    while True:
        needed = {fingerprint for m in everything if _id(m) in kept for fingerprint in m.inputs.values()}
        more = {_id(manifest) for manifest in everything if manifest.fingerprint in needed} - kept
        if not more:
            return kept
        kept |= more


def _kept_of_day(
    warehouse: Warehouse, of_day: Sequence[Manifest], pointed_at: str | None, keep_previous: int
) -> list[Manifest]:
    """`of_day` is in the order of committing."""
    live = [m for m in of_day if pointed_at is not None and same_location(_location(warehouse, m), pointed_at)]
    others = [manifest for manifest in of_day if manifest not in live]
    spare = keep_previous if live else keep_previous + 1
    return live + (others[-spare:] if spare else [])


def _of_day(
    warehouse: Warehouse,
    pipeline: str,
    table: str,
    ds: str,
    kept: set[tuple[str, str, str]],
    moment: datetime,
    younger_than: timedelta,
) -> list[Garbage]:
    found = []
    day = f"{pipeline}/{table}/{PARTITION_COLUMN}={ds}"
    for entry in warehouse.store.entries(day):
        if not entry.is_folder or (table, ds, entry.name) in kept:
            continue
        folder = f"{day}/{entry.name}"
        kind = _verdict(warehouse, folder, entry, moment, younger_than)
        if kind is not None:
            found.append(Garbage(folder, kind, pipeline, table, ds, warehouse.store.total_size(folder)))
    return found


def _verdict(
    warehouse: Warehouse, folder: str, entry: Entry, moment: datetime, younger_than: timedelta
) -> Literal["superseded", "unfinished", "abandoned stage", "replaced"] | None:
    store = warehouse.store
    if entry.name.startswith(STAGING_PREFIX):
        owner = read_owner(store.read(f"{folder}/{OWNER_NAME}"))
        gone = owner.is_gone(moment) if owner else _age(store, folder, entry, moment) > younger_than
        return "abandoned stage" if gone else None
    if entry.name.startswith(ASIDE_PREFIX):
        return "replaced" if _age(store, folder, entry, moment) > younger_than else None
    if entry.hidden:
        return None
    if warehouse.is_whole(folder):
        return "superseded"
    return "unfinished" if _age(store, folder, entry, moment) > younger_than else None


def _age(store: Store, folder: str, entry: Entry, moment: datetime) -> timedelta:
    """Since something in the folder was last written; none at all if the store does not say."""
    times = [e.modified for e in [entry, *store.entries(folder)] if e.modified is not None]
    return moment - max(times) if times else timedelta(0)


def collect(warehouse: Warehouse, catalog: HiveCatalog, garbage: Sequence[Garbage]) -> int:
    """Delete garbage; returns the bytes freed. Asks Hive again for each partition before it goes, and puts it back if
    it was published in that very moment.
    """
    freed = 0
    for item in garbage:
        if item.kind not in ("superseded", "unfinished"):
            warehouse.store.delete_folder(item.folder)
            freed += item.bytes
        elif not _points_at(warehouse, catalog, item) and _delete_partition(warehouse, catalog, item):
            freed += item.bytes
    return freed


def _delete_partition(warehouse: Warehouse, catalog: HiveCatalog, item: Garbage) -> bool:
    store = warehouse.store
    day, _, fingerprint = item.folder.rpartition("/")
    if not store.renames_folders:
        # The manifest goes first: what is half deleted must not look whole.
        warehouse.forget(item.folder)
        store.delete_folder(item.folder)
        return True
    aside = f"{day}/{ASIDE_PREFIX}{fingerprint}"
    store.delete_folder(aside)
    if not store.rename_folder(item.folder, aside):
        return False
    if _points_at(warehouse, catalog, item):
        store.rename_folder(aside, item.folder)
        return False
    store.delete_folder(aside)
    return True


def _points_at(warehouse: Warehouse, catalog: HiveCatalog, item: Garbage) -> bool:
    partition = catalog.partition(item.pipeline, item.table, item.ds)
    return partition is not None and same_location(partition.location, warehouse.store.location(item.folder))


def _location(warehouse: Warehouse, manifest: Manifest) -> str:
    return warehouse.location(manifest.pipeline, manifest.table, manifest.ds, manifest.fingerprint)


def _id(manifest: Manifest) -> tuple[str, str, str]:
    return manifest.table, manifest.ds, manifest.fingerprint
