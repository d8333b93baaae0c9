"""How a worker process begins: what granian calls after the fork."""

from __future__ import annotations

import ctypes
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from training_image.serving.settings import FAILURE, STATE, Settings

if TYPE_CHECKING:
    from training_image.serving.application import Application

PR_SET_DEATHSIG = 1


def create() -> Application:
    """The application of a worker process, its model loaded; granian serves once it is there."""
    # The server's handlers came along with the fork; until granian sets the worker's own they would swallow a SIGTERM.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    # A worker whose server was killed must not live on.
    ctypes.CDLL(None).prctl(PR_SET_DEATHSIG, signal.SIGTERM)
    # Importing XGBoost takes a second: only here, with the signals set, and not in the process that forks.
    from training_image.prediction import ArtefactError
    from training_image.serving.application import Application
    from training_image.serving.errors import RequestError

    settings = Settings.read(os.environ)
    state = Path(os.environ[STATE])
    try:
        return Application(settings, state)
    except (ArtefactError, RequestError) as error:
        # Starting again would not help: the server is told to end, and why.
        (state / FAILURE).write_text(str(error))
        os.kill(os.getppid(), signal.SIGTERM)
        raise SystemExit(1) from None
