"""How the page's files are served."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from featuremill.lookup.page.files import CONTENT_SECURITY_POLICY, PageFiles
from tests.lookup.serving import Running

WEB = files("featuremill.lookup.page").joinpath("web")


def test_the_page_is_at_the_root_with_a_strict_policy(service: Running) -> None:
    answer = service.ask("/")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy == CONTENT_SECURITY_POLICY and "default-src 'none'" in policy
    assert "unsafe" not in policy and "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_files_are_revalidated(service: Running) -> None:
    for name in PageFiles().names:
        answer = service.ask(f"/page/{name}")
        assert answer.status == 200 and answer.body == WEB.joinpath(name).read_bytes()
        again = service.ask(f"/page/{name}", headers={"if-none-match": answer.headers["etag"]})
        assert (again.status, again.body) == (304, b"")
        assert "content-security-policy" in again.headers


@pytest.mark.parametrize("name", ["nothing.js", "..%2ffiles.py", "%2e%2e/files.py", "web", "", "files.py", "a/b"])
def test_nothing_else_is_served(service: Running, name: str) -> None:
    assert service.ask(f"/page/{name}").status == 404


def test_the_files_hold_nothing_inline_and_nothing_from_elsewhere() -> None:
    html = WEB.joinpath("index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", html)
    for name in PageFiles().names:
        text = WEB.joinpath(name).read_text()
        assert not re.search(r"(https?:)?//(?!www\.w3\.org/2000/svg)[a-z0-9-]+\.[a-z]", text), name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|url\(|@import", text), (
            name
        )


def test_every_module_is_preloaded() -> None:
    html = WEB.joinpath("index.html").read_text()
    modules = {name for name in PageFiles().names if name.endswith(".js")} - {"theme.js", "main.js"}
    assert modules == set(re.findall(r'modulepreload" href="/page/([\w.]+)"', html))
