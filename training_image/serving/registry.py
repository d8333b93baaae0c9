"""The models of a multi-model server, shared by its worker processes through a folder.

A loaded model is a file there; each worker loads a model when it is first asked for it, and drops those whose file is
gone. So all workers agree at once, and a worker that was started again needs nothing told.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson

from training_image.prediction import ArtefactError
from training_image.serving.errors import RequestError, bad, shown
from training_image.serving.predictor import Predictor

ROOM = 2
"""A model takes about twice the size of its files in memory, in each worker."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A loaded model, as the API shows it; `size` of its files in bytes."""

    name: str
    url: str
    size: int

    def shown(self) -> dict[str, str]:
        return {"modelName": self.name, "modelUrl": self.url}


class Registry:
    """The loaded models, as one of the worker processes sees them.

    `load` makes a Predictor of a folder. `limit`: bytes all models may take in all workers, None: what is free.
    """

    def __init__(self, folder: Path, load: Callable[[Path], Predictor], workers: int, limit: int | None) -> None:
        self._folder = folder
        self._load = load
        self._workers = workers
        self._limit = limit
        self._loaded: dict[str, tuple[tuple[int, int], Predictor]] = {}
        self._loading = threading.Lock()

    def add(self, name: str, url: str) -> Entry:
        """Loads the model in the folder `url`. Raises RequestError: 409 loaded already, 400 no model, 507 no room."""
        folder = Path(url)
        with self._locked():
            file = self._file(name)
            if file.exists():
                raise RequestError(409, f"model {shown(name)} is already loaded; DELETE it first")
            if not folder.is_dir():
                raise bad(f"url {shown(url)} is not a folder of this server")
            size = sum(part.stat().st_size for part in folder.rglob("*") if part.is_file())
            self._require_room(name, size)
            try:
                predictor = self._load(folder)
            except ArtefactError as error:
                raise bad(str(error)) from None
            except MemoryError:
                raise RequestError(507, f"model {shown(name)} does not fit into memory") from None
            entry = Entry(name, url, size)
            part = file.with_suffix(".part")
            part.write_bytes(orjson.dumps({"name": name, "url": url, "size": size}))
            part.rename(file)
            self._loaded[name] = (_token(file), predictor)
            return entry

    def remove(self, name: str) -> None:
        """Raises RequestError 404 for a model that is not loaded."""
        with self._locked():
            try:
                self._file(name).unlink()
            except FileNotFoundError:
                raise _unknown(name) from None
            self._loaded.pop(name, None)

    def ready(self, name: str) -> Predictor | None:
        """The predictor if this worker has it in memory. Raises RequestError 404 for a model that is not loaded."""
        try:
            token = _token(self._file(name))
        except FileNotFoundError:
            self._loaded.pop(name, None)
            raise _unknown(name) from None
        held = self._loaded.get(name)
        return held[1] if held is not None and held[0] == token else None

    def get(self, name: str) -> Predictor:
        """The predictor, loaded in this worker if need be. Raises RequestError 404."""
        with self._loading:
            held = self.ready(name)
            if held is not None:
                return held
            file = self._file(name)
            try:
                token = _token(file)
                predictor = self._load(Path(_entry(file).url))
            except FileNotFoundError:
                raise _unknown(name) from None
            except ArtefactError as error:
                raise RequestError(500, f"model {shown(name)} cannot be loaded any more: {error}") from None
            self._loaded[name] = (token, predictor)
            return predictor

    def entry(self, name: str) -> Entry:
        try:
            return _entry(self._file(name))
        except FileNotFoundError:
            raise _unknown(name) from None

    def entries(self) -> list[Entry]:
        """All loaded models, by name."""
        found = []
        for file in self._folder.glob("*.json"):
            try:
                found.append(_entry(file))
            except FileNotFoundError:
                continue
        return sorted(found, key=lambda entry: entry.name)

    def sweep(self) -> None:
        """Drops the models from this worker's memory that another worker was told to remove."""
        for name, (token, _) in list(self._loaded.items()):
            try:
                gone = _token(self._file(name)) != token
            except FileNotFoundError:
                gone = True
            if gone:
                self._loaded.pop(name, None)

    def _file(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode()).hexdigest()[:40]}.json"

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One load or removal at a time, over all workers."""
        with self._loading, (self._folder / "lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _require_room(self, name: str, size: int) -> None:
        needed = size * ROOM * self._workers
        free = free_memory()
        if self._limit is not None:
            free = min(free, self._limit - sum(entry.size for entry in self.entries()) * ROOM * self._workers)
        if needed > free:
            raise RequestError(
                507, f"model {shown(name)} needs about {needed >> 20} MB, {max(free, 0) >> 20} are free; DELETE others"
            )


def free_memory() -> int:
    """Bytes that the machine, or the container, has left."""
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    try:
        most = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):
        return free
    return free if most == "max" else min(free, int(most) - used)


def _entry(file: Path) -> Entry:
    found = json.loads(file.read_bytes())
    return Entry(found["name"], found["url"], found["size"])


def _token(file: Path) -> tuple[int, int]:
    """Tells a file from one that another model was registered with under the same name."""
    stat = os.stat(file)
    return stat.st_ino, stat.st_mtime_ns


def _unknown(name: str) -> RequestError:
    return RequestError(404, f"model {shown(name)} is not loaded; POST /models loads one")
