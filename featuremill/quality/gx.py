"""The one door to Great Expectations: imported late, quietly, and without what checking data never needs.

Great Expectations takes seconds to import. Two of its dependencies, Altair (charts) and SciPy's statistics, are
needed by one rare expectation and are half of that time; they are put off until something reads from them.
"""

from __future__ import annotations

import importlib
import logging
import sys
import threading
import types
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_PUT_OFF = ("altair", "scipy.stats")
_lock = threading.Lock()


class _PutOff(types.ModuleType):
    """Stands in for a module until the first attribute of it is read."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def _put_off() -> Iterator[None]:
    stand_ins = {name: _PutOff(name) for name in _PUT_OFF if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]


def load() -> types.ModuleType:
    """`great_expectations`, imported once.

    Warnings go where they went before: on import it diverts all of the process's warnings into logging.
    """
    with _lock:
        if "great_expectations" in sys.modules:
            return sys.modules["great_expectations"]
        with _put_off(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            module = importlib.import_module("great_expectations")
        logging.captureWarnings(False)
        for noisy in ("great_expectations", "great_expectations.validator.metrics_calculator"):
            logging.getLogger(noisy).setLevel(logging.CRITICAL)
        return module


def preload() -> threading.Thread:
    """Start importing in the background, so that the time passes while an engine reads files."""
    thread = threading.Thread(target=load, name="import-great-expectations", daemon=True)
    thread.start()
    return thread
