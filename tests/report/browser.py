"""A headless Chromium, driven by Selenium, for looking at pages as people do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

# Nothing of a first start, of updates or of accounts may call home; --no-sandbox lets it run as root in containers.
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@contextmanager
def chromium(profile: Path) -> Iterator[Any]:
    """A driver with an empty profile; skips the test, with the reason, where browser or driver are missing."""
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
    page.set_script_timeout(20)
    try:
        yield page
    finally:
        page.quit()


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
