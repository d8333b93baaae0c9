"""What granian loads in each worker process."""

from __future__ import annotations

import gc
import logging

from featuremill.lookup.service.app import Service
from featuremill.lookup.service.settings import ServiceSettings


def application() -> Service:
    """The service of this process, from the settings in the environment."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    service = Service(ServiceSettings.from_environment())
    # What is there now lives as long as the process: the collector need not walk it in the middle of answers.
    gc.collect()
    gc.freeze()
    return service
