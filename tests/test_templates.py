"""Templates have nothing inline, and every part of the design can be used by everybody."""

import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from tests import gallery
from tests.browser import AXE, DESK, PHONE, watch

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = sorted([*ROOT.glob("gridgov/**/templates/**/*.html"), *ROOT.glob("tests/gallery/*.html")])
FORBIDDEN = {
    "an inline style": r"\sstyle\s*=",
    "an inline handler": r"\son[a-z]+\s*=",
    "hx-on": r"hx-on",
    "a js: value": r"""=\s*["']\s*(js|javascript):""",
    "a <style> element": r"<style\b",
    "an inline script": r"<script(?![^>]*\ssrc=)",
    "hx-vars": r"hx-vars",
}
VIEWS = ["phone", "elder", "desk", "elder desk"]
PAGES = [*gallery.PAGES, *(f"error/{status}" for status in (400, 403, 404, 409, 413, 422, 429, 500, 503))]


def names(paths: list[Path]) -> list[str]:
    """Paths as test ids."""
    return [str(path.relative_to(ROOT)) for path in paths]


@pytest.mark.parametrize("path", TEMPLATES, ids=names(TEMPLATES))
def test_a_template_has_nothing_inline(path: Path) -> None:
    text = re.sub(r"\{#.*?#\}", "", path.read_text("utf-8"), flags=re.DOTALL)
    found = [what for what, pattern in FORBIDDEN.items() if re.search(pattern, text, re.IGNORECASE)]
    assert found == []


@pytest.mark.parametrize("path", TEMPLATES, ids=names(TEMPLATES))
def test_no_hx_trigger_has_a_filter(path: Path) -> None:
    """Without eval htmx cannot judge `click[…]` and fires it always."""
    triggers = re.findall(r'hx-trigger="([^"]*)"', re.sub(r"\{\{.*?\}\}", "", path.read_text("utf-8")))
    assert [trigger for trigger in triggers if "[" in trigger] == []


@pytest.mark.parametrize("path", TEMPLATES, ids=names(TEMPLATES))
def test_every_form_that_posts_has_its_token(path: Path) -> None:
    text = path.read_text("utf-8")
    forms = re.findall(r'<form\b[^>]*method="post"[^>]*>.*?</form>', text, re.DOTALL | re.IGNORECASE)
    assert [form[:80] for form in forms if "csrf" not in form] == []


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The gallery."""
    return gallery.make_app(monkeypatch)


def test_htmx_is_configured_without_eval_and_swaps_a_422(app: Flask) -> None:
    page = app.test_client().get("/gallery/list").get_data(as_text=True)
    config = json.loads(re.search(r"name=\"htmx-config\" content='([^']*)'", page)[1])  # type: ignore[index]
    assert (config["allowEval"], config["includeIndicatorStyles"], config["selfRequestsOnly"]) == (
        False,
        False,
        True,
    )
    assert {"code": "422", "swap": True, "error": False} in config["responseHandling"]


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 422, 429, 500, 503])
def test_every_refusal_has_words_and_a_way_on(app: Flask, status: int) -> None:
    answer = app.test_client().get(f"/gallery/error/{status}")
    page = answer.get_data(as_text=True)
    assert answer.status_code == status
    assert "回到首页" in page
    assert "这一步不属于您的任职。" in page or status == 429


def test_our_own_fault_is_shown_without_navigation(app: Flask) -> None:
    """The navigation asks the database, which may be what has failed."""
    assert 'class="nav"' not in app.test_client().get("/gallery/error/503").get_data(as_text=True)
    assert 'class="nav"' in app.test_client().get("/gallery/error/404").get_data(as_text=True)


def test_an_error_stands_beside_its_field_and_is_tied_to_it(app: Flask) -> None:
    page = app.test_client().get("/gallery/form").get_data(as_text=True)
    area = re.search(r"<textarea[^>]*>", page)[0]  # type: ignore[index]
    assert 'aria-invalid="true"' in area
    assert 'aria-describedby="f-text-error f-text-help"' in area
    assert 'id="f-text-error"' in page


def test_a_deadline_is_never_told_by_colour_alone(app: Flask) -> None:
    page = app.test_client().get("/gallery/parts").get_data(as_text=True)
    for words, sign in [
        ("正常 · ", "clock-check"),
        ("临期 · ", "clock-exclamation"),
        ("已超期 3 小时", "alarm"),
    ]:
        assert words in page
        assert f"#{sign}" in page
    assert "暂定" in page


# ---- In the browser ----


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The gallery on a port of its own."""
    with pytest.MonkeyPatch.context() as patch:
        server = make_server("127.0.0.1", 0, gallery.make_app(patch), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.port}"
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module", params=VIEWS)
def view(request: pytest.FixtureRequest, browser: Browser, address: str) -> Iterator[tuple[str, Page]]:
    """One page object for each way of looking, reused for all pages of the gallery."""
    desk = "desk" in request.param
    context = browser.new_context(viewport=DESK if desk else PHONE, has_touch=not desk, locale="zh-CN")  # type: ignore[arg-type]
    if "elder" in request.param:
        context.add_cookies([{"name": "elder", "value": "1", "url": address}])
    yield request.param, context.new_page()
    context.close()


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_usable_by_everybody(view: tuple[str, Page], address: str, name: str) -> None:
    """No finding by axe, no breach of the policy, no sideways scrolling, targets large enough for thumbs."""
    way, page = view
    wrong: list[str] = []
    watch(page, wrong)
    page.goto(f"{address}/gallery/{name}")
    page.locator("html[data-ready]").wait_for(state="attached")
    assert findings(page) == []
    assert wrong == []
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    if way != "desk":
        assert small_targets(page, 60 if "elder" in way else 44) == []


def findings(page: Page) -> list[str]:
    """What axe-core finds, with the first element of each finding."""
    page.evaluate((ROOT / AXE).read_text("utf-8"))
    violations: list[Any] = page.evaluate("axe.run().then((result) => result.violations)")
    return [f"{found['id']}: {found['nodes'][0]['target']}" for found in violations]


def small_targets(page: Page, least_px: int) -> list[str]:
    """Controls lower than `least_px`. Links within a sentence are exempt, as in WCAG 2.5.8."""
    return page.evaluate(
        """(least) => [...document.querySelectorAll("button, select, textarea, summary, .input, .btn, "
            + ".choice, .check, .chip, .item-link, .nav-item, .bar-btn, .tree-name, .picker-add, "
            + ".leaflet-bar a")]
          .filter((one) => one.offsetParent !== null && !one.closest("dialog"))
          .filter((one) => one.getBoundingClientRect().height < least - 0.5)
          .map((one) => one.outerHTML.slice(0, 90))""",
        least_px,
    )
