"""A visit recorded at the door on a phone, with a signature; and a network that goes away meanwhile. All real."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from gridgov import db
from gridgov.visits.models import Visit

pytestmark = pytest.mark.browser


def ready(page: Page) -> Page:
    """Wait for the page's scripts."""
    expect(page.locator("html[data-ready]")).to_be_attached()
    return page


def test_a_visit_waits_for_the_network_and_is_signed(
    site: Any, person: Callable[..., Page], axe: Callable[[Page], None]
) -> None:
    page = person("worker")
    page.goto("/visits/new")
    ready(page)
    page.select_option("#f-purpose", "care")
    page.locator("input[name=consent][value=signed]").check(force=True)
    page.locator("input[name=consent_by][value=self]").check(force=True)
    page.select_option("#f-kind", "elderly_alone")
    page.fill("#f-name", "周奶奶")
    page.fill("#f-done", "换了厨房的灯泡")
    page.locator("#f-image > summary").click()
    field = page.locator("[data-sign-field]")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    assert box is not None and box["width"] > 280
    for x, y in ((30, 40), (120, 60), (60, 120)):
        page.mouse.move(box["x"] + x, box["y"] + y)
        page.mouse.down()
        page.mouse.move(box["x"] + x + 90, box["y"] + y + 60, steps=6)
        page.mouse.up()
    axe(page)
    page.context.set_offline(True)
    page.get_by_role("button", name="保存记录").click()
    expect(page.locator(".toast")).to_contain_text("没有网络")
    assert page.locator("#f-name").input_value() == "周奶奶"
    page.context.set_offline(False)
    page.get_by_role("button", name="保存记录").click()
    expect(page.locator("img.signature")).to_be_visible()
    axe(page)
    with site.inside():
        found = db.session.scalars(sa.select(Visit)).one()
        assert (found.name, str(found.consent)) == ("周奶奶", "signed") and found.signature
    page.goto("/visits")
    axe(page)
