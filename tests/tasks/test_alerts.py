"""Whoever is named in the environment file hears of a failure, once."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from featuremill.spec.environment import AlertSettings, load_environment
from featuremill.spec.problems import EnvironmentFileError
from featuremill.tasks.alerts import AGAIN_AFTER_SECONDS, Alert, send
from tests.tasks.receivers import mail_server, text_of, webhook

ALERT = Alert("shop", "manual__1", "ingest.orders", "shop.orders ds=2024-05-01: 1 of 1 expectations failed")
LOG_ONLY = AlertSettings()


def test_the_same_failure_is_told_once(tmp_path: Path) -> None:
    said: list[str] = []
    assert send(ALERT, LOG_ONLY, tmp_path, said.append)
    assert not send(Alert("shop", "manual__2", "ingest.orders", ALERT.text), LOG_ONLY, tmp_path, said.append)
    assert send(Alert("shop", "manual__2", "ingest.orders", "another"), LOG_ONLY, tmp_path, said.append)
    assert [text.split()[0] for text in said] == ["ALERT", "alerted", "ALERT"]


def test_of_many_that_fail_at_once_one_tells(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as threads:
        told = list(threads.map(lambda _: send(ALERT, LOG_ONLY, tmp_path, lambda text: None), range(64)))
    assert sum(told) == 1


def test_what_lasts_is_told_again_after_a_day(tmp_path: Path) -> None:
    assert send(ALERT, LOG_ONLY, tmp_path, lambda text: None)
    (mark,) = (tmp_path / "alerts").iterdir()
    yesterday = time.time() - AGAIN_AFTER_SECONDS - 60
    os.utime(mark, (yesterday, yesterday))
    assert send(ALERT, LOG_ONLY, tmp_path, lambda text: None)
    assert not send(ALERT, LOG_ONLY, tmp_path, lambda text: None)


def test_a_webhook_gets_what_failed(tmp_path: Path) -> None:
    with webhook() as (url, got):
        send(ALERT, AlertSettings(webhook=url), tmp_path, lambda text: None)
    assert got == [{"pipeline": "shop", "run": "manual__1", "task": ALERT.task, "text": ALERT.text, "url": ""}]


def test_everybody_gets_the_mail(tmp_path: Path) -> None:
    with mail_server() as (server, got):
        settings = AlertSettings(
            email=("anna@example.org", "bert@example.org"), sender="mill@example.org", mail_server=server
        )
        send(ALERT, settings, tmp_path, lambda text: None)
    (message,) = got
    assert message["To"] == "anna@example.org, bert@example.org" and message["From"] == "mill@example.org"
    assert message["Subject"] == "shop: ingest.orders failed"
    assert ALERT.text in text_of(message) and "manual__1" in text_of(message)


def test_one_that_cannot_be_told_keeps_nobody_else_from_it(tmp_path: Path) -> None:
    said: list[str] = []
    with mail_server() as (server, got):
        settings = AlertSettings(webhook="http://127.0.0.1:9/", email=("anna@example.org",), mail_server=server)
        assert send(ALERT, settings, tmp_path, said.append)
    assert len(got) == 1
    assert "no alert by webhook" in said[-1]


def test_a_mail_server_that_does_not_answer_is_only_said(tmp_path: Path) -> None:
    said: list[str] = []
    settings = AlertSettings(email=("anna@example.org",), mail_server="127.0.0.1:9")
    assert send(ALERT, settings, tmp_path, said.append)
    assert "no alert by e-mail" in said[-1]


def test_the_environment_file_says_who(tmp_path: Path) -> None:
    file = tmp_path / "configuration" / "environments" / "local.yaml"
    file.parent.mkdir(parents=True)
    file.write_text('alerts: {webhook: "${HOOK:-}", email: [anna@example.org], mail_server: "mail:2525"}\n')
    assert load_environment(tmp_path, variables={}).alerts == AlertSettings(
        email=("anna@example.org",), mail_server="mail:2525"
    )
    hook = "https://hooks.example.org/secret"
    assert load_environment(tmp_path, variables={"HOOK": hook}).alerts.webhook == hook
    file.write_text("alerts: {webhook: hooks.example.org, email: [anna], mail_server: localhost}\n")
    with pytest.raises(EnvironmentFileError) as caught:
        load_environment(tmp_path)
    assert [text in str(caught.value) for text in ("not an URL", "'anna' is not an address", "not a mail server")] == [
        True
    ] * 3
