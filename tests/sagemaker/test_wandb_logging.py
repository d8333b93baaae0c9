"""Weights & Biases: silent unless asked for, a warning if it cannot be done."""

from __future__ import annotations

import importlib.util
import sys
import warnings
from pathlib import Path

import pytest

from featuremill.sagemaker.wandb_logging import is_wanted, log_model
from tests.sagemaker.test_records import model, verdict

VARIABLES = ("WANDB_API_KEY", "WANDB_MODE")


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("variables", "wanted"),
    [
        ({}, False),
        ({"WANDB_API_KEY": "k"}, True),
        ({"WANDB_API_KEY": ""}, False),
        ({"WANDB_MODE": "offline"}, True),
        ({"WANDB_MODE": "online"}, False),
        ({"WANDB_API_KEY": "k", "WANDB_MODE": "disabled"}, False),
    ],
)
def test_when_it_is_asked_for(variables: dict[str, str], wanted: bool) -> None:
    assert is_wanted(variables) is wanted


def test_nobody_asked_nothing_is_said() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert log_model(model(1), verdict(True)) is None


def test_asked_for_but_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "k")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.warns(UserWarning, match="package wandb is not installed"):
        assert log_model(model(1), verdict(True)) is None


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="the package wandb is not installed")
def test_an_offline_run_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    report = tmp_path / "report.html"
    report.write_text("<p>report</p>")
    assert log_model(model(1), verdict(True), report, tmp_path) == model(1).version
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    assert list(run.glob("*.wandb"))
    assert list(run.rglob("*.html"))
