"""A dispute mediated at a kitchen table: draft, signatures with the finger, the paper; and what a villager then sees. All real."""

from collections.abc import Callable
from typing import Any

import pypdfium2
import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from gridgov import db
from gridgov.mediation.models import Mediation, Signature
from tests import seed

pytestmark = pytest.mark.browser
People = Callable[..., Page]


def ready(page: Page) -> Page:
    """Wait for the page's scripts."""
    expect(page.locator("html[data-ready]")).to_be_attached()
    return page


def scrawl(page: Page) -> None:
    """Write in the field as a finger does."""
    expect(page.locator("[data-sign-ready]")).to_be_attached()
    field = page.locator("[data-sign-field]")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    assert box is not None and box["width"] > 280 and box["height"] > 250  # Room for a name on a phone.
    left, top = box["x"], box["y"]
    for x, y, to_x, to_y in (
        (30, 40, 120, 45),
        (70, 30, 60, 150),
        (140, 60, 250, 70),
        (190, 40, 150, 170),
        (200, 100, 270, 180),
    ):
        page.mouse.move(left + x, top + y)
        page.mouse.down()
        page.mouse.move(left + to_x, top + to_y, steps=8)
        page.mouse.up()


def test_a_quarrel_is_written_down_signed_with_the_finger_and_printed(
    site: Any, person: People, axe: Callable[[Page], None]
) -> None:
    with site.inside() as city:
        issue = city.report("resident", category="0101", text="两家为共用水沟吵架，请帮忙调解")
        issue_id = issue.id
    page = person("micro_chief")
    page.goto(f"/issues/{issue_id}")
    axe(page)
    page.get_by_role("button", name="建立调解档案").click()
    ready(page)
    names, sides = page.locator("[name=party_name]"), page.locator("[name=party_side]")
    names.nth(0).fill("刘大娘")
    page.locator("[name=party_phone]").nth(0).fill(seed.PHONES["resident"])
    names.nth(1).fill("周老汉")
    assert sides.nth(1).input_value() == "respondent"
    page.fill("#f-facts", "两家共用的水沟被石头和垃圾堵住，下雨时水漫进刘大娘家院子，双方争吵多次。")
    page.fill(
        "#f-agreement", "一、周老汉在2026年12月1日前把水沟里的石头清走。\n二、刘大娘今后不再往水沟里倒垃圾。"
    )
    page.fill("#f-performance", "2026年12月1日前，在现场由组长验收。")
    axe(page)
    page.get_by_role("button", name="保存草稿").click()
    ready(page)
    page.get_by_role("button", name="请大家签名").click()
    page.locator("#confirm button[value=yes]").click()
    expect(page.locator("#signatures a.btn-primary").first).to_be_visible()
    for n in range(3):
        ready(page).locator("#signatures a.btn-primary").first.click()
        ready(page)
        if n == 0:
            page.get_by_role("button", name="我已看过").click()
            expect(page.locator("[data-sign-blank]")).to_be_visible()
            scrawl(page)
            page.get_by_role("button", name="擦掉重写").click()
        scrawl(page)
        if n == 0:
            axe(page)
        page.get_by_role("button", name="我已看过").click()
        expect(page.locator("img.signature")).to_have_count(n + 1)
    expect(page.locator(".badge", has_text="协议已签订").first).to_be_visible()
    axe(page)
    answer = page.request.get(page.url + "/agreement.pdf")
    assert answer.headers["content-type"] == "application/pdf"
    document = pypdfium2.PdfDocument(answer.body())
    words = "".join(each.get_textpage().get_text_range() for each in document)
    assert "人民调解协议书" in words and "周老汉" in words
    with site.inside():
        assert db.session.scalar(sa.select(sa.func.count()).select_from(Signature)) == 3
        assert db.session.scalars(sa.select(Mediation.state)).one() == "concluded"
    villager = person("resident")
    villager.goto(page.url)
    expect(ready(villager).locator(".pre").nth(1)).to_contain_text("石头清走")
    assert villager.locator("#attempts").count() == 0
