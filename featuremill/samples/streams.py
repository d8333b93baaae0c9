"""Random numbers that stay the same: across runs, chunk sizes, threads and releases of NumPy.

NumPy promises to keep the raw output of PCG64 and the hashing of SeedSequence, but not what `Generator.choice` or
`Generator.exponential` make of it. So everything here is built from raw 64-bit words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_DOUBLE_BITS = 53


class Stream:
    """Uniform random numbers of one purpose. Streams of one seed with different purposes are independent."""

    def __init__(self, seed: int, purpose: str) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, *purpose.encode("utf-8")]))

    def uniform(self, n: int) -> Floats:
        """`n` doubles in [0, 1)."""
        words = np.atleast_1d(self._bits.random_raw(n))
        return (words >> np.uint64(64 - _DOUBLE_BITS)).astype(np.float64) * 2.0**-_DOUBLE_BITS

    def normal(self, n: int) -> Floats:
        """`n` standard normal doubles, by Box and Muller (1958)."""
        radius = np.sqrt(-2.0 * np.log1p(-self.uniform(n)))
        return np.asarray(radius * np.cos(2.0 * np.pi * self.uniform(n)), dtype=np.float64)

    def exponential(self, n: int) -> Floats:
        """`n` doubles with an exponential distribution of mean 1."""
        return np.asarray(-np.log1p(-self.uniform(n)), dtype=np.float64)

    def pick(self, n: int, weights: Floats | list[float] | tuple[float, ...]) -> Ints:
        """`n` indices into `weights`, each as often as its weight says; weights need not sum to one."""
        return pick(self.uniform(n), weights)

    def permutation(self, n: int) -> Ints:
        """The numbers 0 to n - 1 in random order."""
        return np.asarray(np.argsort(self.uniform(n), kind="stable"), dtype=np.int64)


def pick(uniform: Floats, weights: Floats | list[float] | tuple[float, ...]) -> Ints:
    """Turn uniform numbers in [0, 1) into indices into `weights`."""
    bounds = np.cumsum(np.asarray(weights, dtype=np.float64))
    index = np.searchsorted(bounds[:-1], uniform * bounds[-1], side="right")
    return np.asarray(index, dtype=np.int64)
