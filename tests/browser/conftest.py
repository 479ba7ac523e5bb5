"""The whole application behind a real browser: a server on its own database, people who really sign in.

This folder is no package on purpose: `tests.browser` is the module tests/browser.py, which sets Chromium up.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from werkzeug.serving import make_server

from gridgov import db, outbox
from tests import seed
from tests.browser import AXE, PHONE, browser_type_launch_args  # noqa: F401
from tests.factories import picture

CSP_WATCH = """document.addEventListener("securitypolicyviolation",
    (event) => console.error(`Content Security Policy: ${event.violatedDirective} ${event.blockedURI}`));"""
NOT_LOADED = "Failed to load resource: the server responded with a status of "


@dataclass
class Site:
    """The running application: its address, and a way into its database."""

    app: Flask
    url: str

    @contextmanager
    def inside(self) -> Iterator[seed.City]:
        """A transaction that is really committed, with the people of the test city."""
        db.session.remove()  # What this thread had read may have been changed by the server's since.
        with self.app.app_context(), db.transaction():
            yield seed.City()

    def deliver(self) -> None:
        """Make notices of what the outbox holds, as the worker does."""
        with self.inside():
            open_ones = (
                sa.select(outbox.Outgoing.id)
                .where(outbox.Outgoing.done_at.is_(None))
                .order_by(outbox.Outgoing.id)
            )
            for outbox_id in db.session.scalars(open_ones).all():
                assert outbox.deliver(outbox_id)


@dataclass
class Watch:
    """What went wrong on the pages of a test. Answers that a test provokes are named with `expect`."""

    wrong: list[str] = field(default_factory=list)
    expected: set[int] = field(default_factory=set)

    def expect(self, *statuses: int) -> None:
        """These answers are no fault."""
        self.expected |= set(statuses)

    def follow(self, context: BrowserContext) -> None:
        """Watch every page of a context for script errors, console errors and breaches of the policy."""
        context.add_init_script(CSP_WATCH)
        context.on("weberror", lambda error: self.wrong.append(str(error.error)))
        context.on("console", self._said)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type != "error":
            return
        if any(message.text.startswith(f"{NOT_LOADED}{status}") for status in self.expected):
            return
        self.wrong.append(f"{message.page and message.page.url}: {message.text}")


@pytest.fixture
def site_at() -> type[Site]:
    """For tests that serve the application themselves."""
    return Site


@pytest.fixture
def site(live: Flask) -> Iterator[Site]:
    """The application on a port of its own, on a database of its own."""
    server = make_server("127.0.0.1", 0, live, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Site(live, f"http://127.0.0.1:{server.port}")
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def watch() -> Iterator[Watch]:
    """Fails the test on any script error, console error or breach of the Content-Security-Policy."""
    found = Watch()
    yield found
    assert not found.wrong, found.wrong


@pytest.fixture
def phone_args() -> dict[str, Any]:
    """A phone at the spot of the test city, its owner reads Chinese and has allowed the place to be known."""
    spot = {"latitude": seed.SPOT["lat"], "longitude": seed.SPOT["lon"], "accuracy": 12}
    return {
        "viewport": PHONE, "is_mobile": True, "has_touch": True, "locale": "zh-CN",
        "timezone_id": "Asia/Shanghai", "geolocation": spot, "permissions": ["geolocation"],
    }  # fmt: skip


@pytest.fixture
def opened(
    browser: Browser, site: Site, watch: Watch, phone_args: dict[str, Any]
) -> Iterator[Callable[..., Page]]:
    """Opens a browser of its own: `opened(java_script_enabled=False)`, `opened(viewport=DESK)`."""
    contexts: list[BrowserContext] = []

    def open_page(**more: Any) -> Page:
        context = browser.new_context(base_url=site.url, **{**phone_args, **more})
        contexts.append(context)
        watch.follow(context)
        return context.new_page()

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def person(opened: Callable[..., Page]) -> Callable[..., Page]:
    """Signs somebody in through the page, in an own browser: `person("city_office", viewport=DESK)`."""

    def sign_in(key: str, **more: Any) -> Page:
        page = opened(**more)
        page.goto("/login")
        page.fill("#f-phone", seed.PHONES[key])
        page.fill("#f-password", seed.PASSWORD)
        page.press("#f-password", "Enter")
        expect(page.locator("nav.nav")).to_be_attached()
        return page

    return sign_in


@pytest.fixture(scope="session")
def axe() -> Callable[[Page], None]:
    """Asserts that axe finds nothing against a page."""
    script = Path(AXE).read_text("utf-8")

    def check(page: Page) -> None:
        page.evaluate(script)
        found = page.evaluate("() => axe.run()")["violations"]
        assert not found, [(v["id"], [node["html"][:200] for node in v["nodes"]]) for v in found]

    return check


def jpeg(name: str = "a.jpg", width: int = 800, height: int = 600) -> dict[str, Any]:
    """A photo as a file chosen in a form."""
    return {"name": name, "mimeType": "image/jpeg", "buffer": picture(width, height).getvalue()}


@pytest.fixture
def shot() -> Callable[..., dict[str, Any]]:
    """Photos to choose in a form, each another one: `page.set_input_files("#f-photos", [shot()])`."""
    return jpeg
