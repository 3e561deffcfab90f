"""A headless Chromium, driven by Selenium, for looking at pages as people do."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

# Nothing of a first start, of updates or of accounts may call home; --no-sandbox lets it run as root in containers.
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


#: For tests with a browser: on a busy machine Chromium now and then leaves a command without an answer for ever. Such
#: a test, and no other that fails, is run again; `Chromium.page` then starts another browser.
hung_browser = pytest.mark.flaky(reruns=2, only_rerun=["ReadTimeoutError"])

_PATIENCE = 40.0  # seconds for an answer; the longest wait inside a command is 20


class Chromium:
    """A browser that is started again when it no longer answers.

    Args:
        profiles: An empty folder for its profiles.
    """

    def __init__(self, profiles: Path) -> None:
        self.profiles = profiles
        self._page: Any = None
        self._started = 0

    def page(self) -> Any:
        """A driver whose browser answers; skips the test, with the reason, where browser or driver are missing."""
        if self._page is not None and not _answers(self._page):
            self.quit()
        if self._page is None:
            self._started += 1
            self._page = _start(self.profiles / str(self._started))
        return self._page

    def quit(self) -> None:
        """End the browser, whether it answers or not."""
        page, self._page = self._page, None
        if page is None:
            return
        page.command_executor.client_config.timeout = 5
        try:
            page.quit()
        except Exception:  # whatever it says, it is killed with its driver
            page.service.stop()


def _answers(page: Any) -> bool:
    page.command_executor.client_config.timeout = 5
    try:
        return bool(page.execute_script("return true"))
    except Exception:  # a timeout, or a window or session that is gone
        return False
    finally:
        page.command_executor.client_config.timeout = _PATIENCE


def _start(profile: Path) -> Any:
    webdriver = pytest.importorskip("selenium.webdriver", reason="Selenium is not installed")
    browser = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("Chromium or its driver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    page = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    page.command_executor.client_config.timeout = _PATIENCE
    page.set_script_timeout(20)
    return page


def show(page: Any, path: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
    """Open a file in a window of some size and colour scheme, and wait for its first picture."""
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
    )
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
    page.get(path.resolve().as_uri())
    wait_until_drawn(page)


def wait_until_drawn(page: Any) -> None:
    """Wait until pictures are decoded and drawn."""
    page.execute_async_script(
        "const done = arguments[0];"
        "Promise.all([...document.images].map((image) => image.decode().catch(() => null)))"
        ".then(() => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), 80));"
    )
