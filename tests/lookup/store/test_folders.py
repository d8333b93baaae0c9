"""Publications in folders: built beside what is served, moved to at once, rolled back, never littered."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from featuremill.errors import DataError, UsageError
from featuremill.lookup.store.folders import LmdbBackend
from featuremill.lookup.store.lmdb_store import LmdbStore
from featuremill.lookup.store.manifest import StoredColumn, StoreManifest

NAME = "credit_risk"


def manifest_of(ds: str, snapshot: str = "a" * 16) -> StoreManifest:
    return StoreManifest(
        pipeline=NAME,
        ds=ds,
        as_of=datetime(2024, 2, 1, tzinfo=UTC),
        key="id",
        key_type="bigint",
        snapshot=snapshot,
        features=(StoredColumn(name="loans", type="bigint"),),
        published_at=datetime(2024, 2, 1, tzinfo=UTC),
    )


def build(backend: LmdbBackend, ds: str, items: list[tuple[bytes, bytes]]) -> StoreManifest:
    writer = backend.begin(manifest_of(ds))
    writer.put_many(items)
    return writer.finish()


def test_what_was_put_is_found(tmp_path: Path) -> None:
    backend = LmdbBackend(tmp_path)
    manifest = build(backend, "2024-01-01", [(b"a", b"1"), (b"b", b"2")])
    backend.activate(NAME, manifest.publication)
    store = backend.open(NAME)
    assert store.get(b"a") == b"1" and store.get(b"c") is None
    assert store.get_many([b"b", b"c", b"b"]) == [b"2", None, b"2"]
    assert store.manifest.rows == 2 and store.manifest.size > 0
    store.close()


def test_a_finished_publication_is_not_served_before_it_is_activated(tmp_path: Path) -> None:
    backend = LmdbBackend(tmp_path)
    build(backend, "2024-01-01", [(b"a", b"1")])
    assert backend.pointer(NAME) is None and backend.pipelines() == [] and backend.stamp(NAME) is None
    with pytest.raises(DataError, match="never published"):
        backend.open(NAME)


def test_the_one_before_is_kept_and_older_ones_go(tmp_path: Path) -> None:
    backend = LmdbBackend(tmp_path)
    names = []
    for day in ("2024-01-01", "2024-01-02", "2024-01-03"):
        names.append(build(backend, day, [(b"day", day.encode())]).publication)
        stamp = backend.stamp(NAME)
        backend.activate(NAME, names[-1])
        assert backend.stamp(NAME) != stamp
    assert {path.name for path in (tmp_path / NAME).iterdir()} == {"current.json", *names[1:]}
    assert backend.rollback(NAME).current == names[1]
    store = backend.open(NAME)
    assert store.get(b"day") == b"2024-01-02"
    store.close()


def test_rolling_back_without_a_previous_one_says_so(tmp_path: Path) -> None:
    backend = LmdbBackend(tmp_path)
    with pytest.raises(UsageError, match="never published"):
        backend.rollback(NAME)
    backend.activate(NAME, build(backend, "2024-01-01", [(b"a", b"1")]).publication)
    with pytest.raises(UsageError, match="no publication before"):
        backend.rollback(NAME)


def test_an_open_store_answers_on_after_its_file_is_deleted(tmp_path: Path) -> None:
    backend = LmdbBackend(tmp_path)
    manifest = build(backend, "2024-01-01", [(b"a", b"1" * 10_000)])
    backend.activate(NAME, manifest.publication)
    store = backend.open(NAME)
    (tmp_path / NAME / manifest.publication / "data.mdb").unlink()
    assert store.get(b"a") == b"1" * 10_000
    store.close()
    assert backend.find(NAME, manifest.publication) is None


def test_a_shortened_file_is_refused(tmp_path: Path) -> None:
    backend = LmdbBackend(tmp_path)
    manifest = build(backend, "2024-01-01", [(bytes([i]), b"1" * 1000) for i in range(100)])
    path = tmp_path / NAME / manifest.publication / "data.mdb"
    os.truncate(path, 4096)
    with pytest.raises(DataError, match="publish again"):
        backend.open(NAME, manifest.publication)
    with pytest.raises(DataError, match="not there whole"):
        backend.activate(NAME, manifest.publication)


def test_keys_out_of_order_are_put_all_the_same(tmp_path: Path) -> None:
    backend = LmdbBackend(tmp_path)
    manifest = build(backend, "2024-01-01", [(b"a", b"1"), (b"d", b"4"), (b"b", b"2"), (b"c", b"3"), (b"e", b"5")])
    store = backend.open(NAME, manifest.publication)
    assert [key for key, _ in store.items()] == [b"a", b"b", b"c", b"d", b"e"]
    store.close()


@pytest.mark.parametrize("keys", [[b"a", b"a"], [b"a", b"b", b"a"]])
def test_a_key_put_twice_is_an_error(tmp_path: Path, keys: list[bytes]) -> None:
    writer = LmdbBackend(tmp_path).begin(manifest_of("2024-01-01"))
    with pytest.raises(DataError, match="two rows"):
        writer.put_many([(key, b"1") for key in keys])
    writer.abandon()
    assert list((tmp_path / NAME).iterdir()) == []


def test_abandoning_leaves_nothing(tmp_path: Path) -> None:
    writer = LmdbBackend(tmp_path).begin(manifest_of("2024-01-01"))
    writer.put_many([(b"a", b"1")])
    writer.abandon()
    writer.abandon()
    assert list((tmp_path / NAME).iterdir()) == []


_BUILDER = """
import sys, time
from pathlib import Path
from tests.lookup.store.test_folders import manifest_of
from featuremill.lookup.store.folders import LmdbBackend
writer = LmdbBackend(Path(sys.argv[1])).begin(manifest_of("2024-01-02"))
writer.put_many([(b"a", b"new")])
print("building", flush=True)
time.sleep(60)
"""


def test_a_killed_builder_leaves_the_old_one_serving_and_the_next_build_sweeps(tmp_path: Path) -> None:
    backend = LmdbBackend(tmp_path)
    old = build(backend, "2024-01-01", [(b"a", b"old")])
    backend.activate(NAME, old.publication)
    command = [sys.executable, "-c", _BUILDER, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"building\n"
    (building,) = (tmp_path / NAME).glob(".building-*")
    _let_time_pass(building)
    # While its builder lives, nobody sweeps it.
    other = backend.begin(manifest_of("2024-01-03"))
    other.abandon()
    assert len(list((tmp_path / NAME).glob(".building-*"))) == 1
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    store = backend.open(NAME)
    assert store.get(b"a") == b"old"
    store.close()
    os.utime(building / "data.mdb")
    build(backend, "2024-01-02", [(b"a", b"new")])
    assert building.is_dir(), "it was written to a moment ago, by a builder whose lock may not be seen"
    _let_time_pass(building)
    build(backend, "2024-01-02", [(b"a", b"new")])
    assert list((tmp_path / NAME).glob(".building-*")) == []


def _let_time_pass(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        os.utime(path, (time.time() - 3600,) * 2)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a small file system takes root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_leaves_the_old_one_serving_and_nothing_behind(small_disk: Path) -> None:
    backend = LmdbBackend(small_disk)
    old = build(backend, "2024-01-01", [(b"a", b"old")])
    backend.activate(NAME, old.publication)
    writer = backend.begin(manifest_of("2024-01-02"))
    with pytest.raises(DataError, match="no space left"):
        for number in range(100):
            writer.put_many([(b"%08d" % (number * 1000 + i), b"x" * 100) for i in range(1000)])
        writer.finish()
    writer.abandon()
    assert {path.name for path in (small_disk / NAME).iterdir()} == {"current.json", old.publication}
    store = LmdbStore(small_disk / NAME / old.publication)
    assert store.get(b"a") == b"old"
    store.close()
    fresh = build(backend, "2024-01-03", [(b"a", b"new")])
    assert backend.activate(NAME, fresh.publication).current == fresh.publication
