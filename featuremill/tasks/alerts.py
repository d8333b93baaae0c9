"""Telling people that a task failed for good: in the task's log, and as the environment file's `alerts` says."""

from __future__ import annotations

import contextlib
import hashlib
import json
import smtplib
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from http.client import HTTPException
from pathlib import Path

from featuremill.spec.environment import AlertSettings

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


def send(alert: Alert, settings: AlertSettings, state: Path, say: Callable[[str], None]) -> bool:
    """Tell about a failure, unless the same was told within a day: one bad landing fails the runs of all later days.

    Returns whether it was told. What goes wrong with telling is said, and never raised.
    """
    if not _is_news(alert, state / "alerts", say):
        say(f"alerted already: {alert.text}")
        return False
    say(f"ALERT {alert.pipeline} {alert.run} {alert.task}: {alert.text}")
    if settings.webhook:
        with _only_said("webhook", say):
            _post(settings.webhook, alert)
    if settings.email:
        with _only_said("e-mail", say):
            _mail(settings, alert)
    return True


def _is_news(alert: Alert, folder: Path, say: Callable[[str], None]) -> bool:
    """Of several processes that fail with the same at the same time, one makes the mark and hears yes."""
    mark = folder / hashlib.sha256(f"{alert.pipeline}\n{alert.text}".encode()).hexdigest()[:32]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for other in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - other.stat().st_mtime > AGAIN_AFTER_SECONDS:
                    other.unlink()
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    except OSError as error:
        say(f"warning: {mark}: {error}; the alert may come again")
    return True


@contextlib.contextmanager
def _only_said(way: str, say: Callable[[str], None]) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, HTTPException, smtplib.SMTPException) as error:
        say(f"warning: no alert by {way}: {error}")


def _post(url: str, alert: Alert) -> None:
    body = json.dumps(asdict(alert)).encode()
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "application/json"})
    urllib.request.urlopen(request, timeout=_TIMEOUT).close()


def _mail(settings: AlertSettings, alert: Alert) -> None:
    message = EmailMessage()
    message["Subject"] = f"{alert.pipeline}: {alert.task} failed"
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.email)
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2])
    message.set_content(f"{alert.text}\n\nrun: {alert.run}\n{alert.url}\n")
    host, _, port = settings.mail_server.rpartition(":")
    with smtplib.SMTP(host, int(port), timeout=_TIMEOUT) as server:
        server.send_message(message)
