"""Whether everybody can use the page: names, contrast, keyboard, little room, little motion."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lookup.page.browser import Browser

VIEWS = ["#/", "#/credit_risk", "#/credit_risk/1", "#/skills/1", "#/credit_risk/99999"]

_TOO_FAINT = Path(__file__).with_name("contrast.js").read_text()


def settled(page: Browser, view: str) -> None:
    """Open a view with all that comes later."""
    page.open(view)
    if view == "#/credit_risk/1":
        page.until(lambda: page.css(".contributions") and page.css(".prediction-history .line"))
    else:
        page.until(lambda: page.css("main h1, main h2"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast(page: Browser, scheme: str) -> None:
    page.media(prefers_color_scheme=scheme)
    for view in VIEWS:
        settled(page, view)
        seen, faint = page.run(_TOO_FAINT)
        assert seen > 5
        assert faint == [], view


def test_all_that_can_be_used_has_a_name(page: Browser) -> None:
    for view in VIEWS:
        settled(page, view)
        nodes = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        usable = {
            "button",
            "link",
            "textbox",
            "combobox",
            "searchbox",
            "image",
            "table",
            "dialog",
            "option",
            "navigation",
        }
        found = [node for node in nodes if not node.get("ignored") and node.get("role", {}).get("value") in usable]
        assert len(found) > 4
        nameless = [node["role"]["value"] for node in found if not node.get("name", {}).get("value", "").strip()]
        assert nameless == [], view


def test_headings_begin_with_one_and_leave_no_level_out(page: Browser) -> None:
    for view in VIEWS:
        settled(page, view)
        levels = page.run(
            "return [...document.querySelectorAll('main :is(h1, h2, h3, h4)')].map((e) => Number(e.tagName[1]))"
        )
        assert levels.count(1) == 1 and levels[0] == 1, view
        assert all(after <= before + 1 for before, after in zip(levels, levels[1:], strict=False)), view


@pytest.mark.parametrize("width", [320, 700, 1280])
def test_nothing_is_wider_than_the_screen(page: Browser, width: int) -> None:
    page.width(width)
    for view in VIEWS:
        settled(page, view)
        wide = page.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, view


def test_motion_stops_where_it_is_not_wanted(page: Browser) -> None:
    moving = "return document.getAnimations().length"
    page.run("document.getElementById('mill').classList.add('turning')")
    assert page.run(moving) > 0
    page.media(prefers_reduced_motion="reduce")
    assert page.run(moving) == 0


def test_the_first_tab_skips_to_the_content(page: Browser) -> None:
    page.keys("\ue004")
    assert page.run("return document.activeElement.id") == "skip"
    page.keys("\ue007")
    assert page.run("return document.activeElement.id") == "content"
    assert page.address() in ("#/", ""), "the address belongs to the views"


def test_focus_is_always_visible(page: Browser) -> None:
    page.open("#/credit_risk/1")
    for _ in range(8):
        page.keys("\ue004")
        style = "const style = getComputedStyle(document.activeElement);"
        outlined = page.run(f"{style} return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2")
        assert outlined, page.run("return document.activeElement.outerHTML.slice(0, 200)")


def test_what_changes_is_said_aloud(page: Browser) -> None:
    page.open("#/credit_risk/1")
    page.until(lambda: "9.5" in page.run("return document.getElementById('announcer').textContent"))
    page.open("#/credit_risk/99999")
    page.until(lambda: "no entity" in page.run("return document.getElementById('announcer').textContent"))
