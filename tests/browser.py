"""Chromium for the browser tests: Debian's package, a phone's size, Chinese, standing in Wugang.

`conftest.py` makes the fixtures known to every test.
"""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

PHONE: ViewportSize = {"width": 390, "height": 844}
DESK: ViewportSize = {"width": 1440, "height": 900}
STANDING = {"latitude": 26.7281, "longitude": 110.5836, "accuracy": 12}
AXE = "gridgov/frontend/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Debian's headless shell, else its Chromium, else what CHROME_BIN names."""
    binary = (
        os.environ.get("CHROME_BIN") or shutil.which("chromium-headless-shell") or shutil.which("chromium")
    )
    args = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    return {**browser_type_launch_args, "executable_path": binary, "args": args}


@pytest.fixture
def browser_context_args() -> dict[str, Any]:
    """A phone in Wugang whose owner reads Chinese."""
    return {
        "viewport": PHONE,
        "is_mobile": True,
        "has_touch": True,
        "locale": "zh-CN",
        "timezone_id": "Asia/Shanghai",
        "geolocation": STANDING,
        "permissions": ["geolocation"],
    }


@pytest.fixture
def strict_page(page: Page) -> Iterator[Page]:
    """A page on which any script error and any breach of the Content-Security-Policy fails the test."""
    wrong: list[str] = []
    watch(page, wrong)
    yield page
    assert not wrong, wrong


def watch(page: Page, wrong: list[str]) -> None:
    """Collect script errors and policy breaches of a page in `wrong`."""
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console",
        lambda message: wrong.append(message.text) if "Content Security Policy" in message.text else None,
    )


def desk_context(browser: Browser, **more: Any) -> BrowserContext:
    """A context of a desk's size."""
    return browser.new_context(viewport=DESK, locale="zh-CN", timezone_id="Asia/Shanghai", **more)
