"""A headless Chromium for tests of the page."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1280,900",
)  # fmt: skip
_WAIT_SECONDS = 15


class Browser:
    """A window. `css` finds elements, `until` waits for something to hold."""

    def __init__(self, driver: Any, base: str) -> None:
        self.driver, self.base = driver, base

    def open(self, fragment: str = "#/") -> None:
        """Load the page anew at this address, and wait until it shows something."""
        self.driver.get("about:blank")
        self.driver.get(f"{self.base}/{fragment}")
        self.until(lambda: self.text("main") and not self.css("main > .skeleton"))

    def css(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def text(self, selector: str) -> str:
        """The texts of all elements that match, as people see them."""
        script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText).join('\\n').trim()"
        return str(self.run(script, selector))

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def keys(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()

    def until(self, holds: Callable[[], Any]) -> Any:
        from selenium.common.exceptions import StaleElementReferenceException
        from selenium.webdriver.support.ui import WebDriverWait

        waiting = WebDriverWait(self.driver, _WAIT_SECONDS, 0.03, ignored_exceptions=[StaleElementReferenceException])
        return waiting.until(lambda _: holds())

    def see(self, text: str, selector: str = "body") -> None:
        """Wait until the text is shown."""
        try:
            self.until(lambda: text in self.text(selector))
        except Exception:
            raise AssertionError(f"{text!r} is not in {selector}: {self.text(selector)[:3000]}") from None

    def address(self) -> str:
        return str(self.run("return location.hash"))

    def media(self, **features: str) -> None:
        """Emulate media features, such as prefers_color_scheme="dark"."""
        listed = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": listed})

    def width(self, pixels: int) -> None:
        size = {"width": pixels, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def complaints(self) -> list[str]:
        """What the console says, without the answers of 4xx that a page asked for."""
        said = [entry["message"] for entry in self.driver.get_log("browser")]
        return [message for message in said if "Failed to load resource" not in message]


def start(profile: Path) -> Any:
    """A driver with a fresh profile. Skips the test where there is no Chromium or no selenium."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    chromedriver = shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("Chromium and its driver are not installed: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
