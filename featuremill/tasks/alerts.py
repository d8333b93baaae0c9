"""Telling people that a task failed: the log, a webhook, e-mail.

FEATUREMILL_ALERT_WEBHOOK    an URL; gets a POST with JSON: text, pipeline, run, task, url
FEATUREMILL_ALERT_EMAIL      addresses, separated by commas
FEATUREMILL_ALERT_SMTP       host:port of the mail server (default localhost:25)
"""

from __future__ import annotations

import hashlib
import json
import os
import smtplib
import time
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from pathlib import Path

AGAIN_AFTER_SECONDS = 24 * 3600
_TIMEOUT = 10


@dataclass(frozen=True)
class Alert:
    """What failed, where to look, and why."""

    pipeline: str
    run: str
    task: str
    text: str
    url: str = ""


def send(alert: Alert, state: Path, say: Callable[[str], None]) -> bool:
    """Tell about a failure, unless the same was told within a day: one bad landing fails the runs of all later days.

    Returns whether it was told. What goes wrong with telling is said, and never raised.
    """
    mark = state / "alerts" / hashlib.sha256(f"{alert.pipeline}\n{alert.text}".encode()).hexdigest()[:32]
    try:
        if mark.exists() and time.time() - mark.stat().st_mtime < AGAIN_AFTER_SECONDS:
            say(f"alerted already: {alert.text}")
            return False
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    except OSError as error:
        say(f"warning: {mark}: {error}; the alert may come again")
    say(f"ALERT {alert.pipeline} {alert.run} {alert.task}: {alert.text}")
    for name, tell in (("FEATUREMILL_ALERT_WEBHOOK", _post), ("FEATUREMILL_ALERT_EMAIL", _mail)):
        target = os.environ.get(name)
        if target:
            try:
                tell(target, alert)
            except (OSError, ValueError, smtplib.SMTPException) as error:
                say(f"warning: no alert by {name}: {error}")
    return True


def _post(url: str, alert: Alert) -> None:
    body = json.dumps(asdict(alert)).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=_TIMEOUT).close()


def _mail(addresses: str, alert: Alert) -> None:
    host, _, port = os.environ.get("FEATUREMILL_ALERT_SMTP", "localhost:25").partition(":")
    message = EmailMessage()
    message["Subject"] = f"{alert.pipeline}: {alert.task} failed"
    message["From"] = f"featuremill@{host}"
    message["To"] = addresses
    message.set_content(f"{alert.text}\n\nrun: {alert.run}\n{alert.url}\n")
    with smtplib.SMTP(host, int(port or 25), timeout=_TIMEOUT) as server:
        server.send_message(message)
