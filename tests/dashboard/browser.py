"""A real Chromium without a window, driven by Selenium; nothing is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have little of it
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1500,900",
)
PATIENCE = 20.0  # seconds for the page to become as expected


class Browser:
    """A page and what a user does with it."""

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)

    def all(self, css: str) -> list[Any]:
        return self.driver.find_elements("css selector", css)

    def one(self, css: str) -> Any:
        self.until(lambda: len(self.all(css)) > 0, css)
        return self.all(css)[0]

    def click(self, css: str) -> None:
        self.retry(lambda: self.one(css).click())

    def text(self, css: str) -> str:
        return str(self.script("return document.querySelector(arguments[0])?.innerText ?? ''", css))

    def script(self, text: str, *words: Any) -> Any:
        return self.driver.execute_script(text, *words)

    def retry(self, act: Callable[[], Any]) -> None:
        """Rows are made anew when their run changes, maybe just under the mouse."""
        from selenium.common.exceptions import WebDriverException
        from selenium.webdriver.support.wait import WebDriverWait

        def done(_: Any) -> bool:
            act()
            return True

        WebDriverWait(self.driver, PATIENCE, 0.1, [WebDriverException]).until(done)

    def until(self, condition: Callable[[], Any], what: str) -> None:
        from selenium.webdriver.support.wait import WebDriverWait

        WebDriverWait(self.driver, PATIENCE, 0.1).until(lambda _: condition(), what)

    def complaints(self) -> list[str]:
        """What the browser found wrong with the page."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


def start(profile: Path) -> Browser:
    """A fresh browser; skips where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="NO BROWSER TEST: no selenium")
    from selenium.webdriver.chrome.service import Service

    binary = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not binary or not driver:
        pytest.skip("NO BROWSER TEST OF THE DASHBOARD: apt-get install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return Browser(webdriver.Chrome(options=options, service=Service(driver)))
