"""Data made here, to try the project on: nobody in it exists, and it costs no download.

A sample is written into a landing folder, as somebody's export would be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from featuremill.errors import UsageError

if TYPE_CHECKING:
    from featuremill.samples.credit_risk import SampleReport


@dataclass(frozen=True)
class Sample:
    """A sample by name. `module` holds its `generate`, which is imported only when it is needed."""

    name: str
    module: str
    description: str
    rows: int

    @property
    def generate(self) -> Callable[..., SampleReport]:
        function: Callable[..., SampleReport] = import_module(self.module).generate
        return function


SAMPLES = {
    sample.name: sample
    for sample in (
        Sample(
            name="credit_risk",
            module="featuremill.samples.credit_risk",
            description="small loans of 2019 and 2020, and which of them went bad",
            rows=777_715,
        ),
    )
}


def sample(name: str) -> Sample:
    """The sample of that name. Raises UsageError naming those there are."""
    if name not in SAMPLES:
        raise UsageError(f"there is no sample {name!r}; there are: {', '.join(sorted(SAMPLES))}")
    return SAMPLES[name]
