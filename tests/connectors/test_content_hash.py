"""Content hashes and when a remembered one is trusted."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import xxhash

from featuremill.connectors import content_hash
from featuremill.connectors.content_hash import BLOCK_BYTES, ContentHashes
from featuremill.connectors.csv_paths import LandedFile
from featuremill.errors import DataError

LONG_AGO = 1_600_000_000_000_000_000


def landed(path: Path) -> LandedFile:
    return LandedFile(str(path), path.name, "2020-01-01", path.stat().st_size)


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose bytes were read."""
    seen: list[str] = []
    original = content_hash._blocks

    def blocks(uri: str) -> Iterator[memoryview | bytes]:
        seen.append(uri)
        return original(uri)

    monkeypatch.setattr(content_hash, "_blocks", blocks)
    return seen


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1])
def test_is_the_xxh3_of_all_bytes(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(os.urandom(size))
    assert ContentHashes(tmp_path).hash_of(landed(path)) == xxhash.xxh3_128(path.read_bytes()).hexdigest()


def test_a_file_that_did_not_change_is_read_once(tmp_path: Path, reads: list[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a")
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    hashes = {ContentHashes(tmp_path / "state").hash_of(landed(path)) for _ in range(3)}
    assert len(hashes) == 1
    assert len(reads) == 1


def test_a_file_that_changed_just_before_it_was_hashed_is_read_again(tmp_path: Path, reads: list[str]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a")
    now = time.time_ns()
    os.utime(path, ns=(now, now))
    hashes = ContentHashes(tmp_path / "state")
    first = hashes.hash_of(landed(path))
    path.write_text("b")
    os.utime(path, ns=(now, now))
    assert hashes.hash_of(landed(path)) != first
    assert len(reads) == 2


@pytest.mark.parametrize("change", ["size", "time", "inode"])
def test_another_size_time_or_inode_is_another_file(tmp_path: Path, reads: list[str], change: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text("aa")
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    hashes = ContentHashes(tmp_path / "state")
    first = hashes.hash_of(landed(path))
    if change == "inode":
        (tmp_path / "b.csv").write_text("bb")
        (tmp_path / "b.csv").replace(path)
    else:
        path.write_text("bb" if change == "time" else "bbb")
    later = LONG_AGO + (1_000 if change == "time" else 0)
    os.utime(path, ns=(later, later))
    assert hashes.hash_of(landed(path)) != first


def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a")

    def blocks(uri: str) -> Iterator[bytes]:
        yield b"a"
        path.write_text("a, and more")

    monkeypatch.setattr(content_hash, "_blocks", blocks)
    with pytest.raises(DataError, match="changed while it was read"):
        ContentHashes(tmp_path / "state").hash_of(landed(path))


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("a")
    file = landed(path)
    path.unlink()
    with pytest.raises(DataError, match="is gone"):
        ContentHashes(tmp_path).hash_of(file)
